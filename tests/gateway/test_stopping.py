"""Starting and stopping: streams may end, the ledger is written out, and nothing hangs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from pointsman.errors import ConfigError
from pointsman.gateway import GatewayServer, create_app
from pointsman.testing import HoldAfter, Reply, StallAfter, Upstream

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

STREAM: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
PATH = "/v1/chat/completions"


@pytest.mark.row("D2.45")
async def test_a_stream_under_way_ends_whole_while_new_connections_are_refused(open_stand: OpenStand) -> None:
    async with (
        open_stand(Reply(text="one two", fault=HoldAfter(2))) as stand,
        stand.session.post(stand.url + PATH, json=STREAM) as response,
    ):
        first = await response.content.readany()
        draining = asyncio.ensure_future(stand.server.drain(grace_s=10.0))
        while True:
            try:
                async with aiohttp.ClientSession() as session, session.get(stand.url + "/readyz") as answer:
                    assert answer.status == 503
            except aiohttp.ClientConnectorError:
                break
        assert not draining.done()
        stand.upstream.release()
        assert (first + await response.content.read()).endswith(b"data: [DONE]\n\n")
        await draining
        assert stand.ledger.records[0].status == "ok"


@pytest.mark.row("D2.45")
async def test_a_stream_that_does_not_end_in_time_gets_an_error(open_stand: OpenStand) -> None:
    async with (
        open_stand(Reply(text="one two", fault=StallAfter(2))) as stand,
        stand.session.post(stand.url + PATH, json=STREAM) as response,
    ):
        await response.content.readany()
        await stand.server.drain(grace_s=0.05)
        last = await response.content.read()
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "gateway_stopping"
        await stand.upstream.wait_cancelled()
        assert stand.ledger.records[0].status == "cancelled"


@pytest.mark.row("D2.45")
async def test_a_second_signal_ends_the_grace_time(open_stand: OpenStand) -> None:
    async with (
        open_stand(Reply(fault=StallAfter(2))) as stand,
        stand.session.post(stand.url + PATH, json=STREAM) as response,
    ):
        await response.content.readany()
        now = asyncio.Event()
        now.set()
        async with asyncio.timeout(3.0):
            await stand.server.drain(grace_s=1_000.0, now=now)


async def test_a_port_in_use_is_a_clear_error(open_stand: OpenStand) -> None:
    async with open_stand() as stand:
        taken = int(stand.url.rsplit(":", 1)[1])
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {taken}"):
            await GatewayServer(create_app(stand.router), port=taken).start()


CONFIG = """
models:
  - {{name: small, provider: openai-compatible, model: m, base_url: "{url}/v1", api_key: k,
     price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
tiers: [{{name: cheap, models: [small]}}]
policies: {{auto: {{kind: fixed, tier: cheap}}}}
baseline: cheap
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
"""


@pytest.mark.slow
@pytest.mark.row("D2.45")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_serves_and_a_signal_ends_it_with_everything_recorded(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with Upstream(Reply(text="one two")) as upstream:
        config = tmp_path / "pointsman.yaml"
        config.write_text(textwrap.dedent(CONFIG.format(url=upstream.url, folder=tmp_path)))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pointsman",
            "serve",
            "--config",
            str(config),
            "--port",
            "0",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONWARNINGS": "default"},
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(30.0):
                started = json.loads(await process.stderr.readline())
                assert started["event"] == "listening"
                async with (
                    aiohttp.ClientSession() as session,
                    session.post(started["url"] + PATH, json=STREAM) as response,
                ):
                    assert (await response.read()).endswith(b"data: [DONE]\n\n")
                process.send_signal(number)
                rest = (await process.stderr.read()).decode()
                assert await process.wait() == 0, rest
        finally:
            if process.returncode is None:
                process.kill()
        events = [json.loads(line)["event"] for line in rest.splitlines()]
        assert events == ["stopping", "stopped"]
        logs = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("
            "'select count(*) from records').fetchone()[0])",
            str(tmp_path / "ledger.db"),
            stdout=subprocess.PIPE,
        )
        out, _ = await logs.communicate()
        assert out.strip() == b"1"


@pytest.mark.slow
async def test_a_public_address_without_keys_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "pointsman.yaml"
    config.write_text(CONFIG.format(url="http://127.0.0.1:9", folder=tmp_path))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pointsman",
        "serve",
        "--config",
        str(config),
        "--host",
        "0.0.0.0",
        "--port",
        "0",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(30.0):
        out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert b"no keys are configured" in err and b"Traceback" not in err
