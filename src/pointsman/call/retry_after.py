"""How long an upstream asks to wait, read from headers that hold anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 3_600.0
"""A longer wait is told as this one: nothing here plans for more than an hour ahead."""


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait from `now` (with a time zone), 0 to an hour; None when the headers do not say.

    `retry-after-ms` goes first (Azure OpenAI sends it, and the OpenAI SDK prefers it), then `retry-after` in seconds or
    as a date (RFC 9110 section 10.2.3). Junk, negative and non-finite numbers count as not said; a date that is past
    means now.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1e3, MAX_RETRY_AFTER_S)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None:
        return min(seconds, MAX_RETRY_AFTER_S)
    if text is None or _is_number(text):
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, (date - now).total_seconds()), MAX_RETRY_AFTER_S)


def _number(text: str | None) -> float | None:
    if text is None or not _is_number(text):
        return None
    number = float(text)
    return number if math.isfinite(number) and number >= 0 else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
