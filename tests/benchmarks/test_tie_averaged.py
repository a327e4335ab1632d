"""APGR with ties: by hand, against the product's own where there are none, and against random orders of a block."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.tie_averaged import mean_apgr, ranked, strong_chances

from pointsman.evaluate import ScoredPolicy, evaluate

from .worlds import drawn, outcomes_of


def test_the_chances_of_a_block_are_what_is_left_of_the_calls_in_equal_parts() -> None:
    chances = strong_chances(np.array([0.9, 0.2, 0.2, 0.2, 0.2]))
    # At 20 % of five prompts one call is left: the first prompt's. At 40 % one more, for one of four.
    assert chances[2].tolist() == [1, 0, 0, 0, 0]
    assert chances[4].tolist() == [1, 0.25, 0.25, 0.25, 0.25]
    assert chances.sum(axis=1) == pytest.approx(np.linspace(0, 5, 11))


def test_apgr_by_hand() -> None:
    # Strong gains 1 on half of the prompts. A perfect ranking has it all at 50 % of the calls: area 0.75.
    score = np.array([[0.0, 1.0]] * 50 + [[1.0, 1.0]] * 50)
    gains = np.repeat([1.0, 0.0], 50)
    assert mean_apgr(outcomes_of(score), gains) == pytest.approx(0.75)
    assert mean_apgr(outcomes_of(score), -gains) == pytest.approx(0.25)


def test_one_score_for_all_is_random_in_every_replicate() -> None:
    outcomes = drawn(400)
    found = ranked(outcomes, {"constant": np.zeros(400)}, n_resamples=50, seed=0)["constant"]
    assert found.apgr == pytest.approx(0.5)
    assert found.drawn == pytest.approx(np.full(50, 0.5), abs=1e-4)


def test_ties_are_the_average_over_random_orders_of_the_block() -> None:
    outcomes = drawn(200)
    generator = np.random.default_rng(1)
    need = generator.integers(0, 3, size=200).astype(np.float64)
    orders = [mean_apgr(outcomes, need + 0.5 * generator.random(200)) for _ in range(500)]
    error = float(np.std(orders)) / np.sqrt(len(orders))
    assert mean_apgr(outcomes, need) == pytest.approx(float(np.mean(orders)), abs=4 * error)


def test_without_ties_it_is_what_the_product_measures() -> None:
    outcomes = drawn(1_000)
    need = np.random.default_rng(2).random(1_000) + outcomes.score[:, 1] - outcomes.score[:, 0]
    need = (need - need.min()) / np.ptp(need)
    line = evaluate(outcomes, [ScoredPolicy("it", 1 - need)], n_resamples=200).policies[0]
    found = ranked(outcomes, {"it": need}, n_resamples=500, seed=0)["it"]
    assert line.apgr is not None and line.apgr_ci is not None and found.ci is not None
    assert found.apgr == pytest.approx(line.apgr, abs=2e-3)
    assert found.apgr == pytest.approx(mean_apgr(outcomes, need), abs=1e-9)
    assert np.ptp(found.ci) == pytest.approx(np.ptp(line.apgr_ci), rel=0.25)


def test_the_replicates_of_two_routers_are_paired() -> None:
    outcomes = drawn(500)
    need = np.random.default_rng(3).random(500)
    found = ranked(outcomes, {"a": need, "b": 2 * need}, n_resamples=50, seed=0)
    assert found["a"].drawn == pytest.approx(found["b"].drawn)


def test_without_a_gap_there_is_no_apgr() -> None:
    outcomes = outcomes_of(np.tile([[1.0, 0.0], [0.0, 1.0]], (50, 1)))
    found = ranked(outcomes, {"a": np.arange(100.0)}, n_resamples=200, seed=0)["a"]
    assert np.isnan(found.apgr)
    assert found.ci is None
