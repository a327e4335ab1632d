"""Candidates and certification by hand: what each threshold would have done, and where the search ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import DataError
from pointsman.tune.candidates import by_group, taken, threshold_candidates
from pointsman.tune.certify import certify
from pointsman.tune.limit import QualityLimit
from pointsman.tune.sample_size import least_prompts, prompts_needed


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_two_models_by_hand() -> None:
    found = threshold_candidates(np.array([0.9, 0.5, 0.1]), 2, grid=(0.0, 0.2, 0.3, 0.5, 0.95))
    # 0.3 decides as 0.5 does and 0.2 as both: only the strictest of the three stays.
    assert found.thresholds.tolist() == [0.95, 0.5, 0.0]
    assert found.choice.tolist() == [[1, 0, 0], [1, 0, 0], [1, 1, 0]]
    score = np.array([[0.0, 1.0], [0.5, 0.25], [1.0, 0.0]])
    assert taken(score, found.choice).tolist() == [[1.0, 0.0, 0.0], [0.25, 0.5, 0.5], [0.0, 0.0, 1.0]]


def test_three_models_take_the_cheapest_that_reaches_the_threshold() -> None:
    p = np.array([[0.3, 0.6, 0.0], [0.7, 0.2, 0.0]])
    found = threshold_candidates(p, 3, grid=(1.0, 0.65, 0.5, 0.25))
    assert found.thresholds.tolist() == [1.0, 0.65, 0.5, 0.25]
    assert found.choice.tolist() == [[2, 2, 1, 0], [2, 0, 0, 0]]


@pytest.mark.parametrize(
    ("p", "m"),
    [
        (np.array([0.1, math.nan]), 2),
        (np.array([0.1, 1.1]), 2),
        (np.array([0.1, 0.2]), 3),
        (np.zeros((2, 2)), 3),
        (np.zeros((2, 1)), 1),
    ],
)
def test_scores_that_do_not_fit_are_refused(p: np.ndarray, m: int) -> None:
    with pytest.raises(DataError):
        threshold_candidates(p, m)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_laxer_thresholds_send_a_growing_set_to_the_cheap_model(p: list[float]) -> None:
    found = threshold_candidates(np.array(p), 2)
    assert (np.diff(found.thresholds) < 0).all()
    assert (np.diff(found.choice.astype(int), axis=1) <= 0).all()
    assert (found.choice[:, -1] == 0).all()
    for j, threshold in enumerate(found.thresholds):
        assert (found.choice[:, j] == np.where(np.array(p) >= threshold, 0, 1)).all()


def test_groups_count_once() -> None:
    values = np.array([[1.0], [0.0], [0.5], [0.0]])
    assert by_group(values, np.array([7, 3, 7, 3])).ravel().tolist() == [0.0, 0.75]
    assert by_group(values, np.array([4, 3, 2, 1])).ravel().tolist() == [1.0, 0.0, 0.5, 0.0]


def test_the_search_ends_at_the_first_failure() -> None:
    # Columns: safe, hopeless, safe again. The third would pass by itself, and must not.
    excess = np.column_stack([np.full(500, -0.05), np.full(500, 0.5), np.full(500, -0.05)])
    found = certify(excess, QualityLimit(0.05), confidence=0.95, rng=rng())
    assert found.kept.tolist() == [True, False, False]
    assert 0.045 < found.p_values[0] <= 0.05 * (1 + 1e-9)
    assert found.p_values[1] == 1.0
    assert math.isnan(found.p_values[2])


def test_holm_has_no_order_and_pays_for_it() -> None:
    excess = np.column_stack([np.full(500, 0.5), np.full(500, -0.05), np.full(500, -0.05)])
    assert certify(excess, QualityLimit(0.05), confidence=0.95, rng=rng(), search="holm").kept.tolist() == [
        False,
        True,
        True,
    ]
    # 0.05/3 needs ln 60 / ln(1 + 0.8/0.95*0.05) = 99.3 prompts, 0.05 needs 73.
    few = excess[:80]
    assert not certify(few, QualityLimit(0.05), confidence=0.95, rng=rng(), search="holm").kept.any()
    assert certify(few[:, 1:], QualityLimit(0.05), confidence=0.95, rng=rng()).kept.all()


@pytest.mark.parametrize("bad", [math.nan, 1.5, -1.5])
def test_an_excess_that_cannot_be_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="excess"):
        certify(np.array([[bad]]), QualityLimit(0.05), confidence=0.95, rng=rng())


@pytest.mark.parametrize("confidence", [0.0, 1.0, math.nan])
def test_a_confidence_outside_0_to_1_is_refused(confidence: float) -> None:
    with pytest.raises(DataError, match="confidence"):
        certify(np.zeros((1, 1)), QualityLimit(0.05), confidence=confidence, rng=rng())


def test_least_prompts_by_hand_is_what_the_test_needs_when_nothing_gets_worse() -> None:
    # Every prompt multiplies the capital by 1 + 0.8/0.95 * 0.05 * 0.8: ln 20 / ln(1.03368) = 90.4.
    least = least_prompts(0.05, 0.8, relative=True, confidence=0.95)
    assert least == 91
    excess = np.full((91, 1), -0.05 * 0.8)
    assert certify(excess, QualityLimit(0.05), confidence=0.95, rng=rng()).kept.all()
    assert not certify(excess[:-1], QualityLimit(0.05), confidence=0.95, rng=rng()).kept.any()
    assert least_prompts(0.0, 0.8, relative=True, confidence=0.95) is None
    assert least_prompts(0.05, 0.0, relative=True, confidence=0.95) is None
    assert least_prompts(0.05, 0.0, relative=False, confidence=0.95) is not None


def test_prompts_needed_by_hand() -> None:
    # ((1.64485 + 0.84162) * 0.3 / 0.02)^2 = 1391.05
    assert prompts_needed(-0.02, 0.09, confidence=0.95, least=100) == 1392
    assert prompts_needed(-0.02, 0.0, confidence=0.95, least=100) == 100
    assert prompts_needed(0.0, 0.09, confidence=0.95, least=100) is None
    assert prompts_needed(-0.02, 0.09, confidence=0.95, least=None) is None


def test_at_the_number_of_prompts_needed_the_test_mostly_passes() -> None:
    # Scores of 0 and 1: 3 % get worse, 2.5 % better, the strong model is right on 80 %, limit 2 %.
    harm, gain, limit = 0.03, 0.025, 0.02
    draws = np.random.default_rng(3)
    mean = harm * (1 - limit) - gain - (0.8 - harm) * limit
    variance = harm * (1 - limit) ** 2 + gain + (0.8 - harm) * limit**2 - mean**2
    n = prompts_needed(mean, variance, confidence=0.95, least=1)
    assert n is not None
    u = draws.random((n, 100))
    excess = np.where(u < harm, 1 - limit, np.where(u < 0.8, -limit, np.where(u < 0.8 + gain, -1.0, 0.0)))
    p = [
        certify(excess[:, j : j + 1], QualityLimit(limit), confidence=0.95, rng=np.random.default_rng(j)).kept[0]
        for j in range(100)
    ]
    assert 0.6 <= np.mean(p) <= 0.95
