"""How often and when a failed call is made again: the rules as numbers, without I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of trying again before the first byte. After it, nothing is tried again.

    Attributes:
        attempts_per_model: calls of one model for one request.
        max_attempts: calls of all models for one request.
        first_wait_s: the wait before the first retry, before jitter; each further one doubles it.
        longest_wait_s: no longer wait is made, whatever an upstream asks for: the client is told to come back instead.
        budget_share: retries and waits under way, as a share of the requests under way. 20 % is the default of Envoy's
            retry budgets (envoyproxy.io, `RetryBudget.budget_percent`).
        budget_floor: so many are always allowed (Envoy's `min_retry_concurrency`).
        give_up_after_s: no call is begun later than this after the request came.
    """

    attempts_per_model: int = 2
    max_attempts: int = 4
    first_wait_s: float = 0.1
    longest_wait_s: float = 2.0
    budget_share: float = 0.2
    budget_floor: int = 3
    give_up_after_s: float = 120.0

    def wait_s(self, n_retry: int, asked_s: float | None, random: Callable[[], float]) -> float:
        """Seconds before retry `n_retry` (0 is the first), jittered, never less than what the upstream asked for.

        The jitter is the "equal jitter" of M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015):
        calls that failed together do not come back together.
        """
        bound_s = min(self.longest_wait_s, self.first_wait_s * 2.0**n_retry)
        drawn_s = bound_s * (0.5 + 0.5 * random())
        return drawn_s if asked_s is None else asked_s + 0.1 * drawn_s


class RetryBudget:
    """Bounds what retries add to the load of an upstream that is already in trouble.

    Attributes:
        n_live: requests under way, from their first call to the end of their answer.
        n_retrying: of them, those that wait for a retry or have one under way.
        n_refused: retries that were not made for want of budget.
    """

    __slots__ = ("_floor", "_share", "n_live", "n_refused", "n_retrying")

    def __init__(self, policy: RetryPolicy) -> None:
        self._share = policy.budget_share
        self._floor = policy.budget_floor
        self.n_live = 0
        self.n_retrying = 0
        self.n_refused = 0

    def take(self) -> bool:
        """True, and one more retrying, when there is room; each take is given back."""
        if self.n_retrying >= max(self._floor, self._share * self.n_live):
            self.n_refused += 1
            return False
        self.n_retrying += 1
        return True

    def give_back(self) -> None:
        """One retry less under way."""
        self.n_retrying -= 1
