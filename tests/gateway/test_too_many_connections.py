"""More clients than there is room for: told at once, and served as soon as others have gone."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import OpenStand

from pointsman.gateway import GatewayLimits
from pointsman.gateway.connection import MAX_TURNED_AWAY
from pointsman.gateway.listening import OWN_FILES, max_connections

row = pytest.mark.row
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))


async def answered(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and head of one answer."""
    async with asyncio.timeout(10.0):
        head = await reader.readuntil(b"\r\n\r\n")
    return int(head.split()[1]), head


@row("D2.39")
async def test_above_the_limit_it_is_503_at_once_and_room_is_used_again(open_stand: OpenStand) -> None:
    async with open_stand(limits=GatewayLimits(max_connections=3)) as stand:
        inside = [await connect(stand.url) for _ in range(3)]
        for reader, writer in inside:
            writer.write(HEALTH)
            assert (await answered(reader))[0] == 200
        outside, theirs = await connect(stand.url)
        theirs.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b" " * 90_000)
        status, head = await answered(outside)
        assert status == 503 and b"\r\nRetry-After: 1\r\n" in head
        assert json.loads(await outside.read())["error"]["code"] == "gateway_overloaded"
        theirs.close()
        # Those inside go on, and a place that is given up is taken again.
        for reader, writer in inside:
            writer.write(HEALTH)
            assert (await answered(reader))[0] == 200
        inside[0][1].close()
        status = 503
        while status == 503:
            reader, writer = await connect(stand.url)
            writer.write(HEALTH)
            status, _ = await answered(reader)
            writer.close()
        assert status == 200
        for _, writer in inside[1:]:
            writer.close()


@row("D2.39")
async def test_a_crowd_outside_neither_stays_nor_is_waited_for(open_stand: OpenStand) -> None:
    async with open_stand(limits=GatewayLimits(max_connections=1)) as stand:
        first, theirs = await connect(stand.url)
        theirs.write(HEALTH)
        assert (await answered(first))[0] == 200
        crowd = await asyncio.gather(*(connect(stand.url) for _ in range(MAX_TURNED_AWAY + 50)))

        async def ends(reader: asyncio.StreamReader) -> bytes:
            try:
                return await reader.read()
            except ConnectionError:
                return b""

        async with asyncio.timeout(10.0):
            told = await asyncio.gather(*(ends(reader) for reader, _ in crowd))
        assert sum(b" 503 " in each for each in told) >= MAX_TURNED_AWAY
        for _, writer in crowd:
            writer.close()
        theirs.write(HEALTH)
        assert (await answered(first))[0] == 200
        theirs.close()


def test_without_a_setting_half_of_the_files_that_may_be_opened_are_for_clients() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert max_connections(None) == (soft - OWN_FILES) // 2
    assert max_connections(7) == 7


@pytest.mark.parametrize(
    "sent",
    [
        HEALTH,
        b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01 no request\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"k" * 100_000 + b"\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{",
        b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["health", "nothing", "no request", "long header", "bad body", "two lengths"],
)
async def test_no_answer_tells_a_version(open_stand: OpenStand, sent: bytes) -> None:
    async with open_stand() as stand:
        reader, writer = await connect(stand.url)
        writer.write(sent)
        _, head = await answered(reader)
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        said = (head + await reader.readexactly(int(length.split()[1]))).lower()
        assert not any(word in said for word in (b"aiohttp", b"python", b"llhttp", b"traceback"))
        assert json.loads(said.partition(b"\r\n\r\n")[2])
        writer.close()


CONFIG = """
models: [{{name: small, provider: sim, model: claude-haiku-4-5}}]
tiers: [{{name: cheap, models: [small]}}]
policies: {{auto: {{kind: fixed, tier: cheap}}}}
baseline: cheap
limits: {{max_connections: 100000}}
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
server: {{port: 0}}
"""
FEW_FILES = 96


@pytest.mark.slow
@row("D2.39")
async def test_a_process_that_may_open_no_more_files_lives_and_serves_again(tmp_path: Path) -> None:
    file = tmp_path / "pointsman.yaml"
    file.write_text(textwrap.dedent(CONFIG.format(folder=tmp_path)))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW_FILES}, {FEW_FILES}))\n"
        "import sys; sys.argv = ['pointsman', 'serve', '--config', sys.argv[1]]\n"
        "from pointsman.cli.main import main; main()",
        str(file),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(90.0):
            url = json.loads(await process.stderr.readline())["url"]
            writers = [writer for _, writer in await asyncio.gather(*(connect(url) for _ in range(2 * FEW_FILES)))]
            await asyncio.sleep(0.5)
            assert process.returncode is None
            for writer in writers:
                writer.close()
            status = 0
            while status != 200:
                reader, writer = await connect(url)
                try:
                    writer.write(HEALTH)
                    status, _ = await answered(reader)
                except (ConnectionError, asyncio.IncompleteReadError):
                    continue
                finally:
                    writer.close()
            process.terminate()
            rest: bytes = await process.stderr.read()
            assert await process.wait() == 0, rest
            events: list[dict[str, Any]] = [json.loads(line) for line in rest.splitlines()]
            assert [each["event"] for each in events] == ["stopping", "stopped"]
    finally:
        if process.returncode is None:
            process.kill()
