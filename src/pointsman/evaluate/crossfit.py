"""Operating points chosen on some prompts and measured on others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .paired import Float, Int, Paired
from .policies import Points, Served

N_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Operating:
    """A policy at one operating point: for every prompt the model served and what it cost."""

    label: str
    served: Served
    """Shape (n,)."""
    quality: Float
    """Shape (n,)."""
    cost: Float
    """Shape (n,), all in."""
    call_cost: Float
    """Shape (n,), model calls alone."""
    point: tuple[int, ...]
    """The operating point of each fold; one for a policy that is taken as it is."""


def fold_of_prompts(data: Paired, n_folds: int, generator: np.random.Generator) -> Int:
    """The fold of each prompt, shape (n,): groups together, strata spread evenly."""
    shuffled = generator.permutation(data.n_groups)
    in_order = shuffled[np.argsort(data.stratum[shuffled], kind="stable")]
    fold = np.empty(data.n_groups, dtype=np.int64)
    fold[in_order] = np.arange(data.n_groups) % n_folds
    return fold[data.group]


def cross_fitted(
    points: Points,
    quality: Float,
    cost: Float,
    data: Paired,
    fold: Int,
    targets: dict[str, float],
) -> tuple[Operating, ...]:
    """The policy at one operating point per target, each fold's chosen on the other folds.

    The choice is the cheapest point whose mean quality on the other folds is at least that share of the strong model's
    there; where none is, the best. A policy with a single point is taken as it is, under the label "given". One that
    brings its own choice for each prompt, made without that prompt's outcome, is taken at that.

    Args:
        points: the policy's points.
        quality: shape (K, n).
        cost: shape (K, n), all in.
        data: the paired prompts.
        fold: shape (n,).
        targets: share of the strong model's quality to reach, by label.
    """
    if points.k == 1:
        only = Operating("given", points.served[0], quality[0], cost[0], points.call_cost[0], (0,))
        return (only,)
    if points.chosen is not None:
        return tuple(_at(label, points, quality, cost, points.chosen(share), data) for label, share in targets.items())
    n_folds = int(fold.max()) + 1
    members = [np.flatnonzero(fold == each) for each in range(n_folds)]
    q_sums = np.stack([quality[:, rows].sum(axis=1) for rows in members])
    c_sums = np.stack([cost[:, rows].sum(axis=1) for rows in members])
    s_sums = np.array([data.score[rows, -1].sum() for rows in members])
    sizes = np.array([rows.size for rows in members])
    out = []
    for label, share in targets.items():
        chosen = []
        point_of_prompt = np.empty(data.n, dtype=np.int64)
        for each in range(n_folds):
            others = data.n - sizes[each]
            q = (q_sums.sum(axis=0) - q_sums[each]) / others
            c = (c_sums.sum(axis=0) - c_sums[each]) / others
            reached = q >= share * (s_sums.sum() - s_sums[each]) / others - 1e-12
            best = (
                _middle(reached & (c <= c[reached].min() + 1e-12)) if reached.any() else _middle(q >= q.max() - 1e-12)
            )
            chosen.append(best)
            point_of_prompt[members[each]] = best
        at = _at(label, points, quality, cost, point_of_prompt, data)
        out.append(replace(at, point=tuple(chosen)))
    return tuple(out)


def _at(label: str, points: Points, quality: Float, cost: Float, place: Int, data: Paired) -> Operating:
    """The policy with each prompt at its own point; `place` has shape (n,)."""
    columns = np.arange(data.n)
    return Operating(
        label,
        points.served[place, columns],
        quality[place, columns],
        cost[place, columns],
        points.call_cost[place, columns],
        tuple(np.unique(place).tolist()),
    )


def _middle(equal: NDArray[np.bool_]) -> int:
    """The middle one of equally good points: both ends of a plateau may fall off it on other prompts."""
    places = np.flatnonzero(equal)
    return int(places[places.size // 2])
