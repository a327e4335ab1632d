"""The one HTTP client: sends a call to its provider and gives the answer back as it comes.

aiohttp does the protocol; this module holds what a gateway needs of it and aiohttp leaves open: what each timeout
means, which failures are whose, one retry when a pooled connection had died, bounds on everything an upstream sends,
and that a call nobody waits for any more is cancelled. The reasons stand in `docs/design/transport.md`.
"""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from base64 import b64encode
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from pointsman.errors import UpstreamBroken, UpstreamUnreachable
from pointsman.vocabulary import Endpoint, Timeouts, UpstreamCall

from .beside import beside
from .http_answer import HttpAnswer
from .http_failures import failure, timed_out
from .passed_headers import is_clean, may_go_up
from .slots import ModelSlots, Slots

MAX_ANSWER_BYTES = 32 * 2**20
"""Most bytes of one answer, decoded. The longest answers of today's models (128,000 output tokens, one event each)
come to some 25 MB of events."""
READ_BUFFER_BYTES = 64 * 2**10
"""aiohttp stops reading the socket at twice this: the bound on what a slow client makes us hold per stream, beside
the one read of at most 256 KiB that passes it."""
STALE_WITHIN_S = 1.0
"""A pooled connection that the upstream had closed shows it within one round trip. One that breaks later broke while
the upstream was at work, and sending again might be paid for twice."""
KEEPALIVE_S = 30.0
"""Idle pooled connections are closed after this, below the 60 to 75 s at which common load balancers close theirs."""
LARGE_BODY_BYTES = 2**20
"""From here on aiohttp wants a file object, which it writes piece by piece without holding up the loop."""
DNS_CACHE_S = 30
MAX_TARGETS = 1_024
"""How many endpoints are kept ready to send to; above it, all are made anew (configurations hold far fewer)."""

_dialled: ContextVar[list[bool] | None] = ContextVar("pointsman_dialled", default=None)


@dataclass(frozen=True, slots=True)
class _Target:
    """An endpoint made ready to send to."""

    url: URL
    headers: CIMultiDict[str]
    limits: aiohttp.ClientTimeout


