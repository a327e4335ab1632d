"""Rates, concurrency and budgets over two replicas that share one real Redis."""

from __future__ import annotations

import asyncio
from itertools import cycle

import pytest
from tests.fleet import Fleet, told
from tests.redis_server import RedisServer

from pointsman.errors import BudgetSpent, RateLimited
from pointsman.limit import Window
from pointsman.sharing import Sharing
from pointsman.vocabulary import KeyTerms, Spent


async def enter(replica: Sharing, name: str, key: str = "a", *, tokens: int = 1, most_usd: float | None = None) -> None:
    await replica.limits.take_in(name, key, tokens=tokens, most_usd=most_usd)


# ---------------------------------------------------------------- budgets


@pytest.mark.row("D2.49")
@pytest.mark.parametrize("early", [True, False], ids=["set aside on entering", "set aside when decided"])
async def test_fifty_at_once_over_two_replicas_overspend_by_one_request(
    redis: RedisServer, fleet: Fleet, early: bool
) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
    fleet.ledger = {Window.DAY: {"a": 0.95}, Window.MONTH: {"a": 0.95}}
    async with fleet.replicas(redis.url) as replicas:
        called: list[str] = []

        async def ask(name: str, replica: Sharing) -> None:
            await enter(replica, name, most_usd=0.10 if early else None)
            try:
                await replica.limits.hold(name, most_usd=0.10)
                await asyncio.sleep(0.05)
                called.append(name)
            finally:
                replica.limits.settle(name, Spent(0.10 if name in called else 0.0, 1))

        asked = [ask(f"r{n}", replica) for n, replica in zip(range(50), cycle(replicas), strict=False)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        await told(*replicas)
        assert len(called) == 1
        assert {type(result) for result in results} <= {type(None), RateLimited, BudgetSpent}
        for replica in replicas:
            with pytest.raises(BudgetSpent) as refused:
                await enter(replica, "late")
            assert refused.value.retry_after_s == 12 * 3_600
            assert "the budget of this key of 1 USD per day is spent" in refused.value.message
            assert replica.limits.spent_usd("a", Window.DAY) == pytest.approx(1.05)
            assert replica.limits.n_under_way == 0


async def test_the_budget_of_all_keys_is_one_for_all_replicas(redis: RedisServer, fleet: Fleet) -> None:
    fleet.budget = KeyTerms(usd_per_month=1.0)
    async with fleet.replicas(redis.url) as (one, other):
        await enter(one, "r", "a", most_usd=0.75)
        await enter(other, "s", "b", most_usd=0.75)
        with pytest.raises(RateLimited, match="budget of this gateway of 1 USD per month is set aside"):
            await other.limits.hold("s", most_usd=0.75)
        one.limits.settle("r", Spent(1.0, 1))
        await told(one)
        with pytest.raises(BudgetSpent, match="this gateway"):
            await enter(other, "t", "c")


async def test_one_round_trip_is_enough_and_near_the_end_a_second_asks_for_what_was_decided(
    redis: RedisServer, fleet: Fleet
) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0, requests_per_min=100, tokens_per_min=1_000, max_concurrent=10)
    async with fleet.replica(redis.url, beat_s=60.0) as replica:
        before = replica.told.n_calls
        await enter(replica, "r", most_usd=0.50)
        await replica.limits.hold("r", most_usd=0.40)
        assert replica.told.n_calls - before == 1
        await told(replica)
        # 0.40 is set aside, so that 0.70 does not fit, and the 0.55 of the decided model does.
        await enter(replica, "s", most_usd=0.70)
        before = replica.told.n_calls
        await replica.limits.hold("s", most_usd=0.55)
        assert replica.told.n_calls - before == 1
        await enter(replica, "t", most_usd=0.10)
        with pytest.raises(RateLimited, match="set aside"):
            await replica.limits.hold("t", most_usd=0.10)


async def test_a_cost_that_is_not_known_is_what_was_set_aside_and_settling_twice_changes_nothing(
    redis: RedisServer, fleet: Fleet
) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
    async with fleet.replicas(redis.url) as (one, other):
        await enter(one, "r", most_usd=0.4)
        for _ in range(2):
            one.limits.settle("r", Spent(None, None))
        one.limits.settle("never seen", Spent(9.0, 9))
        await told(one)
        await enter(other, "s")
        assert other.limits.spent_usd("a", Window.DAY) == 0.4


# ---------------------------------------------------------------- rates and concurrency


