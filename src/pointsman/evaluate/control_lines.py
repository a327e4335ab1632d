"""The controls as lines of the same fields as the policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from .columns import Means
from .controls import Chord, chord_at, oracle, shuffled
from .measured import Measured, aside, finite, line_of_means, shares
from .measures import aiq, hull
from .paired import Float, Paired
from .result import LEVELS, RECOVERED, Line


def chord_of(data: Paired, policy: Measured, place: int) -> Chord:
    """The models whose random mix costs what the policy costs at an operating point."""
    return chord_at(float(policy.operating[place].cost.mean()), data.cost.mean(axis=0), data.score.mean(axis=0))


def always(data: Paired, replicates: Means) -> list[Line]:
    """Each model for everything, from cheap to strong."""
    out = []
    for j, model in enumerate(data.models):
        quality, cost = float(data.score[:, j].mean()), float(data.cost[:, j].mean())
        line = line_of_means(
            name=f"always:{model}",
            kind="control",
            quality=(quality, replicates["score"][:, j]),
            cost=(cost, replicates["cost"][:, j]),
            strong_share=1.0 if j == data.m - 1 else 0.0,
            data=data,
            replicates=replicates,
        )
        out.append(_reading(line, data, np.array([cost]), np.array([quality])))
    return out


def random_and_shuffled(
    data: Paired, given: Sequence[Measured], exact: Means, replicates: Means, generator: np.random.Generator
) -> list[Line]:
    """For each policy: random at its cost, and its own decisions dealt out anew, over all and within each dataset."""
    out = []
    strong_cost = float(data.cost[:, -1].mean())
    scale = strong_cost if strong_cost > 0 else 1.0
    hull_cost, hull_quality = hull(data.cost.mean(axis=0), data.score.mean(axis=0))
    for i, policy in enumerate(given):
        of = "" if len(given) == 1 else f" ({policy.points.name})"
        key, at = f"p{i} 0", policy.primary
        chord = chord_of(data, policy, 0)
        quality, drawn = (
            chord.quality(means.one(f"{key} cost"), means["cost"], means["score"]) for means in (exact, replicates)
        )
        share = _chord_share(data, chord, float(at.cost.mean()))
        line = line_of_means(
            name=f"random at the same cost{of}",
            kind="control",
            quality=(float(quality[0]), drawn),
            cost=(float(at.cost.mean()), replicates.one(f"{key} cost")),
            strong_share=share,
            data=data,
            replicates=replicates,
        )
        out.append(
            _reading(
                line, data, hull_cost, hull_quality, between=True, apgr=0.5, cpt=RECOVERED if data.m == 2 else None
            )
        )
        beside = float(aside(exact, f"p{i}", 0)[0]) * scale
        exact_dealt, drawn_dealt = (_dealt(means, f"p{i}") for means in (exact, replicates))
        over_all = shuffled(at.served, data, np.zeros(data.n, dtype=np.int64), generator)
        within = shuffled(at.served, data, data.dataset, generator)
        unknown = np.full(1, np.nan)
        for name, quality_of, cost_of, shuffle in (
            ("shuffled", (float(exact_dealt[0][0]), drawn_dealt[0]), drawn_dealt[1], over_all),
            # The replicates of this one would need every dataset's shares; its expectation and p-value are exact.
            ("shuffled within dataset", (within.quality, unknown), unknown, within),
        ):
            line = line_of_means(
                name=f"{name}{of}",
                kind="control",
                quality=quality_of,
                cost=(shuffle.cost + beside, cost_of),
                strong_share=float((at.served == data.m - 1).mean()),
                data=data,
                replicates=replicates,
                extra={"p_value": shuffle.p_value},
            )
            out.append(replace(line, quality_delta_ci=None) if shuffle is within else line)
    return out


def _dealt(means: Means, key: str) -> tuple[Float, Float]:
    """Quality and cost when the decisions are dealt out anew, each of shape (b,)."""
    served = shares(means, key, 0)
    cost = (served * means["cost"]).sum(axis=1) + aside(means, key, 0)
    return (served * means["score"]).sum(axis=1), np.asarray(cost, dtype=np.float64)


def _chord_share(data: Paired, chord: Chord, cost: float) -> float:
    strong = data.m - 1
    if chord.high != strong:
        return 0.0
    if chord.low == strong:
        return 1.0
    low, high = float(data.cost[:, chord.low].mean()), float(data.cost[:, chord.high].mean())
    return float(np.clip((cost - low) / (high - low), 0.0, 1.0)) if high > low else 1.0


def oracle_line(data: Paired, replicates: Means) -> Line:
    """The best model of each prompt, known only afterwards: the most that any choice of one model can reach."""
    best = oracle(data)
    rows = np.arange(data.n)
    quality, cost = float(data.score[rows, best].mean()), float(data.cost[rows, best].mean())
    line = line_of_means(
        name="oracle",
        kind="control",
        quality=(quality, replicates.one("oracle quality")),
        cost=(cost, replicates.one("oracle cost")),
        strong_share=float((best == data.m - 1).mean()),
        data=data,
        replicates=replicates,
    )
    return _reading(line, data, np.array([cost]), np.array([quality]))


def _reading(
    line: Line,
    data: Paired,
    cost: Float,
    quality: Float,
    *,
    between: bool = False,
    apgr: float | None = None,
    cpt: Mapping[str, float] | None = None,
) -> Line:
    """The line with savings at the levels read from a curve of points, with mixes between them where they may be."""
    strong_q, strong_c = float(data.score[:, -1].mean()), float(data.cost[:, -1].mean())
    savings: dict[str, float | None] = dict.fromkeys(LEVELS)
    for label, share in LEVELS.items():
        target = share * strong_q
        if data.priced and strong_c > 0 and quality.max() >= target - 1e-12:
            usd = float(np.interp(target, quality, cost)) if between else float(cost[quality >= target - 1e-12].min())
            savings[label] = finite(1 - usd / strong_c)
    single = data.cost.mean(axis=0)
    extra = dict(line.extra)
    if data.priced and between:
        extra["aiq"] = aiq(cost, quality, float(single.min()), float(single.max()))
    return replace(
        line,
        apgr=apgr,
        cpt=dict.fromkeys(RECOVERED) if cpt is None else dict(cpt),
        savings_at=savings,
        extra=extra,
    )
