"""A cascade beside direct routing: the same cost, the same quality, and what judging may cost until they are equal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.intervals import Z_95
from pointsman.vocabulary import JSONObject

from .measures import hull
from .result import Evaluation, Interval, Line, Verdict, plain

Float: TypeAlias = NDArray[np.float64]
Int: TypeAlias = NDArray[np.int64]

CASCADE = "cascade"
DIRECT = "direct routing"


@dataclass(frozen=True, slots=True)
class BesideDirect:
    """What the cascade is worth against direct routing on the same prompts, judge paid."""

    advice: str
    """"cascade" or "direct routing"."""
    reason: str
    quality: float
    cost_usd: float
    direct_quality: float
    """Of direct routing at the cascade's cost, mixing its two nearest operating points."""
    difference: float
    """Quality of the cascade minus that, score points."""
    difference_ci: Interval
    p_value: float
    """One-sided: how likely so large a difference is when there is none."""
    direct_cost_usd: float | None
    """What direct routing costs at the cascade's quality; None when it never reaches it."""
    n_calls: float
    """Model calls per request."""
    n_judged: float
    """Answers judged per request."""
    judge_price_usd: float
    """Per judged answer, as given or assumed."""
    judge_price_is_assumed: bool
    reference_cost_usd: float | None
    """Mean cost of a call of the reference model, to set judging prices beside; None when not known."""
    break_even_judge_price_usd: float | None
    """Per judged answer, from which on direct routing is cheaper at the same quality, or at its best where it never
    reaches that; None when nothing is judged. Below 0: the cascade loses with a free judge."""
    judge_error: float | None
    """Of the simulated judge, None when answers are judged by what can be read off them."""
    judge_errs: str | None
    """How its errors fall: "agreeing" or "evenly"; None as for `judge_error`."""
    recorded_verdicts: Mapping[str, float] | None
    """Where what is recorded of answers is a judge's yes or no: its "error", the share of good answers that it
    "rejects", and of bad ones that it "accepts"; None elsewhere."""
    break_even_judge_errors: Mapping[str, float | None] = field(default_factory=dict)
    """By how the errors fall, the share of wrong verdicts of a judge that only says good or bad from which on direct
    routing is as cheap, the judge paid; None when no error up to a half makes it so. Empty when not looked for."""

    @property
    def break_even_judge_error(self) -> float | None:
        """That of a judge that errs as the simulated one, or by agreeing."""
        return self.break_even_judge_errors.get(self.judge_errs or "agreeing")

    def to_json(self) -> JSONObject:
        """The comparison as plain JSON types."""
        out: JSONObject = plain(
            {
                "advice": self.advice,
                "reason": self.reason,
                "quality": self.quality,
                "cost_usd": self.cost_usd,
                "direct_routing_at_same_cost": {
                    "quality": self.direct_quality,
                    "difference": self.difference,
                    "difference_ci": self.difference_ci,
                    "p_value": self.p_value,
                },
                "direct_routing_at_same_quality": {"cost_usd": self.direct_cost_usd},
                "calls_per_request": self.n_calls,
                "judged_per_request": self.n_judged,
                "judge_price_usd": self.judge_price_usd,
                "judge_price_is_assumed": self.judge_price_is_assumed,
                "break_even_judge_price_usd": self.break_even_judge_price_usd,
                "judge_error": self.judge_error,
                "judge_errs": self.judge_errs,
                "recorded_verdicts": self.recorded_verdicts,
                "break_even_judge_error": self.break_even_judge_error,
                "break_even_judge_errors": dict(self.break_even_judge_errors),
            }
        )
        return out


def beside_direct(
    *,
    quality: Float,
    cost: Float,
    n_judged: Float,
    n_calls: Float,
    direct_quality: Float,
    direct_cost: Float,
    groups: Int,
    judge_price_usd: float = 0.0,
    judge_price_is_assumed: bool = False,
    reference_cost_usd: float | None = None,
    judge_error: float | None = None,
    judge_errs: str | None = None,
    recorded_verdicts: Mapping[str, float] | None = None,
    break_even_judge_errors: Mapping[str, float | None] | None = None,
) -> BesideDirect:
    """The comparison at one operating point of the cascade.

    A cascade is advised when all of the 95 % interval of its quality less that of direct routing at the same cost is
    above 0: direct routing is simpler and adds no waiting, so what is not shown does not count.

    Args:
        quality, cost, n_judged, n_calls: of the cascade, shape (n,); the cost holds all calls and judging.
        direct_quality, direct_cost: of direct routing at K operating points, shape (K, n).
        groups: equal prompts share a number, shape (n,).

    Raises:
        DataError: direct routing has no operating point.
    """
    if direct_quality.shape[0] == 0:
        raise DataError("direct routing has no operating point to compare with")
    at_same_cost = _mixed(direct_quality, direct_cost, float(cost.mean()))
    delta = quality - at_same_cost
    mean, error = float(delta.mean()), _standard_error(delta, groups)
    half = Z_95 * error
    p_value = 0.5 * math.erfc(mean / (error * math.sqrt(2))) if error > 0 else float(mean <= 0)
    judged, own = float(n_judged.mean()), float(cost.mean())
    hull_cost, hull_quality = hull(direct_cost.mean(axis=1), direct_quality.mean(axis=1))
    reached = float(quality.mean()) <= hull_quality[-1] + 1e-12
    same_quality = float(np.interp(quality.mean(), hull_quality, hull_cost)) if reached else None
    calls_only = own - judge_price_usd * judged
    dearest = float(hull_cost[-1]) if same_quality is None else same_quality
    break_even = None if judged <= 0 else (dearest - calls_only) / judged
    better = mean - half > 0
    told = f"{100 * mean:+.1f} points ({100 * (mean - half):+.1f} to {100 * (mean + half):+.1f})".replace("-", "−")
    told = f"at the same cost its quality is {told} against direct routing's (p = {p_value:.2g})"
    reason = (
        f"The cascade beats direct routing: {told}."
        if better
        else f"Prefer direct routing: judging answers is not shown to pay, for {told}, and direct routing needs one "
        "call and no judge."
    )
    return BesideDirect(
        advice=CASCADE if better else DIRECT,
        reason=reason,
        quality=float(quality.mean()),
        cost_usd=own,
        direct_quality=float(at_same_cost.mean()),
        difference=mean,
        difference_ci=(mean - half, mean + half),
        p_value=p_value,
        direct_cost_usd=same_quality,
        n_calls=float(n_calls.mean()),
        n_judged=judged,
        judge_price_usd=judge_price_usd,
        judge_price_is_assumed=judge_price_is_assumed,
        reference_cost_usd=reference_cost_usd,
        break_even_judge_price_usd=break_even,
        judge_error=judge_error,
        judge_errs=judge_errs,
        recorded_verdicts=recorded_verdicts,
        break_even_judge_errors={} if break_even_judge_errors is None else break_even_judge_errors,
    )