async def test_fifty_at_once_get_as_many_requests_as_the_rate_of_the_key_allows(
    redis: RedisServer, fleet: Fleet
) -> None:
    fleet.terms["a"] = KeyTerms(requests_per_min=20)
    async with fleet.replicas(redis.url) as replicas:
        asked = [enter(replica, f"r{n}") for n, replica in zip(range(50), cycle(replicas), strict=False)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        refused = [result for result in results if isinstance(result, RateLimited)]
        assert len(refused) == 30
        assert all(2.0 < error.retry_after_s <= 3.0 for error in refused)
        await enter(replicas[0], "other", "b")


async def test_tokens_are_settled_to_what_was_used_and_every_replica_tells_the_same(
    redis: RedisServer, fleet: Fleet
) -> None:
    fleet.terms["a"] = KeyTerms(tokens_per_min=1_000)
    async with fleet.replicas(redis.url) as (one, other):
        await enter(one, "r", tokens=400)
        one.limits.settle("r", Spent(0.0, 1_600))
        await told(one)
        with pytest.raises(RateLimited, match="1000 tokens a minute") as refused:
            await enter(other, "s", tokens=400)
        assert refused.value.retry_after_s == pytest.approx(60.0, abs=1.0)
        left = other.limits.standing("a").tokens
        assert left is not None and (left.limit, left.remaining) == (1_000, 0)


async def test_no_more_than_so_many_at_once_over_all_replicas(redis: RedisServer, fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(max_concurrent=3)
    async with fleet.replicas(redis.url) as (one, other):
        asked = [enter(replica, f"r{n}") for n, replica in zip(range(50), cycle((one, other)), strict=False)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        entered = [n for n, result in enumerate(results) if result is None]
        assert len(entered) == 3
        with pytest.raises(RateLimited, match="3 requests under way, and may have 3 at once"):
            await enter(other, "s")
        (one, other)[entered[0] % 2].limits.settle(f"r{entered[0]}", Spent(0.0, 1))
        await told(one, other)
        await enter(other, "again")


async def test_a_client_that_leaves_while_redis_is_asked_holds_nothing(redis: RedisServer, fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(max_concurrent=1, usd_per_day=1.0)
    async with fleet.replica(redis.url) as replica:
        task = asyncio.create_task(enter(replica, "r", most_usd=0.9))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await told(replica)
        await enter(replica, "s", most_usd=0.9)
        task = asyncio.create_task(replica.limits.hold("s", most_usd=0.95))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        replica.limits.settle("s", Spent(0.0, 1))
        await told(replica)
        await enter(replica, "t", most_usd=1.0)
        await replica.limits.hold("t", most_usd=1.0)


async def test_what_a_replica_had_under_way_is_free_again_when_it_has_died(redis: RedisServer, fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(max_concurrent=1, usd_per_day=1.0)
    async with fleet.replica(redis.url) as survivor:
        fleet.alive_for_s = 0.4
        async with fleet.replica(redis.url) as dying:
            await enter(dying, "r", most_usd=0.9)
            with pytest.raises(RateLimited):
                await enter(survivor, "s")
        # It ended without settling, and beats no more; the survivor's own patience is what counts for it.
        async with fleet.replica(redis.url) as other:
            await asyncio.sleep(fleet.alive_for_s + 0.1)
            await enter(other, "s", most_usd=0.9)
            await other.limits.hold("s", most_usd=0.9)


async def test_a_key_without_limits_asks_nobody(redis: RedisServer, fleet: Fleet) -> None:
    async with fleet.replica(redis.url, beat_s=60.0) as replica:
        before = replica.told.n_calls
        await enter(replica, "r")
        assert replica.told.n_calls == before


async def test_other_terms_hold_at_once_and_what_was_taken_stays_taken(redis: RedisServer, fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(requests_per_min=10)
    async with fleet.replicas(redis.url) as (one, other):
        for n in range(4):
            await enter(one, f"r{n}")
        fleet.terms["a"] = KeyTerms(requests_per_min=5)
        await enter(other, "r4")
        with pytest.raises(RateLimited, match="5 requests a minute"):
            await enter(other, "r5")
        one.limits.configure(lambda _: KeyTerms(), budget=KeyTerms(usd_per_day=1.0))
        await enter(one, "r6")
        assert one.limits.has_budget("a")
        assert one.limits.overall()[Window.DAY] == (0.0, 1.0)
