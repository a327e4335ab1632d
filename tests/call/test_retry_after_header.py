"""Waiting times as upstreams write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.call.retry_after import MAX_RETRY_AFTER_S, retry_after_s

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "1"}, 1.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after": "99999999"}, 3600.0),
        ({"retry-after": "Sun, 01 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 01 Nov 2026 13:00:30 +0100"}, 30.0),
        ({"retry-after": "Sun, 01 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Sun, 01 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 01 Nov 2027 11:00:00 GMT"}, 3600.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "junk", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "-5", "retry-after": "9"}, 9.0),
    ],
)
def test_by_hand(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers, NOON) == expected


@given(st.text(), st.text())
def test_anything_gives_nothing_or_a_bounded_time(seconds: str, milliseconds: str) -> None:
    wait_s = retry_after_s({"retry-after": seconds, "retry-after-ms": milliseconds}, NOON)
    assert wait_s is None or 0 <= wait_s <= MAX_RETRY_AFTER_S
