"""Whether the configured cascades can judge what they must, at a price that leaves something to save."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .finding import Finding, State

CHECK = "cascade"
DEAR_JUDGE = 0.2
"""As a share of the strong model's price: from a fifth on, a judge that errs in a quarter of its verdicts does not pay
on recorded traffic, however its errors fall (docs/cascade.md)."""
_TRAIN = "train an artifact with --kind both on answers of these models, and run `pointsman tune --policy cascade`"


@dataclass(frozen=True, slots=True)
class CascadeFacts:
    """What is known of one cascade policy before it has judged anything. Models are named as in the configuration."""

    policy: str
    judged: tuple[str, ...]
    """The first model of each tier whose answers are judged, in order."""
    last: str
    """The first model of the tier that is never judged."""
    left_out: tuple[str, ...] = ()
    """Tiers below the last without a threshold."""
    scorer: str | None = None
    """What judges by what it learned; None where nothing did."""
    unscored: tuple[str, ...] = ()
    """Judged models whose answers the scorer does not know."""
    without_tokens: tuple[str, ...] = ()
    """Judged models whose upstream gives no token probabilities, where the judge wants them."""
    unpriced: tuple[str, ...] = ()
    """Models of the cascade without a price."""
    is_tuned: bool = False
    weighs: bool = False
    """Decides by what calls cost."""
    max_latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class AskedFacts:
    """The judge that is asked and paid."""

    model: str
    price_share: float | None
    """Of its price in that of the strong model; None when one of them has none."""
    timeout_ms: float


def cascade_findings(cascades: Sequence[CascadeFacts], asked: AskedFacts | None) -> list[Finding]:
    """Findings about cascades; none where there is no such policy."""
    found = [finding for facts in cascades for finding in _policy(facts)]
    if asked is not None and cascades:
        found += _asked(asked, cascades)
    return found


def _policy(facts: CascadeFacts) -> Iterator[Finding]:
    names = " and ".join(facts.judged)
    by = "the built-in judge" if facts.scorer is None else facts.scorer
    troubles = list(_troubles(facts))
    if not troubles:
        yield Finding(
            CHECK, State.OK, f"policy {facts.policy}: answers of {names} are judged by {by}, then {facts.last}"
        )
    for found, advice in troubles:
        yield Finding(CHECK, State.WARNING, f"policy {facts.policy}: {found}", advice)


def _troubles(facts: CascadeFacts) -> Iterator[tuple[str, str]]:
    if facts.scorer is None:
        yield (
            f"the built-in judge, whose P(good) is not calibrated, judges the answers of {' and '.join(facts.judged)}",
            _TRAIN,
        )
    elif facts.unscored:
        yield (f"{facts.scorer} does not know the answers of {' and '.join(facts.unscored)}", _TRAIN)
    blind = [name for name in facts.without_tokens if facts.scorer is None or name in facts.unscored]
    read = [name for name in facts.without_tokens if name not in blind]
    if blind:
        yield (
            f"the upstream of {' and '.join(blind)} gives no token probabilities, and nothing has learned to read its "
            "answers: what is served is decided by the request alone",
            f"use a policy without a cascade, or {_TRAIN}",
        )
    if read:
        yield (
            f"the upstream of {' and '.join(read)} gives no token probabilities, which the scorer reads: it judges by "
            "the text alone",
            "train on outcomes of these models without `confidence`, or call them where token probabilities are given",
        )
    if facts.left_out:
        tiers = " and ".join(facts.left_out)
        yield (
            f"tier {tiers} has no threshold and is never called",
            "name it under `accept_by_tier`, or take it out of `tiers`",
        )
    if facts.unpriced and facts.weighs:
        yield (
            f"{' and '.join(facts.unpriced)} has no price, so what its calls cost cannot be weighed",
            "give the model a `price:` with input_usd_per_mtok and output_usd_per_mtok",
        )


def _asked(asked: AskedFacts, cascades: Sequence[CascadeFacts]) -> Iterator[Finding]:
    if all(facts.is_tuned for facts in cascades):
        yield Finding(
            CHECK,
            State.WARNING,
            f"{asked.model} is configured as a judge and never asked: tuned plans go by what they were tuned on",
            "remove `cascade.judge`, or add a policy with `accept`",
        )
        return
    if asked.price_share is not None and asked.price_share >= DEAR_JUDGE:
        yield Finding(
            CHECK,
            State.WARNING,
            f"a token of the judge {asked.model} costs {asked.price_share:.0%} of one of the strong model: asked of "
            "every answer it may cost more than the cascade saves",
            "ask a smaller model, narrow `ask_between`, and measure it with `pointsman evaluate --judge-price "
            "--judge-error`",
        )
    short = [f for f in cascades if f.max_latency_ms is not None and f.max_latency_ms <= asked.timeout_ms]
    for facts in short:
        yield Finding(
            CHECK,
            State.WARNING,
            f"policy {facts.policy}: the first byte must come within {facts.max_latency_ms:,.0f} ms, and the judge "
            f"{asked.model} may take {asked.timeout_ms:,.0f}",
            "set `cascade.judge.timeout_ms` well below `max_latency_ms`",
        )
