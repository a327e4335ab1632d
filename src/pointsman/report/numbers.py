"""Numbers as people read them; what is not known is an en dash, never 0 and never "nan"."""

from __future__ import annotations

import math
from typing import TypeAlias

Interval: TypeAlias = tuple[float, float]

UNKNOWN = "–"
MINUS = "−"
NBSP = "\u00a0"
"""A space that no line breaks at."""


def finite(value: object) -> float | None:
    """The value as a float; None for what is not a finite number (NaN, infinity, text, true, null)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def percent(share: float | None, digits: int | None = None) -> str:
    """0.384 as "38 %"; one decimal below 10 %."""
    if share is None:
        return UNKNOWN
    value = 100 * share
    places = (1 if 0 < abs(round(value, 1)) < 10 else 0) if digits is None else digits
    return f"{_signed(value, places)}{NBSP}%"


def percent_range(interval: Interval | None, digits: int | None = None) -> str:
    """(0.351, 0.412) as "35 to 41 %"; an en dash when there is none."""
    if interval is None:
        return UNKNOWN
    low, high = (100 * bound for bound in interval)
    if digits is None:
        narrow = low != high and round(low) == round(high)
        digits = 1 if narrow or min(abs(low), abs(high)) < 10 else 0
    ends = (_signed(low, digits), _signed(high, digits))
    return f"{ends[0]} to {ends[1]}{NBSP}%" if ends[0] != ends[1] else f"{ends[0]}{NBSP}%"


def score(value: float | None, digits: int = 3) -> str:
    """A mean score or an area, "0.812"."""
    return UNKNOWN if value is None else _signed(value, digits)


def score_range(interval: Interval | None, digits: int = 3) -> str:
    """An interval of scores, "0.801 to 0.823"."""
    return UNKNOWN if interval is None else f"{_signed(interval[0], digits)} to {_signed(interval[1], digits)}"


def points(delta: float | None, digits: int = 1) -> str:
    """A difference of scores in points of 100, with its sign: −0.004 as "−0.4"."""
    if delta is None:
        return UNKNOWN
    shown = _signed(100 * delta, digits)
    return shown if shown.startswith(MINUS) or _is_zero(shown) else f"+{shown}"


def points_range(interval: Interval | None, digits: int = 1) -> str:
    """An interval of differences, "−1.1 to +0.3"."""
    return UNKNOWN if interval is None else f"{points(interval[0], digits)} to {points(interval[1], digits)}"


def usd(value: float | None) -> str:
    """Dollars with as many places as the amount deserves: "$1,240", "$6.65", "$0.0125"."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    sign = MINUS if value < 0 else ""
    if size == 0:
        return "$0"
    if size >= 1000:
        return f"{sign}${size:,.0f}"
    if size >= 0.1:
        return f"{sign}${size:,.2f}"
    places = min(8, 1 - math.floor(math.log10(size)))
    return f"{sign}${size:.{places}f}"


def count(value: int | None) -> str:
    """A whole number with separators."""
    return UNKNOWN if value is None else f"{value:,}"


def _signed(value: float, digits: int) -> str:
    shown = f"{abs(value):,.{digits}f}"
    return shown if value >= 0 or _is_zero(shown) else MINUS + shown


def _is_zero(shown: str) -> bool:
    return not shown.strip("0.,")
