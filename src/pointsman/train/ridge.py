"""Ridge regression of many targets at once, with every fold's held-out predictions from the same sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

PENALTIES: Final = (1.0, 3.0, 10.0, 30.0, 90.0)
"""Tried for each target; the noise of a right-or-wrong outcome over the variance that a whole view explains."""
_USUAL: Final = 2
"""From this one on the best is taken; smaller ones, for what a text's form tells exactly, must be clearly better."""
_CLEARLY: Final = 0.995
"""Share of the squared error on held-out rows."""
_SUMMING: Final = 0.5
"""Share of the time that the sums take, for telling progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Weights on all rows, and for each row a prediction by weights that never saw its group; filled by target."""

    weights: Doubles
    """Shape (columns, targets)."""
    offsets: Doubles
    """Shape (targets,)"""
    held_out: Doubles
    """Shape (n, targets)."""
    penalties: Doubles
    """The penalty chosen for each target, shape (targets,)."""


def fit_ridges(
    columns: Floats,
    targets: Floats,
    fold: Ints,
    parts: Sequence[slice],
    *,
    advance: Callable[[float], None] | None = None,
) -> list[Ridge]:
    """Ridge regressions of targets with gaps, on each part of the columns; sums over prompts are taken once for all.

    Args:
        columns: shape (n, columns).
        targets: shape (n, targets), NaN where not known; each has at least one known row outside each fold.
        fold: shape (n,), from 0 up; rows of a group share one.
        parts: which columns each regression may use.
        advance: told of the share of the work that is done, rising to 1.
    """
    n_targets, n_folds = targets.shape[1], int(fold.max()) + 1
    fits = [
        Ridge(
            np.zeros((part.stop - part.start, n_targets)),
            np.zeros(n_targets),
            np.zeros(targets.shape),
            np.zeros(n_targets),
        )
        for part in parts
    ]
    known = np.isfinite(targets)
    patterns, of_target = np.unique(known, axis=1, return_inverse=True)
    for index in range(patterns.shape[1]):
        rows, mine = patterns[:, index], np.flatnonzero(of_target.ravel() == index)
        sums = []
        for f in range(n_folds):
            here = rows & (fold == f)
            sums.append(_Sums.of(columns[here], targets[here][:, mine]))
            if advance is not None:
                advance((index + _SUMMING * (f + 1) / n_folds) / patterns.shape[1])
        whole = _Sums.total(sums)
        for place, (part, fit) in enumerate(zip(parts, fits, strict=True)):
            mine_of = targets[:, mine]
            _fit(fit, columns[:, part], mine_of, fold, rows, mine, whole.of_part(part), [s.of_part(part) for s in sums])
            if advance is not None:
                advance((index + _SUMMING + (1 - _SUMMING) * (place + 1) / len(parts)) / patterns.shape[1])
    return fits


def _fit(
    fit: Ridge,
    columns: Floats,
    targets: Floats,
    fold: Ints,
    rows: NDArray[np.bool_],
    mine: NDArray[np.intp],
    whole: _Sums,
    sums: list[_Sums],
) -> None:
    tried = np.zeros((len(PENALTIES), *targets.shape))
    for f, part in enumerate(sums):
        here = fold == f
        mean, factors = (whole - part).solve()
        for p, (w, b) in enumerate(factors):
            tried[p, here] = (columns[here] - mean.astype(np.float32)) @ w.astype(np.float32) + b
    errors = np.nanmean((tried[:, rows] - targets[rows]) ** 2, axis=1)
    best = np.array([_best(each) for each in errors.T])
    mean, factors = whole.solve()
    for j, target in enumerate(mine):
        w, b = factors[best[j]]
        fit.weights[:, target] = w[:, j]
        fit.offsets[target] = b[j] - mean @ w[:, j]
        fit.held_out[:, target] = tried[best[j], :, j]
        fit.penalties[target] = PENALTIES[best[j]]


def _best(errors: Doubles) -> int:
    """Which penalty to take, by the held-out error of each."""
    best = _USUAL + int(errors[_USUAL:].argmin())
    while best > 0 and errors[best - 1] < _CLEARLY * errors[best]:
        best -= 1
    return best


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """What ridge regression needs of some rows; sums of parts add up."""

    n: int
    x: Doubles
    y: Doubles
    xx: Doubles
    xy: Doubles

    @classmethod
    def of(cls, columns: Floats, targets: Floats) -> _Sums:
        return cls(
            len(columns),
            columns.sum(axis=0, dtype=np.float64),
            targets.sum(axis=0, dtype=np.float64),
            (columns.T @ columns).astype(np.float64),
            (columns.T @ targets).astype(np.float64),
        )

    @classmethod
    def total(cls, parts: list[_Sums]) -> _Sums:
        return cls(
            sum(part.n for part in parts),
            np.sum([part.x for part in parts], axis=0),
            np.sum([part.y for part in parts], axis=0),
            np.sum([part.xx for part in parts], axis=0),
            np.sum([part.xy for part in parts], axis=0),
        )

    def of_part(self, part: slice) -> _Sums:
        """The same of some columns."""
        return _Sums(self.n, self.x[part], self.y, self.xx[part, part], self.xy[part])

    def __sub__(self, part: _Sums) -> _Sums:
        return _Sums(self.n - part.n, self.x - part.x, self.y - part.y, self.xx - part.xx, self.xy - part.xy)

    def solve(self) -> tuple[Doubles, list[tuple[Doubles, Doubles]]]:
        """The columns' mean, and for each penalty weights (columns, targets) and the targets' means."""
        n = max(self.n, 1)
        mean, y_mean = self.x / n, self.y / n
        gram = self.xx - n * np.outer(mean, mean)
        cross = (self.xy - n * np.outer(mean, y_mean)).astype(np.float32)
        out = []
        # Single precision is enough: the smallest penalty bounds the condition number by some hundreds.
        for penalty in PENALTIES:
            penalised = gram.astype(np.float32)
            penalised[np.diag_indices_from(penalised)] += penalty
            factor = cho_factor(penalised, overwrite_a=True, check_finite=False)
            out.append((np.asarray(cho_solve(factor, cross, check_finite=False), dtype=np.float64), y_mean))
        return mean, out
