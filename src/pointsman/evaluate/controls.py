"""What every policy stands beside: one model always, random at the same cost, its own decisions shuffled, the task-mean
router, the oracle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .measures import hull
from .paired import Float, Int, Paired
from .policies import ScoredPolicy, Served

N_PERMUTATIONS = 2000
EXACT_BELOW_GROUPS = 200
"""Up to here permutations are drawn; above, the normal limit of the exact permutation moments is used."""


@dataclass(frozen=True, slots=True)
class Chord:
    """The two models between which random routing is best at a given cost, cheap first; they may be the same."""

    low: int
    high: int

    def quality(self, cost: Float, model_cost: Float, model_score: Float) -> Float:
        """Expected score of the random mix of the two that costs as much, shape (...).

        Outside the two models' costs the nearer model stands for itself.

        Args:
            cost: shape (...), the policy's mean cost.
            model_cost: shape (..., m).
            model_score: shape (..., m).
        """
        c_low, c_high = model_cost[..., self.low], model_cost[..., self.high]
        q_low, q_high = model_score[..., self.low], model_score[..., self.high]
        width = np.where(c_high > c_low, c_high - c_low, 1.0)
        part = np.where(c_high > c_low, np.clip((cost - c_low) / width, 0.0, 1.0), 0.0)
        return np.asarray(q_low + part * (q_high - q_low), dtype=np.float64)


def chord_at(cost: float, model_cost: Float, model_score: Float) -> Chord:
    """The pair whose mix is best at this cost: the edge of the models' hull over it."""
    x, y = hull(model_cost, model_score)
    places = [int(np.flatnonzero((model_cost == cx) & (model_score == cy))[0]) for cx, cy in zip(x, y, strict=True)]
    above = int(np.searchsorted(x, cost))
    if above == 0:
        return Chord(places[0], places[0])
    if above == len(places):
        return Chord(places[-1], places[-1])
    return Chord(places[above - 1], places[above])


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A policy's decisions dealt out anew at random: what its shares of models alone would have given."""

    quality: float
    """Expected mean score."""
    cost: float
    """Expected mean cost of the serving models' calls."""
    p_value: float
    """Chance that a shuffle does at least as well, under "decisions have nothing to do with outcomes"."""


def shuffled(served: Served, data: Paired, within: Int, generator: np.random.Generator) -> Shuffle:
    """The policy's decisions permuted over the groups of equal prompts, within the classes given.

    Expectation and variance over all permutations are exact (Hoeffding 1951, "A combinatorial central limit theorem").

    Args:
        served: shape (n,), the model that serves each prompt.
        data: the paired prompts.
        within: shape (n,), classes such as datasets; zeros to shuffle over all.
        generator: draws permutations where there are few groups.
    """
    first = np.full(data.n_groups, -1, dtype=np.int64)
    first[data.group[::-1]] = np.arange(data.n)[::-1]
    decision, label = served[first].astype(np.int64), within[first]
    sums = np.stack(
        [np.bincount(data.group, weights=data.score[:, j], minlength=data.n_groups) for j in range(data.m)], 1
    )
    costs = np.stack(
        [np.bincount(data.group, weights=data.cost[:, j], minlength=data.n_groups) for j in range(data.m)], 1
    )
    actual = float(sums[np.arange(data.n_groups), decision].sum())
    mean = variance = cost = 0.0
    small = data.n_groups < EXACT_BELOW_GROUPS
    drawn = np.zeros(N_PERMUTATIONS)
    for each in np.unique(label).tolist():
        rows = np.flatnonzero(label == each)
        values, mine = sums[rows], decision[rows]
        shares = np.bincount(mine, minlength=data.m) / rows.size
        mean += float((values * shares).sum())
        cost += float((costs[rows] * shares).sum())
        if rows.size > 1:
            residual = (
                values - (values @ shares)[:, None] - values.mean(axis=0) + float((values * shares).sum()) / rows.size
            )
            variance += float((residual**2 * shares).sum()) * rows.size / (rows.size - 1)
        if small:
            dealt = generator.permuted(np.tile(mine, (N_PERMUTATIONS, 1)), axis=1)
            drawn += values[np.arange(rows.size), dealt].sum(axis=1)
    if small:
        p_value = (1.0 + float((drawn >= actual - 1e-9).sum())) / (N_PERMUTATIONS + 1)
    elif variance <= 0:
        p_value = 1.0
    else:
        p_value = 0.5 * math.erfc((actual - mean) / math.sqrt(2 * variance))
    return Shuffle(mean / data.n, cost / data.n, p_value)


def oracle(data: Paired) -> Served:
    """The model with the best score on each prompt, the cheapest of those that tie, shape (n,)."""
    best = data.score.max(axis=1, keepdims=True)
    return np.asarray(np.where(data.score >= best, data.cost, np.inf).argmin(axis=1), dtype=np.int8)


def task_mean(data: Paired, fold: Int, n_outcomes: int) -> ScoredPolicy:
    """A router that knows the dataset of a prompt and nothing else, learned out of fold.

    For two models, datasets are ranked by what the strong model gained on them in the other folds; a prompt's need is
    the middle rank of its dataset. For more models, P(good) is the model's mean score on the dataset in the other
    folds. Means are shrunk towards the mean over all by one prompt's weight.
    """
    n_sets = len(data.dataset_names)
    sizes = np.bincount(data.dataset, minlength=n_sets)
    p_known = np.zeros((data.n, data.m - 1))
    target = data.score[:, :1] - data.score[:, 1:] if data.m == 2 else data.score[:, :-1]
    for each in range(int(fold.max()) + 1):
        learn, rows = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        counts = np.bincount(data.dataset[learn], minlength=n_sets)
        for column in range(data.m - 1):
            sums = np.bincount(data.dataset[learn], weights=target[learn, column], minlength=n_sets)
            means = (sums + target[learn, column].mean()) / (counts + 1)
            p_known[rows, column] = (_middle_ranks(means, sizes) if data.m == 2 else means)[data.dataset[rows]]
    p_good = np.full((n_outcomes, data.m - 1), 0.5)
    p_good[data.rows] = p_known
    return ScoredPolicy("task mean", p_good, kind="control", calibrated=False)


def _middle_ranks(values: Float, sizes: Int) -> Float:
    """The middle rank of each value among all prompts, 0 to 1, when value i stands for `sizes[i]` prompts."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(sizes[order])
    out = np.empty(values.size)
    out[order] = (ends - sizes[order] / 2) / ends[-1]
    return out
