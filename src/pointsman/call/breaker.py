"""Whether a model may be called now: a circuit breaker as a table, without I/O and without a clock of its own.

Times are monotonic seconds that the caller passes in. The pattern is M. Nygard's ("Release It!", chapter "Stability
Patterns"); a model that says it is busy (429) never opens it, it only rests for as long as it asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What is thought of a model."""

    CLOSED = "closed"
    """It answers; calls go through."""
    OPEN = "open"
    """It failed again and again, and is left alone for a while."""
    PROBING = "probing"
    """The while is over, and exactly one call is under way to see."""


class Event(StrEnum):
    """What changes a state."""

    TRIPPED = "tripped"
    """As many failures in a row as the policy allows."""
    WAITED = "waited"
    """The time in `OPEN` is over, and a call is asked for."""
    PROBE_ANSWERED = "probe_answered"
    PROBE_FAILED = "probe_failed"
    PROBE_ABANDONED = "probe_abandoned"
    """Its client left, or it was refused for a reason that says nothing of the model's health."""
    TOLD_OPEN = "told_open"
    TOLD_CLOSED = "told_closed"
    """Another replica has found that it does not answer, or that it does again."""


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CLOSED, Event.TRIPPED): State.OPEN,
    (State.OPEN, Event.WAITED): State.PROBING,
    (State.PROBING, Event.PROBE_ANSWERED): State.CLOSED,
    (State.PROBING, Event.PROBE_FAILED): State.OPEN,
    (State.PROBING, Event.PROBE_ABANDONED): State.OPEN,
    (State.CLOSED, Event.TOLD_OPEN): State.OPEN,
    (State.OPEN, Event.TOLD_CLOSED): State.CLOSED,
}
"""Every change there is. Calls that began before the breaker opened end while it is open: they change nothing."""


class Permit(StrEnum):
    """What a call is, as far as the breaker is concerned; it comes back with the call's outcome."""

    CALL = "call"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and for how long.

    Attributes:
        failures: so many failures in a row open it.
        open_s: how long it stays open at first; each probe that fails doubles that.
        max_open_s: the longest it stays open.
    """

    failures: int = 5
    open_s: float = 5.0
    max_open_s: float = 60.0


PROBE_WORTH_WAITING_S = 1.0
"""What a caller is told to wait while a probe is under way: nobody knows how long it takes."""


class Breaker:
    """One model's breaker.

    Attributes:
        state: see `State`.
        n_failures: failures in a row so far.
    """

    __slots__ = ("_open_s", "_open_until_s", "_policy", "_rests_until_s", "n_failures", "state")

    def __init__(self, policy: BreakerPolicy = BreakerPolicy()) -> None:
        self.state = State.CLOSED
        self.n_failures = 0
        self._policy = policy
        self._open_s = policy.open_s
        self._open_until_s = 0.0
        self._rests_until_s = float("-inf")

    def ask(self, now_s: float) -> Permit | None:
        """Leave to call, None when the model is left alone. A `PROBE` must come back, whatever becomes of it."""
        if now_s < self._rests_until_s:
            return None
        if self.state is State.CLOSED:
            return Permit.CALL
        if self.state is State.OPEN and now_s >= self._open_until_s:
            self._on(Event.WAITED)
            return Permit.PROBE
        return None

    def free_in_s(self, now_s: float) -> float:
        """How long until `ask` may say yes; 0 when it does now."""
        rests_s = max(0.0, self._rests_until_s - now_s)
        if self.state is State.OPEN:
            return max(rests_s, self._open_until_s - now_s, 0.0)
        return rests_s if self.state is State.CLOSED else max(rests_s, PROBE_WORTH_WAITING_S)

    def resting(self, now_s: float) -> bool:
        """True while the model asked for a pause, and nothing else is held against it."""
        return self.state is State.CLOSED and now_s < self._rests_until_s

    def answered(self, permit: Permit) -> None:
        """The first byte of an answer came: the model is there."""
        if permit is Permit.PROBE and self.state is State.PROBING:
            self._on(Event.PROBE_ANSWERED)
            # A single failure opens it again: what follows a long outage is often the next one.
            self.n_failures = self._policy.failures - 1

    def done(self) -> None:
        """An answer came to its end: failures no longer stand in a row."""
        if self.state is State.CLOSED:
            self.n_failures = 0
            self._open_s = self._policy.open_s

    def failed(self, permit: Permit, now_s: float) -> None:
        """A call failed in a way that speaks against the model."""
        if self.state is State.CLOSED:
            self.n_failures += 1
            if self.n_failures >= self._policy.failures:
                self._on(Event.TRIPPED)
                self._open_until_s = now_s + self._open_s
        elif permit is Permit.PROBE and self.state is State.PROBING:
            self._on(Event.PROBE_FAILED)
            self._open_s = min(2 * self._open_s, self._policy.max_open_s)
            self._open_until_s = now_s + self._open_s

    def abandoned(self, permit: Permit, now_s: float) -> None:
        """A call ended without a word on the model's health; the next one may probe at once."""
        if permit is Permit.PROBE and self.state is State.PROBING:
            self._on(Event.PROBE_ABANDONED)
            self._open_until_s = now_s

    def rest(self, seconds: float, now_s: float) -> None:
        """The model asked to be left alone for so long; a shorter wish than the one in force changes nothing."""
        self._rests_until_s = max(self._rests_until_s, now_s + seconds)

    @property
    def said(self) -> tuple[State, float, float, float]:
        """For others: the state, until when it is open, for how long it opens, until when the model rests."""
        return (self.state, self._open_until_s, self._open_s, self._rests_until_s)

    def told_open(self, until_s: float, open_s: float) -> None:
        """Another replica leaves the model alone until then; a probe that is under way here goes on."""
        if self.state is State.CLOSED:
            self._on(Event.TOLD_OPEN)
            self._open_until_s, self._open_s = until_s, open_s
        elif self.state is State.OPEN:
            self._open_until_s, self._open_s = max(self._open_until_s, until_s), max(self._open_s, open_s)

    def told_closed(self) -> None:
        """Another replica's probe was answered."""
        if self.state is State.OPEN:
            self._on(Event.TOLD_CLOSED)
            self.n_failures = self._policy.failures - 1

    def _on(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state, event]
