"""Whether the trained router was trained for these models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .finding import Finding, State


@dataclass(frozen=True, slots=True)
class RouterFacts:
    """What a router artifact that loads says of itself."""

    name: str
    sources: tuple[str, ...]
    """Data sets that it learned from."""
    n_prompts: int
    models: frozenset[str]
    """Every model whose answers it learned from."""


def is_for(facts: RouterFacts, ends: Sequence[tuple[str, str]]) -> bool:
    """True when it learned from answers of all of these models, under either of their names."""
    return all(ours in facts.models or theirs in facts.models for ours, theirs in ends)


def router_findings(facts: RouterFacts, ends: Sequence[tuple[str, str]], *, train_with: str) -> list[Finding]:
    """Findings about what the router was trained on.

    Args:
        ends: the first model of each tier: our name and the provider's.
        train_with: the command that makes another.
    """
    sources = ", ".join(facts.sources)
    trained = f"{facts.name}, which loads and fits its encoder, was trained on {facts.n_prompts:,} prompts of {sources}"
    if is_for(facts, ends):
        return [Finding("router", State.OK, f"{trained}, answered by the configured models")]
    others = sorted(facts.models)
    some = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    names = " and ".join(ours for ours, _ in ends)
    return [
        Finding(
            "router",
            State.WARNING,
            f"{trained}, answered by {some}, not by {names}: it knows kinds of prompt, not your models or traffic",
            f"label your own prompts and train on them: {train_with}",
        )
    ]
