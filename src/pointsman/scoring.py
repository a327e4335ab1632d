"""Scoring that can do no harm: a scorer that raises or dawdles is left out, and the policy takes its safe way."""

from __future__ import annotations

from .call.breaker import Breaker, BreakerPolicy, Permit
from .errors import PointsmanError
from .vocabulary import Clock, Request, Score, Scorer

MAX_SCORE_S = 0.25
"""The built-in router takes about a millisecond, an encoder on a GPU or behind an endpoint tens to hundreds."""

_FAULTS = (PointsmanError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What array code, encoders and files raise. A scorer is somebody else's code to the router."""


class GuardedScoring:
    """The scores of one scorer, or None.

    Scoring runs on the event loop and cannot be cut short. So a scorer that was slow, or failed, several times in a row
    is not asked for a while, like a model that fails; then one request tries it.

    Args:
        scorer: None means that every score is unknown.
        clock: monotonic seconds.
        max_score_s: a slower score is used, and counts as a failure.

    Attributes:
        n_faults: scores that were not given because scoring failed.
        n_slow: scores that took longer than they may.
        n_skipped: requests that were not scored because scoring is left out for a while.
    """

    def __init__(
        self,
        scorer: Scorer | None,
        clock: Clock,
        *,
        max_score_s: float = MAX_SCORE_S,
        breaker: BreakerPolicy = BreakerPolicy(),
    ) -> None:
        self.n_faults = self.n_slow = self.n_skipped = 0
        self._scorer = scorer
        self._clock = clock
        self._max_score_s = max_score_s
        self._breaker = Breaker(breaker)

    def score(self, request: Request) -> Score | None:
        """The score; None when there is no scorer, it fails, or it is left out for a while."""
        if self._scorer is None:
            return None
        started_s = self._clock()
        permit = self._breaker.ask(started_s)
        if permit is None:
            self.n_skipped += 1
            return None
        try:
            score = self._scorer.score(request)
        except _FAULTS:
            self.n_faults += 1
            self._breaker.failed(permit, self._clock())
            return None
        now_s = self._clock()
        if now_s - started_s > self._max_score_s:
            self.n_slow += 1
            self._breaker.failed(permit, now_s)
        elif permit is Permit.PROBE or self._breaker.n_failures:
            self._breaker.answered(permit)
            self._breaker.done()
        return score
