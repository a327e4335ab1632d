"""One policy measured: its curve, its cross-fitted operating points, and what the replicates say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .columns import Columns, Means
from .crossfit import Operating, cross_fitted
from .measures import aiq, apgr, arena_score, cpt, least_cost
from .paired import Float, Int, Paired
from .policies import Points
from .resample import interval
from .result import LEVELS, RECOVERED, Line

if TYPE_CHECKING:
    from collections.abc import Mapping

CURVE_EVERY = 5
"""Every how many points of a policy without RouteLLM's thresholds stand for its curve in the replicates."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A policy's points with their means, and its operating points."""

    points: Points
    quality: Float
    """Shape (K,): mean quality of each point."""
    cost: Float
    """Shape (K,): mean all-in cost."""
    strong_share: Float
    """Shape (K,)."""
    operating: tuple[Operating, ...]
    full_cost: Float
    """Mean cost at every different threshold, shape (t,)."""
    full_quality: Float
    full_strong_share: Float

    @property
    def primary(self) -> Operating:
        """The operating point that the policy's line stands at."""
        return self.operating[0]

    def curve(self) -> tuple[tuple[float, float], ...]:
        """Cost and quality of the points, by rising cost, each pair once."""
        pairs = np.unique(np.stack([self.cost, self.quality], axis=1), axis=0)
        return tuple((float(c), float(q)) for c, q in pairs)


def measured(points: Points, data: Paired, fold: Int, targets: Mapping[str, float]) -> Measured:
    """The policy's means, and its operating points cross-fitted to the targets, the first being the primary one."""
    quality, cost = points.quality(data), points.cost()
    q, c = quality.mean(axis=1), cost.mean(axis=1)
    share = (points.served == data.m - 1).mean(axis=1)
    full = (c, q, share)
    if points.p_good is not None and data.m == 2:
        full = _every_threshold(points, data)
    return Measured(points, q, c, share, cross_fitted(points, quality, cost, data, fold, dict(targets)), *full)


def _every_threshold(points: Points, data: Paired) -> tuple[Float, Float, Float]:
    """Mean cost, quality and strong share at every threshold between two different scores, from all cheap on."""
    assert points.p_good is not None
    need = 1.0 - points.p_good[:, 0]
    order = np.argsort(-need, kind="stable")
    ends = np.flatnonzero(np.diff(need[order], append=-np.inf) != 0) + 1
    steps = np.concatenate([[0], ends])

    def along(values: Float) -> Float:
        sums = np.concatenate([[0.0], np.cumsum(values[order])])
        return np.asarray(sums[steps] / data.n, dtype=np.float64)

    quality = data.score[:, 0].mean() + along(data.score[:, 1] - data.score[:, 0])
    cost = data.cost[:, 0].mean() + along(data.cost[:, 1] - data.cost[:, 0]) + points.router_cost.mean()
    return cost, quality, steps / data.n


def add_columns(columns: Columns, key: str, policy: Measured, data: Paired, n_operating: int | None = None) -> None:
    """What the replicates need of a policy, of its first `n_operating` operating points or of all."""
    chosen = _curve_points(policy)
    if chosen.size:
        columns.add(f"{key} curve quality", policy.points.quality(data, chosen))
        if policy.points.routellm:
            columns.add(f"{key} curve share", policy.points.served[chosen] == data.m - 1)
        else:
            columns.add(f"{key} curve cost", policy.points.cost(chosen) / _scale(data))
    for place, at in enumerate(policy.operating[:n_operating]):
        columns.add(f"{key} {place} quality", at.quality)
        columns.add(f"{key} {place} cost", at.cost / _scale(data))
        columns.add(f"{key} {place} served", np.stack([at.served == j for j in range(1, data.m)]))
        # What a shuffle of the decisions would not change: thrown-away calls, judge and router.
        aside = (at.cost - data.cost[np.arange(data.n), at.served]) / _scale(data)
        if np.abs(aside).max() > 1e-9:
            columns.add(f"{key} {place} aside", aside)


