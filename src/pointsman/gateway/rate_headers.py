"""How a key stands with its limits per minute, in the headers that the caller's SDK knows."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from pointsman.vocabulary import Allowance, Dialect, Standing


def rate_headers(standing: Standing, dialect: Dialect | None, now: datetime) -> dict[str, str]:
    """Headers for the limits that the key has, none for others.

    OpenAI: `x-ratelimit-limit-requests`, `-remaining-`, `-reset-` with a span such as "6m0s"
    (platform.openai.com/docs/guides/rate-limits, "Rate limits in headers"). Anthropic:
    `anthropic-ratelimit-requests-limit`, `-remaining`, `-reset` with a time in RFC 3339
    (docs.claude.com/en/api/rate-limits, "Response headers").
    """
    out: dict[str, str] = {}
    for what, allowance in (("requests", standing.requests), ("tokens", standing.tokens)):
        if allowance is not None:
            out |= (
                _anthropic(what, allowance, now) if dialect is Dialect.ANTHROPIC_MESSAGES else _openai(what, allowance)
            )
    return out


def _openai(what: str, allowance: Allowance) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": str(allowance.limit),
        f"x-ratelimit-remaining-{what}": str(allowance.remaining),
        f"x-ratelimit-reset-{what}": span(allowance.full_in_s),
    }


def _anthropic(what: str, allowance: Allowance, now: datetime) -> dict[str, str]:
    reset = now + timedelta(seconds=math.ceil(allowance.full_in_s))
    return {
        f"anthropic-ratelimit-{what}-limit": str(allowance.limit),
        f"anthropic-ratelimit-{what}-remaining": str(allowance.remaining),
        f"anthropic-ratelimit-{what}-reset": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
    }


def span(seconds: float) -> str:
    """A span as OpenAI writes it: "0s", "1.5s", "1m30s"."""
    minutes, rest = divmod(math.ceil(seconds * 1_000) / 1_000, 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    return text if minutes == 0 else f"{minutes:.0f}m{text}"
