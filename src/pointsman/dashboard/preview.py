"""The dial on recorded traffic: what another limit of quality loss would have sent up, cost and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.record.scored import Scored
from pointsman.vocabulary import Cost, DialPoint, Model, Tier, Usage

CostOf = Callable[[Model, Usage | None], Cost]
LIMITS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2)
DRIFT_95 = 1.358
"""Kolmogorov's distribution at 95 %: with n decisions, a distance above 1.358/√n is not chance."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One position of the dial.

    Attributes:
        limit: allowed quality loss, a share of the strong model's quality.
        point: the dial's row that keeps it; None means that everything goes to the strongest tier.
        strong_share: of the recorded requests that the dial decides.
        cost_usd: of all recorded requests, those that rules decided included.
        saved_usd: against the baseline.
    """

    limit: float
    point: DialPoint | None
    strong_share: float
    cost_usd: float
    saved_usd: float
    saved_share: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the recorded scores are from those the dial was measured on.

    Attributes:
        distance: the largest difference of the two distributions, 0 to 1.
        chance: up to here it may be chance (95 %), for this many decisions.
        curve: (threshold, share below it on held-out prompts, share below it in the traffic).
    """

    distance: float
    chance: float
    curve: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """Attributes:
    n_dialled: recorded requests that the dial decides.
    n_fixed: requests that rules, fixed models or callers decided; no dial moves them.
    n_left_out: requests whose tiers or prices are no longer known.
    baseline_usd: of both together.
    drift: None where the dial is empty or decided nothing.
    """

    n_dialled: int
    n_fixed: int
    n_left_out: int
    baseline_usd: float
    spent_usd: float
    settings: tuple[Setting, ...]
    drift: Drift | None


def preview(
    records: Sequence[Scored],
    *,
    dial: Sequence[DialPoint],
    tiers: Sequence[Tier],
    models: Mapping[str, Model],
    cost_of: CostOf,
    point_at: Callable[[Sequence[DialPoint], float], DialPoint | None],
    limits: Sequence[float] = LIMITS,
) -> Preview:
    """What each limit would have done with these records.

    Args:
        records: answered ones; their tokens are priced at each tier's model, as if it had read and written the same.
        point_at: the dial's row for a limit, as the policy itself finds it.
    """
    p_good: list[list[float]] = []
    costs: list[list[float]] = []
    n_fixed = n_left_out = 0
    fixed_usd = baseline_usd = spent_usd = 0.0
    for record in records:
        if record.decision.get("reason_code") != "score":
            n_fixed += 1
            fixed_usd += record.spent_usd
        else:
            row = _by_tier(record, tiers, models, cost_of)
            if row is None:
                n_left_out += 1
                continue
            p_good.append(row[0])
            costs.append(row[1])
        baseline_usd += record.baseline_usd
        spent_usd += record.spent_usd
    p = np.asarray(p_good, dtype=np.float64).reshape(len(p_good), max(len(tiers) - 1, 0))
    usd = np.asarray(costs, dtype=np.float64).reshape(len(costs), len(tiers))
    settings = []
    for limit in limits:
        point = point_at(dial, limit)
        strong_share, cost = _at(p, usd, None if point is None else point.threshold)
        total = cost + fixed_usd
        saved = baseline_usd - total
        settings.append(
            Setting(limit, point, strong_share, total, saved, saved / baseline_usd if baseline_usd > 0 else None)
        )
    return Preview(
        n_dialled=len(p_good),
        n_fixed=n_fixed,
        n_left_out=n_left_out,
        baseline_usd=baseline_usd,
        spent_usd=spent_usd,
        settings=tuple(settings),
        drift=drift(p.max(axis=1) if p.size else np.zeros(0), dial),
    )


def drift(best: NDArray[np.float64], dial: Sequence[DialPoint]) -> Drift | None:
    """The distance between recorded scores and those of the dial.

    Args:
        best: P(good enough) of the best tier below the strongest, shape (n,).
    """
    if best.size == 0 or len(dial) < 3:
        return None
    curve = tuple(
        (point.threshold, point.strong_share, float((best < point.threshold).mean()))
        for point in sorted(dial, key=lambda point: point.threshold)
    )
    distance = max(abs(held_out - recorded) for _, held_out, recorded in curve)
    return Drift(distance, DRIFT_95 / float(np.sqrt(best.size)), curve)


def _at(p: NDArray[np.float64], usd: NDArray[np.float64], threshold: float | None) -> tuple[float, float]:
    """The share of the strongest tier and the cost, where each request takes the first tier that reaches the
    threshold; None takes the strongest always."""
    if usd.shape[0] == 0:
        return 0.0, 0.0
    strongest = usd.shape[1] - 1
    choice = np.full(usd.shape[0], strongest)
    if threshold is not None and strongest > 0:
        good = p >= threshold
        choice = np.where(good.any(axis=1), good.argmax(axis=1), strongest)
    return float((choice == strongest).mean()), float(usd[np.arange(usd.shape[0]), choice].sum())


def _by_tier(
    record: Scored, tiers: Sequence[Tier], models: Mapping[str, Model], cost_of: CostOf
) -> tuple[list[float], list[float]] | None:
    """P(good enough) of every tier but the last, and the cost of every tier; None when one is not known."""
    p: list[float] = []
    usd: list[float] = []
    known = {each.get("model"): each for each in record.decision.get("alternatives", ()) if isinstance(each, dict)}
    lone = record.decision.get("p_cheap")
    for place, tier in enumerate(tiers):
        name = next((model for model in tier.models if model in models), None)
        cost = None if name is None else cost_of(models[name], record.usage).usd
        if cost is None:
            return None
        usd.append(cost)
        if place == len(tiers) - 1:
            break
        p_good = known.get(name, {}).get("p_good")
        if p_good is None and place == 0:
            p_good = lone
        # A tier that the router does not know is led to by no threshold.
        p.append(-1.0 if not isinstance(p_good, int | float) else float(p_good))
    return p, usd
