"""Pages of records: filtered, newest first, complete however they are cut."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.errors import BadRequest
from pointsman.record.logs import LogFilter
from pointsman.vocabulary import Cost, Feedback


@pytest.fixture
def ledger(open_at: Any, ledger_url: str, make_record: Any) -> Any:
    ledger = open_at(ledger_url)
    for n in range(10):
        ledger.write(
            make_record(
                n,
                key_id="team" if n % 2 else None,
                tags=("a%", f"n{n}") if n < 5 else ("aX",),
                status="error" if n == 3 else "ok",
                session_id="s" if n in (1, 2) else None,
                simulated=n == 9,
                cost=Cost(None, "no price") if n == 4 else Cost(0.001),
            )
        )
    ledger.write_feedback(Feedback(make_record(5).request_id, datetime(2026, 11, 3, tzinfo=UTC), score=0.0))
    ledger.write_feedback(Feedback(make_record(5).request_id, datetime(2026, 11, 4, tzinfo=UTC), score=1.0))
    ledger.flush()
    return ledger


def numbers(page: Any) -> list[int]:
    return [int(record["request_id"].removeprefix("req_"), 16) for record in page.records]


def test_newest_first(ledger: Any) -> None:
    page = ledger.reader.logs()
    assert numbers(page) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert page.next_cursor is None


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9, 10, 11])
async def test_pages_cover_everything_once(ledger: Any, make_record: Any, limit: int) -> None:
    seen: list[int] = []
    cursor = None
    while True:
        page = await ledger.logs(limit=limit, cursor=cursor)
        seen += numbers(page)
        cursor = page.next_cursor
        if cursor is None:
            break
        ledger.write(make_record(100 + len(seen)))  # what comes in meanwhile does not shift the pages
        ledger.flush()
    assert seen == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_records_of_the_same_moment_are_all_paged(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger = open_at(ledger_url)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(5):
        ledger.write(make_record(n, created_at=moment))
    ledger.flush()
    first = ledger.reader.logs(limit=3)
    second = ledger.reader.logs(limit=3, cursor=first.next_cursor)
    assert numbers(first) + numbers(second) == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (LogFilter(status="error"), [3]),
        (LogFilter(key="team"), [9, 7, 5, 3, 1]),
        (LogFilter(session="s"), [2, 1]),
        (LogFilter(tag="a%"), [4, 3, 2, 1, 0]),
        (LogFilter(tag="n3"), [3]),
        (LogFilter(tag="n"), []),
        (LogFilter(model="nobody"), []),
        (LogFilter(model="cheap-model", tier="cheap", policy="auto", status="error"), [3]),
        (LogFilter(simulated=True), [9]),
        (LogFilter(since=datetime(2026, 11, 1, 0, 8, tzinfo=UTC)), [9, 8]),
        (LogFilter(until=datetime(2026, 11, 1, 0, 2, tzinfo=UTC)), [1, 0]),
        (LogFilter(status="' OR 1=1 --"), []),
    ],
)
def test_filters(ledger: Any, chosen: LogFilter, expected: list[int]) -> None:
    assert numbers(ledger.reader.logs(chosen)) == expected


def test_the_latest_feedback_stands_beside_its_record(ledger: Any) -> None:
    scores = {
        n: record["feedback_score"] for n, record in zip(range(9, -1, -1), ledger.reader.logs().records, strict=True)
    }
    assert scores[5] == 1.0
    assert scores[6] is None


@pytest.mark.parametrize("cursor", ["", "x", "2026-11-01T00:03:00.000000Z_", "2026-11-01T00:03:00.000000Z_x", "_1"])
def test_a_cursor_of_ones_own_is_refused(ledger: Any, cursor: str) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        ledger.reader.logs(cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_bounds_is_refused(ledger: Any, limit: int) -> None:
    with pytest.raises(BadRequest, match="limit"):
        ledger.reader.logs(limit=limit)
