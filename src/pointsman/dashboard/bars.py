"""Bars of spent and saved over time, as numbers for a drawing: no markup here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pointsman.record.sums import Sums

HEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour or day; heights of `HEIGHT`.

    Attributes:
        at: "2026-11-23T21" or "2026-11-23".
        spent: height of what was spent, from below.
        saved: height of what was saved, on top of it; 0 when nothing was.
    """

    at: str
    sums: Sums
    spent: float
    saved: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars in order of time; `top_usd` is the value of the full height."""

    bars: tuple[Bar, ...]
    top_usd: float


def bars(steps: Sequence[str], sums: Mapping[str, Sums]) -> Bars:
    """A bar for each step; one without records has none of either."""
    found = [sums.get(step, Sums()) for step in steps]
    top = _round_up(max((max(each.spent_usd, each.baseline_usd) for each in found), default=0.0))
    scale = 0.0 if top == 0 else HEIGHT / top
    return Bars(
        tuple(
            Bar(step, each, each.spent_usd * scale, max(0.0, each.saved_usd) * scale)
            for step, each in zip(steps, found, strict=True)
        ),
        top,
    )


def _round_up(value: float) -> float:
    """The next round number."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        step * power
        for step in (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
        if value <= step * power * (1 + 1e-9)
    )
