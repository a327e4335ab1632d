"""Is a candidate worse than the baseline? Both decide the same recorded prompts; `docs/gate.md` has the definitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.vocabulary import JSONObject, Outcomes

from .changes import Change, changes
from .paired_difference import PairedDifference, paired_difference

Float: TypeAlias = NDArray[np.float64]
Outcome: TypeAlias = Literal["passed", "worse", "not shown"]

_LEAST_GAP: Final = 0.1
"""Where cheap and strong are equal on average, a share of the gap means nothing: the gap is taken to be at least this
share of the mean size of the difference between their scores."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one router or policy would have done with every prompt of the outcomes."""

    name: str
    served: NDArray[np.integer] | None = None
    """Shape (n,): the number of the model at the policy's own operating point; None leaves that comparison out."""
    cost_usd: NDArray[np.floating] | None = None
    """Shape (n,): USD of the whole request, thrown-away calls and judges included; None takes the served model's."""
    need: NDArray[np.floating] | None = None
    """Shape (n,): the router's score for how much a prompt needs the strong model, such as 1 - P(cheap is good enough).
    Only its order is used. None leaves the comparison at equal cost out."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What counts as worse."""

    max_regression: float = 0.005
    """Smaller losses are tolerated: of quality in score points, at equal cost in share of the quality gap."""
    max_cost_increase: float = 0.02
    """Smaller increases are tolerated, as a share of the baseline's cost."""
    level: float = 0.05
    """The chance that a candidate no worse than the baseline fails, over all checks together."""
    strict: bool = False
    """Fail unless the candidate is shown to be within the tolerances."""

    def __post_init__(self) -> None:
        if not (0 <= self.max_regression <= 1 and self.max_cost_increase >= 0 and 0 < self.level < 0.5):
            raise DataError(
                "the gate needs a max_regression from 0 to 1, a max_cost_increase of at least 0 and a level below 0.5"
            )


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison; `difference` is positive where the candidate is worse."""

    name: Literal["quality", "cost", "quality_at_equal_cost"]
    unit: str
    baseline: float
    candidate: float
    difference: PairedDifference
    tolerance: float
    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """The answer, the checks behind it, and which prompts changed side."""

    baseline: str
    candidate: str
    passed: bool
    reason: str
    n_prompts: int
    n_unscored: int
    checks: tuple[Check, ...]
    n_changed: int
    changed: tuple[Change, ...] = field(default=())
    """Those that matter most, worst first."""

    def to_json(self) -> JSONObject:
        """Plain JSON types."""
        return asdict(self)


def gate(
    outcomes: Outcomes, baseline: Side, candidate: Side, settings: GateSettings, *, n_shown: int = 10
) -> GateResult:
    """Whether the candidate passes.

    Raises:
        DataError: nothing can be compared, shapes do not fit, or no prompt has all scores.
    """
    rows = np.flatnonzero(np.isfinite(outcomes.score).all(axis=1))
    if rows.size == 0:
        raise DataError("no prompt of the eval set has a score of every model")
    for side in (baseline, candidate):
        _check_shapes(side, outcomes.n, len(outcomes.models))
    score = np.asarray(outcomes.score[rows], dtype=np.float64)
    groups = outcomes.groups[rows]
    plans: list[Callable[[float], Check]] = []
    served: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    if baseline.served is not None and candidate.served is not None:
        before, after = (np.asarray(side.served)[rows].astype(np.int64) for side in (baseline, candidate))
        served = before, after
        at = np.arange(rows.size)
        quality = score[at, before], score[at, after]
        costs = tuple(_cost(side, outcomes, rows, each) for side, each in ((baseline, before), (candidate, after)))
        plans.append(lambda level: _quality(*quality, groups, settings, level))
        if np.isfinite(costs[0]).all() and np.isfinite(costs[1]).all() and costs[0].mean() > 0:
            plans.append(lambda level: _costs(costs[0], costs[1], *quality, groups, settings, level))
    if baseline.need is not None and candidate.need is not None:
        needs = np.asarray(baseline.need)[rows], np.asarray(candidate.need)[rows]
        plans.append(lambda level: _equal_cost(score[:, -1] - score[:, 0], *needs, groups, settings, level))
    if not plans:
        raise DataError("there is nothing to compare: give decisions or scores of both sides")
    # "Worse" is said when any check says so: each is made at its share of the level (Bonferroni). "Shown to be as good"
    # needs all of them, so that each may use the whole level (intersection-union).
    level = settings.level if settings.strict else settings.level / len(plans)
    checks = tuple(plan(level) for plan in plans)
    passed = all(
        check.outcome == "passed" or (check.outcome == "not shown" and not settings.strict) for check in checks
    )
    return GateResult(
        baseline=baseline.name,
        candidate=candidate.name,
        passed=passed,
        reason=_reason(checks, passed, settings),
        n_prompts=int(rows.size),
        n_unscored=outcomes.n - int(rows.size),
        checks=checks,
        n_changed=0 if served is None else int((served[0] != served[1]).sum()),
        changed=() if served is None else changes(outcomes, rows, served[0], served[1], n_shown),
    )


def _quality(before: Float, after: Float, groups: NDArray[np.int64], settings: GateSettings, level: float) -> Check:
    difference = paired_difference(before - after, groups, level=level)
    outcome = _outcome(difference, settings.max_regression, settings, level)
    return Check(
        name="quality",
        unit="score points",
        baseline=float(before.mean()),
        candidate=float(after.mean()),
        difference=difference,
        tolerance=settings.max_regression,
        outcome=outcome,
        why=_why(outcome, "quality at each side's own operating point", difference, settings.max_regression),
    )


def _costs(
    before: Float,
    after: Float,
    quality_before: Float,
    quality_after: Float,
    groups: NDArray[np.int64],
    settings: GateSettings,
    level: float,
) -> Check:
    # Heavy tails: differences are taken per mean cost of the baseline, unbounded but with a finite variance.
    difference = paired_difference((after - before) / before.mean(), groups, level=level)
    outcome = _outcome(difference, settings.max_cost_increase, settings, level)
    why = _why(outcome, "cost at each side's own operating point", difference, settings.max_cost_increase)
    better = paired_difference(quality_before - quality_after, groups, level=level)
    if outcome != "passed" and better.p_better <= level:
        outcome = "passed"
        why += f"; paid for by quality, which is up by {-better.mean:.4f} with confidence"
    return Check(
        name="cost",
        unit="share of the baseline's cost",
        baseline=float(before.mean()),
        candidate=float(after.mean()),
        difference=difference,
        tolerance=settings.max_cost_increase,
        outcome=outcome,
        why=why,
    )


def _equal_cost(
    gain: Float, before: Float, after: Float, groups: NDArray[np.int64], settings: GateSettings, level: float
) -> Check:
    """Quality at equal cost, averaged over all shares of strong calls.

    A prompt at quantile u of need goes to the strong model at a share u of all shares, so that the average over shares
    is the mean of gain * u: linear, hence paired like the rest. Divided by the gap it is an APGR.
    """
    u_before, u_after = quantile_of(before), quantile_of(after)
    stake = float(np.abs(gain).mean())
    unit = max(abs(float(gain.mean())), _LEAST_GAP * stake)
    scale = 1 / unit if unit > 0 else 0.0
    difference = paired_difference(gain * (u_before - u_after) * scale, groups, level=level)
    outcome = _outcome(difference, settings.max_regression, settings, level)
    return Check(
        name="quality_at_equal_cost",
        unit="share of the quality gap",
        baseline=float((gain * u_before).mean()) * scale,
        candidate=float((gain * u_after).mean()) * scale,
        difference=difference,
        tolerance=settings.max_regression,
        outcome=outcome,
        why=_why(outcome, "quality at equal cost, over all strong shares", difference, settings.max_regression),
    )


def quantile_of(values: NDArray[np.floating]) -> Float:
    """Each value's place among all, in (0, 1), equal values sharing their mean place."""
    _, member, count = np.unique(values, return_inverse=True, return_counts=True)
    end = np.cumsum(count)
    return np.asarray(((end - count / 2) / values.size)[member.reshape(-1)], dtype=np.float64)


