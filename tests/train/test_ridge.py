"""Ridge regressions: how strongly weights are held down is read off rows that were held out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pointsman.train.ridge import PENALTIES, fit_ridges

N = 600
GENERATOR = np.random.default_rng(0)
# Each column's share of the whole variance is 1/20, as the basis scales whole views to 1.
COLUMNS = (GENERATOR.normal(size=(N, 20)) / np.sqrt(20)).astype(np.float32)
FOLD = np.arange(N) % 5


def penalty_for(target: NDArray[np.floating]) -> float:
    fit = fit_ridges(COLUMNS, target[:, None].astype(np.float32), FOLD, [slice(0, 20)])[0]
    return float(fit.penalties[0])


def test_what_the_columns_tell_exactly_is_learned_with_the_smallest_penalty() -> None:
    assert penalty_for(COLUMNS.sum(axis=1)) == PENALTIES[0]


def test_noise_is_held_down_by_the_largest_penalty() -> None:
    assert penalty_for(GENERATOR.normal(size=N)) == PENALTIES[-1]


def test_a_small_penalty_that_is_hardly_better_is_not_taken() -> None:
    weak = COLUMNS.sum(axis=1) + 4 * np.random.default_rng(1).normal(size=N)
    fit = fit_ridges(COLUMNS, weak[:, None].astype(np.float32), FOLD, [slice(0, 20)])[0]
    assert fit.penalties[0] >= 10


def test_held_out_predictions_come_from_weights_without_the_row() -> None:
    target = COLUMNS[:, 0] + 0.1 * GENERATOR.normal(size=N)
    fit = fit_ridges(COLUMNS, target[:, None].astype(np.float32), FOLD, [slice(0, 20)])[0]
    others, here = FOLD != 0, FOLD == 0
    mean, y_mean = COLUMNS[others].mean(axis=0), target[others].mean()
    x = COLUMNS[others] - mean
    weights = np.linalg.solve(x.T @ x + fit.penalties[0] * np.eye(20), x.T @ (target[others] - y_mean))
    assert fit.held_out[here, 0] == pytest.approx((COLUMNS[here] - mean) @ weights + y_mean, abs=1e-4)
