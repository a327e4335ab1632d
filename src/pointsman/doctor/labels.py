"""What the default policy does without labels of one's own, and how many labelled prompts would change that."""

from __future__ import annotations

from dataclasses import dataclass

from .finding import Finding, State


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """The default policy's quality limit and what is known about keeping it."""

    policy: str
    max_quality_loss: float
    confidence: float
    strong_tier: str
    n_least: int | None
    """The fewest labelled prompts on which any policy can be certified; None when the limit leaves no room."""
    n_labels: int
    """Prompts with these models that the router was trained on; 0 for one that does not know the models."""
    strong_share: float | None
    """The share of held-out prompts that the router's dial sends to the strong tier at this limit; None when no
    threshold is known to keep it."""


def label_findings(facts: LabelFacts) -> list[Finding]:
    """Findings about the default policy."""
    limit = f"{facts.max_quality_loss:.1%} quality loss"
    if facts.n_least is None:
        return [
            Finding(
                "labels",
                State.WARNING,
                f"policy {facts.policy} allows no quality loss, which no number of labels can show to be kept",
                "allow a little, such as `max_quality_loss: 0.01`, or use the strong tier alone",
            )
        ]
    if facts.strong_share is None:
        now = f"no threshold is known to keep {limit}, so policy {facts.policy} sends all to {facts.strong_tier}"
    else:
        now = (
            f"policy {facts.policy} keeps {limit} on the router's own held-out prompts, of which it sends "
            f"{facts.strong_share:.0%} to {facts.strong_tier}"
        )
    if facts.n_labels and facts.strong_share is not None:
        return [Finding("labels", State.OK, f"{now}; it was trained on {facts.n_labels:,} prompts with these models")]
    had = "" if facts.n_labels == 0 else f", {facts.n_labels:,} were trained on"
    return [
        Finding(
            "labels",
            State.WARNING,
            f"{now}. On your traffic nothing is shown: to promise it with {facts.confidence:.0%} confidence `pointsman "
            f"tune` needs at least {facts.n_least:,} labelled prompts that the router was not trained on{had}; "
            "more, the more often the cheap model is worse",
            "run `pointsman collect` and `pointsman label` on your prompts, then `pointsman tune`, which says how many "
            "are still missing",
        )
    ]
