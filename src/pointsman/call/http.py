"""The one HTTP client: sends a call to its provider and gives the answer back as it comes.

aiohttp dials and reads HTTP (`wires`); this module holds what a gateway needs around it: what each timeout means, which
failures are whose, one retry when an idle connection had died, bounds on everything an upstream sends, and that a call
nobody waits for any more is cancelled. The reasons stand in `docs/design/transport.md`.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from dataclasses import dataclass, replace

import aiohttp
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from pointsman.errors import UpstreamBroken, UpstreamUnreachable
from pointsman.vocabulary import Endpoint, UpstreamCall

from .beside import beside
from .http_answer import HttpAnswer
from .http_failures import failure, timed_out
from .passed_headers import is_clean, may_go_up
from .slots import ModelSlots, Slots
from .wires import MAX_FIELD_BYTES, MAX_LINE_BYTES, READ_BUFFER_BYTES, Wire, Wires

MAX_ANSWER_BYTES = 32 * 2**20
"""Most bytes of one answer, decoded. The longest answers of today's models (128,000 output tokens, one event each)
come to some 25 MB of events."""
STALE_WITHIN_S = 1.0
"""An idle connection that the upstream had closed shows it within one round trip. One that breaks later broke while
the upstream was at work, and sending again might be paid for twice."""
MAX_TARGETS = 1_024
"""How many endpoints are kept ready to send to; above it, all are made anew (configurations hold far fewer)."""
MAX_HEADS = 256
"""How many sets of passed headers are kept ready for one endpoint."""
_LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)


_NO_SECRETS = frozenset({"anthropic-version", "anthropic-beta", "openai-beta", "user-agent"})
MIN_SECRET_CHARS = 12
"""A shorter value may be a word that answers hold by themselves; no provider's key is as short."""


@dataclass(slots=True)
class _Target:
    """An endpoint made ready to send to."""

    template: ClientRequest
    key: ConnectionKey
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    heads: dict[tuple[str, tuple[tuple[str, str], ...]], bytes]
    """Everything of a call before its length, by method and the headers passed."""
    secrets: tuple[bytes, ...]
    """What no answer may repeat: the keys that go along."""


