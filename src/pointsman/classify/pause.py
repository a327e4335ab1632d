"""A classifier that keeps failing is left alone for a while: every request would wait for its time limit in vain."""

from __future__ import annotations

from pointsman.vocabulary import Clock

FAILURES_IN_A_ROW = 5
PAUSE_S = 30.0


class Pause:
    """Closed after `FAILURES_IN_A_ROW`; every `PAUSE_S` one question goes through to see whether it is well again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._n_failures = 0
        self._until_s: float | None = None

    def allows(self) -> bool:
        """Whether a question may be asked now. True during a pause makes the asker the one that tries."""
        if self._until_s is None:
            return True
        now_s = self._clock()
        if now_s < self._until_s:
            return False
        self._until_s = now_s + PAUSE_S
        return True

    def answered(self) -> None:
        """An answer came; it need not have made sense."""
        self._n_failures = 0
        self._until_s = None

    def failed(self) -> None:
        """No answer came."""
        self._n_failures += 1
        if self._n_failures >= FAILURES_IN_A_ROW:
            self._until_s = self._clock() + PAUSE_S
