"""What the trained router knows of these models, and how many labels are missing, for `pointsman doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman import config as configuration
from pointsman import score, tune
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
from pointsman.errors import ArtifactError, DataError
from pointsman.router_artifact import artifact_folder
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
    facts = _facts(parts.settings)
    found = router_findings(facts, ends, train_with=train_with)
    name = parts.settings.default_policy
    policy = parts.settings.policies[name]
    if not isinstance(policy, configuration.ThresholdPolicy | configuration.LlmClassifierPolicy):
        return found
    if policy.file is not None:
        tuned = tune.read_policy(parts.settings.file_path(policy.file))
        found.append(Finding("labels", State.OK, f"policy {name} was tuned: {tuned.reason}"))
    elif policy.max_quality_loss is not None and labels:
        found.append(_tuned(parts, [ours for ours, _ in ends], labels, policy.max_quality_loss))
    elif policy.max_quality_loss is not None:
        own = facts.n_prompts if is_for(facts, ends) else 0
        found += label_findings(_labels(name, policy.max_quality_loss, parts.scorer.dial, own, parts))
    return found


def _tuned(parts: Parts, models: list[str], labels: Sequence[Path], limit: float) -> Finding:
    """What `pointsman tune` says of these labels, with the number that is missing."""
    from pointsman import outcomes

    from .router_scores import router_scores

    try:
        read, _ = outcomes.read(labels, models=models)
        scores = router_scores(str(_spec(parts.settings)), read)
        tuned = tune.tune_threshold(
            read,
            scores.p_good,
            tune.TuneSettings(tune.QualityLimit(limit, "relative"), confidence=CONFIDENCE),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            trained_prompts=scores.trained_prompts,
        )
    except (ArtifactError, DataError) as error:
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


def _spec(settings: LoadedSettings) -> str | Path:
    spec = settings.router.artifact
    return spec if spec == score.BUILTIN else settings.file_path(spec)


def _facts(settings: LoadedSettings) -> RouterFacts:
    """What the artifact's card says; the scorer has opened and checked it before."""
    card = score.read_card(artifact_folder(_spec(settings)))
    sources = card.training.sources
    # The models of a generic router are parts to play; whose answers it learned from stands with its sources.
    models = (model for source in sources for pair in source.pairs for model in pair) if card.generic else card.models
    return RouterFacts(
        name=card.router,
        sources=tuple(source.name for source in sources),
        n_prompts=card.training.n_prompts,
        models=frozenset(models),
    )
