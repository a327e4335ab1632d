"""A router's dial by hand, and what its upper bounds are worth."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluate.worlds import graded, world

from pointsman.tune import dial_points


def test_a_dial_of_four_prompts_by_hand() -> None:
    score = np.array([[1, 1], [0, 1], [1, 1], [0, 1]], dtype=np.float64)
    dial = dial_points(world(score), np.array([0.9, 0.2, 0.8, 0.3]))
    assert (dial[0].threshold, dial[0].strong_share, dial[0].quality_loss) == (0.0, 0.0, 0.5)
    assert (dial[-1].threshold, dial[-1].strong_share, dial[-1].quality_loss_upper) == (1.0, 1.0, 0.0)
    halfway = next(point for point in dial if point.strong_share == 0.5)
    assert halfway.quality_loss == 0.0
    # Nothing was lost on four prompts: by the rule of three the loss may still be 3/4.
    assert halfway.quality_loss_upper == pytest.approx(0.75)


def test_upper_bounds_hold_for_a_threshold_fixed_beforehand() -> None:
    generator = np.random.default_rng(1)
    large, p_large = graded(200_000, generator)
    broken = n = 0
    for _ in range(200):
        outcomes, p = graded(300, generator)
        for point in dial_points(outcomes, p)[8:-8:8]:
            cheap = p_large >= point.threshold
            served = np.where(cheap, large.score[:, 0], large.score[:, 1])
            true = 1 - served.mean() / large.score[:, 1].mean()
            broken += true > point.quality_loss_upper
            n += 1
    assert broken / n < 0.03


def test_prompts_without_every_score_are_left_out() -> None:
    score = np.array([[1, 1], [np.nan, 1], [0, 1]], dtype=np.float64)
    dial = dial_points(world(score), np.array([0.9, 0.5, 0.1]))
    assert dial[0].quality_loss == 0.5
