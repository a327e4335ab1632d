"""A key as somebody asks for it, in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pointsman.errors import BadRequest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SPAN = re.compile(r"([0-9]{1,6})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def checked_name(name: str, *, what: str) -> str:
    """The name, when a key may bear it.

    Args:
        what: what the message calls it, such as "--name".

    Raises:
        BadRequest: it may not.
    """
    if _NAME.fullmatch(name) is None:
        raise BadRequest(f"{what} is {name[:80]!r}; expected letters, digits and . _ -, at most 64")
    return name


def expiry(text: str, now: datetime, *, what: str) -> datetime:
    """The time that "30d" (from now) or a UTC date or time stands for.

    Args:
        what: what the message calls it.

    Raises:
        BadRequest: it is neither, or lies in the past.
    """
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is not None:
            found = now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        else:
            found = datetime.fromisoformat(text.strip())
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{what} is {text[:40]!r}; expected a span such as 12h, 30d or 8w, or a time such as 2027-01-31"
        ) from None
    if found <= now:
        raise BadRequest(f"{what} is {text[:40]!r}, which is over already")
    return found
