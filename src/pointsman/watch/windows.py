"""Is today's traffic the one that the policy was tuned on? Its scores and its acceptance, window after window.

Each window of decisions is compared with the reference once. The greatest distance of two distribution functions (the
Kolmogorov-Smirnov distance) is held against what chance gives: by the inequality of Dvoretzky, Kiefer and Wolfowitz
with Massart's constant (P. Massart, Annals of Probability 18(3), 1990) an empirical distribution of n draws is further
than sqrt(log(2/a) / 2n) from the true one with a chance of at most a. Window k may err with a chance of
level / (k (k + 1)), half of it for the window and half for the reference; these add up to `level` over all windows
there will ever be. A share is a distribution of two values, so acceptance is tested in the same way.

What is shown to differ is told only where it also differs by much: with many decisions, any difference is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW = 1_000
"""Decisions."""
LEAST_DISTANCE = 0.05
"""Of distribution functions, and of shares: a smaller one is told to nobody."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What scores and acceptance were like when the policy was tuned, or when it came into force.

    Attributes:
        thresholds: scores, rising.
        below: the share of scores below each of them.
        accepted: the share of requests that a cheaper tier served; None when not known.
        n: of how many requests this was measured.
    """

    thresholds: tuple[float, ...]
    below: tuple[float, ...]
    accepted: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Shift:
    """What has moved."""

    what: str
    """"scores" or "acceptance"."""
    text: str
    distance: float


class Windows:
    """Gathers decisions and compares them with a reference, window by window.

    Args:
        reference: None takes the first two windows as it.
        level: the chance that anything is ever told of traffic that has not changed, for scores and for acceptance.
        n_before: windows that were compared before the process began.

    Attributes:
        reference: what windows are compared with; None while it is being gathered.
        n_windows: how many have been compared.
        shifts: what was told of the latest window.
    """

    def __init__(self, reference: Reference | None, *, level: float, n_before: int = 0) -> None:
        self.reference = reference
        self.n_windows = n_before
        self.shifts: tuple[Shift, ...] = ()
        self._level = level
        self._scores: list[float] = []
        self._n = 0
        self._n_accepted = 0

    def add(self, score: float | None, *, accepted: bool) -> bool:
        """Takes one decision; True when a window is full and `shifts` or `reference` are new.

        Args:
            score: P(good enough); None when there was none.
            accepted: a cheaper tier served the request.
        """
        if score is not None:
            self._scores.append(score)
        self._n += 1
        self._n_accepted += accepted
        if self._n < (2 * WINDOW if self.reference is None else WINDOW):
            return False
        if self.reference is None:
            self.reference = _reference(self._scores, self._n_accepted / self._n, self._n)
        else:
            self.n_windows += 1
            self.shifts = tuple(self._compare(self.reference))
        self._scores.clear()
        self._n = self._n_accepted = 0
        return True

    def _compare(self, reference: Reference) -> list[Shift]:
        level = self._level / (self.n_windows * (self.n_windows + 1))
        found: list[Shift] = []
        if self._scores and reference.thresholds:
            live = _below(self._scores, reference.thresholds)
            distance, at, was, now = max(
                (abs(now - was), at, was, now)
                for at, was, now in zip(reference.thresholds, reference.below, live, strict=True)
            )
            if distance > max(LEAST_DISTANCE, _chance(level, len(self._scores), reference.n)):
                text = f"{now:.0%} of scores are below {at:.2f}, where {was:.0%} were"
                found.append(Shift("scores", text, distance))
        if reference.accepted is not None:
            share = self._n_accepted / self._n
            distance = abs(share - reference.accepted)
            if distance > max(LEAST_DISTANCE, _chance(level, self._n, reference.n)):
                text = f"cheaper tiers serve {share:.0%} of requests, where they served {reference.accepted:.0%}"
                found.append(Shift("acceptance", text, distance))
        return found


def _chance(level: float, n: int, n_reference: int) -> float:
    """The distance that two samples of one distribution pass with a chance of at most `level`."""
    return sum(math.sqrt(math.log(4.0 / level) / (2.0 * size)) for size in (n, n_reference))


def _reference(scores: Sequence[float], accepted: float, n: int) -> Reference:
    thresholds = tuple(k / 20 for k in range(1, 20)) if scores else ()
    return Reference(thresholds, _below(scores, thresholds), accepted, len(scores) if scores else n)


def _below(scores: Sequence[float], thresholds: Sequence[float]) -> tuple[float, ...]:
    return tuple(sum(score < at for score in scores) / len(scores) for at in thresholds)
