"""Numbers, times and spans as pages write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pointsman.dashboard import words
from pointsman.dashboard.bars import bars
from pointsman.dashboard.sessions import LIFETIME_S, MAX_ENDED, Sessions
from pointsman.dashboard.spans import span_of
from pointsman.errors import BadRequest
from pointsman.record.sums import Sums

NOW = datetime(2026, 11, 25, 7, 42, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "not known"),
        (float("nan"), "not known"),
        (0.0, "$0"),
        (-1e-15, "$0"),
        (0.0123, "$0.0123"),
        (0.000662, "$0.000662"),
        (-0.5, "−$0.500"),
        (12.345, "$12.35"),
        (1234.5, "$1,234"),
    ],
)
def test_dollars(amount: float | None, text: str) -> None:
    assert words.usd(amount) == text


def test_shares_and_differences() -> None:
    assert words.percent(0.1234) == "12.3 %"
    assert words.percent(-0.00001) == "0.0 %"
    assert words.percent(None) == "not known"
    assert (words.points(0.007), words.points(-0.007)) == ("+0.70", "−0.70")
    assert (words.lost(-0.007), words.lost(0.007), words.lost(0.0)) == ("0.70", "−0.70", "0.00")
    assert (words.ms(0.42), words.ms(12.4), words.ms(3400.0)) == ("0.42 ms", "12 ms", "3.4 s")
    assert [words.ago(each) for each in (5, 60, 7300, 86_400 * 3)] == [
        "less than a minute",
        "1 minute",
        "2 hours",
        "3 days",
    ]


def test_times_are_escaped() -> None:
    assert words.moment("<b>") == '<time datetime="&lt;b&gt;">&lt;b&gt;</time>'
    assert words.moment(NOW) == '<time datetime="2026-11-25T07:42:13Z">2026-11-25 07:42:13</time>'


def test_spans_are_whole_hours_or_days() -> None:
    day = span_of({}, NOW)
    assert (day.since, day.until, day.by_hour) == (datetime(2026, 11, 24, 8, tzinfo=UTC), None, True)
    assert (len(day.steps()), day.steps()[0], day.steps()[-1]) == (24, "2026-11-24T08", "2026-11-25T07")
    month = span_of({"span": "30d"}, NOW)
    assert (month.steps()[0], month.steps()[-1]) == ("2026-10-26", "2026-11-25")
    own = span_of({"from": "2026-11-01", "to": "2026-11-03"}, NOW)
    assert (own.steps(), own.until) == (("2026-11-01", "2026-11-02", "2026-11-03"), datetime(2026, 11, 4, tzinfo=UTC))
    assert own.fields == {"from": "2026-11-01", "to": "2026-11-03"}
    assert own.words == "2026-11-01 to 2026-11-03"


@pytest.mark.parametrize(
    "query",
    [
        {"span": "1y"},
        {"from": "x"},
        {"from": "2026-11-05", "to": "2026-11-01"},
        {"from": "1999-01-01", "to": "2026-11-01"},
    ],
)
def test_spans_that_cannot_be_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        span_of(query, NOW)


def test_bars_stand_on_one_scale() -> None:
    found = bars(("a", "b"), {"a": Sums(n_requests=1, spent_usd=3.0, baseline_usd=5.5, saved_usd=2.5)})
    assert found.top_usd == 6.0
    assert [(bar.spent, bar.saved) for bar in found.bars] == [(pytest.approx(50.0), pytest.approx(250 / 6)), (0.0, 0.0)]
    assert bars(("a",), {}).top_usd == 0.0


def test_a_session_ends_with_its_time_with_its_key_and_when_it_is_ended() -> None:
    sessions, now_s = Sessions(secret=b"s"), 1_000_000.0
    cookie = sessions.begin(b"key", now_s)
    assert sessions.holds(cookie, b"key", now_s + LIFETIME_S - 1)
    assert not sessions.holds(cookie, b"key", now_s + LIFETIME_S)
    assert not sessions.holds(cookie, b"another key", now_s)
    # In another replica it holds as well.
    assert Sessions(secret=b"other").holds(cookie, b"key", now_s)
    later = f"{int(now_s) + 10 * LIFETIME_S}.{cookie.partition('.')[2]}"
    for forged in (later, cookie + "0", "", "..", "é.é.é", cookie.upper()):
        assert not sessions.holds(forged, b"key", now_s)
    token = sessions.form_token(cookie, b"key")
    assert sessions.is_form_token(token, cookie, b"key")
    assert not sessions.is_form_token(token, sessions.begin(b"key", now_s), b"key")
    assert not sessions.is_form_token(token, None, None)
    sessions.end(cookie)
    assert not sessions.holds(cookie, b"key", now_s)
    for number in range(MAX_ENDED):
        sessions.end(str(number))
    assert sessions.holds(cookie, b"key", now_s), "the oldest is forgotten: the list has a bound"
