"""Is a candidate worse than the baseline? Both decide the same recorded prompts; `docs/gate.md` has the definitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.vocabulary import JSONObject, Outcomes

from .changes import Change, changes
from .checks import Check, Float, GateSettings, costs_check, equal_cost_check, forecast_check, quality_check


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one router or policy would have done with every prompt of the outcomes.

    Two sides with `need` are compared as routers: at equal cost, over all shares of strong calls. Otherwise they are
    compared as policies, each at its own operating point.
    """

    name: str
    served: NDArray[np.integer] | None = None
    """Shape (n,): the number of the model that serves. Of routers it only tells which prompts change side."""
    cost_usd: NDArray[np.floating] | None = None
    """Shape (n,): USD of the whole request, thrown-away calls and judges included; None takes the served model's."""
    need: NDArray[np.floating] | None = None
    """Shape (n,): the router's score for how much a prompt needs the strong model, such as 1 - P(cheap is good enough).
    Only its order is used."""
    p_cheap: NDArray[np.floating] | None = None
    """Shape (n,): calibrated P(the cheap answer is no worse than the strong one). Where both routers give it, it is
    judged as a forecast: thresholds mean nothing when it is off."""


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
        served = baseline.served[rows].astype(np.int64), candidate.served[rows].astype(np.int64)
    if baseline.need is not None and candidate.need is not None:
        needs = np.asarray(baseline.need)[rows], np.asarray(candidate.need)[rows]
        plans.append(lambda level: equal_cost_check(score[:, -1] - score[:, 0], *needs, groups, settings, level))
        if baseline.p_cheap is not None and candidate.p_cheap is not None:
            forecasts = np.asarray(baseline.p_cheap)[rows], np.asarray(candidate.p_cheap)[rows]
            plans.append(lambda level: forecast_check(score[:, 0] >= score[:, -1], *forecasts, groups, settings, level))
    elif served is not None:
        at = np.arange(rows.size)
        quality = score[at, served[0]], score[at, served[1]]
        costs = _cost(baseline, outcomes, rows, served[0]), _cost(candidate, outcomes, rows, served[1])
        plans.append(lambda level: quality_check(*quality, groups, settings, level))
        if np.isfinite(costs[0]).all() and np.isfinite(costs[1]).all() and costs[0].mean() > 0:
            plans.append(lambda level: costs_check(*costs, *quality, groups, settings, level))
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
    for what, values in (
        ("decisions", side.served),
        ("costs", side.cost_usd),
        ("scores", side.need),
        ("forecasts", side.p_cheap),
    ):
        if values is not None and values.shape != (n,):
            raise DataError(f"{side.name}: {what} of shape {values.shape} do not fit {n} prompts")
    if side.served is not None and side.served.size and not (side.served.min() >= 0 and side.served.max() < m):
        raise DataError(f"{side.name}: a decision names none of the {m} models")
    if side.need is not None and not np.isfinite(side.need).all():
        raise DataError(f"{side.name}: a score is not a number")
    if side.p_cheap is not None and not ((side.p_cheap >= 0) & (side.p_cheap <= 1)).all():
        raise DataError(f"{side.name}: a forecast is not a probability")
