"""Rates, concurrency and budgets, by hand and in parallel, on clocks that move when told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import BudgetSpent, RateLimited
from pointsman.limit import FailureLimit, MemoryLimits, Purse, TokenBucket, Window, merged, window_end, window_start
from pointsman.testing import FakeClock
from pointsman.vocabulary import KeyTerms, Spent

NONE = KeyTerms()
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass
class Desk:
    """Limits with a clock, and terms that a test may change."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    terms: dict[str | None, KeyTerms] = field(default_factory=dict)
    budget: KeyTerms = NONE

    def open(self) -> MemoryLimits:
        return MemoryLimits(
            lambda key: self.terms.get(key, KeyTerms()), budget=self.budget, clock=self.clock, now=self.clock.now
        )


# ---------------------------------------------------------------- a bucket


def test_a_bucket_holds_a_minute_and_fills_evenly() -> None:
    bucket = TokenBucket(60, 0.0)
    assert bucket.wait_s(60, 0.0) == 0.0
    bucket.take(60, 0.0)
    assert bucket.wait_s(1, 0.0) == pytest.approx(1.0)
    assert bucket.wait_s(1, 1.0) == 0.0
    assert bucket.allowance(10.0).remaining == 10
    assert bucket.allowance(10.0).full_in_s == pytest.approx(50.0)


def test_more_than_a_bucket_ever_holds_waits_until_it_is_full_and_overdraws_it() -> None:
    bucket = TokenBucket(100, 0.0)
    bucket.take(50, 0.0)
    assert bucket.wait_s(1_000, 0.0) == pytest.approx(30.0)
    bucket.take(1_000, 30.0)
    assert bucket.allowance(30.0).remaining == 0
    assert bucket.wait_s(1, 30.0) == pytest.approx(901 * 0.6)


def test_a_clock_that_stands_still_or_goes_back_fills_nothing() -> None:
    bucket = TokenBucket(60, 100.0)
    bucket.take(60, 100.0)
    assert bucket.wait_s(1, 50.0) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 20)), max_size=60))
def test_no_minute_ever_gives_more_than_two_minutes_worth(steps: list[tuple[float, float]]) -> None:
    bucket, now_s = TokenBucket(60, 0.0), 0.0
    taken: list[tuple[float, float]] = []
    for pause_s, amount in steps:
        now_s += pause_s
        if bucket.wait_s(amount, now_s) == 0.0:
            bucket.take(amount, now_s)
            taken.append((now_s, amount))
    for start_s, _ in taken:
        assert sum(amount for at_s, amount in taken if start_s <= at_s <= start_s + 60) <= 120 + 1e-6


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 1)),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 1)),
        (datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC), datetime(2028, 3, 1)),
    ],
)
def test_windows_end_at_midnight_utc(now: datetime, day: datetime, month: datetime) -> None:
    assert window_end(Window.DAY, now) == day
    assert window_end(Window.MONTH, now) == month.replace(tzinfo=UTC)
    for window in Window:
        assert window_start(window, now) <= now < window_end(window, now)


def test_a_purse_begins_anew_with_the_day_and_the_month_and_not_when_the_clock_is_set_back() -> None:
    purse = Purse("the budget")
    eve = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    purse.spend(3.0, eve)
    purse.spend(1.0, eve - timedelta(hours=2))
    assert (purse.spent_usd(Window.DAY, eve), purse.spent_usd(Window.MONTH, eve)) == (4.0, 4.0)
    assert purse.spent_usd(Window.DAY, eve - timedelta(days=1)) == 4.0, "the clock was set back a day"
    after = eve + timedelta(minutes=2)
    assert (purse.spent_usd(Window.DAY, after), purse.spent_usd(Window.MONTH, after)) == (0.0, 0.0)


# ---------------------------------------------------------------- budgets


@pytest.mark.row("D2.49")
async def test_fifty_at_once_overspend_a_nearly_spent_budget_by_one_at_most() -> None:
    desk = Desk(terms={"a": KeyTerms(usd_per_day=1.0)})
    limits = desk.open()
    limits.restore(Window.DAY, {"a": 0.95})
    called: list[str] = []

    async def ask(name: str) -> None:
        await limits.enter(name, "a", tokens=10)
        try:
            await limits.hold(name, most_usd=0.10)
            await asyncio.sleep(0)
            called.append(name)
        finally:
            limits.settle(name, Spent(0.10 if name in called else 0.0, 10))

    results = await asyncio.gather(*(ask(f"r{n}") for n in range(50)), return_exceptions=True)
    assert len(called) == 1
    assert {type(result) for result in results} == {type(None), RateLimited}
    assert limits.spent_usd("a", Window.DAY) == pytest.approx(1.05)
    with pytest.raises(BudgetSpent) as refused:
        await limits.enter("late", "a", tokens=10)
    assert refused.value.retry_after_s == 12 * 3600
    assert limits.n_under_way == 0


