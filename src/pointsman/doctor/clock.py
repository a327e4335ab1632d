"""Whether the clocks can be trusted: records and price dates go by the wall clock, time limits by the monotonic one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .finding import Finding, State

MAX_DRIFT_S = 0.5
"""What the two clocks may differ by over one run of some seconds."""
MAX_OFFSET_S = 60.0
"""Between this machine and a provider; `Date` has whole seconds, and an answer takes some."""
BAD_OFFSET_S = 300.0
"""Beyond this, records and daily sums are put where they do not belong."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Both clocks at one moment."""

    wall: datetime
    monotonic_s: float


def clock_findings(first: ClockReading, last: ClockReading, *, not_before: date) -> list[Finding]:
    """Whether the wall clock runs as the monotonic one does, and is not in the past.

    Args:
        not_before: a day that is certainly over, such as that of the price list.
    """
    if last.wall.date() < not_before:
        return [
            Finding(
                "clock",
                State.FAULT,
                f"it says {last.wall:%Y-%m-%d}, before {not_before} on which the price list was made",
                "set the clock, and let a time server keep it",
            )
        ]
    drift_s = (last.wall - first.wall).total_seconds() - (last.monotonic_s - first.monotonic_s)
    if last.monotonic_s < first.monotonic_s or abs(drift_s) > MAX_DRIFT_S:
        return [
            Finding(
                "clock",
                State.WARNING,
                f"the wall clock jumped by {drift_s:+.1f} s while the doctor ran",
                "look at what sets the clock; records and daily sums go by it",
            )
        ]
    return [Finding("clock", State.OK, f"{last.wall:%Y-%m-%d %H:%M:%S} UTC, running evenly")]


def date_findings(dates: Iterable[tuple[str, datetime, datetime]]) -> list[Finding]:
    """Whether this machine's time is that of the providers, by the smallest difference seen.

    Args:
        dates: a model's name, what its provider's clock said, and what ours said when the answer came.
    """
    seen = [(abs(ours - theirs), name, ours - theirs) for name, theirs, ours in dates]
    if not seen:
        return []
    away, name, signed = min(seen)
    if away <= timedelta(seconds=MAX_OFFSET_S):
        return [Finding("clock", State.OK, f"{away.total_seconds():.0f} s from the clock of {name}'s provider")]
    ahead = "ahead of" if signed > timedelta(0) else "behind"
    return [
        Finding(
            "clock",
            State.FAULT if away > timedelta(seconds=BAD_OFFSET_S) else State.WARNING,
            f"it is {away.total_seconds():.0f} s {ahead} the clock of {name}'s provider",
            "let a time server keep the clock",
        )
    ]
