"""Threshold policies as columns: for each threshold, the score and cost that every prompt would have had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError

Float: TypeAlias = NDArray[np.float64]
Int: TypeAlias = NDArray[np.int64]

GRID: Final = tuple(round(1 - step / 200, 3) for step in range(201))
"""Thresholds on P(good enough), 1.000 down to 0.000. Fixed beforehand: taken from the scores at hand, say as their
quantiles, the policies tested would themselves depend on the sample. At 0 every prompt takes the cheapest model."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Threshold policies from the strictest to the laxest, and which model each gives every prompt."""

    thresholds: Float
    """Shape (k,), falling."""
    choice: NDArray[np.int8]
    """Shape (n, k): the number of the model."""


def threshold_candidates(p_good: NDArray[np.floating], n_models: int, grid: tuple[float, ...] = GRID) -> Candidates:
    """Each prompt goes to the cheapest model whose P(good enough) reaches the threshold, else to the strongest.

    Thresholds between which no score lies decide alike; only the strictest of them is kept, because the others' tests
    would give the same answer.

    Args:
        p_good: shape (n, m) for every model (the last column, the reference's, is not read), or (n,) for the cheap
            one of two.
        n_models: m, at least 2 and at most 127.
        grid: thresholds in [0, 1], in any order.

    Raises:
        DataError: the shape does not fit, or a score is not a number in [0, 1].
    """
    p = np.asarray(p_good, dtype=np.float64)
    if not 2 <= n_models <= 127:
        raise DataError(f"{n_models} models: a threshold policy needs from 2 to 127")
    if p.ndim == 1 and n_models == 2:
        p = p[:, None]
    elif p.ndim == 2 and p.shape[1] == n_models:
        p = p[:, :-1]
    else:
        raise DataError(f"scores of shape {p.shape} do not fit {n_models} models")
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise DataError("a score is not a number from 0 to 1")
    thresholds = np.unique(np.asarray(grid, dtype=np.float64))[::-1]
    ordered = np.sort(p, axis=None)
    n_reaching = ordered.size - np.searchsorted(ordered, thresholds, side="left")
    fresh = np.concatenate([[True], np.diff(n_reaching) > 0])
    thresholds = thresholds[fresh]
    choice = np.full((p.shape[0], thresholds.size), n_models - 1, dtype=np.int8)
    for model in range(n_models - 2, -1, -1):
        choice[p[:, model, None] >= thresholds] = model
    return Candidates(thresholds, choice)


def taken(values: NDArray[np.floating], choice: NDArray[np.int8]) -> NDArray[np.float32]:
    """What each policy gets of `values` (n, m) on each prompt, shape (n, k), in float32 to halve the memory."""
    rows = np.arange(choice.shape[0])
    out = np.empty(choice.shape, dtype=np.float32)
    for column in range(choice.shape[1]):
        out[:, column] = values[rows, choice[:, column]]
    return out


def by_group(values: NDArray[np.floating], groups: Int) -> NDArray[np.float32]:
    """Means over each group, shape (n_groups, k): a prompt asked ten times is one observation, not ten."""
    _, first, member, size = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    if first.size == groups.size:
        return np.asarray(values, dtype=np.float32)
    order = np.argsort(member.reshape(-1), kind="stable")
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    sums = np.add.reduceat(np.asarray(values)[order], starts, axis=0, dtype=np.float64)
    return np.asarray(sums / size[:, None], dtype=np.float32)
