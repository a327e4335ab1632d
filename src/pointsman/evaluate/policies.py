"""What can be evaluated: scores under a threshold, or decisions already taken, at one or more operating points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError

from .paired import Float, Int, Paired

Served: TypeAlias = NDArray[np.int8]
Event: TypeAlias = Literal["as_good", "good"]

N_STEPS = 50
"""Steps of the threshold's grid: one for every 2 % of strong calls; every fifth is one of RouteLLM's ten quantiles."""
ROUTELLM_EVERY = 5


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPolicy:
    """Threshold routing: the cheapest model whose P(good enough) reaches the threshold, else the last.

    The scores must not have seen the outcomes they are measured on (out of fold, or a router trained elsewhere).
    """

    name: str
    p_good: NDArray[np.floating]
    """Shape (n,) for the cheaper of two models, or (n, m - 1) for all but the last of m; rows as in the outcomes."""
    kind: str = "threshold"
    router_cost_usd: float = 0.0
    """USD per request for the router's own work."""
    calibrated: bool = True
    """False for scores that only rank; calibration is not measured then."""
    p_of: Event = "as_good"
    """What `p_good` is the probability of: an answer that scores at least as high as the last model's ("as_good"), or
    one whose own score is high ("good")."""

    def only(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> ScoredPolicy:
        """The same on some of the prompts, by number or by a mask."""
        return replace(self, p_good=self.p_good[rows])


@dataclass(frozen=True, slots=True, eq=False)
class DecidedPolicy:
    """Decisions at one or more operating points, such as a cascade at K thresholds; one point is taken as it is."""

    name: str
    kind: str
    served: NDArray[np.integer]
    """Shape (n,) or (K, n): the number of the model whose answer the user gets; rows as in the outcomes."""
    cost_usd: NDArray[np.floating] | None = None
    """Same shape: USD of all model calls of the request, those whose answer was thrown away included. None takes the
    cost of the serving model alone."""
    router_cost_usd: NDArray[np.floating] | float = 0.0
    """USD per request for deciding, a number or shape (n,), such as what a classifier's calls cost."""
    judge_cost_usd: NDArray[np.floating] | float = 0.0
    """USD per request for judging answers, a number or the shape of `served`."""
    chosen: Callable[[float], NDArray[np.int64]] | None = None
    """For a share of the strong model's quality the number of the point that each prompt takes, shape (n,), chosen
    without the prompt's outcome. None leaves the choice to the evaluation's own cross-fitting."""

    def only(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> DecidedPolicy:
        """The same on some of the prompts, by number or by a mask; its costs with it."""
        router, judge, chosen = self.router_cost_usd, self.judge_cost_usd, self.chosen
        return replace(
            self,
            served=self.served[..., rows],
            cost_usd=None if self.cost_usd is None else self.cost_usd[..., rows],
            router_cost_usd=router[..., rows] if isinstance(router, np.ndarray) else router,
            judge_cost_usd=judge[..., rows] if isinstance(judge, np.ndarray) else judge,
            chosen=None if chosen is None else lambda share: chosen(share)[rows],
        )


Policy: TypeAlias = ScoredPolicy | DecidedPolicy


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """K operating points of a policy on the paired prompts."""

    name: str
    kind: str
    served: Served
    """Shape (K, n)."""
    call_cost: Float
    """Shape (K, n): all model calls."""
    judge_cost: Float
    """Shape (K, n), or (1, 1) when the same everywhere."""
    router_cost: Float
    """Shape (1, n), or (1, 1) when the same everywhere: it does not depend on the point."""
    p_good: Float | None
    """Shape (n, m - 1); None for decisions without scores."""
    p_of: Event
    chosen: Callable[[float], Int] | None
    """As in `DecidedPolicy`, on the paired prompts."""
    routellm: tuple[int, ...]
    """Which points stand at RouteLLM's thresholds, from all strong to all cheap; empty when the notion does not fit."""

    @property
    def k(self) -> int:
        """How many operating points there are."""
        return int(self.served.shape[0])

    def quality(self, data: Paired, at: Int | None = None) -> Float:
        """The score of the answer served, shape (K, n), or at some of the points only."""
        return of_served(data.score, self.served if at is None else self.served[at])

    def cost(self, at: Int | None = None) -> Float:
        """All-in cost, shape (K, n): calls, router and judge; or at some of the points only."""
        judge = self.judge_cost if at is None or self.judge_cost.shape[0] == 1 else self.judge_cost[at]
        return (self.call_cost if at is None else self.call_cost[at]) + judge + self.router_cost


def points(policy: Policy, data: Paired, n_outcomes: int) -> Points:
    """The policy's operating points on the paired prompts.

    Raises:
        DataError: shapes do not fit the outcomes, a score is not a number from 0 to 1, or a decision names no model.
    """
    if isinstance(policy, ScoredPolicy):
        return _scored(policy, data, n_outcomes)
    return _decided(policy, data, n_outcomes)


def _scored(policy: ScoredPolicy, data: Paired, n_outcomes: int) -> Points:
    p_good = np.asarray(policy.p_good, dtype=np.float64)
    if p_good.ndim == 1:
        p_good = p_good[:, None]
    if p_good.shape == (n_outcomes, data.m):
        p_good = p_good[:, :-1]
    if p_good.shape != (n_outcomes, data.m - 1):
        raise DataError(
            f"policy {policy.name!r}: expected scores of shape ({n_outcomes}, {data.m - 1}), "
            f"got {np.shape(policy.p_good)}"
        )
    p_good = p_good[data.rows]
    if not (np.isfinite(p_good).all() and (p_good >= 0).all() and (p_good <= 1).all()):
        raise DataError(f"policy {policy.name!r}: a score is not a number from 0 to 1")
    served = served_at(p_good, thresholds(p_good))
    return Points(
        name=policy.name,
        kind=policy.kind,
        served=served,
        call_cost=of_served(data.cost, served),
        judge_cost=np.zeros((1, 1)),
        router_cost=np.full((1, 1), policy.router_cost_usd if data.priced else 0.0),
        p_good=p_good if policy.calibrated else None,
        p_of=policy.p_of,
        chosen=None,
        routellm=tuple(range(0, N_STEPS + 1, ROUTELLM_EVERY)) if data.m == 2 else (),
    )


def _decided(policy: DecidedPolicy, data: Paired, n_outcomes: int) -> Points:
    served = np.atleast_2d(np.asarray(policy.served))
    if served.shape[1] != n_outcomes:
        raise DataError(f"policy {policy.name!r}: {served.shape[1]} decisions for {n_outcomes} prompts")
    served = served[:, data.rows].astype(np.int8)
    if served.min() < 0 or served.max() >= data.m:
        raise DataError(f"policy {policy.name!r}: a decision names none of the {data.m} models")
    if policy.cost_usd is None or not data.priced:
        call_cost = of_served(data.cost, served)
    else:
        call_cost = np.atleast_2d(np.asarray(policy.cost_usd, dtype=np.float64))[:, data.rows]
    judge = np.asarray(policy.judge_cost_usd, dtype=np.float64)
    router = np.asarray(policy.router_cost_usd, dtype=np.float64)
    if router.shape not in ((), (n_outcomes,)) or not (np.isfinite(router).all() and (router >= 0).all()):
        raise DataError(
            f"policy {policy.name!r}: the router's cost is not a number of at least 0 for each of {n_outcomes} prompts"
        )
    chosen = policy.chosen
    return Points(
        name=policy.name,
        kind=policy.kind,
        served=served,
        call_cost=call_cost,
        judge_cost=(judge.reshape(1, 1) if judge.ndim == 0 else np.atleast_2d(judge)[:, data.rows])
        if data.priced
        else np.zeros((1, 1)),
        router_cost=(router.reshape(1, 1) if router.ndim == 0 else router[None, data.rows])
        if data.priced
        else np.zeros((1, 1)),
        p_good=None,
        p_of="as_good",
        chosen=None if chosen is None else lambda share: chosen(share)[data.rows],
        routellm=(),
    )


def of_served(values: Float, served: Served) -> Float:
    """The serving model's value of each prompt, shape (K, n), from values of shape (n, m)."""
    out = np.repeat(values[None, :, 0], served.shape[0], axis=0)
    for model in range(1, values.shape[1]):
        np.copyto(out, values[None, :, model], where=served == model)
    return out


def thresholds(p_good: Float) -> Float:
    """The grid, shape (N_STEPS + 1,), in need of the strong model (1 - P(good)), from all strong to all cheap.

    Quantiles as `pandas.qcut` takes them in RouteLLM's released `evals/benchmarks.py`: linear between neighbours.
    """
    return np.asarray(np.quantile(1.0 - p_good, np.linspace(0.0, 1.0, N_STEPS + 1)), dtype=np.float64)


def served_at(p_good: Float, grid: Float) -> Served:
    """Which model serves each prompt at each threshold, shape (len(grid), n).

    A prompt needs more than a model when its need is at or above the threshold, at the last one strictly above: as
    RouteLLM's `>=`, and `>` at the last threshold, so that the first point is all strong and the last all cheap.
    """
    need = 1.0 - p_good
    last = need.shape[1]
    out = np.empty((grid.size, need.shape[0]), dtype=np.int8)
    for place, threshold in enumerate(grid):
        enough = need <= threshold if place == grid.size - 1 else need < threshold
        out[place] = np.where(enough.any(axis=1), enough.argmax(axis=1), last)
    return out
