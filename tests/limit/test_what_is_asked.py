"""The end of a key, as a command or a page gives it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pointsman.errors import BadRequest
from pointsman.limit.asked import expiry

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("36h", datetime(2026, 11, 26, 16, tzinfo=UTC)),
        ("2w", datetime(2026, 12, 9, 4, tzinfo=UTC)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T01:00+02:00", datetime(2027, 1, 30, 23, tzinfo=UTC)),
    ],
)
def test_spans_and_times(text: str, expected: datetime) -> None:
    assert expiry(text, NOW, what="the end") == expected


@pytest.mark.parametrize("text", ["soon", "2020-01-01", "999999999d", ""])
def test_what_is_no_time_to_come_is_told(text: str) -> None:
    with pytest.raises(BadRequest, match="the end is"):
        expiry(text, NOW, what="the end")