def with_direct(cascade: Evaluation, direct: Evaluation, found: BesideDirect) -> Evaluation:
    """The cascade's evaluation with direct routing among its controls, and a verdict that heeds the advice."""
    line = replace(direct.policies[0], name=DIRECT, kind="control")
    strong = next(each for each in cascade.controls if each.name == f"always:{cascade.models[-1]}")
    at_cost = Line(
        name=f"{DIRECT} at the same cost",
        kind="control",
        quality=found.direct_quality,
        quality_ci=None,
        cost_usd=found.cost_usd if cascade.priced else None,
        savings=None if not strong.cost_usd else 1 - found.cost_usd / strong.cost_usd,
        savings_ci=None,
        strong_share=line.strong_share,
        quality_delta=found.direct_quality - strong.quality,
        savings_at=line.savings_at,
    )
    return replace(
        cascade,
        controls=(*cascade.controls, at_cost, line),
        verdict=_verdict(cascade.verdict, direct.verdict, found),
    )


def _verdict(cascade: Verdict, direct: Verdict, found: BesideDirect) -> Verdict:
    """The cascade's verdict with the advice; direct routing's where it is advised and helps at the same level."""
    same_level = direct.routing_helps and direct.operating_point == cascade.operating_point
    if found.advice == DIRECT and cascade.routing_helps and same_level:
        return replace(direct, policy=DIRECT, reason=f"{found.reason} {direct.reason}")
    return replace(cascade, reason=f"{cascade.reason} {found.reason}")


def break_even_error(errors: Sequence[float], cost: Sequence[float | None], direct_cost: float | None) -> float | None:
    """The judge's error at which the cascade costs what direct routing costs at the same quality.

    Straight lines between the errors tried. 0 when even a perfect judge does not pay, None when all that were tried pay
    or direct routing does not reach the quality.

    Args:
        errors: rising.
        cost: of the cascade at the wanted quality with each error; None where it is not reached.
    """
    if direct_cost is None:
        return None
    over = [math.inf if usd is None else usd - direct_cost for usd in cost]
    for place, (error, excess) in enumerate(zip(errors, over, strict=True)):
        if excess >= 0:
            if place == 0:
                return 0.0
            before = over[place - 1]
            part = -before / (excess - before) if math.isfinite(excess) else 0.5
            return errors[place - 1] + part * (error - errors[place - 1])
    return None


def _mixed(quality: Float, cost: Float, budget: float) -> Float:
    """Direct routing at a mean cost: per prompt the mix of the two points of its hull beside it, shape (n,)."""
    mean_q, mean_c = quality.mean(axis=1), cost.mean(axis=1)
    hull_cost, _ = hull(mean_c, mean_q)
    places = [int(np.flatnonzero(mean_c == each)[mean_q[mean_c == each].argmax()]) for each in hull_cost.tolist()]
    above = int(np.searchsorted(hull_cost, budget))
    if above == 0:
        return np.asarray(quality[places[0]], dtype=np.float64)
    if above == len(places):
        return np.asarray(quality[places[-1]], dtype=np.float64)
    low, high = float(hull_cost[above - 1]), float(hull_cost[above])
    share = (budget - low) / (high - low)
    return np.asarray((1 - share) * quality[places[above - 1]] + share * quality[places[above]], dtype=np.float64)


def _standard_error(values: Float, groups: Int) -> float:
    """Of the mean, equal prompts counted together."""
    _, member = np.unique(groups, return_inverse=True)
    sums = np.bincount(member.reshape(-1), weights=values - values.mean())
    n = len(sums)
    return float(np.sqrt((sums**2).sum() * n / max(n - 1, 1)) / len(values)) if n > 1 else math.inf
