"""Whole answers: what they say, what they cost, and bytes that stay as they were."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.vocabulary import Answer, Dialect, Usage
from pointsman.wire import CODECS, UnreadableAnswer

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES

CHAT_ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "refusal": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"model":"x"}'}},
                    {"id": "c2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0},
    },
    "system_fingerprint": "fp_1",
}

RESPONSES_ANSWER: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1767225600,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "gpt-5-2025-08-07",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "not the answer"}]},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Two calls.", "annotations": []}],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": '{"model":"x"}'},
        {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "time", "arguments": "{}"},
    ],
    "usage": {
        "input_tokens": 328,
        "input_tokens_details": {"cached_tokens": 128},
        "output_tokens": 52,
        "output_tokens_details": {"reasoning_tokens": 32},
        "total_tokens": 380,
    },
    "metadata": {"model": "keep"},
}

MESSAGES_ANSWER: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [
        {"type": "thinking", "thinking": "not the answer", "signature": "EqQB"},
        {"type": "text", "text": "Two calls."},
        {"type": "tool_use", "id": "t1", "name": "weather", "input": {"model": "keep"}},
        {"type": "tool_use", "id": "t2", "name": "time", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 50,
        "cache_creation_input_tokens": 248,
        "cache_read_input_tokens": 1800,
        "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
        "output_tokens": 503,
        "service_tier": "standard",
    },
}

ANSWERS = {CHAT: CHAT_ANSWER, RESPONSES: RESPONSES_ANSWER, MESSAGES: MESSAGES_ANSWER}


def read(dialect: Dialect, body: object) -> Answer:
    return CODECS[dialect].read_answer(orjson.dumps(body))


def test_a_chat_completion_is_read() -> None:
    assert read(CHAT, CHAT_ANSWER) == Answer(
        text="Let me look.",
        finish_reason="tool_calls",
        usage=Usage(2006, 300, cached_input_tokens=1920, reasoning_tokens=192),
        upstream_model="gpt-4o-2024-08-06",
        tool_calls=("weather", "time"),
        tool_inputs=('{"model":"x"}', "{}"),
    )


def test_a_response_is_read() -> None:
    assert read(RESPONSES, RESPONSES_ANSWER) == Answer(
        text="Two calls.",
        finish_reason="completed",
        usage=Usage(328, 52, cached_input_tokens=128, reasoning_tokens=32),
        upstream_model="gpt-5-2025-08-07",
        tool_calls=("weather", "time"),
        id="resp_1",
        tool_inputs=('{"model":"x"}', "{}"),
    )
    cut = {**RESPONSES_ANSWER, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert read(RESPONSES, cut).finish_reason == "max_output_tokens"
    failed = {**RESPONSES_ANSWER, "status": "failed", "error": {"code": "server_error", "message": "x"}}
    assert (read(RESPONSES, failed).finish_reason, read(RESPONSES, failed).complete) == ("failed", False)


def test_a_message_is_read_with_its_cached_tokens_counted_in() -> None:
    assert read(MESSAGES, MESSAGES_ANSWER) == Answer(
        text="Two calls.",
        finish_reason="tool_use",
        usage=Usage(50 + 248 + 1800, 503, cached_input_tokens=1800, cache_write_tokens=248, cache_write_1h_tokens=100),
        upstream_model="claude-haiku-4-5-20251001",
        tool_calls=("weather", "time"),
        tool_inputs=('{"model":"keep"}', "{}"),
    )


@pytest.mark.parametrize("dialect", Dialect)
def test_only_the_model_is_renamed(dialect: Dialect) -> None:
    answer = ANSWERS[dialect]
    for raw in (orjson.dumps(answer), orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)):
        renamed = CODECS[dialect].rename_model(raw, "cheap-one")
        assert renamed == raw.replace(answer["model"].encode(), b"cheap-one")
        assert orjson.loads(renamed) == {**answer, "model": "cheap-one"}


@pytest.mark.parametrize("dialect", Dialect)
def test_an_answer_without_a_model_stays_as_it_is(dialect: Dialect) -> None:
    raw = b' {"choices": [], "x": {"model": 1}} '
    assert CODECS[dialect].rename_model(raw, "m") == raw
    with pytest.raises(UnreadableAnswer):
        CODECS[dialect].rename_model(b"<html>", "m")


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"<html><body>SECRET</body></html>", "HTML"),
        (b'{"id":"x","SECRET', "not JSON"),
        (b'{"id":"\xff"}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"[1]", "not an object"),
        (b"{}", "without"),
        (b'{"object":"list","data":[]}', "without"),
        (
            b'{"error":{"message":"SECRET","type":"server_error","code":500}}',
            "error body under status 200: server_error",
        ),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"SECRET"}}', "overloaded_error"),
        (b'{"error":"SECRET"}', "no details"),
    ],
)
def test_what_is_no_answer_is_named_and_never_quoted(dialect: Dialect, raw: bytes, says: str) -> None:
    with pytest.raises(UnreadableAnswer, match=says) as caught:
        CODECS[dialect].read_answer(raw)
    assert "SECRET" not in str(caught.value)


def test_sparse_answers_are_still_answers() -> None:
    assert read(CHAT, {"choices": []}) == Answer("", None, None, None, complete=False)
    null = {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]}
    assert read(CHAT, null) == Answer("", "stop", None, None)
    refused = {"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]}
    assert read(CHAT, refused).text == "No."
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Yes."}]
    assert read(CHAT, {"choices": [{"message": {"content": parts}}]}).text == "Yes."
    assert read(RESPONSES, {"output": []}) == Answer("", None, None, None, complete=False)
    assert read(MESSAGES, {"content": None, "stop_reason": "end_turn"}) == Answer("", "end_turn", None, None)


@pytest.mark.parametrize(
    ("usage", "known"),
    [
        (None, None),
        ("many", None),
        ({}, None),
        ({"prompt_tokens": 5}, None),
        ({"prompt_tokens": "5", "completion_tokens": "7"}, None),
        ({"prompt_tokens": True, "completion_tokens": 7}, None),
        ({"prompt_tokens": 5, "completion_tokens": 7}, Usage(5, 7)),
        ({"prompt_tokens": 5.0, "completion_tokens": 7}, Usage(5, 7)),
        ({"prompt_tokens": -5, "completion_tokens": 7}, None),
        ({"prompt_tokens": 5, "completion_tokens": 10**18}, None),
        ({"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(5, 7, 5)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": "9"}}, Usage(5, 7)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": None}, Usage(5, 7)),
        ({"prompt_tokens": 9, "completion_tokens": 7, "prompt_cache_hit_tokens": 4}, Usage(9, 7, 4)),
    ],
)
def test_usage_that_makes_no_sense_is_clamped_or_unknown(usage: object, known: Usage | None) -> None:
    assert read(CHAT, {"choices": [], "usage": usage}).usage == known


@pytest.mark.parametrize(
    ("usage", "known"),
    [
        ({"input_tokens": 5, "output_tokens": 7}, Usage(5, 7)),
        ({"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": None}, Usage(5, 7)),
        ({"input_tokens": -5, "output_tokens": 7, "cache_read_input_tokens": 2}, None),
        ({"input_tokens": "5", "output_tokens": 7}, None),
        ([], None),
    ],
)
def test_anthropic_usage_that_makes_no_sense_is_clamped_or_unknown(usage: object, known: Usage | None) -> None:
    assert read(MESSAGES, {"content": [], "usage": usage}).usage == known


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "content", "type", "text", "tool_calls", "function", "name", "finish_reason"]),
            inner,
        )
    ),
    max_leaves=10,
)
FIELDS = [
    "choices",
    "output",
    "content",
    "usage",
    "model",
    "status",
    "stop_reason",
    "incomplete_details",
    "error",
    "type",
]


@given(st.sampled_from(Dialect), st.dictionaries(st.sampled_from(FIELDS), json_values | st.lists(json_values)))
def test_any_json_is_read_or_unreadable(dialect: Dialect, body: dict[str, Any]) -> None:
    raw = orjson.dumps(body)
    codec = CODECS[dialect]
    try:
        answer = codec.read_answer(raw)
    except UnreadableAnswer:
        pass
    else:
        assert isinstance(answer.text, str)
    if "model" in orjson.loads(raw):
        assert orjson.loads(codec.rename_model(raw, "new")) == {**orjson.loads(raw), "model": "new"}


@given(st.sampled_from(Dialect), st.binary(max_size=40))
def test_any_bytes_are_read_or_unreadable(dialect: Dialect, raw: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        CODECS[dialect].read_answer(raw)
