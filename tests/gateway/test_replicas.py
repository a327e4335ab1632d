"""Two gateways over one real Redis, through the front door: one budget, one conversation, and Redis gone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.fleet import TIMEOUT_S, Fleet, told, until
from tests.gateway.keyring import Keyring
from tests.gateway.test_conversations import HARD, PRICES, HardIsHard, chat_turns, replies
from tests.redis_server import RedisServer

from pointsman.call.health import Health
from pointsman.decide import ThresholdPolicy
from pointsman.gateway import Keys
from pointsman.gateway.reload import Reloader, Served, content_digest
from pointsman.gateway.server import follow_others
from pointsman.gateway.state import GatewayLimits
from pointsman.gateway.virtual_keys import VirtualKeys
from pointsman.limit import Window
from pointsman.sharing import Sharing
from pointsman.testing import Reply
from pointsman.vocabulary import KeyTerms, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import OpenStand, Stand

    from pointsman.router import Router

CHAT: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1_000}
COST_USD = 0.002
ANSWER = Reply(text="a", usage=Usage(1_000, 500))
SLACK_S = 0.5
ADMIN = "key-of-admin"


class Site:
    """Two gateways that know one key, "alice"."""

    def __init__(self, fleet: Fleet, terms: KeyTerms) -> None:
        self.fleet = fleet
        fleet.terms["alice"] = terms
        self.ring = Keyring()
        self.headers = {"x-api-key": self.ring.add("alice", terms)}

    @asynccontextmanager
    async def gateway(
        self, open_stand: OpenStand, url: str, script: Any = ANSWER, **options: Any
    ) -> AsyncIterator[tuple[Stand, Sharing]]:
        health = Health()
        keys = Keys(admin=ADMIN, virtual=self.ring.virtual())
        async with (
            self.fleet.replica(url, health=health) as sharing,
            open_stand(script, keys=keys, sharing=sharing, health=health, **options) as stand,
        ):
            stand.headers = self.headers
            yield stand, sharing

    async def chat(self, stand: Stand, **changes: Any) -> tuple[int, Any, Any]:
        status, headers, got = await stand.send("POST", "/v1/chat/completions", json=CHAT | changes)
        return status, headers, json.loads(got)


@pytest.mark.row("D2.49")
async def test_fifty_at_once_at_two_gateways_overspend_a_budget_by_one_request(
    open_stand: OpenStand, redis: RedisServer, fleet: Fleet
) -> None:
    fleet.ledger = {window: {"alice": 0.999} for window in Window}
    site = Site(fleet, KeyTerms(usd_per_day=1.0))
    async with site.gateway(open_stand, redis.url) as (here, mine), site.gateway(open_stand, redis.url) as (there, its):
        asked = [site.chat(stand) for _ in range(25) for stand in (here, there)]
        statuses = [status for status, _, _ in await asyncio.gather(*asked)]
        assert statuses.count(200) == len(here.upstream.requests) + len(there.upstream.requests) == 1
        assert set(statuses) == {200, 429}
        await told(mine, its)
        assert [(await site.chat(stand))[0] for stand in (here, there)] == [429, 429]
        assert its.limits.spent_usd("alice", Window.DAY) == pytest.approx(0.999 + COST_USD)


async def test_a_tool_loop_stays_with_its_model_wherever_its_requests_arrive(
    open_stand: OpenStand, redis: RedisServer, fleet: Fleet
) -> None:
    site = Site(fleet, KeyTerms())
    options: dict[str, Any] = {
        "script": replies,
        "scorer": HardIsHard(),
        "policies": {"auto": ThresholdPolicy("auto", threshold=0.5)},
        **PRICES,
    }
    async with (
        site.gateway(open_stand, redis.url, **options) as (here, mine),
        site.gateway(open_stand, redis.url, **options) as (there, _),
    ):
        turns = chat_turns(3)["messages"]
        tools = [{"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}}]
        first = await site.chat(here, messages=turns[:1], tools=tools)
        await told(mine)
        # The tool's answer alone would look easy: only who knows the conversation stays with the large model.
        loop = [*turns[:3], {"role": "user", "content": "Thanks, in one word?"}]
        second = await site.chat(there, messages=turns[:3], tools=tools)
        assert HARD in turns[0]["content"] and loop
        assert first[2]["model"] == second[2]["model"] == "large"
        assert second[1]["x-pointsman-reason"].startswith("large called the tools")


@pytest.mark.row("D2.43")
async def test_open_without_redis_serves_ready_and_says_what_is_degraded(
    open_stand: OpenStand, redis: RedisServer, fleet: Fleet
) -> None:
    fleet.timeout_s = TIMEOUT_S
    site = Site(fleet, KeyTerms(usd_per_day=1.0))
    async with site.gateway(open_stand, redis.url) as (stand, sharing):
        redis.freeze()
        began_s = time.monotonic()
        assert [status for status, _, _ in await asyncio.gather(*(site.chat(stand) for _ in range(10)))] == [200] * 10
        assert time.monotonic() - began_s < TIMEOUT_S + SLACK_S
        status, _, body = await stand.send("GET", "/readyz")
        assert (status, json.loads(body)["degraded"]) == (200, ["redis"])
        assert (await stand.send("GET", "/healthz"))[0] == 200
        metrics = (await stand.send("GET", "/metrics", headers={"x-api-key": ADMIN}))[2].decode()
        assert "pointsman_shared_state_away 1.0" in metrics
        assert 'pointsman_shared_state_losses_total{why="timeout"} 1.0' in metrics
        redis.thaw()
        await until(lambda: sharing.present)
        await told(sharing)
        assert (await site.chat(stand))[0] == 200
        assert sharing.limits.spent_usd("alice", Window.DAY) == pytest.approx(11 * COST_USD)
        assert json.loads((await stand.send("GET", "/readyz"))[2])["degraded"] == []


@pytest.mark.row("D2.43")
async def test_closed_without_redis_refuses_with_503_and_is_not_ready(
    open_stand: OpenStand, redis: RedisServer, fleet: Fleet
) -> None:
    fleet.closed = True
    site = Site(fleet, KeyTerms(usd_per_day=1.0))
    async with site.gateway(open_stand, redis.url) as (stand, sharing):
        redis.kill()
        await until(lambda: not sharing.present)
        status, headers, body = await site.chat(stand)
        assert (status, body["error"]["code"]) == (503, "shared_state_away")
        assert int(headers["Retry-After"]) >= 1
        status, headers, got = await stand.send(
            "POST", "/v1/messages", json={"model": "auto", "max_tokens": 5, "messages": CHAT["messages"]}
        )
        assert (status, json.loads(got)["type"]) == (503, "error")
        assert int(headers["Retry-After"]) >= 1
        assert stand.ledger.records == [] and stand.upstream.requests == []
        status, _, body = await stand.send("GET", "/readyz")
        assert status == 503 and json.loads(body)["reason"] == "redis is away, and redis.on_failure is closed"
        assert (await stand.send("GET", "/healthz"))[0] == 200
        redis.start()
        await until(lambda: sharing.present)
        assert (await site.chat(stand))[0] == 200
        assert (await stand.send("GET", "/readyz"))[0] == 200


async def test_a_reload_and_a_key_that_one_gateway_has_seen_are_taken_up_by_the_other(
    open_stand: OpenStand, redis: RedisServer, fleet: Fleet, tmp_path: Path
) -> None:
    site = Site(fleet, KeyTerms())
    files = (tmp_path / "pointsman.yaml",)
    files[0].write_text("first")
    loads: list[str] = []

    def load_at(name: str, keys: Keys) -> Any:
        def load(running: Router) -> Served:
            loads.append(name)
            return Served(running, keys, GatewayLimits(), files, lambda: None)

        return load

    async with site.gateway(open_stand, redis.url) as (here, mine), site.gateway(open_stand, redis.url) as (there, its):
        known: list[VirtualKeys] = []
        reloaders: list[Reloader] = []
        for name, stand, sharing in (("here", here, mine), ("there", there, its)):
            gateway = stand.gateway
            known.append(gateway.keys.virtual)
            reloaders.append(Reloader(gateway, load_at(name, gateway.keys), files))
            follow_others(sharing, reloaders[-1], known[-1])
            await sharing.beat()
        files[0].write_text("second")
        assert await reloaders[0].reload()
        await until(lambda: loads == ["here", "there"])
        # Both have it now, so that a look at the file that both share changes nothing more elsewhere.
        assert await reloaders[1].reload()
        for sharing in (mine, its, mine, its):
            await sharing.beat()
        assert loads == ["here", "there", "there"]

        bob = site.ring.add("bob")
        await known[0].refresh()
        await until(lambda: known[1].terms("bob") is not None)
        there.headers = {"x-api-key": bob}
        assert (await site.chat(there))[0] == 200


def test_a_digest_names_the_content_of_files_and_not_when_they_were_written(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "a.yaml").write_text("x")
    assert content_digest([one / "a.yaml"]) == content_digest([two / "a.yaml"])
    (two / "a.yaml").write_text("y")
    assert content_digest([one / "a.yaml"]) != content_digest([two / "a.yaml"])
    assert content_digest([two / "gone.yaml"]) != content_digest([one / "a.yaml"])
