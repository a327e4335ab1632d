"""D2, rows 45 to 47: signals, and a configuration that changes while the gateway serves."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from pointsman import assembly
from pointsman.gateway import GatewayLimits, GatewayServer, create_app
from pointsman.gateway.reload import Reloader, fingerprint
from pointsman.gateway.server import loader
from pointsman.gateway.state import GATEWAY
from pointsman.gateway.virtual_keys import NO_VIRTUAL_KEYS
from pointsman.router import Router
from pointsman.router_artifact import artifact_folder
from pointsman.testing import HoldAfter, MemoryLedger, Reply, StallAfter, Upstream

from .conftest import CHAT, HI, row

CONFIG = """
models:
  - {{name: small, provider: openai-compatible, model: {model}, base_url: "{url}/v1", api_key: k,
     price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
  - {{name: large, provider: openai-compatible, model: l, base_url: "{url}/v1", api_key: k,
     price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
tiers: [{{name: cheap, models: [small]}}, {{name: strong, models: [large]}}]
policies: {{auto: {{kind: fixed, tier: cheap}}, scored: {{kind: threshold, threshold: 0.5}}}}
default_policy: auto
router: {{artifact: {artifact}}}
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
{more}
"""
BODY = {"model": "auto", "messages": HI}


@dataclass
class Running:
    """A gateway on a configuration file."""

    url: str
    file: Path
    upstream: Upstream
    reloader: Reloader
    app: aiohttp.web.Application
    session: aiohttp.ClientSession

    def write(self, model: str = "one", artifact: str = "builtin", more: str = "") -> None:
        self.file.write_text(_config(self.file.parent, self.upstream, model, artifact, more))

    async def ask(self, **more: Any) -> tuple[int, dict[str, Any]]:
        async with self.session.post(self.url + CHAT, json=BODY | more) as response:
            return response.status, orjson.loads(await response.read())

    async def get(self, path: str) -> bytes:
        async with self.session.get(self.url + path) as response:
            return await response.read()


def _config(folder: Path, upstream: Upstream, model: str, artifact: str = "builtin", more: str = "") -> str:
    return CONFIG.format(url=upstream.url, folder=folder, model=model, artifact=artifact, more=more)


@asynccontextmanager
async def running(folder: Path, *, artifact: str = "builtin") -> AsyncIterator[Running]:
    async with Upstream(Reply(text="one two")) as upstream:
        file = folder / "pointsman.yaml"
        file.write_text(_config(folder, upstream, "one", artifact))
        parts = assembly.from_config(file)
        router = Router(
            **parts.for_router(),
            transport=assembly.open_transport(parts),
            ledger=MemoryLedger(),
            limits=assembly.open_limits(parts, None),
        )
        async with router, aiohttp.ClientSession() as session:
            app = create_app(router, limits=GatewayLimits.of(parts.settings.limits))
            async with GatewayServer(app) as server:
                files = (file, *assembly.watched_files(parts.settings))
                reloader = Reloader(app[GATEWAY], loader(file, parts.settings, "127.0.0.1", NO_VIRTUAL_KEYS), files)
                yield Running(server.url, file, upstream, reloader, app, session)


BAD: dict[str, tuple[dict[str, str], str]] = {
    "syntax": ({"more": "models: ["}, "pointsman.yaml"),
    "unknown field": ({"more": "limits: {max_bodies: 1}"}, "max_bodies"),
    "missing variable": ({"more": "keys: {admin_key: '${POINTSMAN_TEST_NOT_SET}'}"}, "POINTSMAN_TEST_NOT_SET"),
    "bad value": ({"more": "retry: {attempts_per_model: none}"}, "attempts_per_model"),
    "artifact missing": ({"artifact": "nowhere"}, "nowhere"),
}


@row("D2.46")
@pytest.mark.parametrize(("change", "named"), BAD.values(), ids=BAD)
async def test_a_bad_configuration_is_refused_named_and_counted_and_the_old_one_stays(
    tmp_path: Path, change: dict[str, str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as gateway:
        gateway.write(**change)
        assert await gateway.reloader.reload() is False
        assert (await gateway.ask())[0] == 200
        assert named in capsys.readouterr().out
        assert b'pointsman_reloads_total{result="refused"} 1.0' in await gateway.get("/metrics")
        assert json.loads(await gateway.get("/readyz"))["degraded"] == ["config"]
        gateway.write("two")
        assert await gateway.reloader.reload() is True
        assert json.loads(await gateway.get("/readyz"))["degraded"] == []
        await gateway.ask()
        assert [received.model for received in gateway.upstream.requests] == ["one", "two"]


@row("D2.46")
async def test_a_fault_is_named_with_file_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path) as gateway:
        gateway.write(more="breaker: {failures: 0}")
        line = 1 + next(n for n, text in enumerate(gateway.file.read_text().splitlines()) if "breaker" in text)
        await gateway.reloader.reload()
        log = capsys.readouterr().out
        assert f"pointsman.yaml:{line}" in log and "breaker.failures" in log


@row("D2.47")
async def test_a_reload_under_load_fails_no_request_and_answers_under_way_keep_their_target(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        gateway.upstream.play(lambda received: Reply(text="one two", fault=HoldAfter(2) if received.stream else None))
        held = await gateway.session.post(gateway.url + CHAT, json=BODY | {"stream": True})
        first = await held.content.readany()
        stop = asyncio.Event()

        async def client() -> list[int]:
            statuses = []
            while not stop.is_set():
                statuses.append((await gateway.ask())[0])
            return statuses

        clients = [asyncio.ensure_future(client()) for _ in range(8)]
        for n in range(3):
            gateway.write(f"model-{n}")
            assert await gateway.reloader.reload()
            gateway.write("broken", artifact="nowhere")
            assert not await gateway.reloader.reload()
        stop.set()
        statuses = [status for one in await asyncio.gather(*clients) for status in one]
        assert set(statuses) == {200}
        await gateway.ask()
        assert gateway.upstream.requests[-1].model == "model-2"
        gateway.upstream.release()
        assert (first + await held.content.read()).endswith(b"data: [DONE]\n\n")
        assert gateway.upstream.requests[0].model == "one"


@row("D2.47")
async def test_a_change_of_the_file_or_of_the_artifact_is_seen(tmp_path: Path) -> None:
    art = tmp_path / "art"
    shutil.copytree(artifact_folder("builtin"), art)
    async with running(tmp_path, artifact="art") as gateway:
        watching = asyncio.ensure_future(gateway.reloader.watch(every_s=0.02))

        async def counted(result: str, n: int) -> None:
            async with asyncio.timeout(30.0):
                while f'{{result="{result}"}} {n}.0'.encode() not in await gateway.get("/metrics"):
                    pass

        await asyncio.sleep(0.1)
        gateway.write("two", artifact="art")
        await counted("done", 1)
        card = (art / "card.json").read_bytes()
        (art / "card.json").write_bytes(card[: len(card) // 2])
        await counted("refused", 1)
        assert (await gateway.ask(model="auto:scored"))[0] == 200, "the old router stays"
        (art / "card.json").write_bytes(card)
        await counted("done", 2)
        watching.cancel()
        await gateway.ask()
        assert gateway.upstream.requests[-1].model == "two"


@row("D2.47")
async def test_limits_and_keys_change_and_what_needs_a_restart_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as gateway:
        keys = "keys: {clients: [{name: a, key: secret-123}]}"
        gateway.write(more=f"limits: {{max_body_bytes: 10}}\nserver: {{port: 1}}\n{keys}")
        assert await gateway.reloader.reload()
        assert (await gateway.ask())[0] == 401
        gateway.session.headers["Authorization"] = "Bearer secret-123"
        assert (await gateway.ask())[0] == 413
        log = capsys.readouterr().out
        assert "server" in log and "secret-123" not in log


def test_a_fingerprint_changes_with_a_file_and_knows_missing_ones(tmp_path: Path) -> None:
    file = tmp_path / "a"
    before = fingerprint([file])
    file.write_text("x")
    first = fingerprint([file])
    file.write_text("xy")
    assert before == (None,)
    assert len({before, first, fingerprint([file])}) == 3


@pytest.mark.slow
@row("D2.45", "D2.46", "D2.47")
async def test_the_process_reloads_at_sighup_and_a_second_sigterm_ends_it_now(tmp_path: Path) -> None:
    async with Upstream(Reply(text="one two", fault=StallAfter(2))) as upstream:
        file = tmp_path / "pointsman.yaml"
        file.write_text(_config(tmp_path, upstream, "one", more="server: {watch: false}"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pointsman",
            "serve",
            "--config",
            str(file),
            "--port",
            "0",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(os.environ),
        )
        assert process.stderr is not None

        async def event() -> dict[str, Any]:
            assert process.stderr is not None
            told: dict[str, Any] = json.loads(await process.stderr.readline())
            return told

        try:
            async with asyncio.timeout(60.0), aiohttp.ClientSession() as session:
                url = (await event())["url"]
                file.write_text(_config(tmp_path, upstream, "two", more="server: {watch: false, grace_s: 900}"))
                process.send_signal(signal.SIGHUP)
                assert (await event())["event"] == "configuration loaded"
                file.write_text("models: [")
                process.send_signal(signal.SIGHUP)
                assert (await event())["event"] == "configuration refused, the old one stays"
                async with session.post(url + CHAT, json=BODY | {"stream": True}) as response:
                    await response.content.readany()
                    process.send_signal(signal.SIGTERM)
                    assert (await event())["event"] == "stopping"
                    process.send_signal(signal.SIGTERM)
                    last = await response.content.read()
                assert b"gateway_stopping" in last and b"[DONE]" not in last
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
        assert upstream.requests[0].model == "two"
