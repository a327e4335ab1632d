"""From outcomes and held-out scores to the cheapest policy that keeps the limit, or the reason why there is none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.vocabulary import Outcomes

from .candidates import GRID, by_group, taken, threshold_candidates
from .certify import Test, certify
from .estimates import Measured, measure
from .limit import QualityLimit
from .policy_file import FORMAT, CurvePoint, Expected, Missing, Promise, RouterName, Sample, TunedPolicy
from .sample_size import least_prompts, prompts_needed

_METHODS: Final = {
    "betting": "learn-then-test, fixed sequence, betting (STaR-Bets)",
    "hoeffding_bentkus": "learn-then-test, fixed sequence, Hoeffding-Bentkus",
}
REACH: Final = 10
"""Labelled prompts up to this many times those at hand are called "within reach"."""
WORTHWHILE: Final = 0.01
"""The least share of the strong model's cost for whose sake more labels are suggested."""

LEAST_TO_ESTIMATE: Final = 30
"""From fewer prompts no loss is estimated, and none of the thresholds is called within reach."""


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """What the user promises, and how it is tested."""

    limit: QualityLimit
    confidence: float = 0.95
    seed: int = 0
    test: Test = "betting"
    grid: tuple[float, ...] = GRID
    router_cost_usd: float = 0.0
    """Per prompt, added to what every routed prompt costs."""


def tune_threshold(
    outcomes: Outcomes,
    p_good: NDArray[np.floating],
    settings: TuneSettings,
    *,
    created: str,
    router: RouterName | None = None,
    trained_prompts: NDArray[np.uint64] | None = None,
    scores_from: Literal["held-out", "out-of-fold"] = "held-out",
) -> TunedPolicy:
    """The cheapest threshold policy whose quality loss keeps the limit on new prompts of the same kind.

    With probability `confidence` over the draw of the tuning prompts, the expected quality loss of the answer is at
    most the limit (Learn then Test, arXiv 2110.01052). Every different prompt counts once. Always-strong is the answer
    when nothing cheaper is certified; always-cheap when that is certified and costs least.

    Args:
        outcomes: prompts with a missing score are left out and counted.
        p_good: P(good enough), shape (n, m), or (n,) for the cheap one of two models. The scores must come from a
            router that has not learned from these prompts: either a fixed one ("held-out") or, for each prompt, one
            trained without its group ("out-of-fold"; the promise then speaks of those routers, which the one trained
            on everything resembles).
        created: when, ISO 8601.
        trained_prompts: hashes of the prompts that the router learned from (`prompt_identity.prompt_hashes`); held-out
            scoring leaves these prompts out and counts them.

    Raises:
        DataError: fewer than two models, scores that do not fit, or no prompt left.
    """
    m = len(outcomes.models)
    if m < 2:
        raise DataError("tuning needs at least two models, a cheap one and the strong one")
    if p_good.shape[0] != outcomes.n:
        raise DataError(f"{p_good.shape[0]} scores do not fit {outcomes.n} prompts")
    scored = np.isfinite(outcomes.score).all(axis=1)
    seen = np.zeros(outcomes.n, dtype=np.bool_)
    if trained_prompts is not None and scores_from == "held-out":
        seen = np.isin(outcomes.groups.astype(np.int64).view(np.uint64), trained_prompts)
    rows = np.flatnonzero(scored & ~seen)
    if rows.size == 0:
        raise DataError(
            f"no prompt is left to tune on: of {outcomes.n}, {int((~scored).sum())} lack a score of some model and "
            f"{int((scored & seen).sum())} were trained on by "
            "the router; label other prompts, or train a router on a part of these and tune on the rest"
        )
    groups = outcomes.groups[rows]
    score = np.asarray(outcomes.score[rows], dtype=np.float64)
    cost = _filled_cost(np.asarray(outcomes.cost_usd[rows], dtype=np.float64))
    candidates = threshold_candidates(np.asarray(p_good)[rows], m, settings.grid)
    strong = np.asarray(by_group(score[:, -1:], groups), dtype=np.float64)
    quality = by_group(taken(score, candidates.choice), groups)
    excess = settings.limit.excess(strong.astype(np.float32), quality)
    certified = certify(
        excess,
        settings.limit,
        confidence=settings.confidence,
        rng=order_of_play(settings.seed, outcomes.data_hash),
        test=settings.test,
    )
    measured = measure(
        strong=strong[:, 0],
        quality=quality,
        strong_share=by_group(candidates.choice == m - 1, groups).mean(axis=0, dtype=np.float64),
        rank=candidates.choice.mean(axis=0, dtype=np.float64),
        strong_rank=float(m - 1),
        strong_cost=None if cost is None else by_group(cost[:, -1:], groups)[:, 0].astype(np.float64),
        cost=None if cost is None else by_group(taken(cost, candidates.choice), groups),
        excess=excess,
        limit=settings.limit,
        router_cost_usd=settings.router_cost_usd,
    )
    least = least_prompts(
        settings.limit.max_loss,
        float(strong.mean()),
        relative=settings.limit.kind == "relative",
        confidence=settings.confidence,
    )
    needed = _needed(measured, settings.confidence, least)
    best = measured.cheapest(certified.kept)
    missing = _missing(measured, certified.kept, candidates.thresholds, needed, least, best, strong.shape[0])
    answer: Literal["route", "cheap", "strong"]
    if best is None:
        answer = "strong"
    elif bool((candidates.choice[:, best] == 0).all()):
        answer = "cheap"
    else:
        answer = "route"
    expected = measured.strong_alone() if best is None else measured.expected(best)
    threshold = 0.0 if best is None else float(candidates.thresholds[best])
    return TunedPolicy(
        format=FORMAT,
        kind="threshold" if answer == "route" else "fixed",
        answer=answer,
        reason=_reason(answer, outcomes.models, threshold, expected, missing, settings, strong.shape[0]),
        models=outcomes.models,
        thresholds=(threshold,) * (m - 1) if answer == "route" else (),
        use={"route": None, "cheap": outcomes.models[0], "strong": outcomes.models[-1]}[answer],
        router=router,
        promise=Promise(
            max_quality_loss=settings.limit.max_loss,
            limit=settings.limit.kind,
            confidence=settings.confidence,
            method=_METHODS[settings.test],
            kept=best is not None,
        ),
        sample=Sample(
            n_prompts=int(rows.size),
            n_groups=strong.shape[0],
            n_unscored=int((~scored).sum()),
            n_trained=int((scored & seen).sum()),
            scores_from=scores_from,
            data_hash=outcomes.data_hash,
            seed=settings.seed,
        ),
        expected=expected,
        missing=missing,
        curve=tuple(
            CurvePoint(
                threshold=float(candidates.thresholds[j]),
                strong_share=float(measured.strong_share[j]),
                quality=float(measured.quality[j]),
                quality_loss=float(measured.loss[j]),
                savings=None if measured.savings is None else float(measured.savings[j]),
                p_value=None if np.isnan(certified.p_values[j]) else float(certified.p_values[j]),
                certified=bool(certified.kept[j]),
                n_needed=needed[j],
            )
            for j in range(candidates.thresholds.size)
        ),
        created=created,
    )


