"""Policies: given what is known of a request, which tier should serve it, and the sentence that says why.

A policy sees tiers only; which model of the tier serves, and what follows when it fails, is settled afterwards in
`explain`. Every policy is a frozen dataclass: the same situation always gives the same choice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pointsman.errors import ConfigError
from pointsman.vocabulary import CascadeMode, Classification, DialPoint, Request, RulesResult, Score, Tier


@dataclass(frozen=True, slots=True)
class Situation:
    """What a policy may look at. `score` is called only when the policy needs it; None means no score is to be had.

    `classification` is there for a policy that has a classifier; it was made before, because a policy does no I/O.
    """

    request: Request
    tiers: tuple[Tier, ...]
    rules: RulesResult | None
    score: Callable[[], Score | None]
    classification: Classification | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """A cascade before it is known which models can serve the request: what each tier's answer must be worth."""

    tiers: tuple[str, ...]
    """Weakest first; those that are not worth a call are left out."""
    accept_at: tuple[float | None, ...]
    """Per tier; None for the last."""
    p_ahead: tuple[float | None, ...]
    mode: CascadeMode
    race: bool
    early_tokens: int
    quality_per_usd: float | None
    max_latency_ms: float | None
    first: int = 0
    """The tier that is called first."""
    time_up_ms: float | None = None
    """When the strongest is called at the latest; None when the limit says it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A tier (or, for a rule or a fixed policy, a model) with the reason."""

    use: str
    reason: str
    reason_code: str
    threshold: float | None = None
    score: Score | None = None
    ladder: Ladder | None = None
    """What follows when the answer is not good enough; None when it is not judged."""


class Policy(Protocol):
    """How a request is decided."""

    @property
    def name(self) -> str:
        """What config and clients call it."""

    @property
    def kind(self) -> str:
        """ "fixed", "rules", "threshold", "llm_classifier", "random", "cascade" or "cascade_routing"."""

    @property
    def heeds_rules(self) -> bool:
        """Whether an enforced rule comes before the policy."""

    def decide(self, situation: Situation) -> Choice:
        """The choice for one request."""


@dataclass(frozen=True, slots=True)
class FixedPolicy:
    """Always the same tier or model."""

    name: str
    use: str
    kind: str = "fixed"
    heeds_rules: bool = False

    def decide(self, situation: Situation) -> Choice:
        return Choice(self.use, f"policy {self.name} always uses {self.use}", "fixed")


@dataclass(frozen=True, slots=True)
class RulesPolicy:
    """The user's rules; `otherwise` when none fires."""

    name: str
    otherwise: str
    kind: str = "rules"
    heeds_rules: bool = True

    def decide(self, situation: Situation) -> Choice:
        return Choice(
            self.otherwise,
            f"no enforced rule fired, so the policy's default {self.otherwise}",
            "safe_default",
        )


@dataclass(frozen=True, slots=True)
class RandomPolicy:
    """The strongest tier for a given share of requests, chosen by a hash of the request: a control, not a router.

    The same request with the same seed always goes the same way.
    """

    name: str
    strong_share: float
    seed: int = 0
    kind: str = "random"
    heeds_rules: bool = False

    def decide(self, situation: Situation) -> Choice:
        digest = hashlib.blake2b(
            situation.request.raw, digest_size=8, salt=(self.seed % 2**64).to_bytes(8, "little")
        ).digest()
        draw = int.from_bytes(digest, "little") / 2**64
        strong = draw < self.strong_share
        tier = situation.tiers[-1] if strong else situation.tiers[0]
        return Choice(
            tier.name,
            f"random control: drew {draw:.3f} against a strong share of {self.strong_share:.2f}",
            "random",
        )


