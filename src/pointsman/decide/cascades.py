"""Cascade policies: a weaker tier answers first, its answer is judged, and a stronger one follows where it must.

What such a policy decides before anything is called is the plan: which tiers may be called, in which order, and what
an answer must be worth. The plan is carried out by the cascade stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pointsman.errors import ConfigError
from pointsman.vocabulary import (
    Candidate,
    CascadeMode,
    CascadePlan,
    Decision,
    Model,
    Request,
    Rung,
    Tier,
)

from .policies import Choice, Ladder, Situation, p_good_by_tier


@dataclass(frozen=True, slots=True)
class CascadePolicy:
    """Tiers from weak to strong, each judged against its threshold; with a rate, cascade routing.

    A tier whose P(good) ahead is below `skip_below` is not called: a request that is plainly hard goes up at once. When
    nothing is known of a request beforehand, no tier is left out.

    Args:
        accept_at: the least P(good) of an answer of each tier, weakest first; None for a tier that the cascade leaves
            out. The strongest tier's answer is never judged, whatever stands there.
        race_below: with mode `race`, the strongest call starts at once where the first tier's P(good) ahead is below.
        quality_per_usd: with cascade routing, what a dollar must buy in P(good).
        max_latency_ms: when the first byte must be on its way; a caller's own limit replaces it.

    Raises:
        ConfigError: it leaves fewer than two tiers.
    """

    name: str
    accept_at: tuple[float | None, ...]
    skip_below: float = 0.0
    mode: CascadeMode = CascadeMode.BUFFER
    race_below: float = 0.5
    early_tokens: int = 48
    quality_per_usd: float | None = None
    max_latency_ms: float | None = None
    promise: str = "the configured threshold"
    kind: str = "cascade"
    heeds_rules: bool = True

    def __post_init__(self) -> None:
        if len(self.accept_at) < 2 or all(each is None for each in self.accept_at[:-1]):
            raise ConfigError(f"policy {self.name}: a cascade needs two tiers, the first of them with a threshold")

    def decide(self, situation: Situation) -> Choice:
        strongest = situation.tiers[-1].name
        score = situation.score()
        stateful = needs_one_call(situation.request)
        if stateful is not None:
            return Choice(strongest, f"{stateful}, so the safe tier {strongest}", "safe_default", score=score)
        n_tiers = len(situation.tiers)
        ahead = (None,) * n_tiers if score is None else p_good_by_tier(score, n_tiers)
        rungs = [
            (tier, least, p_ahead)
            for tier, least, p_ahead in zip(situation.tiers[:-1], self.accept_at, ahead, strict=False)
            if least is not None and (p_ahead is None or p_ahead >= self.skip_below)
        ]
        if not rungs:
            tier, p_first = self._first(situation.tiers, ahead)
            why = f"P({tier.name} answer is good enough) is {p_first:.2f}, below {self.skip_below:.2f}, so {strongest}"
            return Choice(strongest, why, "score", threshold=self.skip_below, score=score)
        first, _, p_ahead = rungs[0]
        latency_ms = situation.request.hints.max_latency_ms
        ladder = Ladder(
            tiers=(*(tier.name for tier, _, _ in rungs), strongest),
            accept_at=(*(least for _, least, _ in rungs), None),
            p_ahead=(*(p for _, _, p in rungs), ahead[-1]),
            mode=self.mode,
            race=self.mode is CascadeMode.RACE and p_ahead is not None and p_ahead < self.race_below,
            early_tokens=self.early_tokens,
            quality_per_usd=self.quality_per_usd,
            max_latency_ms=self.max_latency_ms if latency_ms is None else latency_ms,
        )
        known = "" if p_ahead is None else f", P(good) ahead {p_ahead:.2f}"
        reason = f"{first.name} first{known}; its answer is judged ({self.promise})"
        return Choice(first.name, reason, "cascade", threshold=self.accept_at[0], score=score, ladder=ladder)

    def _first(self, tiers: Sequence[Tier], ahead: Sequence[float | None]) -> tuple[Tier, float]:
        for tier, least, p_ahead in zip(tiers, self.accept_at, ahead, strict=False):
            if least is not None and p_ahead is not None:
                return tier, p_ahead
        raise AssertionError("only a tier with a known P(good) is left out")


def needs_one_call(request: Request) -> str | None:
    """Why a second model must not be asked, in words; None when it may.

    OpenAI Responses (API reference, read 2026-11): every call of a `conversation` adds to it, and the answer of a
    `background` call is fetched later.
    """
    if request.body.get("conversation") is not None:
        return "a second call would write into the same conversation"
    if request.body.get("background") is True:
        return "an answer in the background cannot be judged"
    return None


def with_plan(
    decision: Decision,
    ladder: Ladder | None,
    candidates: Sequence[Candidate],
    estimate_usd: Callable[[Model], float | None],
) -> Decision:
    """The decision with its plan, from the models that can serve; without one where only one tier is left."""
    if ladder is None:
        return decision
    rungs: list[Rung] = []
    first = 0
    for place, (name, least, p_ahead) in enumerate(zip(ladder.tiers, ladder.accept_at, ladder.p_ahead, strict=True)):
        if place == ladder.first:
            first = len(rungs)
        serving = [c.model for c in candidates if c.tier == name and c.ruled_out is None]
        if serving:
            names = tuple(model.name for model in serving)
            rungs.append(Rung(name, names, least, p_ahead, estimate_usd(serving[0])))
    if len(rungs) < 2 or first >= len(rungs) - 1 or rungs[first].models[0] != decision.model:
        return decision
    # Where the strongest cannot serve, the next one below is the last resort, and is not judged.
    rungs[-1] = replace(rungs[-1], accept_at=None)
    plan = CascadePlan(
        rungs=tuple(rungs),
        mode=ladder.mode,
        race=ladder.race,
        early_tokens=ladder.early_tokens,
        quality_per_usd=ladder.quality_per_usd,
        max_latency_ms=ladder.max_latency_ms,
        time_up_ms=ladder.max_latency_ms if ladder.time_up_ms is None else ladder.time_up_ms,
        first=first,
    )
    return replace(decision, cascade=plan)