def order_of_play(seed: int, data_hash: str, path: int = 0) -> np.random.Generator:
    """What draws the order in which prompts are bet on: settled by seed and data alone, another for each path tried."""
    number = int.from_bytes(hashlib.sha256(data_hash.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, number, path] if path else [seed, number])


def _filled_cost(cost: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Costs with the model's mean where one is not known; None when a model's cost is known nowhere."""
    known = np.isfinite(cost)
    if not known.any(axis=0).all():
        return None
    means = np.where(known, cost, 0.0).sum(axis=0) / known.sum(axis=0)
    return np.where(known, cost, means)


def _needed(measured: Measured, confidence: float, least: int | None) -> list[int | None]:
    """Prompts needed for each threshold, those before it in the sequence included."""
    needed: list[int | None] = []
    so_far: int | None = 0
    for mean, variance in zip(measured.excess_mean, measured.excess_variance, strict=True):
        own = prompts_needed(float(mean), float(variance), confidence=confidence, least=least)
        so_far = None if own is None or so_far is None else max(own, so_far)
        needed.append(so_far)
    return needed


def _missing(
    measured: Measured,
    kept: NDArray[np.bool_],
    thresholds: NDArray[np.float64],
    needed: list[int | None],
    least: int | None,
    best: int | None,
    n: int,
) -> Missing:
    """The threshold that would save most among those that more prompts would probably certify."""
    goal: int | None = None
    price = (measured.strong_price if best is None else measured.price[best]) - WORTHWHILE * measured.strong_price
    within = max(REACH * n, 0 if least is None else least)
    for j, count in enumerate(needed):
        if n < LEAST_TO_ESTIMATE or kept[j] or count is None or count > within or measured.price[j] >= price:
            continue
        goal, price = j, measured.price[j]
    if goal is None:
        return Missing(n_least=least, threshold=None, savings=None, n_needed=None, n_missing=None)
    # A threshold that ought to have been certified by now was unlucky; as many prompts again is an honest next step.
    count = needed[goal]
    total = 2 * n if count is None or count <= n else count
    return Missing(
        n_least=least,
        threshold=float(thresholds[goal]),
        savings=None if measured.savings is None else float(measured.savings[goal]),
        n_needed=total,
        n_missing=total - n,
    )


def _reason(
    answer: str,
    models: tuple[str, ...],
    threshold: float,
    expected: Expected,
    missing: Missing,
    settings: TuneSettings,
    n: int,
) -> str:
    """The answer in a sentence, and what more prompts would change in a second."""
    promise = f"a quality loss of at most {settings.limit.describe()}, with {settings.confidence:.0%} confidence"
    saves = "" if expected.savings is None else f" and saves {expected.savings:.0%} of its cost"
    if answer == "route":
        text = (
            f"Route: {models[-1]} gets {expected.strong_share:.0%} of prompts (threshold {threshold:g}), "
            f"which keeps {promise}{saves}."
        )
    elif answer == "cheap":
        text = f"Use {models[0]} for everything: it keeps {promise}{saves}; no router is needed."
    elif missing.n_least is None:
        text = f"Use {models[-1]}: a limit of {settings.limit.describe()} leaves no room for any other model."
    elif n < missing.n_least:
        text = (
            f"Use {models[-1]}: {n} different prompts are too few to certify {promise}. Even if no answer ever got "
            f"worse, {missing.n_least} are needed, {missing.n_least - n} more."
        )
    else:
        text = f"Use {models[-1]}: nothing cheaper is shown to keep {promise}, on {n} different prompts."
    if missing.n_missing is not None:
        more = "" if missing.savings is None else f" (saves {missing.savings:.0%})"
        text += (
            f" With about {missing.n_missing} more labelled prompts, threshold {missing.threshold:g}{more} "
            "would probably be certified too."
        )
    return text
