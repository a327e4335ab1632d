"""A record becomes rows and JSON: by hand first, then for any record at all."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.record.json_form import record_json
from pointsman.record.rows import MAX_TEXT_CHARS, clean, feedback_rows, rows_of, time_text
from pointsman.vocabulary import (
    Attempt,
    AttemptStatus,
    Contribution,
    Cost,
    Decision,
    Dialect,
    Feedback,
    JSONObject,
    Record,
    TaskKind,
    Usage,
    Verdict,
)


def as_json(record: Record) -> JSONObject:
    rows = rows_of(record)
    return record_json(rows.records[0], rows.attempts, rows.verdicts, [])


def test_a_record_by_hand(make_record: Any) -> None:
    out = as_json(make_record(3, tags=("a", "ü"), key_id="team", stream=True))
    assert out["request_id"] == "req_00000000000000000000000000000003"
    assert out["created_at"] == "2026-11-01T00:03:00.000000Z"
    assert (out["model"], out["tier"], out["policy"], out["policy_kind"]) == (
        "cheap-model",
        "cheap",
        "auto",
        "threshold",
    )
    assert (out["cost_usd"], out["baseline_cost_usd"]) == (0.001, 0.010)
    assert out["saved_usd"] == pytest.approx(0.009)
    assert out["usage"] == {
        "input_tokens": 300,
        "output_tokens": 100,
        "cached_input_tokens": 50,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "estimated": False,
    }
    assert (out["tags"], out["key_id"], out["stream"], out["simulated"]) == (["a", "ü"], "team", True, False)
    assert out["decision"]["alternatives"][0]["model"] == "strong-model"
    assert [attempt["status"] for attempt in out["attempts"]] == ["ok"]


def test_verdicts_stand_with_the_attempt_they_are_of(make_record: Any) -> None:
    usage = Usage(300, 100)
    unsure = Verdict(0.4, False, "free checks", "token probability", latency_ms=0.2)
    asked = Verdict(math.nan, False, "large", "the judge took more than 2 s", Cost(None, "no answer"), 2000.0)
    weak = Attempt(
        "weak", "cheap", AttemptStatus.ESCALATED, 200, None, usage, Cost(0.001), 9.0, 40.0, verdicts=(unsure, asked)
    )
    strong = Attempt("strong", "strong", AttemptStatus.OK, 200, None, usage, Cost(0.01), 9.0, 90.0)
    out = as_json(make_record(1, attempts=(weak, strong)))
    assert [attempt["status"] for attempt in out["attempts"]] == ["escalated", "ok"]
    assert out["attempts"][1]["verdicts"] == []
    assert out["attempts"][0]["verdicts"] == [
        {
            "judge": "free checks",
            "p_good": 0.4,
            "reason": "token probability",
            "cost_usd": 0.0,
            "cost_reason": None,
            "latency_ms": 0.2,
            "accepted": False,
        },
        {
            "judge": "large",
            "p_good": None,
            "reason": "the judge took more than 2 s",
            "cost_usd": None,
            "cost_reason": "no answer",
            "latency_ms": 2000.0,
            "accepted": False,
        },
    ]


def test_the_stored_decision_has_the_shape_of_the_decision_itself(make_record: Any) -> None:
    record = make_record()
    assert as_json(record)["decision"] == orjson.loads(orjson.dumps(record.decision.to_json()))


def test_an_unknown_cost_is_null_with_its_reason_and_never_zero(make_record: Any) -> None:
    out = as_json(make_record(cost=Cost(None, "no price is known")))
    assert (out["cost_usd"], out["cost_reason"], out["saved_usd"]) == (None, "no price is known", None)


def test_the_model_is_the_one_that_served_after_a_fallback(make_record: Any) -> None:
    served = Attempt("spare", "strong", AttemptStatus.OK, 200, None, None, Cost(0.0), 1.0, 2.0)
    failed = Attempt("cheap-model", "cheap", AttemptStatus.ERROR, 503, "upstream_error", None, Cost(None), None, 9.0)
    out = as_json(make_record(attempts=(failed, served)))
    assert (out["model"], out["tier"]) == ("spare", "strong")
    assert out["decision"]["model"] == "cheap-model"
    assert [(attempt["model"], attempt["error"]) for attempt in out["attempts"]] == [
        ("cheap-model", "upstream_error"),
        ("spare", None),
    ]


def test_a_request_that_was_never_decided_has_a_record_too(make_record: Any) -> None:
    out = as_json(make_record(decision=None, attempts=(), usage=None, dialect=None, status="error", error="x"))
    assert (out["model"], out["tier"], out["decision"], out["usage"], out["attempts"]) == (None, None, None, None, [])


def test_nul_and_lone_surrogates_become_replacement_characters() -> None:
    assert clean("a\x00b") == "a�b"
    assert clean("a\ud800b") == "a�b"
    assert clean("\U0001f600 é") == "\U0001f600 é"


def test_long_text_is_cut() -> None:
    assert len(clean("x" * (MAX_TEXT_CHARS + 1))) == MAX_TEXT_CHARS


def test_prompts_become_rows_only_when_told(make_record: Any) -> None:
    record = make_record(prompt_json=b"{}", answer_text="hi\x00")
    assert rows_of(record).prompts == []
    assert rows_of(record, store_prompts=True).prompts == [
        {"request_id": record.request_id, "body": b"{}", "answer": "hi�"}
    ]


def test_times_are_utc_and_of_one_width() -> None:
    berlin = timezone(timedelta(hours=1))
    assert time_text(datetime(2026, 1, 1, 0, 30, tzinfo=berlin)) == "2025-12-31T23:30:00.000000Z"
    assert time_text(datetime(2026, 1, 1)) == "2026-01-01T00:00:00.000000Z"


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_times_sort_as_their_text(one: datetime, other: datetime) -> None:
    assert (one < other) == (time_text(one) < time_text(other))
    assert len(time_text(one)) == 27


def test_feedback_has_an_id_of_its_own_each_time() -> None:
    said = Feedback("req_1", datetime(2026, 1, 1, tzinfo=UTC), score=1.0)
    assert feedback_rows(said).feedback[0]["feedback_id"] != feedback_rows(said).feedback[0]["feedback_id"]


# ------------------------------------------------------------ any record

texts = st.text(max_size=30) | st.text(alphabet=st.characters(), max_size=5)  # lone surrogates and NUL included
numbers = st.floats()
integers = st.integers(min_value=-(2**70), max_value=2**70)
costs = st.builds(Cost, st.none() | numbers, st.none() | texts)
usages = st.builds(Usage, integers, integers, integers, integers, integers, st.booleans(), integers)
verdicts = st.builds(
    Verdict, p_good=numbers, accepted=st.booleans(), judge=texts, reason=texts, cost=costs, latency_ms=numbers
)
attempts = st.builds(
    Attempt,
    texts,
    st.none() | texts,
    st.sampled_from(AttemptStatus),
    st.none() | integers,
    st.none() | texts,
    st.none() | usages,
    costs,
    st.none() | numbers,
    numbers,
    verdicts=st.lists(verdicts, max_size=2).map(tuple),
)
decisions = st.builds(
    Decision,
    request_id=texts,
    model=texts,
    tier=st.none() | texts,
    policy=texts,
    policy_kind=texts,
    reason=texts,
    reason_code=texts,
    p_cheap=st.none() | numbers,
    task_kind=st.none() | st.sampled_from(TaskKind),
    moved=st.lists(st.builds(Contribution, texts, numbers, numbers, texts), max_size=2).map(tuple),
    fallbacks=st.lists(texts, max_size=2).map(tuple),
    estimated_cost_usd=st.none() | numbers,
)
any_record = st.builds(
    Record,
    request_id=texts,
    created_at=st.datetimes(timezones=st.none() | st.just(UTC)),
    endpoint=texts,
    dialect=st.none() | st.sampled_from(Dialect),
    requested_model=texts,
    status=texts,
    http_status=st.none() | integers,
    decision=st.none() | decisions,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    usage=st.none() | usages,
    cost=costs,
    baseline_model=st.none() | texts,
    baseline_cost=costs,
    router_cost_usd=numbers,
    judge_cost_usd=numbers,
    session_id=st.none() | texts,
    key_id=st.none() | texts,
    tags=st.lists(texts, max_size=3).map(tuple),
    decide_ms=st.none() | numbers,
    first_byte_ms=st.none() | numbers,
    total_ms=st.none() | numbers,
    error=st.none() | texts,
)


@settings(deadline=None)
@given(any_record)
def test_any_record_becomes_json_that_utf8_and_json_can_hold(record: Record) -> None:
    out = as_json(record)
    assert orjson.loads(orjson.dumps(out)) == out


@settings(deadline=None)
@given(any_record)
def test_known_figures_survive_and_unknown_ones_stay_unknown(record: Record) -> None:
    out = as_json(record)
    finite = record.cost.usd is not None and math.isfinite(record.cost.usd)
    assert out["cost_usd"] == (record.cost.usd if finite else None)
    assert (out["cost_usd"] is None) == (out["cost_reason"] is not None)
    assert out["request_id"] == clean(record.request_id)
    assert out["tags"] == [clean(tag) for tag in record.tags]
    assert len(out["attempts"]) == len(record.attempts)
    assert (out["decision"] is None) == (record.decision is None)
    if record.usage is not None and abs(record.usage.input_tokens) < 2**63:
        assert out["usage"]["input_tokens"] == record.usage.input_tokens
