"""Days and months in UTC: when a budget begins anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Window(StrEnum):
    """How long a budget lasts."""

    DAY = "day"
    MONTH = "month"


def window_start(window: Window, now: datetime) -> datetime:
    """The midnight, UTC, with which the day or month of this moment began."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if window is Window.DAY else day.replace(day=1)


def window_end(window: Window, now: datetime) -> datetime:
    """The midnight, UTC, with which it will end."""
    start = window_start(window, now)
    if window is Window.DAY:
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)
