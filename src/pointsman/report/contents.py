"""What a report takes beside the evaluation's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Misroute:
    """One prompt that went to the wrong model."""

    prompt_id: str
    dataset: str
    served: str
    """The model that answered."""
    ideal: str
    """The cheapest model whose answer is good enough; the cheapest of all when none is."""
    scores: Mapping[str, float | None]
    """What each model scored on it, 0 to 1; None when not known."""
    costs_usd: Mapping[str, float | None] = field(default_factory=dict)
    p_good: float | None = None
    """What the router expected of the cheaper model's answer."""
    prompt: str | None = None
    """Its text; None keeps it out of the report."""

    @property
    def lost(self) -> float:
        """Score points lost against the ideal model; 0 when the served one was as good but dearer."""
        served, ideal = self.scores.get(self.served), self.scores.get(self.ideal)
        return 0.0 if served is None or ideal is None else max(0.0, ideal - served)

    @property
    def wasted_usd(self) -> float | None:
        """What the served model cost above the ideal one; None when a cost is not known."""
        served, ideal = self.costs_usd.get(self.served), self.costs_usd.get(self.ideal)
        return None if served is None or ideal is None else served - ideal


@dataclass(frozen=True, slots=True)
class Moved:
    """How much one trait of prompts moved decisions, over all prompts."""

    text: str
    """The trait in words, such as "asks for a proof"."""
    effect: float
    """Mean effect in logits where it counted: above 0 towards the cheap model, below 0 towards the strong one."""
    share: float | None = None
    """Share of prompts in which it was among the strongest traits, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the numbers come from, so that they can be had again."""

    router: str | None = None
    """Name, version and hash of the router, or how scores were made."""
    code_hash: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of Python and the libraries that the numbers depend on."""
    command: str | None = None
    sources: tuple[str, ...] = ()
    """Data files or data sets, with their licences where known."""
    seeds: Mapping[str, int] = field(default_factory=dict)
    """Beside the evaluation's own, such as the training's."""
    out_of_sample: bool | None = None
    """True when no measured prompt was trained on, False when some were, None when not known."""
