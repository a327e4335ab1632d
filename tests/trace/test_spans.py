"""Spans of a record, against figures worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pointsman.errors import ConfigError
from pointsman.trace import open_traces, spans_of
from pointsman.vocabulary import (
    Attempt,
    AttemptStatus,
    Cost,
    Decision,
    Dialect,
    Endpoint,
    Model,
    Record,
    Usage,
    Verdict,
)

MODELS = {
    name: Model(name, provider, f"{name}-2026", {Dialect.OPENAI_CHAT: Endpoint("http://127.0.0.1/")})
    for name, provider in (("small", "openai"), ("large", "gemini"))
}
DECISION = Decision(
    "req_1", "small", "cheap", "auto", "cascade", "small first", "escalated", p_cheap=0.4, decide_ms=2.0
)
JUDGED = Attempt(
    "small",
    "cheap",
    AttemptStatus.ESCALATED,
    200,
    None,
    Usage(10, 20, cached_input_tokens=4),
    Cost(0.001),
    30.0,
    100.0,
    verdicts=(
        Verdict(0.3, False, "free", "short"),
        Verdict(math.nan, False, "asked", "failed", Cost(0.002), latency_ms=25.0),
    ),
    started_ms=5.0,
)
FAILED = Attempt(
    "large",
    "strong",
    AttemptStatus.ERROR,
    503,
    "upstream_error",
    None,
    Cost(None, "none"),
    None,
    40.0,
    started_ms=106.0,
)
SERVED = Attempt(
    "large", "strong", AttemptStatus.OK, 200, None, Usage(10, 30), Cost(0.01), 50.0, 200.0, started_ms=150.0
)
RECORD = Record(
    request_id="req_1",
    created_at=datetime(2026, 11, 25, tzinfo=UTC),
    endpoint="/v1/chat/completions",
    dialect=Dialect.OPENAI_CHAT,
    requested_model="auto",
    status="ok",
    http_status=200,
    decision=DECISION,
    attempts=(JUDGED, FAILED, SERVED),
    usage=SERVED.usage,
    cost=Cost(0.011),
    baseline_model="large",
    baseline_cost=Cost(0.02),
    judge_cost_usd=0.002,
    session_id="canary-session",
    key_id="canary-key",
    tags=("canary-tag",),
    decide_ms=2.0,
    first_byte_ms=170.0,
    total_ms=350.0,
    prompt_json=b"canary-prompt",
    answer_text="canary-answer",
)


def test_a_request_spans_its_decision_its_attempts_and_their_judging() -> None:
    root = spans_of(RECORD, MODELS)
    assert (root.name, root.is_client, root.begin_ms, root.end_ms, root.error) == (
        "chat large",
        False,
        -2.0,
        350.0,
        None,
    )
    assert [(each.name, each.is_client, each.begin_ms, each.end_ms, each.error) for each in root.children] == [
        ("decide", False, -2.0, 0.0, None),
        ("chat small", True, 5.0, 105.0, None),
        ("chat large", True, 106.0, 146.0, "upstream_error"),
        ("chat large", True, 150.0, 350.0, None),
    ]
    assert [(each.name, each.begin_ms, each.end_ms) for each in root.children[1].children] == [
        ("judge free", 80.0, 80.0),
        ("judge asked", 80.0, 105.0),
    ]


def test_attributes_are_those_of_the_conventions() -> None:
    root = spans_of(RECORD, MODELS)
    assert root.attributes["gen_ai.operation.name"] == "chat"
    assert (root.attributes["gen_ai.request.model"], root.attributes["gen_ai.response.model"]) == ("auto", "large")
    assert root.attributes["pointsman.saved_usd"] == pytest.approx(0.02 - 0.011 - 0.002)
    small, _, large = root.children[1:]
    assert (small.attributes["gen_ai.provider.name"], large.attributes["gen_ai.provider.name"]) == (
        "openai",
        "gcp.gemini",
    )
    assert small.attributes["gen_ai.request.model"] == "small-2026"
    assert small.attributes["gen_ai.usage.cache_read.input_tokens"] == 4
    assert large.attributes["gen_ai.usage.output_tokens"] == 30
    assert large.attributes["gen_ai.response.time_to_first_chunk"] == 0.05
    free, asked = small.children
    assert free.attributes["gen_ai.evaluation.score.value"] == 0.3
    assert "gen_ai.evaluation.score.value" not in asked.attributes, "a judge that failed gave no score"


def test_nothing_that_anybody_said_and_nobody_s_name_is_told() -> None:
    told = repr(spans_of(RECORD, MODELS))
    assert "canary" not in told


def test_what_a_client_wrote_as_model_is_told_only_once_it_was_a_configured_name() -> None:
    refused = replace(
        RECORD, decision=None, attempts=(), requested_model="canary-model", status="error", error="unknown"
    )
    root = spans_of(refused, MODELS)
    assert "canary" not in repr(root)
    assert (root.name, root.error, root.children) == ("chat", "unknown", ())


def test_without_the_extra_the_configuration_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "pointsman.trace.collector", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r"pointsman\[otel\]"):
        open_traces("http://127.0.0.1:4318/v1/traces")
