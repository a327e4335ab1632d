"""A loopback upstream that speaks bytes: each test scripts what it does with a request, faults included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from pointsman.call.http import HttpTransport
from pointsman.vocabulary import Dialect, Endpoint, Model, Timeouts, UpstreamCall


@dataclass
class Exchange:
    """One request, and the means to answer it with any bytes."""

    head: bytes
    body: bytes
    n_connection: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_whole(self, body: bytes, *extra: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *extra]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def send_chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def begin_stream(self) -> None:
        await self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    def reset(self) -> None:
        self.writer.transport.abort()

    async def client_left(self) -> None:
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


Script = Callable[[Exchange], Awaitable[None]]


@dataclass
class RawUpstream:
    """Serves one script; counts what reached it."""

    script: Script
    port: int = 0
    n_connections: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has closed a connection."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/chat/completions"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        number = self.n_connections
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].split(b":")[1]))
                exchange = Exchange(head, body, number, reader, writer)
                self.exchanges.append(exchange)
                await self.script(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.left.set()
            writer.close()


Serve = Callable[[Script], Awaitable[RawUpstream]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[asyncio.Server] = []

    async def start(script: Script) -> RawUpstream:
        upstream = RawUpstream(script)
        server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, limit=2**26)
        upstream.port = server.sockets[0].getsockname()[1]
        servers.append(server)
        return upstream

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    """Closed after the test, which must have left nothing running."""
    transport = HttpTransport()
    yield transport
    await transport.aclose()


MakeCall = Callable[..., UpstreamCall]


@pytest.fixture
def call() -> MakeCall:
    def make(
        url: str,
        *,
        body: bytes = b'{"model":"m"}',
        stream: bool = False,
        timeouts: Timeouts = Timeouts(connect_s=2, first_byte_s=2, idle_s=2, total_s=5),
        headers: tuple[tuple[str, str], ...] = (),
        endpoint_headers: tuple[tuple[str, str], ...] = (("authorization", "Bearer provider-key"),),
        max_concurrency: int | None = None,
    ) -> UpstreamCall:
        model = Model(
            name="haiku",
            provider="openai-compatible",
            provider_model="m",
            endpoints={Dialect.OPENAI_CHAT: Endpoint(url, endpoint_headers)},
            timeouts=timeouts,
            max_concurrency=max_concurrency,
        )
        return UpstreamCall(model, Dialect.OPENAI_CHAT, body, stream, headers)

    return make
