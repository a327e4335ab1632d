"""The project's own upstream: a real server on a loopback port that answers what its script says.

    async with Upstream(Reply(text="4")) as up:
        model = up.model("small")                   # a vocabulary Model that points here
        ...
        assert up.requests[0].json["messages"]      # what arrived, byte for byte
        assert up.sent[0].body                      # what was sent, byte for byte
        await up.wait_cancelled()                   # the client of a request has left

Nothing needs sleeping: what a test waits for can be awaited.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from pointsman.vocabulary import Capabilities, Dialect, Endpoint, Model, Price, Timeouts

from .exchange import Received, Sent
from .plan import Chunk, Cut, Head, Hold, Pause, Plan, RawBytes, Refuse, Stall
from .script import Prompter, Reply, Script
from .writing import is_served, not_found, plan_for

WITHIN_S = 10.0
"""How long the waiting methods wait before they fail."""

DEFAULT_PRICE = Price(1.0, 2.0)
DEFAULT_TIMEOUTS = Timeouts(connect_s=5.0, first_byte_s=5.0, idle_s=5.0, total_s=20.0)

_PATHS = {
    Dialect.OPENAI_CHAT: "/v1/chat/completions",
    Dialect.OPENAI_RESPONSES: "/v1/responses",
    Dialect.ANTHROPIC_MESSAGES: "/v1/messages",
}


class Upstream:
    """A scripted provider of all three dialects, embeddings, models and token counts.

    Args:
        script: see `pointsman.testing.script`; None answers every request with one sentence.
        n_connections: how many connections are taken at once; further ones wait in the kernel.
        ssl_context: serves with TLS.
        port: None takes a free one.

    Attributes:
        requests: everything that arrived, in order.
        sent: what was sent in answer to each, same order; grows while an answer is under way.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        n_connections: int = 1_024,
        ssl_context: ssl.SSLContext | None = None,
        port: int | None = None,
    ) -> None:
        self.requests: list[Received] = []
        self.sent: list[Sent] = []
        self._prompter = Prompter(Reply() if script is None else script)
        self._backlog = n_connections
        self._ssl_context = ssl_context
        self._changed = asyncio.Condition()
        self._released = asyncio.Event()
        self._server: _Server | None = None
        self._listener: asyncio.Server | None = None
        self._port = port
        self._closing = False
        self._notices: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------ starting and stopping

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def listen(self) -> None:
        """Takes connections; after `stop_listening`, on the same port again."""
        if self._server is None:
            self._server = _Server(self._answer, on_change=self._notify)
        self._listener = await asyncio.get_running_loop().create_server(
            self._server,
            "127.0.0.1",
            0 if self._port is None else self._port,
            backlog=self._backlog,
            ssl=self._ssl_context,
        )
        self._port = self._listener.sockets[0].getsockname()[1]

    def stop_listening(self) -> None:
        """New connections are refused from now on; open ones stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def aclose(self) -> None:
        """Stops and cuts whatever is open."""
        self._closing = True
        self.stop_listening()
        if self._server is not None:
            await self._server.shutdown(0.1)
        for notice in tuple(self._notices):
            await notice

    # ------------------------------------------------------------ using it

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>` (with TLS `https://…`), without a path.

        Raises:
            RuntimeError: it has never listened.
        """
        if self._port is None:
            raise RuntimeError("the upstream has not been started; use `async with`")
        return f"{'http' if self._ssl_context is None else 'https'}://127.0.0.1:{self._port}"

    def model(
        self,
        name: str = "small",
        *,
        provider_model: str | None = None,
        dialects: Iterable[Dialect] = tuple(Dialect),
        price: Price | None = DEFAULT_PRICE,
        capabilities: Capabilities = Capabilities(),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        max_concurrency: int | None = None,
        key: str = "upstream-key",
        url: str | None = None,
    ) -> Model:
        """A model that is served here (or at another `url`), called `<name>-2026` by its provider.

        Its price is 1 and 2 USD per million tokens in and out unless told otherwise.
        """
        auth = {
            Dialect.ANTHROPIC_MESSAGES: (("x-api-key", key), ("anthropic-version", "2023-06-01")),
        }
        base = self.url if url is None else url
        bearer = (("Authorization", f"Bearer {key}"),)
        return Model(
            name=name,
            provider="openai-compatible",
            provider_model=f"{name}-2026" if provider_model is None else provider_model,
            endpoints={dialect: Endpoint(base + _PATHS[dialect], auth.get(dialect, bearer)) for dialect in dialects},
            price=price,
            price_missing=None if price is not None else "the test gave none",
            capabilities=capabilities,
            timeouts=timeouts,
            max_concurrency=max_concurrency,
        )

    def play(self, script: Script) -> None:
        """Replaces the script."""
        self._prompter = Prompter(script)

    def release(self) -> None:
        """Lets every answer go on that is held by `HoldAnswer` or `HoldAfter`, and those to come."""
        self._released.set()

    def hold(self) -> None:
        """Undoes `release` for answers to come."""
        self._released.clear()

    # ------------------------------------------------------------ watching it

    @property
    def n_open_connections(self) -> int:
        """Connections that clients hold open now."""
        return 0 if self._server is None else self._server.n_open

    @property
    def n_connections(self) -> int:
        """Connections ever taken."""
        return 0 if self._server is None else self._server.n_taken

    @property
    def n_cancelled(self) -> int:
        """Requests whose client left before the answer was sent whole."""
        return sum(sent.cancelled for sent in self.sent)

    @property
    def n_in_flight(self) -> int:
        """Requests whose answer is under way."""
        return sum(not (sent.finished or sent.cancelled) for sent in self.sent)

    async def wait_requests(self, n: int = 1, *, within_s: float = WITHIN_S) -> None:
        """Returns once so many requests have arrived whole.

        Raises:
            TimeoutError: they have not, within the time.
        """
        await self._wait(lambda: len(self.requests) >= n, within_s)

    async def wait_cancelled(self, n: int = 1, *, within_s: float = WITHIN_S) -> None:
        """Returns once the clients of so many requests have left before their answer was whole."""
        await self._wait(lambda: self.n_cancelled >= n, within_s)

    async def wait_sent(self, n_chunks: int, *, within_s: float = WITHIN_S) -> None:
        """Returns once the latest answer has so many chunks sent."""
        await self._wait(lambda: bool(self.sent) and len(self.sent[-1].chunks) >= n_chunks, within_s)

    async def wait_idle(self, *, within_s: float = WITHIN_S) -> None:
        """Returns once no answer is under way."""
        await self._wait(lambda: self.n_in_flight == 0, within_s)

    async def wait_open_connections(self, n: int, *, within_s: float = WITHIN_S) -> None:
        """Returns once exactly so many connections are open."""
        await self._wait(lambda: self.n_open_connections == n, within_s)

    async def _wait(self, reached: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(reached)

    def _notify(self) -> None:
        notice = asyncio.get_running_loop().create_task(self._tell())
        self._notices.add(notice)
        notice.add_done_callback(self._notices.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # ------------------------------------------------------------ answering

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        received = Received(
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers),
            body=await request.content.read(),
        )
        sent = Sent()
        self.requests.append(received)
        self.sent.append(sent)
        self._notify()
        try:
            reply = self._prompter.next(received) if is_served(received) else not_found()
            response = await self._play(request, plan_for(received, reply), sent)
        except (asyncio.CancelledError, ConnectionError):
            sent.cancelled = not self._closing
            raise
        finally:
            self._notify()
        return response

    async def _play(self, request: web.BaseRequest, plan: Plan, sent: Sent) -> web.StreamResponse:
        response = web.StreamResponse()
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has left")
        for step in plan.steps:
            match step:
                case Head(status, headers, content_length):
                    response = web.StreamResponse(status=status)
                    response.headers.extend(headers)
                    if content_length is None:
                        response.enable_chunked_encoding()
                    else:
                        response.content_length = content_length
                    sent.status, sent.headers = status, headers
                    await response.prepare(request)
                case Chunk(data):
                    await response.write(data)
                    sent.chunks.append(data)
                    self._notify()
                case RawBytes(data):
                    transport.write(data)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Hold():
                    await self._released.wait()
                case Stall():
                    await asyncio.get_running_loop().create_future()
                case Cut(reset):
                    _close(transport, reset=reset)
                    sent.finished = True
                    return response
                case Refuse():
                    raise RuntimeError("a server cannot refuse a connection it has taken; use stop_listening")
        await response.write_eof()
        sent.finished = True
        return response


class _Server(web.Server):
    """Counts connections."""

    def __init__(
        self,
        answer: Callable[[web.BaseRequest], object],
        *,
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(answer, handler_cancellation=True, access_log=None)  # type: ignore[arg-type]
        self._on_change = on_change
        self.n_open = 0
        self.n_taken = 0

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        self.n_open += 1
        self.n_taken += 1
        super().connection_made(handler, transport)
        self._on_change()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self.n_open -= 1
        super().connection_lost(handler, exc)
        self._on_change()


def _close(transport: asyncio.Transport, *, reset: bool) -> None:
    if not reset:
        transport.close()
        return
    opened = transport.get_extra_info("socket")
    if opened is not None:
        # Closing with a linger time of zero sends RST in place of FIN.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
