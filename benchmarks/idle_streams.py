"""Ten thousand open streams that say nothing: what each costs in memory, and whether the gateway still serves.

python benchmarks/idle_streams.py --streams 10000

The gateway is `pointsman serve` in a process of its own; an upstream that sends two events and then is silent, and the
clients, are in this one. Each stream takes two open files of the gateway and two here: where `ulimit -Hn` does not
allow 20,600, fewer are opened. Exits 1 when the gateway needs more than 1.5 GB, a stream is refused, or another request
is not served while they are open or after they have ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import uvloop

MAX_BYTES = 1_500_000_000
BATCH = 200
"""Streams that are opened at once: the gateway's queue of connections holds 1,024."""
OTHER_FILES = 600
EVENT = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%s}]}\n\n'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
BODY = json.dumps({"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}).encode()
CONFIG = """
models:
  - {{name: small, provider: openai-compatible, model: m, base_url: "http://127.0.0.1:{port}/v1", api_key: k,
     price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}},
     timeout_s: {{connect_s: 60, first_byte_s: 120, idle_s: 900, total_s: 900}}}}
tiers: [{{name: cheap, models: [small]}}]
policies: {{auto: {{kind: fixed, tier: cheap}}}}
baseline: cheap
limits: {{max_requests: 20000, max_connections: 20000, max_lag_ms: 60000}}
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
server: {{port: 0}}
"""


class Silent(asyncio.Protocol):
    """An upstream that begins an answer, and goes on when it is told."""

    begun: set[Silent] = set()  # noqa: RUF012 - all of this process
    ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.got = b""

    def data_received(self, data: bytes) -> None:
        self.got += data
        if not self.got.endswith(b"}"):
            return
        self.transport.write(HEAD + EVENT % b'{"role":"assistant","content":"a"}' + EVENT % b'{"content":"b"}')
        self.begun.add(self)
        if self.ended:
            self.end()

    def connection_lost(self, _: Exception | None) -> None:
        self.begun.discard(self)

    def end(self) -> None:
        self.transport.write(EVENT.replace(b"}]}", b',"finish_reason":"stop"}]}') % b"{}" + b"data: [DONE]\n\n")
        self.transport.close()


async def begin(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream whose first event has come.

    Raises:
        ConnectionError: it was refused.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
        + str(len(BODY)).encode()
        + b"\r\nConnection: close\r\n\r\n"
        + BODY
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise ConnectionError(head + await reader.read())
    await reader.readuntil(b"\n\n")
    return reader, writer


def memory_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


async def measure(n_streams: int) -> int:
    """The exit code."""
    loop = asyncio.get_running_loop()
    upstream = await loop.create_server(Silent, "127.0.0.1", 0, backlog=4_096)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pointsman.yaml"
        file.write_text(CONFIG.format(port=upstream.sockets[0].getsockname()[1], folder=folder))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pointsman", "serve", "--config", str(file)), stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        port = int(json.loads(await process.stderr.readline())["url"].rpartition(":")[2])
        following = asyncio.ensure_future(process.stderr.read())
        try:
            for _ in range(20):
                warm = await begin(port)
                warm[1].close()
            at_rest = memory_bytes(process.pid)
            began_s = time.perf_counter()
            streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
            while len(streams) < n_streams:
                n = min(BATCH, n_streams - len(streams))
                streams += await asyncio.gather(*(begin(port) for _ in range(n)))
            opened_s = time.perf_counter() - began_s
            open_bytes = memory_bytes(process.pid)
            began_s = time.perf_counter()
            _, writer = await begin(port)
            another_ms = 1e3 * (time.perf_counter() - began_s)
            writer.close()
            print(f"{n_streams} idle streams opened in {opened_s:.1f} s: {open_bytes / 1e6:.0f} MB resident,")
            print(f"{at_rest / 1e6:.0f} MB before, {(open_bytes - at_rest) / n_streams / 1e3:.1f} KB a stream;")
            print(f"one more began in {another_ms:.0f} ms")
            Silent.ended = True
            for each in tuple(Silent.begun):
                each.end()
            async with asyncio.timeout(300.0):
                whole = [await reader.read() for reader, _ in streams]
            n_whole = sum(b"data: [DONE]\n\n" in each for each in whole)
            for _, writer in streams:
                writer.close()
            reader, writer = await begin(port)
            served = b"data: [DONE]\n\n" in await reader.read()
            writer.close()
            print(f"{n_whole} ended whole, then {memory_bytes(process.pid) / 1e6:.0f} MB; served after that: {served}")
            return 0 if open_bytes < MAX_BYTES and n_whole == n_streams and served else 1
        finally:
            process.terminate()
            await process.wait()
            said = (await following).decode().splitlines()
            print(*[line for line in said if '"level": "error"' in line][:5], sep="\n")
            upstream.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=10_000)
    n_streams = parser.parse_args().streams
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < 2 * n_streams + OTHER_FILES:
        n_streams = (hard - OTHER_FILES) // 2
        print(f"{hard} files may be opened: {n_streams} streams")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure(n_streams))


if __name__ == "__main__":
    sys.exit(main())