async def test_as_many_run_at_once_as_the_rest_of_the_budget_surely_pays_for() -> None:
    desk = Desk(terms={"a": KeyTerms(usd_per_month=1.0)})
    limits = desk.open()
    for n in range(5):
        await limits.enter(f"r{n}", "a", tokens=1)
    for n in range(4):
        await limits.hold(f"r{n}", most_usd=0.25)
    with pytest.raises(RateLimited, match="set aside"):
        await limits.hold("r4", most_usd=0.25)
    limits.settle("r0", Spent(0.01, 1))
    with pytest.raises(RateLimited):
        await limits.hold("r4", most_usd=0.25)
    limits.settle("r1", Spent(0.01, 1))
    await limits.hold("r4", most_usd=0.25)


async def test_the_budget_of_all_is_shared_and_a_refusal_by_it_frees_the_key() -> None:
    desk = Desk(terms={"a": KeyTerms(usd_per_day=5.0)}, budget=KeyTerms(usd_per_day=1.0))
    limits = desk.open()
    await limits.enter("b1", "b", tokens=1)
    await limits.hold("b1", most_usd=0.9)
    await limits.enter("a1", "a", tokens=1)
    with pytest.raises(RateLimited, match="this gateway"):
        await limits.hold("a1", most_usd=0.9)
    limits.settle("b1", Spent(0.1, 1))
    await limits.hold("a1", most_usd=0.9)
    limits.settle("a1", Spent(0.95, 1))
    with pytest.raises(BudgetSpent, match="this gateway"):
        await limits.enter("b2", "b", tokens=1)
    assert limits.spent_usd("a", Window.DAY) == 0.95


async def test_what_is_not_known_costs_what_was_set_aside_and_settling_twice_changes_nothing() -> None:
    desk = Desk(terms={"a": KeyTerms(usd_per_day=1.0)})
    limits = desk.open()
    await limits.enter("r", "a", tokens=1)
    await limits.hold("r", most_usd=0.4)
    for _ in range(2):
        limits.settle("r", Spent(None, None))
    limits.settle("never seen", Spent(9.0, 9))
    assert limits.spent_usd("a", Window.DAY) == 0.4
    assert limits.spent_usd("a", Window.MONTH) == 0.4


async def test_what_was_spent_before_a_restart_is_still_spent() -> None:
    desk = Desk(terms={"a": KeyTerms(usd_per_day=1.0, usd_per_month=10.0)}, budget=KeyTerms(usd_per_month=20.0))
    limits = desk.open()
    limits.restore(Window.DAY, {"a": 0.25})
    limits.restore(Window.MONTH, {"a": 9.0, "b": 10.5})
    await limits.enter("r", "a", tokens=1)
    limits.settle("r", Spent(0.75, 1))
    with pytest.raises(BudgetSpent, match="per day"):
        await limits.enter("s", "a", tokens=1)
    with pytest.raises(BudgetSpent, match="this gateway of 20 USD per month"):
        await limits.enter("t", "b", tokens=1)


async def test_a_day_later_a_daily_budget_is_there_again() -> None:
    desk = Desk(terms={"a": KeyTerms(usd_per_day=1.0)})
    limits = desk.open()
    await limits.enter("r", "a", tokens=1)
    limits.settle("r", Spent(2.0, 1))
    desk.clock.advance(12 * 3600)
    await limits.enter("s", "a", tokens=1)


# ---------------------------------------------------------------- rates and concurrency


async def test_fifty_at_once_get_as_many_requests_as_their_rate_allows() -> None:
    desk = Desk(terms={"a": KeyTerms(requests_per_min=20)})
    limits = desk.open()
    results = await asyncio.gather(*(limits.enter(f"r{n}", "a", tokens=5) for n in range(50)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, RateLimited)]
    assert len(refused) == 30
    assert {error.retry_after_s for error in refused} == {3.0}
    await limits.enter("other", "b", tokens=5)
    desk.clock.advance(3.0)
    await limits.enter("later", "a", tokens=5)


async def test_the_wall_clock_has_no_part_in_rates() -> None:
    desk = Desk(terms={"a": KeyTerms(requests_per_min=1)})
    limits = desk.open()
    await limits.enter("r", "a", tokens=1)
    desk.clock.jump_wall(3600)
    with pytest.raises(RateLimited):
        await limits.enter("s", "a", tokens=1)
    desk.clock.jump_wall(-7200)
    desk.clock.advance(60)
    await limits.enter("t", "a", tokens=1)


