"""The excess by hand, and p-values that keep their level and have the power promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import DataError
from pointsman.tune.betting import BOLDEST, betting_p_values
from pointsman.tune.bounds import binomial_p_values, hoeffding_bentkus_p_values
from pointsman.tune.limit import QualityLimit

LEVEL = 0.05


def test_relative_excess_by_hand() -> None:
    limit = QualityLimit(0.1)
    strong = np.array([1.0, 1.0, 0.0, 0.0, 0.5])
    policy = np.array([1.0, 0.0, 1.0, 0.0, 0.5])
    assert limit.excess(strong, policy) == pytest.approx([-0.1, 0.9, -1.0, 0.0, -0.05])
    assert (limit.lower, limit.upper) == (-1.0, 0.9)


def test_absolute_excess_by_hand() -> None:
    limit = QualityLimit(0.1, "absolute")
    assert limit.excess(np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0, 1.0])) == pytest.approx([-0.1, 0.9, -1.1])
    assert (limit.lower, limit.upper) == (-1.1, 0.9)


@given(
    scores=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30),
    max_loss=st.floats(0, 0.9),
)
def test_mean_excess_is_at_most_zero_exactly_when_the_relative_loss_keeps_the_limit(
    scores: list[tuple[float, float]], max_loss: float
) -> None:
    strong, policy = np.array(scores).T
    excess = QualityLimit(max_loss).excess(strong, policy)
    lost = strong.mean() - policy.mean() - max_loss * strong.mean()
    assert excess.mean() == pytest.approx(lost, abs=1e-12)
    assert excess.min() >= -1 - 1e-12
    assert excess.max() <= 1 - max_loss + 1e-12


@pytest.mark.parametrize("max_loss", [-0.01, 1.0, math.nan])
def test_a_limit_outside_its_range_is_refused(max_loss: float) -> None:
    with pytest.raises(DataError):
        QualityLimit(max_loss)


def test_three_boldest_bets_by_hand() -> None:
    # The first stake is capped: sqrt(2 ln 20 / (0.25 * 1)) is far above 0.8 / 0.9. One row, so one bet.
    p = betting_p_values(np.array([[-0.1, 0.5, 0.0]]), upper=0.9, level=LEVEL, rng=np.random.default_rng(0))
    assert p == pytest.approx([1 / (1 + BOLDEST / 0.9 * 0.1), 1.0, 1.0])


def test_without_prompts_nothing_is_shown() -> None:
    none = np.empty((0, 2))
    assert betting_p_values(none, upper=1.0, level=LEVEL, rng=np.random.default_rng(0)).tolist() == [1.0, 1.0]
    assert hoeffding_bentkus_p_values(none, lower=-1.0, upper=1.0).tolist() == [1.0, 1.0]


def test_binomial_by_hand() -> None:
    # No harm on 59 prompts: 0.95^59 = 0.0485. One harm: that plus 59 * 0.05 * 0.95^58 = 0.199.
    harm = np.zeros((59, 2))
    harm[7, 1] = 1
    assert binomial_p_values(harm, limit=0.05) == pytest.approx([0.95**59, 0.95**59 + 59 * 0.05 * 0.95**58])


def test_hoeffding_bentkus_by_hand() -> None:
    # Excess -0.05 on each of 100 prompts of range [-0.05, 0.95]: risk 0 against 0.05, so Hoeffding gives 0.95^100.
    p = hoeffding_bentkus_p_values(np.full((100, 1), -0.05), lower=-0.05, upper=0.95)
    assert p == pytest.approx([0.95**100])


def _draw(rng: np.random.Generator, n: int, k: int, max_loss: float, harm: float, gain: float) -> np.ndarray:
    """Excess of 0/1 scores: harm and gain are the chances that only the strong, or only the policy, is right."""
    u = rng.random((n, k))
    return np.where(u < harm, 1 - max_loss, np.where(u < harm + gain, -1.0, np.where(u < 0.8, -max_loss, 0.0)))


@pytest.mark.parametrize(
    ("n", "max_loss", "harm", "gain"),
    # On the border: harm * (1 - L) - gain - (0.8 - harm - gain) * L = 0. Rare harm is where normal tests overreach.
    [(500, 0.01, 0.008, 0.0), (400, 0.05, 0.14, 0.1053), (2_000, 0.02, 0.026, 0.0102), (60, 0.1, 0.08, 0.0)],
)
def test_a_policy_on_the_border_is_certified_no_more_often_than_promised(
    n: int, max_loss: float, harm: float, gain: float
) -> None:
    excess = _draw(np.random.default_rng(5), n, 4_000, max_loss, harm, gain)
    assert harm * (1 - max_loss) - gain - (0.8 - harm - gain) * max_loss == pytest.approx(0, abs=2e-4)
    p = betting_p_values(excess, upper=1 - max_loss, level=LEVEL, rng=np.random.default_rng(6))
    # Three standard errors of a share of 0.05 in 4,000.
    assert (p <= LEVEL * (1 + 1e-9)).mean() <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / 4_000)


def test_betting_is_near_the_normal_test_where_hoeffding_bentkus_is_blind() -> None:
    excess = _draw(np.random.default_rng(7), 2_000, 1_000, 0.02, 0.02, 0.015)
    betting = betting_p_values(excess, upper=0.98, level=LEVEL, rng=np.random.default_rng(8)) <= LEVEL * (1 + 1e-9)
    bentkus = hoeffding_bentkus_p_values(excess, lower=-1.0, upper=0.98) <= LEVEL
    normal = excess.mean(axis=0) / excess.std(axis=0) * math.sqrt(2_000) <= -1.645
    assert normal.mean() - 0.12 <= betting.mean()
    assert bentkus.mean() < 0.05 < betting.mean()


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-1, 0.9), min_size=1, max_size=40),
    shift=st.floats(0, 0.5),
    seed=st.integers(0, 1_000),
)
def test_p_values_lie_between_0_and_1_whatever_comes(values: list[float], shift: float, seed: int) -> None:
    excess = np.array(values)[:, None] - shift * np.array([0.0, 1.0])
    excess = np.maximum(excess, -1.0)
    p = betting_p_values(excess, upper=0.9, level=LEVEL, rng=np.random.default_rng(seed))
    assert ((p > 0) & (p <= 1)).all()
    bentkus = hoeffding_bentkus_p_values(excess, lower=-1.0, upper=0.9)
    assert ((bentkus >= 0) & (bentkus <= 1)).all()
    assert bentkus[1] <= bentkus[0] + 1e-9
