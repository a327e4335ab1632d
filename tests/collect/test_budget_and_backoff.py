"""Reserving, settling, and waiting before another try, by hand."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.collect import Budget, RetryPolicy


async def test_five_calls_of_ten_cents_fit_into_fifty_and_a_sixth_does_not() -> None:
    budget = Budget(0.50)
    for _ in range(5):
        assert await budget.reserve(0.10)
        await budget.settle(0.10, cost_usd=0.10)
    assert not await budget.reserve(0.10)
    assert budget.spent_usd == pytest.approx(0.50)
    assert budget.left_usd == pytest.approx(0.0)


async def test_a_call_waits_for_one_under_way_that_may_turn_out_cheaper() -> None:
    budget = Budget(0.15)
    assert await budget.reserve(0.10)
    second = asyncio.create_task(budget.reserve(0.10))
    await asyncio.sleep(0)
    assert not second.done()
    await budget.settle(0.10, cost_usd=0.01)
    assert await second


async def test_what_may_have_been_paid_counts_against_the_limit() -> None:
    budget = Budget(0.15, lost_usd=0.10)
    assert not await budget.reserve(0.10)
    assert await budget.reserve(0.05)


async def test_a_call_of_unknown_cost_fits_only_without_a_limit() -> None:
    assert await Budget(None).reserve(None)
    assert not await Budget(1e9).reserve(None)
    assert Budget(None).left_usd is None


@given(
    st.lists(st.tuples(st.floats(0.001, 1.0), st.floats(0.0, 1.0)), max_size=60),
    st.floats(0.0, 5.0),
)
def test_the_limit_is_never_passed_when_calls_cost_at_most_what_they_reserve(
    calls: list[tuple[float, float]], limit_usd: float
) -> None:
    async def run() -> None:
        budget = Budget(limit_usd)

        async def one(max_usd: float, share: float) -> None:
            if await budget.reserve(max_usd):
                await asyncio.sleep(0)
                await budget.settle(max_usd, cost_usd=share * max_usd)

        await asyncio.gather(*(one(*call) for call in calls))
        assert budget.spent_usd <= limit_usd + 1e-9
        assert abs(budget.reserved_usd) < 1e-9

    asyncio.run(run())


def test_waits_double_up_to_the_longest_and_jitter_halves_them_at_most() -> None:
    policy = RetryPolicy(first_s=1.0, longest_s=8.0)
    assert [policy.wait_s(n, None, lambda: 0.0) for n in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert policy.wait_s(2, None, lambda: 0.5) == 3.0


def test_a_longer_retry_after_wins_and_a_shorter_one_does_not() -> None:
    policy = RetryPolicy(first_s=1.0)
    assert policy.wait_s(0, 30.0, lambda: 0.0) == 30.0
    assert policy.wait_s(0, 0.0, lambda: 0.0) == 0.5


@given(st.integers(0, 10_000), st.floats(0.0, 1.0, exclude_max=True))
def test_every_wait_is_finite_and_within_its_bounds(n: int, drawn: float) -> None:
    policy = RetryPolicy()
    assert 0 < policy.wait_s(n, None, lambda: drawn) <= policy.longest_s