@dataclass(frozen=True, slots=True)
class ThresholdPolicy:
    """The cheapest tier whose P(good enough) reaches a threshold.

    Exactly one of the dials is set. `threshold` is taken as it is; `max_quality_loss` and `strong_share` are looked up
    in the router's dial, which was measured on held-out prompts; `by_tier` are the thresholds of a tuned policy.

    Raises:
        ConfigError: not exactly one dial is set.
    """

    name: str
    max_quality_loss: float | None = None
    threshold: float | None = None
    strong_share: float | None = None
    by_tier: tuple[float | None, ...] | None = None
    """A threshold per tier, cheapest first; None for a tier that no score leads to."""
    promise: str = "the tuned threshold"
    """What `by_tier` was tuned for, in words."""
    dial: tuple[DialPoint, ...] = ()
    kind: str = "threshold"
    heeds_rules: bool = True

    def __post_init__(self) -> None:
        dials = (self.max_quality_loss, self.threshold, self.strong_share, self.by_tier)
        n_given = sum(dial is not None for dial in dials)
        if n_given != 1:
            raise ConfigError(
                f"policy {self.name}: expected exactly one of max_quality_loss, threshold, strong_share and a tuned "
                f"policy's file, {n_given} are set"
            )

    def decide(self, situation: Situation) -> Choice:
        strongest = situation.tiers[-1].name
        score = situation.score()
        if score is None:
            return Choice(strongest, f"no score is to be had, so the safe tier {strongest}", "safe_default")
        asked = situation.request.hints.max_quality_loss
        n_tiers = len(situation.tiers)
        needed: tuple[float | None, ...]
        if self.by_tier is not None and asked is None:
            needed, origin = self.by_tier, self.promise
        else:
            threshold, origin = self._threshold(
                self.max_quality_loss if asked is None else asked, from_caller=asked is not None
            )
            if threshold is None:
                return Choice(strongest, f"{origin}, so the safe tier {strongest}", "safe_default", score=score)
            needed = (threshold,) * n_tiers
        known = p_good_by_tier(score, n_tiers)
        for tier, p_good, least in zip(situation.tiers[:-1], known, needed, strict=False):
            if p_good is not None and least is not None and p_good >= least:
                reason = f"P({tier.name} answer is good enough) is {p_good:.2f}, at or above {least:.2f} ({origin})"
                return Choice(tier.name, reason, "score", threshold=least, score=score)
        least = next((each for each in needed if each is not None), None)
        reason = (
            f"P(cheap answer is good enough) is {score.p_cheap:.2f}, "
            f"{'below every threshold' if least is None else f'below {least:.2f}'} ({origin}), so {strongest}"
        )
        return Choice(strongest, reason, "score", threshold=least, score=score)

    def _threshold(self, limit: float | None, *, from_caller: bool) -> tuple[float | None, str]:
        """The threshold in force, None for "always strong", and where it comes from."""
        if limit is not None:
            whose = "the caller's" if from_caller else "the"
            point = lowest_threshold_within(self.dial, limit)
            if point is None:
                return None, f"no threshold is known to keep {whose} limit of {limit:.1%} quality loss"
            return point.threshold, f"{whose} limit of {limit:.1%} quality loss"
        if self.strong_share is not None:
            point = nearest_share(self.dial, self.strong_share)
            if point is None:
                return None, f"this router has no dial to find a strong share of {self.strong_share:.0%}"
            return point.threshold, f"a strong share of {self.strong_share:.0%}"
        return self.threshold, "the set threshold"


_HOW = {
    "asked": "was asked ({ms:.0f} ms, ${usd:.6f}) and says",
    "shared": "was asked together with the same request and says",
    "remembered": "said of the same request before",
}


@dataclass(frozen=True, slots=True)
class LlmClassifierPolicy:
    """The tier that a small model named; without its answer, the policy `otherwise` of the trained router decides."""

    name: str
    otherwise: Policy
    kind: str = "llm_classifier"
    heeds_rules: bool = True

    def decide(self, situation: Situation) -> Choice:
        said = situation.classification
        if said is not None and any(tier.name == said.tier for tier in situation.tiers):
            assert said.tier is not None
            how = _HOW[said.how].format(ms=said.latency_ms, usd=said.cost_usd)
            return Choice(said.tier, f"{said.model} {how} that {said.tier} is enough", "classifier")
        choice = self.otherwise.decide(situation)
        why = "the classifier was not asked" if said is None else f"{said.model} did not classify it ({said.failure})"
        return replace(choice, reason=f"{why}, so the trained router: {choice.reason}", reason_code="classifier_failed")


def lowest_threshold_within(dial: Sequence[DialPoint], limit: float) -> DialPoint | None:
    """The dial's point that saves most while it and every stricter one keep `limit`; None when none does.

    Walking down from the strictest threshold and stopping at the first breach keeps the choice monotone: a lucky dip
    of the measured loss at a low threshold does not count (fixed-sequence testing, Learn then Test, arXiv 2110.01052).
    """
    best: DialPoint | None = None
    for point in sorted(dial, key=lambda point: -point.threshold):
        if point.quality_loss_upper > limit:
            break
        best = point
    return best


def nearest_share(dial: Sequence[DialPoint], share: float) -> DialPoint | None:
    """The dial's point whose strong share is nearest to `share`; None when the dial is empty."""
    return min(dial, key=lambda point: abs(point.strong_share - share), default=None)


def p_good_by_tier(score: Score, n_tiers: int) -> tuple[float | None, ...]:
    """P(good enough) of each tier, cheapest first, shape (n_tiers,), None for a tier that the router does not know.

    A router that knows only the cheapest tier against the strongest gives no scores by tier: between them the risk is
    taken to fall in equal steps, an assumption that outcomes of the tiers in between replace. The strongest is the
    reference, so 1.
    """
    if score.by_tier is not None:
        return score.by_tier
    if n_tiers == 1:
        return (1.0,)
    return tuple(1.0 - (1.0 - score.p_cheap) * (n_tiers - 1 - rung) / (n_tiers - 1) for rung in range(n_tiers))