class HttpTransport:
    """Sends calls over kept-alive connections. Belongs to one event loop, from the first call on.

    Args:
        max_answer_bytes: most decoded bytes of one answer, streamed or read.
        max_connections: most connections at once, over all hosts; further calls wait within their connect timeout.
        slot_wait_s: how long a call waits, in seconds, for one of its model's `max_concurrency` slots.
        ssl_context: replaces the default one (system certificates, TLS 1.2 or newer).
    """

    def __init__(
        self,
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        max_connections: int = 10_000,
        slot_wait_s: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._max_connections = max_connections
        self._ssl_context = ssl_context
        self._slots = Slots(slot_wait_s)
        self._targets: dict[tuple[Endpoint, str | None], _Target] = {}
        self._opened: tuple[Wires, asyncio.AbstractEventLoop] | None = None
        self._closed = False

    async def send(self, call: UpstreamCall) -> HttpAnswer:
        """The answer once its headers have come; an error status is an answer, a redirect is not.

        Raises:
            UpstreamBusy: the model's `max_concurrency` calls are all under way.
            UpstreamUnreachable: no name, connection or TLS handshake.
            UpstreamTimeout: no connection within `connect_s`, or no headers within `first_byte_s` of the start.
            UpstreamBroken: the connection closed before an answer, or what came is no answer.
        """
        if self._closed:
            raise RuntimeError("this transport is closed")
        model = call.model
        if model.max_concurrency is None:
            return await self._send(call, None)
        slot = await self._slots.take(model)
        try:
            return await self._send(call, slot)
        except BaseException:
            if slot is not None:
                slot.release()
            raise

    async def _send(self, call: UpstreamCall, slot: ModelSlots | None) -> HttpAnswer:
        model, timeouts = call.model.name, call.model.timeouts
        opened = self._opened
        if opened is None:
            opened = self._opened = (self._open(), asyncio.get_running_loop())
        wires, loop = opened
        started_s = loop.time()
        headers_within_s = timeouts.first_byte_s
        if timeouts.total_s is not None and timeouts.total_s < headers_within_s:
            headers_within_s = timeouts.total_s
        try:
            target, head = self._ready(call, wires)
            wire = wires.idle(target.key)
            answered = None
            if wire is not None:
                try:
                    answered = await _exchange(wires, wire, head, call, loop, started_s + headers_within_s)
                except _LOST:
                    # RFC 9112 section 9.3.1: a connection may close at any time, and a client recovers by sending
                    # again; on a fresh one, since more idle ones may have died with it.
                    if loop.time() - started_s > STALE_WITHIN_S:
                        raise
            if answered is None:
                async with asyncio.timeout_at(started_s + headers_within_s):
                    wire = await wires.dial(target.template, timeouts.connect_s)
                answered = await _exchange(wires, wire, head, call, loop, started_s + headers_within_s)
        except TimeoutError as error:
            raise timed_out(error, model, timeouts, headers_within_s) from None
        # The resolver raises UnicodeError for names that cannot be a host's.
        except (aiohttp.ClientError, HttpProcessingError, OSError, UnicodeError) as error:
            raise failure(error, model) from None
        message, payload = answered
        status = message.code
        assert wire is not None
        if status < 200 or 300 <= status < 400:
            wires.drop(wire)
            what = "a redirect, which is never followed" if status >= 300 else "a protocol switch"
            raise UpstreamBroken(
                f"model {model!r} answered with {what} (status {status})", model=model, retryable=False
            )
        return HttpAnswer(
            message,
            payload,
            wires,
            target.key,
            wire,
            model,
            timeouts,
            loop,
            started_s,
            self._max_answer_bytes,
            slot,
            target.secrets,
        )

    def _ready(self, call: UpstreamCall, wires: Wires) -> tuple[_Target, bytes]:
        """Where a call goes, and everything of it that stands before its length."""
        model = call.model
        endpoint = model.endpoints[call.dialect]
        target = self._targets.get((endpoint, call.path))
        if target is None:
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            there = endpoint
            if call.path is not None:
                there = replace(endpoint, url=beside(endpoint.url, call.path, model=model.name))
            target = self._targets[endpoint, call.path] = _target(there, model.name, wires)
        head = target.heads.get((call.method, call.headers))
        if head is None:
            if len(target.heads) >= MAX_HEADS:
                target.heads.clear()
            head = target.heads[call.method, call.headers] = _head(target, call)
        return target, head

    def _open(self) -> Wires:
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
            self._ssl_context.minimum_version = ssl.TLSVersion.TLSv1_2
        return Wires(limit=self._max_connections, ssl_context=self._ssl_context)

    async def aclose(self) -> None:
        """Closes every connection; answers still under way break off. The transport cannot be used again."""
        self._closed = True
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[0].aclose()


async def _exchange(
    wires: Wires, wire: Wire, head: bytes, call: UpstreamCall, loop: asyncio.AbstractEventLoop, until_s: float
) -> tuple[aiohttp.http.RawResponseMessage, aiohttp.StreamReader]:
    """Sends a call, and returns the head of its answer and its body, of which anything may have come.

    Raises:
        TimeoutError: no head by then.
        HttpProcessingError: what came is not HTTP.
        ClientError, OSError: the connection was lost.
    """
    expiry = loop.call_at(until_s, wire.set_exception, TimeoutError())
    try:
        wire.set_response_params(
            read_until_eof=True,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
        )
        transport = wire.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection is closing")
        if call.method == "POST":
            transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(call.body), call.body))
        else:
            transport.write(head + b"\r\n")
        while True:
            message, payload = await wire.read()
            # Interim answers (RFC 9110 section 15.2) come before the one that counts; a switch of protocols does not.
            if message.code > 199 or message.code < 100 or message.code == 101:
                return message, payload
    except BaseException:
        wires.drop(wire)
        raise
    finally:
        expiry.cancel()


def _target(endpoint: Endpoint, model: str, wires: Wires) -> _Target:
    try:
        url = URL(endpoint.url)
        valid = url.scheme in ("http", "https") and bool(url.host)
    except ValueError:
        valid = False
    if not valid:
        raise UpstreamUnreachable(f"the URL configured for model {model!r} is not valid", model=model, retryable=False)
    template = wires.template(url.with_user(None))
    headers = {
        "host": template.headers["Host"],
        "accept": "*/*",
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "pointsman",
    }
    if url.user is not None:
        pair = f"{url.user}:{'' if url.password is None else url.password}"
        headers["authorization"] = "Basic " + b64encode(pair.encode()).decode()
    for name, value in endpoint.headers:
        if not is_clean(name, value):
            raise UpstreamUnreachable(
                f"the {name!r} header configured for model {model!r} holds a character that HTTP does not allow, "
                "such as a line end at the end of a key",
                model=model,
                retryable=False,
            )
        headers[name.lower()] = value
    secrets = {value.rpartition(" ")[2] for name, value in endpoint.headers if name.lower() not in _NO_SECRETS}
    secrets |= {url.password} if url.password is not None else set()
    hidden = tuple(each.encode() for each in secrets if len(each) >= MIN_SECRET_CHARS)
    return _Target(template, template.connection_key, url.raw_path_qs, headers, {}, hidden)


def _head(target: _Target, call: UpstreamCall) -> bytes:
    passed = [(name.lower(), value) for name, value in call.headers if may_go_up(name) and is_clean(name, value)]
    replaced = {name for name, _ in passed}
    sent = [(name, value) for name, value in target.headers.items() if name not in replaced] + passed
    if call.method != "POST":
        sent = [(name, value) for name, value in sent if name != "content-type"]
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent)
    return f"{call.method} {target.path} HTTP/1.1\r\n{lines}".encode()
