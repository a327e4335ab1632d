"""What the trained router knows of these models, and how many labels are missing, for `pointsman doctor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman import config as configuration
from pointsman import score
from pointsman.decide.policies import lowest_threshold_within
from pointsman.doctor import (
    Finding,
    LabelFacts,
    RouterFacts,
    State,
    label_findings,
    router_findings,
)
from pointsman.doctor.artifact import is_for
from pointsman.errors import DataError
from pointsman.tune.sample_size import least_prompts

if TYPE_CHECKING:
    from pointsman.assembly import Parts
    from pointsman.config import LoadedSettings
    from pointsman.vocabulary import DialPoint

CONFIDENCE = 0.95


def look_at_router(parts: Parts, labels: Sequence[Path]) -> list[Finding]:
    """Findings about the trained router, and about labels where the default policy has a quality limit.

    Args:
        labels: labelled outcomes of the configured models; without any, the least number that is needed is told.
    """
    if parts.scorer is None:
        return [Finding("router", State.OK, "no policy uses the trained router")]
    ends = [(tier.models[0], parts.models[tier.models[0]].provider_model) for tier in parts.tiers]
    train_with = f"pointsman train DIR --models {','.join(name for name, _ in ends)} --to ART"
    card = _card(parts.settings)
    facts = _router_facts(parts.scorer.router, card)
    found = router_findings(facts, ends, train_with=train_with)
    name = parts.settings.default_policy
    policy = parts.settings.policies[name]
    if not isinstance(policy, configuration.ThresholdPolicy | configuration.LlmClassifierPolicy):
        return found
    if policy.max_quality_loss is not None and labels:
        found.append(_tuned(parts, [ours for ours, _ in ends], labels, policy.max_quality_loss))
    elif policy.max_quality_loss is not None:
        own = facts.n_prompts if is_for(facts, ends) else 0
        found += label_findings(_labels(name, policy.max_quality_loss, parts.scorer.dial, own, parts))
    return found


def _tuned(parts: Parts, models: list[str], labels: Sequence[Path], limit: float) -> Finding:
    """What `pointsman tune` says of these labels, with the number that is missing."""
    from pointsman import outcomes
    from pointsman.tune import QualityLimit, TuneSettings, tune_threshold

    from .router_scores import router_scores

    spec = parts.settings.router.artifact
    try:
        read, _ = outcomes.read(labels, models=models)
        scores = router_scores(spec if spec == score.BUILTIN else str(parts.settings.file_path(spec)), read)
        tuned = tune_threshold(
            read,
            scores.p_good,
            TuneSettings(QualityLimit(limit, "relative"), confidence=CONFIDENCE),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            trained_prompts=scores.trained_prompts,
        )
    except DataError as error:
        return Finding(
            "labels", State.FAULT, error.message, f"give outcomes with scores of {' and '.join(models)} to --labels"
        )
    if tuned.promise.kept:
        return Finding("labels", State.OK, tuned.reason)
    return Finding(
        "labels",
        State.WARNING,
        tuned.reason,
        "label more prompts with `pointsman collect` and `pointsman label`, then run `pointsman tune`",
    )


def _labels(name: str, limit: float, dial: tuple[DialPoint, ...], n_labels: int, parts: Parts) -> LabelFacts:
    point = lowest_threshold_within(dial, limit)
    return LabelFacts(
        policy=name,
        max_quality_loss=limit,
        confidence=CONFIDENCE,
        strong_tier=parts.tiers[-1].name,
        # A strong model that is always right gives the most room; one that is not needs more labels.
        n_least=least_prompts(limit, 1.0, relative=True, confidence=CONFIDENCE),
        n_labels=n_labels,
        strong_share=None if point is None else point.strong_share,
    )


def _card(settings: LoadedSettings) -> dict[str, Any]:
    """The card of the artifact, which the scorer has read and checked before."""
    import json

    spec = settings.router.artifact
    folder = Path(score.__file__).parent / score.BUILTIN if spec == score.BUILTIN else settings.file_path(spec)
    card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return card


def _router_facts(name: str, card: Mapping[str, Any]) -> RouterFacts:
    sources = card.get("training", {}).get("sources", [])
    return RouterFacts(
        name=name,
        sources=tuple(source["name"] for source in sources),
        n_prompts=sum(source["n_prompts"] for source in sources),
        models=frozenset(model for source in sources for pair in source["pairs"] for model in pair),
    )