def shares(means: Means, key: str, place: int) -> Float:
    """The share of prompts that each model serves at an operating point, shape (b, m)."""
    dearer = means[f"{key} {place} served"]
    return np.concatenate([1 - dearer.sum(axis=1, keepdims=True), dearer], axis=1)


def aside(means: Means, key: str, place: int) -> Float:
    """Cost beside the serving models' calls, shape (b,), in units of the strong model's mean cost."""
    name = f"{key} {place} aside"
    return means.one(name) if name in means else np.zeros(means["score"].shape[0])


def _scale(data: Paired) -> float:
    """Costs are resampled in units of the strong model's mean cost, so that float32 is fine for any currency."""
    mean = float(data.cost[:, -1].mean())
    return mean if mean > 0 else 1.0


def _curve_points(policy: Measured) -> Int:
    points = policy.points
    if points.routellm:
        return np.array(points.routellm, dtype=np.int64)
    if points.k == 1:
        return np.empty(0, dtype=np.int64)
    return np.unique(np.append(np.arange(0, points.k, CURVE_EVERY if points.k > 3 * CURVE_EVERY else 1), points.k - 1))


def apgr_of(means: Means, key: str, policy: Measured) -> Float | None:
    """APGR in each replicate, shape (b,); None for a policy of one point.

    Over the share of strong calls at RouteLLM's thresholds for two models. Otherwise (more models, cascades), our
    extension: over the share of the cost between always-cheap and always-strong, both included as ends.
    """
    if _curve_points(policy).size == 0:
        return None
    quality = means[f"{key} curve quality"]
    weak, strong = means["score"][:, 0], means["score"][:, -1]
    if policy.points.routellm:
        return apgr(means[f"{key} curve share"], quality, weak, strong)
    low, high = means["cost"][:, :1], means["cost"][:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip((means[f"{key} curve cost"] - low) / np.where(high > low, high - low, np.nan), 0.0, 1.0)
    share = np.concatenate([np.zeros_like(low), share, np.ones_like(low)], axis=1)
    quality = np.concatenate([weak[:, None], quality, strong[:, None]], axis=1)
    order = np.argsort(share, axis=1, kind="stable")
    return apgr(np.take_along_axis(share, order, 1), np.take_along_axis(quality, order, 1), weak, strong)


def line_of(
    policy: Measured, key: str, data: Paired, exact: Means, replicates: Means, n_operating: int | None = None
) -> Line:
    """The policy's line at its primary operating point, with intervals; the others stand in its `extra`."""
    strong_cost = float(data.cost[:, -1].mean())
    savings_at, calls_at = _read_from_curve(policy, data)
    exact_apgr, drawn_apgr = apgr_of(exact, key, policy), apgr_of(replicates, key, policy)
    line = operating_line(policy, key, 0, data, exact, replicates)
    extra = dict(line.extra)
    extra["strong_calls_avoided_at"] = calls_at
    extra["operating_points"] = [
        {"level": at.label, **_short(operating_line(policy, key, place, data, exact, replicates))}
        for place, at in enumerate(policy.operating[:n_operating])
    ]
    if data.priced:
        single = data.cost.mean(axis=0)
        router_usd = float(policy.points.router_cost.mean())
        extra["aiq"] = aiq(policy.full_cost, policy.full_quality, float(single.min()), float(single.max()))
        extra["cost_parts"] = {
            "calls_usd": float(policy.primary.call_cost.mean()),
            "router_usd": router_usd,
            "judge_usd": float((policy.primary.cost - policy.primary.call_cost).mean()) - router_usd,
        }
        extra["savings_calls_only"] = (
            1 - float(policy.primary.call_cost.mean()) / strong_cost if strong_cost > 0 else None
        )
    return Line(
        name=line.name,
        kind=line.kind,
        quality=line.quality,
        quality_ci=line.quality_ci,
        cost_usd=line.cost_usd,
        savings=line.savings,
        savings_ci=line.savings_ci,
        strong_share=line.strong_share,
        apgr=None if exact_apgr is None else finite(float(exact_apgr[0])),
        apgr_ci=None if drawn_apgr is None else interval(drawn_apgr),
        cpt=_cpt(policy, data),
        savings_at=savings_at,
        quality_delta=line.quality_delta,
        quality_delta_ci=line.quality_delta_ci,
        arena_score=line.arena_score,
        extra=extra,
    )


def operating_line(policy: Measured, key: str, place: int, data: Paired, exact: Means, replicates: Means) -> Line:
    """The policy at one of its operating points."""
    at = policy.operating[place]
    return line_of_means(
        name=policy.points.name,
        kind=policy.points.kind,
        quality=(float(at.quality.mean()), replicates.one(f"{key} {place} quality")),
        cost=(float(at.cost.mean()), replicates.one(f"{key} {place} cost")),
        strong_share=float((at.served == data.m - 1).mean()),
        data=data,
        replicates=replicates,
        extra={"operating_point": at.label, "points_of_folds": list(at.point)},
    )


def line_of_means(
    *,
    name: str,
    kind: str,
    quality: tuple[float, Float],
    cost: tuple[float, Float],
    strong_share: float,
    data: Paired,
    replicates: Means,
    extra: Mapping[str, object] | None = None,
) -> Line:
    """A line from its mean quality and cost and their replicates (costs there in units of the strong model's)."""
    strong_q, strong_c = float(data.score[:, -1].mean()), float(data.cost[:, -1].mean())
    delta = quality[1] - replicates["score"][:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        saved = 1.0 - cost[1] / replicates["cost"][:, -1]
    priced = data.priced and strong_c > 0
    return Line(
        name=name,
        kind=kind,
        quality=quality[0],
        quality_ci=interval(quality[1]),
        cost_usd=cost[0] if data.priced else None,
        savings=1.0 - cost[0] / strong_c if priced else None,
        savings_ci=interval(saved) if priced else None,
        strong_share=strong_share,
        quality_delta=quality[0] - strong_q,
        quality_delta_ci=interval(delta),
        arena_score=arena_score(cost[0], quality[0]) if data.priced else None,
        extra=dict(extra) if extra is not None else {},
    )


def _short(line: Line) -> dict[str, object]:
    return {
        "quality": line.quality,
        "quality_ci": line.quality_ci,
        "quality_delta": line.quality_delta,
        "quality_delta_ci": line.quality_delta_ci,
        "cost_usd": line.cost_usd,
        "savings": line.savings,
        "savings_ci": line.savings_ci,
        "strong_share": line.strong_share,
    }


def _read_from_curve(policy: Measured, data: Paired) -> tuple[dict[str, float | None], dict[str, float | None]]:
    strong_q, strong_c = float(data.score[:, -1].mean()), float(data.cost[:, -1].mean())
    targets = np.array([share * strong_q for share in LEVELS.values()])
    cost = least_cost(policy.full_cost[None, :], policy.full_quality[None, :], targets)
    calls = least_cost(policy.full_strong_share[None, :], policy.full_quality[None, :], targets)
    priced = data.priced and strong_c > 0
    savings = {
        label: finite(1.0 - float(usd) / strong_c) if priced else None for label, usd in zip(LEVELS, cost, strict=True)
    }
    return savings, {label: finite(1.0 - float(share)) for label, share in zip(LEVELS, calls, strict=True)}


def _cpt(policy: Measured, data: Paired) -> dict[str, float | None]:
    if policy.points.k == 1:
        return dict.fromkeys(RECOVERED)
    chosen = _curve_points(policy)
    order = np.argsort(policy.strong_share[chosen], kind="stable")
    share, quality = policy.strong_share[chosen][order], policy.quality[chosen][order]
    weak, strong = float(data.score[:, 0].mean()), float(data.score[:, -1].mean())
    return {label: finite(cpt(share, quality, weak, strong, part)) for label, part in RECOVERED.items()}


def finite(value: float) -> float | None:
    """The number, None when it is not finite."""
    return value if np.isfinite(value) else None
