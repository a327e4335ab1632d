"""What the transport costs per call over a bare aiohttp client, on loopback, in CPU time of the client's process.

    python benchmarks/bench_transport.py [--calls 2000] [--rounds 7]

The upstream runs in a process of its own and answers from memory. Both clients send the same 2 KB request over one
pooled connection, one call at a time; rounds alternate between them, and medians over rounds are shown, with the
spread between the quartiles of the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import cast

import aiohttp
import uvloop

from pointsman.call.http import HttpTransport
from pointsman.vocabulary import Dialect, Endpoint, Model, UpstreamCall

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 2_000}]}).encode()
HEADERS = {"content-type": "application/json", "authorization": "Bearer k", "accept-encoding": "identity"}
SMALL = json.dumps({"choices": [{"message": {"role": "assistant", "content": "y" * 800}}]}).encode()
EVENT = b"data: " + json.dumps({"choices": [{"delta": {"content": "word"}}]}).encode() + b"\n\n"
N_EVENTS = 50


class Upstream(asyncio.Protocol):
    """Answers every request whose head and body have come; each event of a stream is a write of its own."""

    def __init__(self) -> None:
        self.buffer = b""
        chunks = [f"{len(EVENT):x}\r\n".encode() + EVENT + b"\r\n"] * N_EVENTS
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        self.stream = [head, *chunks, b"0\r\n\r\n"]
        self.small = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(SMALL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or len(self.buffer) < end + 4 + len(BODY):
            return
        streams = self.buffer.startswith(b"POST /stream")
        self.buffer = b""
        if streams:
            for part in self.stream:
                self.transport.write(part)
        else:
            self.transport.write(self.small + SMALL)


def serve(tell: Connection) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
        tell.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


async def measure(port: int, n_calls: int, n_rounds: int) -> None:
    session = aiohttp.ClientSession()
    transport = HttpTransport()
    for path in ("small", "stream"):
        url = f"http://127.0.0.1:{port}/{path}"
        endpoint = Endpoint(url, (("authorization", "Bearer k"),))
        model = Model("m", "openai", "m", {Dialect.OPENAI_CHAT: endpoint}, max_concurrency=8)
        call = UpstreamCall(model, Dialect.OPENAI_CHAT, BODY, path == "stream")

        async def bare(url: str = url) -> int:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                return sum([len(chunk) async for chunk in response.content.iter_any()])

        async def ours(call: UpstreamCall = call) -> int:
            answer = await transport.send(call)
            try:
                return sum([len(chunk) async for chunk in answer.chunks()])
            finally:
                await answer.aclose()

        assert await bare() == await ours()
        seen = [(await cpu_us(bare, n_calls), await cpu_us(ours, n_calls)) for _ in range(n_rounds)]
        theirs, mine = (statistics.median(column) for column in zip(*seen, strict=True))
        low, middle, high = statistics.quantiles([mine - theirs for theirs, mine in seen], n=4)
        print(
            f"{path:>6}: bare aiohttp {theirs:6.1f} us, transport {mine:6.1f} us, difference {middle:+.1f} us", end=" "
        )
        print(f"(quartiles {low:+.1f} to {high:+.1f})")
    await session.close()
    await transport.aclose()


async def cpu_us(one: Callable[[], Awaitable[int]], n_calls: int) -> float:
    started_s = time.process_time()
    for _ in range(n_calls):
        await one()
    return (time.process_time() - started_s) / n_calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2_000, help="calls per round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    hear, tell = multiprocessing.Pipe(duplex=False)
    upstream = multiprocessing.get_context("spawn").Process(target=serve, args=(tell,), daemon=True)
    upstream.start()
    try:
        uvloop.run(measure(hear.recv(), options.calls, options.rounds))
    finally:
        upstream.terminate()
        upstream.join()


if __name__ == "__main__":
    main()
