"""The bound on the loss: by hand, and by simulation that its promise holds and that a true loss is found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pointsman.watch import LossBound


def after(losses: list[int] | NDArray[np.int64], *, level: float = 0.05) -> LossBound:
    bound = LossBound(level)
    for loss in losses:
        bound.add(int(loss))
    return bound


def alarm_at(losses: NDArray[np.int64], limit: float, *, every: int = 20) -> int | None:
    """After how many losses the limit is shown to be passed, looking after every so many; None when never."""
    bound = LossBound(0.05)
    for n, loss in enumerate(losses, start=1):
        bound.add(int(loss))
        if n % every == 0 and bound.is_above(limit):
            return n
    return None


def drawn(rng: np.random.Generator, p_worse: float, p_better: float, n: int) -> NDArray[np.int64]:
    return rng.choice([-1, 0, 1], size=n, p=[p_better, 1.0 - p_worse - p_better, p_worse]).astype(np.int64)


def test_nothing_is_known_of_nothing() -> None:
    bound = LossBound(0.05)
    assert (bound.n, bound.lower, bound.upper) == (0, -1.0, 1.0)
    assert math.isnan(bound.mean)
    assert not bound.is_above(-0.99)


def test_the_capital_by_hand() -> None:
    """One loss of 1 against m = 0: a stake f makes 1 + f. The mean of 1/2 … 1/512 is 511/512 / 9; half plays."""
    capital = 0.5 * (1.0 + (511 / 512) / 9) + 0.5
    assert after([1], level=1.0 / (capital - 1e-6)).is_above(0.0)
    assert not after([1], level=1.0 / (capital + 1e-6)).is_above(0.0)


def test_two_losses_multiply_by_stake() -> None:
    stakes = [2.0**-k for k in range(1, 10)]
    capital = 0.5 * sum((1 + f) * (1 - f) for f in stakes) / 9 + 0.5
    # Against m = 1/2 a loss of 1 makes 1 + f/3, a tie 1 - f/3.
    against_half = 0.5 * sum((1 + f / 3) * (1 - f / 3) for f in stakes) / 9 + 0.5
    for m, each in ((0.0, capital), (0.5, against_half)):
        losses = [1, -1] if m == 0.0 else [1, 0]
        assert after(losses, level=1.0 / (each - 1e-9)).is_above(m)
        assert not after(losses, level=1.0 / (each + 1e-9)).is_above(m)


def test_who_joins_after_a_hundred_sees_only_what_comes_then() -> None:
    """After 100 losses of -1 the first gambler has next to nothing; the second plays with a sixth, and 1/3 waits."""
    stakes = [2.0**-k for k in range(1, 10)]
    first = sum((1 - f) ** 100 * (1 + f) ** 12 for f in stakes) / 9 / 2
    second = sum((1 + f) ** 12 for f in stakes) / 9 / 6
    capital = first + second + 1 / 3
    assert second > 2.5
    losses = [-1] * 100 + [1] * 12
    assert after(losses, level=1.0 / (capital - 1e-9)).is_above(0.0)
    assert not after(losses, level=1.0 / (capital + 1e-9)).is_above(0.0)


def test_the_bounds_are_where_the_test_turns() -> None:
    bound = after(drawn(np.random.default_rng(1), 0.3, 0.1, 400))
    assert bound.lower < bound.mean < bound.upper
    assert bound.is_above(bound.lower)
    assert not bound.is_above(bound.lower + 2e-4)


@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=350))
def test_better_and_worse_mirror_each_other(losses: list[int]) -> None:
    bound, mirrored = after(losses), after([-loss for loss in losses])
    assert bound.upper == pytest.approx(-mirrored.lower)
    assert -1.0 <= bound.lower <= bound.upper <= 1.0


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=350), st.floats(-0.99, 0.99), st.floats(0.0, 0.5))
def test_what_is_above_a_loss_is_above_every_smaller_one(losses: list[int], m: float, less: float) -> None:
    bound = after(losses, level=0.5)
    if bound.is_above(m):
        assert bound.is_above(m - less)


@pytest.mark.parametrize(("p_worse", "p_better"), [(0.2, 0.16), (0.06, 0.02)])
def test_a_kept_limit_raises_hardly_an_alarm_however_often_one_looks(p_worse: float, p_better: float) -> None:
    """At the limit itself, the worst case: at most 5 % of all runs may ever have one. 60 runs; 9 or more would happen
    once in 700 times if it were 5 %."""
    rng = np.random.default_rng(7)
    limit = p_worse - p_better
    alarms = [alarm_at(drawn(rng, p_worse, p_better, 1_200), limit) for _ in range(60)]
    assert sum(alarm is not None for alarm in alarms) < 9


def test_a_true_loss_is_found() -> None:
    rng = np.random.default_rng(8)
    alarms = [alarm_at(drawn(rng, 0.3, 0.1, 600), 0.02) for _ in range(40)]
    assert sum(alarm is not None for alarm in alarms) >= 39


def test_a_loss_that_begins_late_is_found_without_outweighing_the_good_time() -> None:
    """2,000 comparisons in which neither was better on the whole, then a loss of 0.2 against a limit of 0.04."""
    rng = np.random.default_rng(9)
    for _ in range(10):
        found = alarm_at(np.concatenate([drawn(rng, 0.16, 0.16, 2_000), drawn(rng, 0.3, 0.1, 800)]), 0.04)
        assert found is not None
        assert 2_000 < found <= 2_700