class HttpTransport:
    """Sends calls over pooled keep-alive connections. Belongs to one event loop, from the first call on.

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
        self._targets: dict[tuple[Endpoint, Timeouts], _Target] = {}
        self._pool: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
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
        slot = await self._slots.take(call.model)
        try:
            return await self._send(call, slot)
        except BaseException:
            if slot is not None:
                slot.release()
            raise

    async def _send(self, call: UpstreamCall, slot: ModelSlots | None) -> HttpAnswer:
        model, timeouts = call.model.name, call.model.timeouts
        started_s = asyncio.get_running_loop().time()
        headers_within_s = timeouts.first_byte_s
        if timeouts.total_s is not None:
            headers_within_s = min(headers_within_s, timeouts.total_s)
        try:
            async with asyncio.timeout(headers_within_s):
                response = await self._request(call)
        except TimeoutError as error:
            raise timed_out(error, model, timeouts, headers_within_s) from None
        # The resolver raises UnicodeError for names that cannot be a host's.
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            raise failure(error, model) from None
        if response.status < 200 or 300 <= response.status < 400:
            response.close()
            what = "a redirect, which is never followed" if response.status >= 300 else "a protocol switch"
            raise UpstreamBroken(
                f"model {model!r} answered with {what} (status {response.status})", model=model, retryable=False
            )
        return HttpAnswer(response, model, timeouts, started_s, self._max_answer_bytes, slot)

    async def _request(self, call: UpstreamCall) -> aiohttp.ClientResponse:
        """The response, on a pooled connection when there is one; once more on a fresh one when that had died."""
        pool = self._pool
        if pool is None:
            pool = self._pool = self._open(pooled=True)
        loop = asyncio.get_running_loop()
        dialled: list[bool] = []
        token = _dialled.set(dialled)
        started_s = loop.time()
        try:
            return await self._post(pool, call)
        except (
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientOSError,
            aiohttp.ClientConnectionResetError,
        ) as error:
            if dialled or isinstance(error, aiohttp.ClientConnectorError) or loop.time() - started_s > STALE_WITHIN_S:
                raise
        finally:
            _dialled.reset(token)
        # RFC 9112 section 9.3.1: a connection may close at any time, and a client recovers by sending again. The pool
        # may hold more connections that died with this one, hence a session that never reuses any.
        if self._fresh is None:
            self._fresh = self._open(pooled=False)
        return await self._post(self._fresh, call)

    async def _post(self, session: aiohttp.ClientSession, call: UpstreamCall) -> aiohttp.ClientResponse:
        model = call.model
        endpoint = model.endpoints[call.dialect]
        if call.path is not None:
            endpoint = replace(endpoint, url=beside(endpoint.url, call.path, model=model.name))
        key = (endpoint, model.timeouts)
        target = self._targets.get(key)
        if target is None:
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            target = self._targets[key] = _target(*key, model.name)
        headers = target.headers
        if call.headers:
            passed = [pair for pair in call.headers if may_go_up(pair[0]) and is_clean(*pair)]
            headers = headers.copy()
            for name, _ in passed:
                headers.popall(name, None)
            headers.extend(passed)
        body: bytes | io.BytesIO | None = call.body
        if call.method != "POST":
            body = None
        elif len(call.body) >= LARGE_BODY_BYTES:
            body = io.BytesIO(call.body)
        return await session.request(
            call.method,
            target.url,
            data=body,
            headers=headers,
            timeout=target.limits,
            allow_redirects=False,
        )

    def _open(self, *, pooled: bool) -> aiohttp.ClientSession:
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
            self._ssl_context.minimum_version = ssl.TLSVersion.TLSv1_2
        connector = partial(
            aiohttp.TCPConnector,
            ssl=self._ssl_context,
            limit=self._max_connections,
            ttl_dns_cache=DNS_CACHE_S,
            resolver=aiohttp.ThreadedResolver(),
            socket_factory=_dial,
        )
        return aiohttp.ClientSession(
            connector=connector(keepalive_timeout=KEEPALIVE_S) if pooled else connector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=True,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=8_190,
            max_field_size=16_384,
        )

    async def aclose(self) -> None:
        """Closes every connection; answers still under way break off. The transport cannot be used again."""
        self._closed = True
        for session in (self._pool, self._fresh):
            if session is not None:
                await session.close()
        self._pool = self._fresh = None


def _dial(address: tuple[object, ...]) -> socket.socket:
    """A socket for a new connection; tells the call that asked for it that it is not a pooled one."""
    family, kind, protocol = address[0], address[1], address[2]
    assert isinstance(family, int) and isinstance(kind, int) and isinstance(protocol, int)
    dialled = _dialled.get()
    if dialled is not None:
        dialled.append(True)
    opened = socket.socket(family, kind, protocol)
    # A model may think for minutes without a byte; without probes, address translators forget such connections.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return opened


def _target(endpoint: Endpoint, timeouts: Timeouts, model: str) -> _Target:
    try:
        url = URL(endpoint.url)
        valid = url.scheme in ("http", "https") and bool(url.host)
    except ValueError:
        valid = False
    if not valid:
        raise UpstreamUnreachable(f"the URL configured for model {model!r} is not valid", model=model, retryable=False)
    headers: CIMultiDict[str] = CIMultiDict(
        {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "pointsman"}
    )
    if url.user is not None:
        pair = f"{url.user}:{'' if url.password is None else url.password}"
        headers["authorization"] = "Basic " + b64encode(pair.encode()).decode()
        url = url.with_user(None)
    for name, value in endpoint.headers:
        if not is_clean(name, value):
            raise UpstreamUnreachable(
                f"the {name!r} header configured for model {model!r} holds a character that HTTP does not allow, "
                "such as a line end at the end of a key",
                model=model,
                retryable=False,
            )
        headers[name] = value
    return _Target(url, headers, aiohttp.ClientTimeout(connect=timeouts.connect_s))