def _outcome(difference: PairedDifference, tolerance: float, settings: GateSettings, level: float) -> Outcome:
    if difference.p_worse <= level and difference.mean > tolerance:
        return "worse"
    return "passed" if difference.upper <= tolerance else "not shown"


def _why(outcome: Outcome, what: str, difference: PairedDifference, tolerance: float) -> str:
    bounds = f"{difference.mean:+.4f} worse, between {difference.lower:+.4f} and {difference.upper:+.4f}"
    said = {
        "worse": f"worse with confidence and by more than {tolerance:g}",
        "passed": f"shown to be within {tolerance:g}",
        "not shown": f"not shown to be worse by more than {tolerance:g}, nor to be within it",
    }
    return f"{what}: {said[outcome]} ({bounds})"


def _reason(checks: Sequence[Check], passed: bool, settings: GateSettings) -> str:
    worse = [check for check in checks if check.outcome == "worse"]
    if worse:
        return "the candidate is worse: " + "; ".join(check.why for check in worse)
    if not passed:
        return "not shown to be as good: " + "; ".join(check.why for check in checks if check.outcome == "not shown")
    if settings.strict or all(check.outcome == "passed" for check in checks):
        return "the candidate is shown to be as good, within the tolerances"
    return "the candidate is not worse with confidence"


def _cost(side: Side, outcomes: Outcomes, rows: NDArray[np.int64], served: NDArray[np.int64]) -> Float:
    if side.cost_usd is not None:
        return np.asarray(side.cost_usd, dtype=np.float64)[rows]
    cost = np.asarray(outcomes.cost_usd[rows], dtype=np.float64)
    known = np.isfinite(cost)
    with np.errstate(invalid="ignore"):
        means = np.where(known, cost, 0.0).sum(axis=0) / known.sum(axis=0)
    return np.where(known, cost, means)[np.arange(rows.size), served]


def _check_shapes(side: Side, n: int, m: int) -> None:
    for what, values in (("decisions", side.served), ("costs", side.cost_usd), ("scores", side.need)):
        if values is not None and values.shape != (n,):
            raise DataError(f"{side.name}: {what} of shape {values.shape} do not fit {n} prompts")
    if side.served is not None and side.served.size and not (side.served.min() >= 0 and side.served.max() < m):
        raise DataError(f"{side.name}: a decision names none of the {m} models")
    if side.need is not None and not np.isfinite(side.need).all():
        raise DataError(f"{side.name}: a score is not a number")