async def test_tokens_are_settled_to_what_was_used() -> None:
    desk = Desk(terms={"a": KeyTerms(tokens_per_min=1_000)})
    limits = desk.open()
    await limits.enter("r", "a", tokens=400)
    limits.settle("r", Spent(0.0, 1_600))
    assert limits.standing("a").tokens is not None
    with pytest.raises(RateLimited, match="1000 tokens a minute") as refused:
        await limits.enter("s", "a", tokens=400)
    assert refused.value.retry_after_s == pytest.approx(60.0)
    desk.clock.advance(60)
    await limits.enter("s", "a", tokens=400)
    limits.settle("s", Spent(0.0, 100))
    left = limits.standing("a").tokens
    assert left is not None and left.remaining == 300
    assert limits.standing("a").requests is None


async def test_a_refused_request_takes_nothing() -> None:
    desk = Desk(terms={"a": KeyTerms(requests_per_min=10, tokens_per_min=100, max_concurrent=1)})
    limits = desk.open()
    await limits.enter("r", "a", tokens=100)
    for _ in range(3):
        with pytest.raises(RateLimited, match="at once"):
            await limits.enter("s", "a", tokens=1)
    limits.settle("r", Spent(0.0, 100))
    for _ in range(3):
        with pytest.raises(RateLimited, match="tokens"):
            await limits.enter("s", "a", tokens=1)
    left = limits.standing("a").requests
    assert left is not None and left.remaining == 9


async def test_no_more_than_so_many_at_once() -> None:
    desk = Desk(terms={"a": KeyTerms(max_concurrent=3)})
    limits = desk.open()
    results = await asyncio.gather(*(limits.enter(f"r{n}", "a", tokens=1) for n in range(50)), return_exceptions=True)
    assert sum(result is None for result in results) == 3
    limits.settle("r0", Spent(0.0, 1))
    await limits.enter("again", "a", tokens=1)


async def test_other_terms_hold_at_once_and_what_was_taken_stays_taken() -> None:
    desk = Desk(terms={"a": KeyTerms(requests_per_min=10)})
    limits = desk.open()
    for n in range(4):
        await limits.enter(f"r{n}", "a", tokens=1)
    desk.terms["a"] = KeyTerms(requests_per_min=5)
    await limits.enter("r4", "a", tokens=1)
    with pytest.raises(RateLimited):
        await limits.enter("r5", "a", tokens=1)
    limits.configure(lambda _: KeyTerms(), budget=KeyTerms(usd_per_day=1.0))
    await limits.enter("r6", "a", tokens=1)
    assert limits.has_budget("a")


def test_a_keys_own_terms_go_before_the_defaults() -> None:
    own = KeyTerms(requests_per_min=5, models=())
    defaults = KeyTerms(requests_per_min=60, tokens_per_min=1_000, models=("small",))
    assert merged(own, defaults) == KeyTerms(requests_per_min=5, tokens_per_min=1_000, models=())


# ---------------------------------------------------------------- failures by address


def test_an_address_that_fails_too_often_has_to_wait_and_others_have_not() -> None:
    limit = FailureLimit(3)
    for _ in range(3):
        assert limit.wait_s("192.0.2.1", 0.0) == 0.0
        limit.failed("192.0.2.1", 0.0)
    assert limit.wait_s("192.0.2.1", 0.0) == pytest.approx(20.0)
    assert limit.wait_s("::ffff:192.0.2.1", 0.0) == pytest.approx(20.0)
    assert limit.wait_s("192.0.2.2", 0.0) == 0.0
    assert limit.wait_s("192.0.2.1", 20.0) == 0.0


def test_one_network_of_ipv6_counts_as_one_address() -> None:
    limit = FailureLimit(1)
    limit.failed("2001:db8::1%eth0", 0.0)
    assert limit.wait_s("2001:db8::ffff:1", 0.0) > 0
    assert limit.wait_s("2001:db8:0:1::1", 0.0) == 0.0


def test_a_million_addresses_are_not_remembered() -> None:
    limit = FailureLimit(1, max_addresses=100)
    for n in range(1_000):
        limit.failed(f"192.0.{n // 250}.{n % 250}", 0.0)
    assert len(limit) == 100
    assert FailureLimit(0).wait_s("192.0.2.1", 0.0) == 0.0


def test_no_limit_is_kept_where_none_is_wanted() -> None:
    limit = FailureLimit(0)
    limit.failed("192.0.2.1", 0.0)
    assert (len(limit), limit.wait_s("192.0.2.1", 0.0)) == (0, 0.0)
