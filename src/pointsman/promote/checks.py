"""What is compared between baseline and candidate, one check each; `docs/gate.md` has the definitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError

from .paired_difference import PairedDifference, paired_difference

Float: TypeAlias = NDArray[np.float64]
Outcome: TypeAlias = Literal["passed", "worse", "not shown"]

_LEAST_P: Final = 1e-4
"""A forecast of 0 that fails costs 9.2 nats, not infinitely many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What counts as worse."""

    max_regression: float = 0.005
    """Smaller losses of quality are tolerated, in score points."""
    max_cost_increase: float = 0.02
    """Smaller increases are tolerated, as a share of the baseline's cost."""
    max_log_loss_increase: float = 0.0075
    """Smaller increases of the forecast's log loss are tolerated, in nats per prompt: about what learning anew from
    other nine tenths of the same labels moves it by (docs/gate.md)."""
    level: float = 0.05
    """The chance that a candidate no worse than the baseline fails, over all checks together."""
    strict: bool = False
    """Fail unless the candidate is shown to be within the tolerances."""

    def __post_init__(self) -> None:
        if not (0 <= self.max_regression <= 1 and 0 < self.level < 0.5):
            raise DataError("the gate needs a max_regression from 0 to 1 and a level above 0 and below 0.5")
        if not (self.max_cost_increase >= 0 and self.max_log_loss_increase >= 0):
            raise DataError("the gate needs tolerances for cost and log loss of at least 0")


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison; `difference` is positive where the candidate is worse."""

    name: Literal["quality", "cost", "quality_at_equal_cost", "forecast"]
    unit: str
    baseline: float
    candidate: float
    difference: PairedDifference
    tolerance: float
    outcome: Outcome
    why: str


def quality_check(
    before: Float, after: Float, groups: NDArray[np.int64], settings: GateSettings, level: float
) -> Check:
    difference = paired_difference(before - after, groups, level=level)
    outcome = _outcome(difference, settings.max_regression, level)
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


def costs_check(
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
    outcome = _outcome(difference, settings.max_cost_increase, level)
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


def equal_cost_check(
    gain: Float, before: Float, after: Float, groups: NDArray[np.int64], settings: GateSettings, level: float
) -> Check:
    """Quality at equal cost, averaged over all shares of strong calls.

    A prompt at quantile u of need goes to the strong model at a share u of all shares, so that the average over shares
    is the mean of gain * u: linear, hence paired like the rest. Divided by the gap between the models it is an APGR.
    """
    u_before, u_after = quantile_of(before), quantile_of(after)
    difference = paired_difference(gain * (u_before - u_after), groups, level=level)
    # Scores that agree on every prompt are one router, however few the prompts.
    same = np.array_equal(before, after)
    outcome: Outcome = "passed" if same else _outcome(difference, settings.max_regression, level)
    return Check(
        name="quality_at_equal_cost",
        unit="score points above always-cheap",
        baseline=float((gain * u_before).mean()),
        candidate=float((gain * u_after).mean()),
        difference=difference,
        tolerance=settings.max_regression,
        outcome=outcome,
        why=_why(outcome, "quality at equal cost, over all strong shares", difference, settings.max_regression),
    )


def forecast_check(
    good: NDArray[np.bool_],
    before: Float,
    after: Float,
    groups: NDArray[np.int64],
    settings: GateSettings,
    level: float,
) -> Check:
    """Log loss of P(cheap is no worse): a proper score, which falls with sharpness and rises with miscalibration."""
    losses = tuple(-np.log(np.clip(np.where(good, p, 1 - p), _LEAST_P, 1.0)) for p in (before, after))
    difference = paired_difference(losses[1] - losses[0], groups, level=level)
    same = np.array_equal(before, after)
    outcome: Outcome = "passed" if same else _outcome(difference, settings.max_log_loss_increase, level)
    return Check(
        name="forecast",
        unit="log loss, nats",
        baseline=float(losses[0].mean()),
        candidate=float(losses[1].mean()),
        difference=difference,
        tolerance=settings.max_log_loss_increase,
        outcome=outcome,
        why=_why(outcome, "log loss of P(cheap is no worse)", difference, settings.max_log_loss_increase),
    )


def quantile_of(values: NDArray[np.floating]) -> Float:
    """Each value's place among all, in (0, 1), equal values sharing their mean place."""
    _, member, count = np.unique(values, return_inverse=True, return_counts=True)
    end = np.cumsum(count)
    return np.asarray(((end - count / 2) / values.size)[member.reshape(-1)], dtype=np.float64)


def _outcome(difference: PairedDifference, tolerance: float, level: float) -> Outcome:
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
