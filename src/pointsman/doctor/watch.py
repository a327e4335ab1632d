"""Whether what policies promise still holds on the traffic of today."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .finding import Finding, State


@dataclass(frozen=True, slots=True)
class WatchFacts:
    """What is on record of a policy that is watched."""

    policy: str
    n_compared: int
    loss: float
    """By how much the strong answers are better, over all its requests; NaN without comparisons."""
    least: float
    most: float
    """Bounds on it."""
    limit: float | None
    """What is allowed; None promises nothing."""
    confidence: float
    alarm: str | None = None
    strong_serves: bool = True
    """What the alarm leads to."""
    drifts: tuple[str, ...] = ()
    moved_prices: tuple[str, ...] = ()


def watch_findings(facts: WatchFacts) -> list[Finding]:
    """Findings about one policy."""
    return [_promise(facts), *_drifts(facts), *_prices(facts)]


def _promise(facts: WatchFacts) -> Finding:
    name = f"policy {facts.policy}"
    if facts.alarm is not None:
        then = "the strong tier serves in its place" if facts.strong_serves else "it goes on deciding (on_alarm: warn)"
        return Finding(
            "guarantee",
            State.FAULT,
            f"{name}: guarantee no longer holds: {facts.alarm}; {then}",
            "tune it on today's traffic (`pointsman import` of the ledger, `train`, `tune`), or let it decide as it is "
            f"with `pointsman doctor --acknowledge {facts.policy}`",
        )
    if not facts.n_compared or math.isnan(facts.loss):
        return Finding("guarantee", State.OK, f"{name}: nothing has been compared yet")
    seen = (
        f"{name}: the strong tier's answers are better by {facts.loss:+.1%} [{facts.least:+.1%}, {facts.most:+.1%}], "
        f"{facts.n_compared:,} comparisons"
    )
    if facts.limit is None:
        return Finding("guarantee", State.OK, f"{seen}; it promises nothing")
    return Finding("guarantee", State.OK, f"{seen}; {facts.limit:.1%} is allowed, and a breach is not shown")


def _drifts(facts: WatchFacts) -> list[Finding]:
    return [
        Finding(
            "drift",
            State.WARNING,
            f"policy {facts.policy}: {text}",
            "if the traffic is another for good, tune the policy on it",
        )
        for text in facts.drifts
    ]


def _prices(facts: WatchFacts) -> list[Finding]:
    if not facts.moved_prices:
        return []
    return [
        Finding(
            "drift",
            State.WARNING,
            f"policy {facts.policy}: since it came into force, {'; '.join(facts.moved_prices)}",
            "its savings are other ones now: tune it again, with these prices",
        )
    ]
