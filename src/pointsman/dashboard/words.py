"""Numbers and times as the pages write them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

UNKNOWN = "not known"
MINUS = "−"
NO_MONEY_USD = 5e-9
"""Less than this is what rounding leaves of a difference."""


def usd(amount: float | None) -> str:
    """Dollars with as many digits as matter: "$1,234", "$12.34", "$0.0123", "−$0.50"."""
    if amount is None or not math.isfinite(amount):
        return UNKNOWN
    sign, size = (MINUS if amount < 0 else ""), abs(amount)
    if size < NO_MONEY_USD:
        return "$0"
    if size >= 1000:
        return f"{sign}${size:,.0f}"
    if size >= 1:
        return f"{sign}${size:,.2f}"
    digits = max(2, 2 - math.floor(math.log10(size)))
    return f"{sign}${size:.{min(digits, 8)}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as a percentage."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    # Adding 0.0 turns a rounded −0 into 0.
    return f"{round(100 * share, digits) + 0.0:.{digits}f} %".replace("-", MINUS)


def points(difference: float | None, digits: int = 2) -> str:
    """A difference of shares with its sign, in percentage points."""
    if difference is None or not math.isfinite(difference):
        return UNKNOWN
    return f"{100 * difference:+.{digits}f}".replace("-", MINUS)


def lost(difference: float | None, digits: int = 2) -> str:
    """What a difference of shares loses, in percentage points; below 0 where something is gained."""
    if difference is None or not math.isfinite(difference):
        return UNKNOWN
    return f"{round(-100 * difference, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def count(number: int | None) -> str:
    """A whole number with its thousands apart."""
    return UNKNOWN if number is None else f"{number:,}".replace("-", MINUS)


def ms(milliseconds: float | None) -> str:
    """A duration: "0.42 ms", "12 ms", "3.4 s"."""
    if milliseconds is None or not math.isfinite(milliseconds):
        return UNKNOWN
    if milliseconds < 10:
        return f"{milliseconds:.2f} ms"
    return f"{milliseconds:,.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"


def probability(value: float | None) -> str:
    """From 0 to 1, two digits."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:.2f}"


def ago(seconds: float) -> str:
    """A span that has passed: "just now", "5 minutes", "3 hours", "12 days"."""
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            n = int(seconds // size)
            return f"{n} {word}{'' if n == 1 else 's'}"
    return "less than a minute"


def moment(text: str | datetime | None, *, seconds: bool = True) -> Markup:
    """A time in UTC, readable and for machines."""
    if text is None:
        return Markup("<span class=none>never</span>")
    if isinstance(text, datetime):
        text = text.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    shown = text[: 19 if seconds else 16].replace("T", " ")
    return Markup('<time datetime="{}">{}</time>').format(text, shown)


def plain(value: Any) -> str:
    """Any value of a decision as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", MINUS)
    return UNKNOWN if value is None else str(value)
