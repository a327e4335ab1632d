"""D2, rows 42 and 43: the ledger's disk is full or broken, or its server is away; requests go on, or as configured."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.line import Line, line_to
from tests.postgres import PostgresServer

from pointsman.record import KeyStore, database_of, open_ledger, open_reader
from pointsman.vocabulary import Attempt, AttemptStatus, Cost, KeyTerms, Record, Usage

from .conftest import CHAT, HI, row

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

BODY: dict[str, Any] = {"model": "auto", "messages": HI, "max_tokens": 20}
CONFIG = """
models:
  - {{name: small, provider: sim, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
  - {{name: large, provider: sim, price: {{input_usd_per_mtok: 5, output_usd_per_mtok: 9}}}}
tiers: [{{name: cheap, models: [small]}}, {{name: strong, models: [large]}}]
policies: {{auto: {{kind: fixed, tier: cheap}}}}
default_policy: auto
baseline: strong
ledger: {ledger}
{more}
"""
CLIENTS = """
keys:
  clients: [{name: rich, key: key-of-rich}, {name: poor, key: key-of-poor, usd_per_day: 0.5}]
"""
ENOUGH_S = 1.0
"""A request that waited for a server that says nothing would take longer, however busy the machine is."""


@pytest.fixture
def line(postgres: PostgresServer) -> Iterator[Line]:
    with line_to(postgres.port) as line:
        yield line


@dataclass
class Serving:
    """A gateway's process."""

    url: str
    pid: int
    session: aiohttp.ClientSession

    async def ask(self, key: str | None = None, **more: Any) -> tuple[int, dict[str, Any], float]:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        started_s = time.perf_counter()
        async with self.session.post(self.url + CHAT, json=BODY | more, headers=headers) as answer:
            return answer.status, await answer.json(), time.perf_counter() - started_s

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.json()

    async def metric(self, name: str) -> float:
        async with self.session.get(f"{self.url}/metrics") as answer:
            text = await answer.text()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name:
                    return sample.value
        raise AssertionError(f"there is no {name}")


@asynccontextmanager
async def serving(folder: Path, *, ledger: str, more: str = "") -> AsyncIterator[Serving]:
    config = folder / "pointsman.yaml"
    config.write_text(CONFIG.format(ledger=ledger, more=more))
    command = [sys.executable, "-m", "pointsman", "serve", "--config", str(config), "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE, cwd=folder, env=dict(os.environ))
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60.0):
            said: dict[str, Any] = {}
            while said.get("event") != "listening":
                text = await process.stderr.readline()
                assert text, "it ended before it listened"
                said = json.loads(text) if text.startswith(b"{") else {}
        reading = asyncio.create_task(process.stderr.read())  # so that it never waits for us
        async with aiohttp.ClientSession() as session:
            yield Serving(said["url"], process.pid, session)
        process.terminate()
        async with asyncio.timeout(60.0):
            await reading
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def becomes(true: Any, within_s: float = 30.0) -> None:
    """Returns once it is true."""
    end_s = time.monotonic() + within_s
    while not await true():
        assert time.monotonic() < end_s, "it does not become true"
        await asyncio.sleep(0.05)


def spent_on_record(url: str) -> str:
    """Puts a dollar that "poor" has spent and a virtual key on record; returns the key."""
    usage = Usage(10, 10)
    attempt = Attempt("small", "cheap", AttemptStatus.OK, 200, None, usage, Cost(1.0), 1.0, 1.0)
    ledger = open_ledger(url)
    ledger.write(
        Record(
            "req_earlier",
            datetime.now(UTC),
            CHAT,
            None,
            "auto",
            "ok",
            200,
            None,
            (attempt,),
            usage,
            Cost(1.0),
            None,
            Cost(None, "none"),
            key_id="poor",
        )
    )
    assert ledger.flush()
    ledger.close()
    store = KeyStore(database_of(url))
    secret, _ = store.create("alice", KeyTerms(), now=datetime.now(UTC))
    store.close()
    return secret


def n_on_record(url: str) -> int:
    reader = open_reader(url)
    found = sum(each.n_requests for each in reader.sums_by_hour(("tier",)).values())
    reader.close()
    return found


@row("D2.43")
async def test_with_serve_a_start_without_the_server_serves_and_catches_up_when_it_is_there(
    line: Line, postgres_url: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    alice = spent_on_record(postgres_url)
    over_line = postgres_url.replace(str(postgres.port), str(line.port))
    target, line.target = line.target, None
    async with serving(tmp_path, ledger=f"{{url: '{over_line}', when_away: serve}}", more=CLIENTS) as gateway:
        assert (await gateway.get("/healthz"))[0] == 200
        status, told = await gateway.get("/readyz")
        assert (status, told["degraded"]) == (200, ["ledger"])
        assert (await gateway.ask("key-of-rich"))[0] == 200
        assert (await gateway.ask("key-of-poor"))[0] == 200, "what it had spent is not known"
        status, body, took_s = await gateway.ask(alice)
        assert (status, body["error"]["code"]) == (503, "ledger_away"), "no key is taken unchecked"
        assert took_s < ENOUGH_S
        assert (await gateway.ask("sk-wrong"))[0] == 401
        assert (await gateway.ask())[0] == 401, "nor does the gateway stand open because its keys are not known"
        line.target = target

        async def known() -> bool:
            return (await gateway.ask(alice))[0] == 200

        async def spent() -> bool:
            return (await gateway.ask("key-of-poor"))[0] == 429

        async def sound() -> bool:
            return bool((await gateway.get("/readyz"))[1]["degraded"] == [])

        await becomes(known)
        await becomes(spent)
        await becomes(sound)
    assert n_on_record(postgres_url) >= 4


@row("D2.43")
async def test_with_refuse_nothing_is_served_that_cannot_be_accounted_for(
    line: Line, postgres_url: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    spent_on_record(postgres_url)
    over_line = postgres_url.replace(str(postgres.port), str(line.port))
    target, line.target = line.target, None
    async with serving(tmp_path, ledger=f"{{url: '{over_line}', when_away: refuse}}", more=CLIENTS) as gateway:
        assert (await gateway.get("/healthz"))[0] == 200
        status, told = await gateway.get("/readyz")
        assert (status, told["reason"]) == (503, "ledger")
        status, body, took_s = await gateway.ask("key-of-rich")
        assert (status, body["error"]["code"]) == (503, "ledger_away")
        assert took_s < ENOUGH_S
        line.target = target
        first: list[int] = []

        async def ready() -> bool:
            status = (await gateway.ask("key-of-poor"))[0]
            first.append(status)
            return (await gateway.get("/readyz"))[0] == 200

        await becomes(ready)
        assert set(first) <= {503, 429}, "never served before what it had spent was known"
        assert (await gateway.ask("key-of-rich"))[0] == 200
        line.target = None
        line.cut()

        async def refused() -> bool:
            return (await gateway.ask("key-of-rich"))[0] == 503

        await becomes(refused)
        assert (await gateway.get("/readyz"))[0] == 503
        assert (await gateway.get("/healthz"))[0] == 200
        line.target = target

        async def served() -> bool:
            return (await gateway.ask("key-of-rich"))[0] == 200

        await becomes(served)


@row("D2.43")
@pytest.mark.parametrize("fault", ["stopped", "silent", "slow", "reset in transactions"])
async def test_requests_go_on_whatever_happens_to_the_server(
    open_stand: OpenStand, line: Line, postgres_url: str, postgres: PostgresServer, tmp_path: Path, fault: str
) -> None:
    over_line = postgres_url.replace(str(postgres.port), str(line.port))
    ledger = open_ledger(over_line, spool=tmp_path / "spool", flush_ms=20)
    good = line.target
    async with open_stand() as stand:
        stand.router.ledger = ledger
        assert (await stand.send("POST", CHAT, json=BODY))[0] == 200
        line.target = None if fault == "stopped" else good
        line.swallows, line.delay_s = fault == "silent", 2.0 if fault == "slow" else 0.0
        line.reset_after_bytes = 5_000 if fault == "reset in transactions" else None
        if fault in {"stopped", "reset in transactions"}:
            line.cut()
        for _ in range(30):
            started_s = time.perf_counter()
            assert (await stand.send("POST", CHAT, json=BODY))[0] == 200
            assert time.perf_counter() - started_s < ENOUGH_S
            await asyncio.sleep(0.01)

        async def away() -> bool:
            return await stand.metric("pointsman_ledger_away") == 1

        await becomes(away)
        assert await stand.metric("pointsman_ledger_degraded") == 1
        assert (await stand.send("GET", "/healthz"))[0] == 200
        assert (await stand.send("GET", "/readyz"))[0] == 200
        line.target, line.swallows, line.delay_s, line.reset_after_bytes = good, False, 0.0, None
        line.cut()

        async def moved() -> bool:
            back = await stand.metric("pointsman_ledger_away") == 0
            return back and await stand.metric("pointsman_ledger_spooled_bytes") == 0

        await becomes(moved)
        assert await stand.metric("pointsman_ledger_dropped_total") == 0
    assert n_on_record(postgres_url) == 31


@row("D2.42")
async def test_a_disk_that_takes_no_more_harms_no_request_and_writing_resumes_by_itself(tmp_path: Path) -> None:
    """Every write beyond a size fails in the kernel (EFBIG), which SQLite calls an I/O error."""
    path = tmp_path / "ledger.db"
    async with serving(tmp_path, ledger=f"{{url: 'sqlite:///{path}', flush_ms: 20}}") as gateway:
        assert (await gateway.ask())[0] == 200

        async def written() -> bool:
            return await gateway.metric("pointsman_ledger_written_total") >= 1

        await becomes(written)
        before = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        for _ in range(20):
            assert (await gateway.ask())[0] == 200

        async def degraded() -> bool:
            return await gateway.metric("pointsman_ledger_degraded") == 1

        await becomes(degraded)
        assert (await gateway.get("/readyz")) == (200, {"ready": True, "reason": "ready", "degraded": ["ledger"]})
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, before)

        async def resumed() -> bool:
            return await gateway.metric("pointsman_ledger_written_total") == 21

        await becomes(resumed)
        assert await gateway.metric("pointsman_ledger_degraded") == 0
        assert await gateway.metric("pointsman_ledger_dropped_total") == 0
    assert n_on_record(f"sqlite:///{path}") == 21
