"""Redis away at the start, dying, behind a black hole, slow, empty after a restart: who waits, what is decided, and
that nothing is counted twice."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

import pytest
from tests.fleet import TIMEOUT_S, Fleet, told, until
from tests.redis_server import Between, RedisServer, redis_server

from pointsman.errors import BudgetSpent, RateLimited, SharedStateAway
from pointsman.limit import Window
from pointsman.sharing import Sharing
from pointsman.vocabulary import KeyTerms, Spent

SLACK_S = 0.25
"""What a busy machine may add to a wait."""


async def spend(replica: Sharing, name: str, usd: float, key: str = "a") -> None:
    await replica.limits.take_in(name, key, tokens=1, most_usd=usd)
    await replica.limits.hold(name, most_usd=usd)
    replica.limits.settle(name, Spent(usd, 1))


def refuses(replica: Sharing) -> bool:
    return replica.refusing


async def seconds(asked: Awaitable[object]) -> float:
    began_s = time.monotonic()
    await asyncio.gather(asked, return_exceptions=True)
    return time.monotonic() - began_s


async def spent_usd(replica: Sharing, key: str = "a") -> float:
    """What the store says is spent today."""
    await told(replica)
    await replica.limits.take_in("look", key, tokens=0)
    replica.limits.settle("look", Spent(0.0, 0))
    return replica.limits.spent_usd(key, Window.DAY)


# ---------------------------------------------------------------- the two policies


@pytest.mark.row("D2.43")
async def test_away_at_the_start_open_each_replica_keeps_the_limits_by_itself_and_what_it_spent_is_told_later(
    fleet: Fleet,
) -> None:
    fleet.timeout_s = TIMEOUT_S
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0, requests_per_min=3)
    with tempfile.TemporaryDirectory(prefix="pm") as folder:
        server = RedisServer(Path(folder))
        async with fleet.replica(server.url):
            pass  # redis-py is imported with the first one
        began_s = time.monotonic()
        async with fleet.replicas(server.url) as (one, other):
            assert time.monotonic() - began_s < 2 * TIMEOUT_S + SLACK_S
            assert not one.present and not one.refusing
            assert one.told.n_away["unreachable"] >= 1
            for replica in (one, other):
                for n in range(3):
                    await spend(replica, f"r{n}", 0.2)
                with pytest.raises(RateLimited, match="3 requests a minute"):
                    await spend(replica, "s", 0.2)
            server.start()
            try:
                await until(lambda: one.present and other.present)
                fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
                await told(one, other)
                with pytest.raises(BudgetSpent):
                    await spend(one, "t", 0.1)
                assert one.limits.spent_usd("a", Window.DAY) == pytest.approx(1.2)
                fleet.terms["a"] = KeyTerms(requests_per_min=3)
                with pytest.raises(RateLimited) as refused:
                    await spend(other, "u", 0.1)
                # Six of three a minute were taken: the bucket is overdrawn by three.
                assert refused.value.retry_after_s == pytest.approx(80.0, abs=3.0)
            finally:
                server.kill()


@pytest.mark.row("D2.43")
async def test_away_closed_refuses_requests_that_have_a_budget_and_serves_the_others(fleet: Fleet) -> None:
    fleet.closed = True
    fleet.terms |= {"a": KeyTerms(usd_per_day=1.0), "b": KeyTerms(requests_per_min=1)}
    with tempfile.TemporaryDirectory(prefix="pm") as folder:
        server = RedisServer(Path(folder))
        async with fleet.replica(server.url) as replica:
            assert refuses(replica)
            with pytest.raises(SharedStateAway) as refused:
                await spend(replica, "r", 0.1)
            assert (refused.value.status, refused.value.code) == (503, "shared_state_away")
            assert refused.value.retry_after_s >= 1.0
            await spend(replica, "s", 0.1, "b")
            with pytest.raises(RateLimited):
                await spend(replica, "t", 0.1, "b")
            assert replica.limits.n_under_way == 0
            server.start()
            try:
                await until(lambda: replica.present)
                assert not refuses(replica)
                await spend(replica, "u", 0.1)
            finally:
                server.kill()


@pytest.mark.row("D2.43")
async def test_a_request_that_entered_before_redis_went_away_is_refused_when_closed_and_goes_on_when_open(
    redis: RedisServer, fleet: Fleet
) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
    async with fleet.replica(redis.url) as replica:
        await replica.limits.take_in("r", "a", tokens=1)
        redis.kill()
        await replica.limits.hold("r", most_usd=0.3)
        replica.limits.settle("r", Spent(0.3, 1))
        assert replica.limits.spent_usd("a", Window.DAY) == 0.3
    redis.start()
    fleet.closed = True
    async with fleet.replica(redis.url) as replica:
        await replica.limits.take_in("held", "a", tokens=1, most_usd=0.3)
        await replica.limits.take_in("bare", "a", tokens=1)
        redis.kill()
        await until(lambda: not replica.present)
        await replica.limits.hold("held", most_usd=0.2)
        with pytest.raises(SharedStateAway):
            await replica.limits.hold("bare", most_usd=0.2)


@pytest.mark.row("D2.43")
@pytest.mark.row("D2.49")
async def test_alone_each_replica_spends_its_share_of_what_was_left(redis: RedisServer, fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
    async with fleet.replicas(redis.url) as (one, other):
        await spend(one, "r", 0.4)
        await told(one, other)
        assert await spent_usd(other) == 0.4
        assert (one.n_live, other.n_live) == (2, 2)
        redis.kill()
        await until(lambda: not one.present and not other.present)
        for replica in (one, other):
            for n in range(3):
                await spend(replica, f"s{n}", 0.09)
            # 0.27 of its 0.30.
            with pytest.raises(RateLimited, match="shared with other replicas"):
                await spend(replica, "beyond", 0.09)
        redis.start()
        await until(lambda: one.present and other.present)
        await told(one, other)
        assert await spent_usd(one) == await spent_usd(other) == pytest.approx(0.4 + 6 * 0.09)


@pytest.mark.row("D2.49")
async def test_who_is_back_first_leaves_the_others_their_shares(redis: RedisServer, fleet: Fleet) -> None:
    fleet.timeout_s = 2 * TIMEOUT_S
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
    async with Between(redis) as between, fleet.replica(redis.url) as one, fleet.replica(between.url) as other:
        await spend(one, "r", 0.4)
        await told(one, other)
        assert await spent_usd(other) == 0.4
        assert (one.n_live, other.n_live) == (2, 2)
        between.swallows = True
        redis.kill()
        await until(lambda: not one.present and not other.present)
        redis.start()
        await until(lambda: one.present)
        for n in range(3):
            await spend(one, f"s{n}", 0.09)
            await spend(other, f"s{n}", 0.09)
        await spend(one, "last", 0.09)
        await told(one)
        with pytest.raises(RateLimited, match="shared with other replicas"):
            await spend(other, "beyond", 0.09)
        with pytest.raises(RateLimited, match="shared with other replicas"):
            await spend(one, "beyond", 0.09)
        assert not other.present
        between.swallows = False
        await until(lambda: other.present)
        await told(one, other)
        await until(lambda: one.n_live == 2)
        # The last of the seven began while something was left: one request more than the budget, and no more.
        with pytest.raises(BudgetSpent):
            await spent_usd(one)
        assert one.limits.spent_usd("a", Window.DAY) == pytest.approx(0.4 + 7 * 0.09)


# ---------------------------------------------------------------- who waits


@pytest.mark.parametrize("slow", [False, True], ids=["black hole", "two seconds slow"])
@pytest.mark.row("D2.43")
async def test_only_the_first_requests_wait_and_none_longer_than_the_timeout(
    redis: RedisServer, fleet: Fleet, slow: bool
) -> None:
    fleet.timeout_s = TIMEOUT_S
    fleet.terms["a"] = KeyTerms(usd_per_day=10.0)
    async with Between(redis) as between, fleet.replica(between.url) as replica:
        await spend(replica, "before", 0.5)
        await told(replica)
        if slow:
            between.delay_s = 2.0
        else:
            redis.freeze()
        waits = await asyncio.gather(*(seconds(spend(replica, f"r{n}", 0.01)) for n in range(50)))
        assert max(waits) < TIMEOUT_S + SLACK_S
        assert not replica.present
        assert max([await seconds(spend(replica, f"s{n}", 0.01)) for n in range(20)]) < SLACK_S / 2
        # Connecting is tried again and again meanwhile, beside the requests.
        await until(lambda: replica.told.n_away["unreachable"] >= 1)
        between.delay_s = 0.0
        redis.thaw()
        await until(lambda: replica.present)
        assert await spent_usd(replica) == pytest.approx(0.5 + 70 * 0.01)


@pytest.mark.row("D2.43")
async def test_a_connection_that_is_reset_is_made_again(redis: RedisServer, fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
    async with fleet.replica(redis.url) as replica:
        await spend(replica, "r", 0.25)
        await told(replica)
        redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await until(lambda: replica.told.n_joined == 2 and replica.present)
        assert await spent_usd(replica) == 0.25


# ---------------------------------------------------------------- nothing twice, nothing lost


@pytest.mark.row("D2.43")
async def test_what_was_carried_out_though_its_answer_was_lost_is_not_told_again(
    redis: RedisServer, fleet: Fleet
) -> None:
    fleet.timeout_s = TIMEOUT_S
    fleet.terms["a"] = KeyTerms(usd_per_day=10.0, requests_per_min=10)
    async with Between(redis) as between, fleet.replica(between.url) as replica:
        await replica.limits.take_in("r", "a", tokens=1, most_usd=1.0)
        between.swallows = True
        replica.limits.settle("r", Spent(1.0, 1))
        await until(lambda: not replica.present)
        # Carried out, too: one of the ten is gone there.
        await spend(replica, "s", 2.0)
        between.swallows = False
        await until(lambda: replica.present)
        assert await spent_usd(replica) == pytest.approx(3.0)
        left = replica.limits.standing("a").requests
        # Two requests, and the look itself.
        assert left is not None and left.remaining == 7


@pytest.mark.row("D2.43")
async def test_an_entry_that_may_have_been_counted_is_counted_once(redis: RedisServer, fleet: Fleet) -> None:
    fleet.timeout_s = TIMEOUT_S
    fleet.terms["a"] = KeyTerms(requests_per_min=10, max_concurrent=2)
    async with Between(redis) as between, fleet.replica(between.url) as replica:
        between.swallows = True
        await replica.limits.take_in("r", "a", tokens=1)
        assert not replica.present
        between.swallows = False
        await until(lambda: replica.present)
        await replica.limits.take_in("s", "a", tokens=1)
        left = replica.limits.standing("a").requests
        assert left is not None and left.remaining == 8
        with pytest.raises(RateLimited, match="2 requests under way"):
            await replica.limits.take_in("t", "a", tokens=1)
        replica.limits.settle("r", Spent(0.0, 1))
        await told(replica)
        await replica.limits.take_in("t", "a", tokens=1)


@pytest.mark.row("D2.43")
async def test_what_the_old_connection_still_carries_does_nothing_once_the_replica_has_joined_anew(
    redis: RedisServer, fleet: Fleet
) -> None:
    """A frozen server carries out, when it goes on, what was written to it before."""
    fleet.timeout_s = TIMEOUT_S
    fleet.terms["a"] = KeyTerms(usd_per_day=10.0, max_concurrent=2)
    async with fleet.replicas(redis.url) as (one, other):
        await one.limits.take_in("r", "a", tokens=1, most_usd=1.0)
        redis.freeze()
        one.limits.settle("r", Spent(1.0, 1))
        await asyncio.gather(*(spend(replica, f"s{n}", 0.5) for n in range(2) for replica in (one, other)))
        assert not one.present and not other.present
        redis.thaw()
        await until(lambda: one.present and other.present)
        await told(one, other)
        assert await spent_usd(one) == pytest.approx(3.0)
        await one.limits.take_in("t", "a", tokens=1)
        await other.limits.take_in("u", "a", tokens=1)


@pytest.mark.row("D2.43")
async def test_a_server_that_lost_its_data_knows_again_what_was_spent(redis: RedisServer, fleet: Fleet) -> None:
    fleet.terms |= {"a": KeyTerms(usd_per_day=10.0), "quiet": KeyTerms(usd_per_day=1.0)}
    fleet.ledger = {Window.DAY: {"quiet": 0.75}, Window.MONTH: {"quiet": 0.75}}
    async with fleet.replicas(redis.url) as (one, other):
        await spend(one, "r", 1.0)
        await spend(other, "s", 2.0)
        await told(one, other)
        assert await spent_usd(one) == pytest.approx(3.0)
        await one.limits.take_in("long", "a", tokens=1, most_usd=2.0)
        redis.kill()
        await until(lambda: not one.present and not other.present)
        await spend(one, "t", 0.5)
        await spend(other, "u", 0.25)
        # The ledger has all of it by now, and the replicas remember most of it: that is one sum, not two.
        fleet.ledger = {window: {"a": 3.75, "quiet": 0.75} for window in Window}
        redis.start()
        await until(lambda: one.present and other.present)
        await told(one, other)
        assert await spent_usd(one) == pytest.approx(3.75)
        assert await spent_usd(other, "quiet") == pytest.approx(0.75)
        with pytest.raises(RateLimited, match="set aside"):
            await other.limits.take_in("v", "a", tokens=1)
            await other.limits.hold("v", most_usd=5.0)
        one.limits.settle("long", Spent(1.0, 1))
        await told(one)
        assert await spent_usd(other) == pytest.approx(4.75)


@pytest.mark.row("D2.43")
async def test_the_replicas_remember_what_was_spent_where_the_ledger_is_away_too(
    redis: RedisServer, fleet: Fleet
) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=10.0)
    async with fleet.replicas(redis.url) as (one, other):
        await spend(one, "r", 1.0)
        await told(one)
        await spend(other, "s", 2.0)
        await told(other)
        assert await spent_usd(one) == await spent_usd(other) == pytest.approx(3.0)
        redis.kill()
        await until(lambda: not one.present and not other.present)
        await spend(one, "t", 0.5)
        redis.start()
        await until(lambda: one.present and other.present)
        await told(one, other)
        assert await spent_usd(other) == pytest.approx(3.5)


@pytest.mark.row("D2.43")
async def test_data_flushed_under_an_open_connection_are_noticed(redis: RedisServer, fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
    async with fleet.replica(redis.url) as replica:
        await spend(replica, "r", 0.25)
        assert await spent_usd(replica) == 0.25
        redis.ask("FLUSHALL")
        await until(lambda: replica.told.n_away["lost"] == 1 and replica.present)
        assert await spent_usd(replica) == 0.25
        redis.ask("SCRIPT", "FLUSH")
        await until(lambda: replica.told.n_away["lost"] == 2 and replica.present)
        assert await spent_usd(replica) == 0.25


@pytest.mark.row("D2.43")
async def test_a_server_that_keeps_its_data_goes_on_with_them(fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1.0)
    with tempfile.TemporaryDirectory(prefix="pm") as folder, redis_server(Path(folder), keeps_data=True) as server:
        async with fleet.replica(server.url) as replica:
            await spend(replica, "r", 0.25)
            await told(replica)
            server.kill()
            await until(lambda: not replica.present)
            await spend(replica, "s", 0.5)
            server.start()
            await until(lambda: replica.present)
            assert await spent_usd(replica) == 0.75
        # A replica that begins later finds it there.
        async with fleet.replica(server.url) as later:
            assert await spent_usd(later) == 0.75


@pytest.mark.row("D2.43")
async def test_hours_away_take_no_more_memory_than_minutes(fleet: Fleet) -> None:
    fleet.terms["a"] = KeyTerms(usd_per_day=1e9)
    with tempfile.TemporaryDirectory(prefix="pm") as folder:
        server = RedisServer(Path(folder))
        async with fleet.replica(server.url, start=False) as replica:
            for n in range(5_000):
                replica.limits.changes.settle("a", "2026-11-25", 0.001, n * 1.0)
            assert replica.limits.n_unsettled == 1_000
            server.start()
            try:
                await replica.start()
                assert await spent_usd(replica) == pytest.approx(5.0)
            finally:
                server.kill()
