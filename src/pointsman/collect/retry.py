"""When to call again, and how long to wait first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointsman.errors import UpstreamBroken, UpstreamError, UpstreamRefused, UpstreamTimeout

PASSING = frozenset({408, 409, 429})
"""Client errors that are about the moment, not the request; with all of 5xx the list that the OpenAI and Anthropic
SDKs retry ("Retries" in both READMEs)."""
FATAL = frozenset({401, 402, 403, 404})
"""The key, the account or the model's name is at fault: the next prompt would fare no better."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter: before retry n the wait is drawn from [½, 1] × min(longest, first × 2^n).

    The jitter is the "equal jitter" of M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015):
    calls that failed together do not come back together. An upstream's Retry-After, where longer, wins.

    Attributes:
        max_attempts: calls of one prompt in all, the first included.
        first_s, longest_s: bounds of the wait before jitter, in seconds.
        max_lost: attempts of one prompt that may have been paid for without an answer; then it is given up.
        failures_in_row: so many prompts of one model given up without an answer in between stop the model.
    """

    max_attempts: int = 6
    first_s: float = 0.5
    longest_s: float = 60.0
    max_lost: int = 2
    failures_in_row: int = 10

    def wait_s(self, n_retry: int, retry_after_s: float | None, random: Callable[[], float]) -> float:
        """Seconds to wait before retry `n_retry` (0 is the first); `random` gives uniform numbers in [0, 1)."""
        bound = min(self.longest_s, self.first_s * 2.0 ** min(n_retry, 60))
        drawn = bound * (0.5 + 0.5 * random())
        return drawn if retry_after_s is None else max(drawn, retry_after_s)


def may_have_been_paid(error: UpstreamError) -> bool:
    """True when the upstream may have done the work: it was cut off or timed out, or its answer cannot be read.

    Providers bill answers, not refusals; whoever never connected was not asked.
    """
    return isinstance(error, UpstreamTimeout | UpstreamBroken)


def stops_model(error: UpstreamError) -> bool:
    """True when no other prompt would be answered either."""
    return isinstance(error, UpstreamRefused) and error.upstream_status in FATAL
