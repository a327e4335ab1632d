"""Measures of a curve against numbers worked out by hand, and properties that hold for every curve."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.evaluate.calibration import auc, calibration
from pointsman.evaluate.measures import aiq, apgr, arena_score, cpt, hull, least_cost
from pointsman.evaluate.resample import interval

SHARE = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
QUALITY = np.array([0.2, 0.5, 0.6, 0.6, 0.6])
WEAK, STRONG = np.array(0.2), np.array(0.6)


def test_apgr_by_hand() -> None:
    # Trapezoids of width 1/4: (0.35 + 0.55 + 0.6 + 0.6) / 4 = 0.525; less 0.2, over a gap of 0.4.
    assert apgr(SHARE, QUALITY, WEAK, STRONG) == pytest.approx(0.325 / 0.4)
    assert apgr(SHARE[::-1], QUALITY[::-1], WEAK, STRONG) == pytest.approx(0.8125)


def test_apgr_of_the_chord_is_one_half_and_of_an_absent_gap_is_not_known() -> None:
    assert apgr(SHARE, 0.2 + 0.4 * SHARE, WEAK, STRONG) == pytest.approx(0.5)
    assert math.isnan(float(apgr(SHARE, QUALITY, np.array(0.6), np.array(0.6))))


def test_apgr_of_replicates_at_once() -> None:
    both = apgr(np.stack([SHARE, SHARE]), np.stack([QUALITY, 0.2 + 0.4 * SHARE]), np.full(2, 0.2), np.full(2, 0.6))
    assert both.tolist() == pytest.approx([0.8125, 0.5])


def test_cpt_by_hand() -> None:
    # Half of the gap is 0.4, two thirds of the way from 0.2 to 0.5; 80 % is 0.52, a fifth of the way from 0.5 to 0.6.
    assert cpt(SHARE, QUALITY, 0.2, 0.6, 0.5) == pytest.approx(0.25 * 2 / 3)
    assert cpt(SHARE, QUALITY, 0.2, 0.6, 0.8) == pytest.approx(0.25 + 0.25 / 5)
    assert cpt(SHARE, QUALITY, 0.2, 0.6, 1.0) == pytest.approx(0.5)
    assert math.isnan(cpt(SHARE, QUALITY, 0.6, 0.2, 0.5))


def test_cpt_takes_the_first_crossing_of_a_curve_that_falls_again() -> None:
    assert cpt(np.array([0, 0.5, 0.75, 1.0]), np.array([0.0, 0.8, 0.4, 1.0]), 0.0, 1.0, 0.8) == pytest.approx(0.5)


def test_hull_leaves_out_what_mixing_or_saving_beats() -> None:
    cost, quality = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([0.2, 0.3, 0.6, 0.5, 0.7])
    x, y = hull(cost, quality)
    assert x.tolist() == [1, 3, 5]
    assert y.tolist() == [0.2, 0.6, 0.7]


def test_aiq_by_hand() -> None:
    # From 1 to 3 the mean is 0.4, from 3 to 5 it is 0.65.
    cost, quality = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([0.2, 0.3, 0.6, 0.5, 0.7])
    assert aiq(cost, quality, 1.0, 5.0) == pytest.approx((0.4 + 0.65) / 2)
    assert aiq(np.array([3.0]), np.array([0.6]), 1.0, 5.0) == pytest.approx(0.6)
    assert math.isnan(aiq(cost, quality, 2.0, 2.0))


def test_arena_score_by_hand() -> None:
    # USD 1 per 1,000: C = log2(200) / log2(200 / 0.0044) = 7.643856 / 15.472124 = 0.494041 (to six places).
    c = math.log2(200) / math.log2(200 / 0.0044)
    assert arena_score(0.001, 0.7) == pytest.approx(1.1 * 0.7 * c / (0.07 + c))
    assert arena_score(0.001, 0.7) == pytest.approx(0.6744, abs=1e-4)
    assert arena_score(0.2, 0.7) == 0
    assert arena_score(0.0, 0.7) == pytest.approx(1.1 * 0.7 / 1.07)


def test_least_cost_that_reaches_a_quality() -> None:
    cost, quality = np.array([[1.0, 2.0, 3.0]]), np.array([[0.2, 0.7, 0.6]])
    found = least_cost(cost, quality, np.array([0.6, 0.7, 0.8]))
    assert found[:2].tolist() == [2, 2]
    assert math.isnan(found[2])


def test_calibration_by_hand() -> None:
    # Fifteen bins of width 1/15: 0.1 falls in bin 1, 0.9 in bin 13. |0.1 - 0.5| and |0.9 - 1| weigh one half each.
    p, score = np.array([0.1, 0.1, 0.9, 0.9]), np.array([0.0, 1.0, 1.0, 1.0])
    found = calibration("m", p, score)
    assert found.ece_equal_width == pytest.approx(0.25)
    # Four prompts in 15 bins of equal mass: one each.
    assert found.ece_equal_mass == pytest.approx((0.1 + 0.9 + 0.1 + 0.1) / 4)
    assert found.auc == pytest.approx(5 / 6)


def test_perfectly_calibrated_scores_have_a_small_error() -> None:
    generator = np.random.default_rng(0)
    p = generator.random(20_000)
    found = calibration("m", p, (generator.random(20_000) < p).astype(float))
    assert found.ece_equal_width < 0.02
    assert found.ece_equal_mass < 0.02
    assert found.auc == pytest.approx(5 / 6, abs=0.01)


def test_auc_counts_ties_half_and_needs_both_kinds() -> None:
    assert auc(np.array([0.5, 0.5]), np.array([True, False])) == pytest.approx(0.5)
    assert auc(np.array([0.1, 0.9]), np.array([True, True])) is None


def test_an_interval_of_mostly_unknown_replicates_is_not_known() -> None:
    replicates = np.linspace(0, 1, 101)
    assert interval(replicates) == pytest.approx((0.025, 0.975))
    replicates[:10] = np.nan
    assert interval(replicates) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=30))
def test_a_hull_rises_and_no_point_stands_above_it(points: list[tuple[int, int]]) -> None:
    cost, quality = np.array(points, dtype=np.float64).T
    x, y = hull(cost, quality)
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()
    slopes = np.diff(y) / np.diff(x)
    assert (np.diff(slopes) <= 1e-6 * (1 + np.abs(slopes[:-1]))).all()
    assert (quality <= np.interp(cost, x, y) + 1e-9).all()
