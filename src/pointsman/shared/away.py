"""When the store is away, and when it is tried again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
STEADY_S = 10.0
"""A connection that held for so long was a good one: the next wait is short again."""

AWAY_REASONS = ("unreachable", "timeout", "broken", "lost")
"""No connection; no answer in time; the connection broke; the server's data were lost under an open connection."""


class Backoff:
    """The waits between tries: doubling, with jitter, short again after a steady connection.

    Args:
        random: uniform numbers in [0, 1).
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._wait_s = FIRST_WAIT_S

    def next_s(self, held_s: float) -> float:
        """The wait before the next try, after a connection that held for so long."""
        if held_s >= STEADY_S:
            self._wait_s = FIRST_WAIT_S
        # Replicas that lost the store together do not come back together.
        drawn_s = self._wait_s * (0.5 + 0.5 * self._random())
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        return drawn_s


@dataclass(slots=True)
class Absence:
    """What is told of the store.

    Attributes:
        n_away: how often it went away, by reason.
        n_calls: calls made.
        n_joined: how often this replica has joined.
        retry_at_s: when it is tried next, by the clock.
    """

    n_away: Counter[str] = field(default_factory=Counter)
    n_calls: int = 0
    n_joined: int = 0
    retry_at_s: float = 0.0
