"""What the ledger's disk does, and what watches the gateway, harms no request: rows D2.41 and D2.53."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

from pointsman.decide import FixedPolicy
from pointsman.record import open_ledger
from pointsman.vocabulary import Tier

CHAT: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
N = 40


async def _told(stand: Stand) -> dict[str, Any]:
    _, _, body = await stand.send("GET", "/readyz")
    told: dict[str, Any] = orjson.loads(body)
    return told


async def _reaches(stand: Stand, name: str, value: float) -> None:
    """Returns once a metric is at least `value`; asks for ten seconds."""
    for _ in range(500):
        if await stand.metric(name) >= value:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} stays below {value}")


@pytest.mark.row("D2.41")
async def test_while_another_holds_the_database_requests_are_served_and_nothing_is_lost(
    open_stand: OpenStand, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    ledger = open_ledger(f"sqlite:///{path}", flush_ms=50)
    async with open_stand() as stand:
        stand.router.ledger = ledger
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answers = await asyncio.gather(*(stand.send("POST", "/v1/chat/completions", json=CHAT) for _ in range(N)))
            assert {status for status, _, _ in answers} == {200}
            await _reaches(stand, "pointsman_ledger_degraded", 1)
            assert await stand.metric("pointsman_ledger_queued") == N
            assert "ledger" in str(await _told(stand)), "whoever watches is told"
            status, _, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT)
            assert status == 200
            other.execute("ROLLBACK")
        await _reaches(stand, "pointsman_ledger_written_total", N + 1)
        assert await stand.metric("pointsman_ledger_dropped_total") == 0
        assert await stand.metric("pointsman_ledger_degraded") == 0
    with closing(sqlite3.connect(path)) as written:
        assert written.execute("SELECT count(*) FROM records").fetchone() == (N + 1,)


def _series(text: bytes) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@pytest.mark.row("D2.53")
async def test_nothing_that_a_client_sends_becomes_a_label(open_stand: OpenStand) -> None:
    async with open_stand() as stand:

        async def send(n: int) -> None:
            odd = f'x{n}"}} 1\npointsman_fake{{a="'
            for body, headers in (
                (CHAT | {"model": odd}, {}),
                (CHAT | {"user": odd}, {"x-pointsman-session": f"s{n}", "x-pointsman-tags": f"t{n}"}),
                (CHAT, {"x-pointsman-policy": f"p{n}"}),
                (CHAT, {"x-pointsman-tier": f"t{n}"}),
                (CHAT, {"Authorization": f"Bearer sk-{n}"}),
            ):
                await stand.send("POST", "/v1/chat/completions", json=body, headers=headers)
            await stand.send("GET", f"/v{n}/{n}")
            await stand.send("POST", f"/v1/feedback/{n}", json={"request_id": odd})

        await send(0)
        await stand.send("GET", "/metrics")
        _, _, first = await stand.send("GET", "/metrics")
        for n in range(1, 41):
            await send(n)
        _, _, after = await stand.send("GET", "/metrics")
        assert _series(after) == _series(first)
        assert b"pointsman_fake" not in after
        times_s = []
        for _ in range(5):
            started_s = time.perf_counter()
            await stand.send("GET", "/metrics")
            times_s.append(time.perf_counter() - started_s)
        assert statistics.median(times_s) < 0.1


@pytest.mark.row("D2.53")
async def test_a_configured_name_is_escaped_where_it_is_a_label(open_stand: OpenStand) -> None:
    name = 'che"ap\\n\n#'
    tiers = (Tier(name, ("small",)), Tier("strong", ("large", "spare")))
    async with open_stand(tiers=tiers, policies={"auto": FixedPolicy("auto", name)}) as stand:
        status, _, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT)
        assert status == 200
        assert await stand.metric("pointsman_decisions_total", tier=name, kind="fixed", reason="fixed") == 1
