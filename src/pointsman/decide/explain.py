"""From a policy's choice to the decision: the tier's model, its fallbacks, and what each alternative would cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pointsman.errors import NoModelAvailable
from pointsman.vocabulary import (
    Alternative,
    Candidate,
    Decision,
    Model,
    Request,
    RulesResult,
    Tier,
)

from .policies import Choice, p_good_by_tier


@dataclass(frozen=True, slots=True)
class _Pick:
    candidate: Candidate
    detour: str | None
    """Why it is not the tier that was chosen; None when it is."""


def explain(
    *,
    request: Request,
    request_id: str,
    policy: str,
    policy_kind: str,
    choice: Choice,
    candidates: Sequence[Candidate],
    tiers: Sequence[Tier],
    rules: RulesResult | None,
    baseline: Model | None,
    estimate_usd: Callable[[Model], float | None],
    elapsed_ms: Callable[[], float] = lambda: 0.0,
    fall_back: bool = True,
) -> Decision:
    """The decision for a choice, with its alternatives in tier order.

    When no model of the chosen tier can serve, the next stronger tier serves, then the next cheaper one.

    Args:
        elapsed_ms: how long deciding has taken; asked last.

    Raises:
        NoModelAvailable: every candidate is ruled out; the message says by what.
    """
    order = _order(tuple(tiers))
    pick = _pick(choice.use, candidates, order)
    model, tier = pick.candidate.model, pick.candidate.tier
    n_tiers = len(tiers)
    p_by_tier = None if choice.score is None else p_good_by_tier(choice.score, n_tiers)
    costs = {candidate.model.name: estimate_usd(candidate.model) for candidate in candidates}
    own_cost = costs[model.name]
    baseline_cost = None
    if baseline is not None:
        baseline_cost = costs[baseline.name] if baseline.name in costs else estimate_usd(baseline)

    alternatives: list[Alternative] = []
    why_not_cheaper: str | None = None
    seen: set[str] = set()
    for candidate in candidates:
        name = candidate.model.name
        if name in seen:
            continue
        seen.add(name)
        rung = None if candidate.tier is None else order.get(candidate.tier)
        p_good = None if p_by_tier is None or rung is None else p_by_tier[rung]
        chosen = name == model.name
        cost = costs[name]
        cheaper = not chosen and cost is not None and own_cost is not None and cost < own_cost
        why = _why(candidate, chosen, pick, choice, p_good, cost, own_cost)
        if cheaper and why_not_cheaper is None:
            why_not_cheaper = f"{name}: {why}"
        alternatives.append(Alternative(name, candidate.tier, cost, p_good, chosen, why))

    return Decision(
        request_id=request_id,
        model=model.name,
        tier=tier,
        policy=policy,
        policy_kind=policy_kind,
        reason=choice.reason if pick.detour is None else f"{choice.reason}; {pick.detour}",
        reason_code=choice.reason_code if pick.detour is None else "only_model",
        p_cheap=None if choice.score is None else choice.score.p_cheap,
        threshold=choice.threshold,
        task_kind=None if rules is None else rules.task_kind,
        moved=() if choice.score is None else choice.score.moved,
        rules=() if rules is None else rules.outcomes,
        alternatives=tuple(alternatives),
        fallbacks=_fallbacks(model, tier, candidates, order) if fall_back else (),
        why_not_cheaper=why_not_cheaper,
        estimated_cost_usd=own_cost,
        baseline_model=None if baseline is None else baseline.name,
        estimated_baseline_cost_usd=baseline_cost,
        router=None if choice.score is None else choice.score.router,
        simulated=model.simulated,
        decide_ms=elapsed_ms(),
    )


@lru_cache(64)
def _order(tiers: tuple[Tier, ...]) -> Mapping[str, int]:
    return {tier.name: rung for rung, tier in enumerate(tiers)}


def _pick(use: str, candidates: Sequence[Candidate], order: Mapping[str, int]) -> _Pick:
    for candidate in candidates:
        if candidate.ruled_out is None and use in (candidate.tier, candidate.model.name):
            return _Pick(candidate, None)
    wanted = [c for c in candidates if use in (c.tier, c.model.name)]
    if not wanted:
        raise NoModelAvailable(f"nothing called {use!r} is configured")
    blocked = f"{use} cannot serve it ({wanted[0].model.name}: {wanted[0].ruled_out})"
    at = order.get(wanted[0].tier, 0) if wanted[0].tier is not None else 0

    def distance(candidate: Candidate) -> tuple[bool, int]:
        rung = order.get(candidate.tier, at) if candidate.tier is not None else at
        return rung < at, abs(rung - at)

    for candidate in sorted((c for c in candidates if c.ruled_out is None), key=distance):
        return _Pick(candidate, f"{blocked}, so {candidate.tier}")
    raise NoModelAvailable(
        "no configured model can serve this request: " + "; ".join(f"{c.model.name}: {c.ruled_out}" for c in candidates)
    )


def _why(
    candidate: Candidate,
    chosen: bool,
    pick: _Pick,
    choice: Choice,
    p_good: float | None,
    cost: float | None,
    own_cost: float | None,
) -> str:
    if chosen:
        return "chosen" if pick.detour is None else f"chosen: {pick.detour}"
    if candidate.ruled_out is not None:
        return candidate.ruled_out
    if candidate.tier is not None and candidate.tier == pick.candidate.tier:
        return "same tier; a fallback should the chosen one not answer"
    if p_good is not None and choice.threshold is not None and p_good < choice.threshold:
        return f"P(good enough) {p_good:.2f} is below {choice.threshold:.2f}"
    if cost is not None and own_cost is not None and cost > own_cost:
        return f"costs {cost / own_cost:.1f} times as much" if own_cost > 0 else "costs more"
    return f"not asked for: {choice.reason}"


def _fallbacks(
    model: Model, tier: str | None, candidates: Sequence[Candidate], order: Mapping[str, int]
) -> tuple[str, ...]:
    """Models to try next: the rest of the tier in its order, then up the tiers; never down, and none twice."""
    if tier is None or tier not in order:
        return ()
    names: list[str] = []
    for candidate in candidates:
        rung = None if candidate.tier is None else order.get(candidate.tier)
        if rung is None or rung < order[tier] or candidate.ruled_out is not None:
            continue
        if candidate.model.name != model.name and candidate.model.name not in names:
            names.append(candidate.model.name)
    return tuple(names)
