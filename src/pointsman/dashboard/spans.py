"""The span of time that a page shows: whole hours, so that sums by hour give it exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pointsman.errors import BadRequest

CHOICES = {"24h": (timedelta(hours=24), "24 hours"), "7d": (timedelta(days=7), "7 days")} | {
    f"{n}d": (timedelta(days=n), f"{n} days") for n in (30, 90)
}
DEFAULT = "24h"
MAX_DAYS = 1100
HOURLY_UP_TO = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Span:
    """Attributes:
    name: one of `CHOICES`; None for dates of one's own.
    since: the first hour.
    until: the first one that is left out; None up to now.
    end: until when there may be records.
    """

    name: str | None
    since: datetime
    until: datetime | None
    end: datetime

    @property
    def fields(self) -> dict[str, str]:
        """The query that leads to it."""
        if self.name is not None:
            return {"span": self.name}
        last = self.end - timedelta(days=1)
        return {"from": f"{self.since:%Y-%m-%d}", "to": f"{last:%Y-%m-%d}"}

    @property
    def words(self) -> str:
        """In words: "the last 7 days", "2026-11-01 to 2026-11-08"."""
        if self.name is not None:
            return f"the last {CHOICES[self.name][1]}"
        return f"{self.since:%Y-%m-%d} to {self.end - timedelta(days=1):%Y-%m-%d}"

    @property
    def by_hour(self) -> bool:
        """True when hours are few enough to be drawn; else days are."""
        return self.end - self.since <= HOURLY_UP_TO

    def steps(self) -> tuple[str, ...]:
        """Every hour ("2026-11-23T21") or day ("2026-11-23") in it."""
        step = timedelta(hours=1) if self.by_hour else timedelta(days=1)
        form = "%Y-%m-%dT%H" if self.by_hour else "%Y-%m-%d"
        at = self.since if self.by_hour else self.since.replace(hour=0)
        out = []
        while at < self.end:
            out.append(f"{at:{form}}")
            at += step
        return tuple(out)


def span_of(query: Mapping[str, str], now: datetime) -> Span:
    """The span that a query asks for; that of `DEFAULT` when it asks for none.

    Raises:
        BadRequest: it cannot be read, ends before it begins, or is too long.
    """
    first, last = query.get("from"), query.get("to")
    if first or last:
        since = _day(first, "from") if first else _day(last, "to") - timedelta(days=6)
        end = (_day(last, "to") if last else now.replace(hour=0, minute=0, second=0, microsecond=0)) + timedelta(days=1)
        if not since < end <= since + timedelta(days=MAX_DAYS):
            raise BadRequest(f"the span of time must have at least one day and at most {MAX_DAYS}")
        return Span(None, since, end, end)
    name = query.get("span") or DEFAULT
    if name not in CHOICES:
        raise BadRequest(f"the span of time is one of {', '.join(CHOICES)}")
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    end = this_hour + timedelta(hours=1)
    return Span(name, end - CHOICES[name][0], None, end)


def _day(text: str | None, name: str) -> datetime:
    try:
        return datetime.strptime("" if text is None else text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadRequest(f"{name} is a day such as 2026-11-25") from None
