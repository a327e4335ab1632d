"""What routing reads from requests of each dialect, and what it refuses."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect, Request, Role, Turn
from pointsman.wire import build_request, dialect_of, endpoint_of, read_request

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES
PNG = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def read(dialect: Dialect, **body: Any) -> Request:
    return read_request(dialect, orjson.dumps({"model": "auto", **body}))


def test_a_chat_conversation_with_parallel_tools_images_and_a_schema() -> None:
    request = read(
        CHAT,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Compare these."},
                    {"type": "image_url", "image_url": {"url": PNG}},
                    {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                    {"type": "text", "text": "Then the weather."},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bonn"}'}},
                    {"id": "c2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "12 °C"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "noon"}]},
            {"role": "user", "content": "And tomorrow?"},
        ],
        tools=[
            {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}},
            {"type": "function", "function": {"name": "time"}},
        ],
        tool_choice="required",
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        max_tokens=100,
        max_completion_tokens=200,
        stream=True,
        stream_options={"include_usage": True},
    )
    assert request.turns == (
        Turn(Role.SYSTEM, "Be brief."),
        Turn(Role.USER, "Compare these.\nThen the weather.", n_images=2),
        Turn(Role.ASSISTANT, "", tool_calls=("weather", "time")),
        Turn(Role.TOOL, "12 °C"),
        Turn(Role.TOOL, "noon"),
        Turn(Role.USER, "And tomorrow?"),
    )
    assert request.tools == ("weather", "time")
    assert request.forces_tool
    assert request.json_output
    assert request.json_schema
    assert request.max_output_tokens == 200
    assert request.stream
    assert request.wants_stream_usage
    assert request.n_images == 2
    assert request.last_user_text == "And tomorrow?"
    assert request.n_prompt_tokens < 6
    assert request.endpoint == "/v1/chat/completions"
    assert request.tools_in_use


def test_the_same_conversation_in_responses() -> None:
    request = read(
        RESPONSES,
        instructions="Be brief.",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Compare these."},
                    {"type": "input_image", "image_url": PNG},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Bonn"}'},
            {"type": "function_call", "call_id": "c2", "name": "time", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "12 °C"},
            {
                "type": "function_call_output",
                "call_id": "c2",
                "output": [{"type": "input_text", "text": "noon"}, {"type": "input_image", "image_url": PNG}],
            },
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "12 °C at noon."}]},
            {"type": "message", "role": "user", "content": "And tomorrow?"},
        ],
        tools=[
            {"type": "function", "name": "weather", "parameters": SCHEMA},
            {"type": "web_search"},
            {"type": "namespace", "name": "mcp__files", "tools": [{"type": "function", "name": "read"}]},
        ],
        text={"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}},
        tool_choice={"type": "function", "name": "weather"},
        max_output_tokens=300,
    )
    assert request.turns == (
        Turn(Role.SYSTEM, "Be brief."),
        Turn(Role.USER, "Compare these.", n_images=1),
        Turn(Role.ASSISTANT, "", tool_calls=("weather", "time")),
        Turn(Role.TOOL, "12 °C"),
        Turn(Role.TOOL, "noon", n_images=1),
        Turn(Role.ASSISTANT, "12 °C at noon."),
        Turn(Role.USER, "And tomorrow?"),
    )
    assert request.tools == ("weather", "web_search", "mcp__files")
    assert request.forces_tool
    assert request.json_schema
    assert request.max_output_tokens == 300
    assert not request.stream
    assert request.n_images == 2


def test_the_same_conversation_in_messages() -> None:
    request = read(
        MESSAGES,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Compare these."},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Two calls.", "signature": "EqQB"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Bonn"}},
                    {"type": "tool_use", "id": "t2", "name": "time", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "12 °C"},
                    {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "noon"}]},
                    {"type": "text", "text": "And tomorrow?"},
                ],
            },
            {"role": "system", "content": "A reminder in mid-conversation, as Claude Code sends it."},
        ],
        tools=[
            {"name": "weather", "input_schema": SCHEMA},
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "bash_20250124"},
        ],
        tool_choice={"type": "any"},
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        max_tokens=400,
        stream=True,
        thinking={"type": "adaptive"},
        context_management={"edits": []},
    )
    assert request.turns == (
        Turn(Role.SYSTEM, "Be brief."),
        Turn(Role.USER, "Compare these.", n_images=1),
        Turn(Role.ASSISTANT, "Let me look.", tool_calls=("weather", "time")),
        Turn(Role.TOOL, "12 °C"),
        Turn(Role.TOOL, "noon"),
        Turn(Role.USER, "And tomorrow?"),
        Turn(Role.SYSTEM, "A reminder in mid-conversation, as Claude Code sends it."),
    )
    assert request.tools == ("weather", "web_search", "bash_20250124")
    assert request.forces_tool
    assert request.json_schema
    assert request.max_output_tokens == 400
    assert request.stream
    assert request.n_prompt_tokens < 6


def test_a_user_message_of_tool_results_only_is_no_user_turn() -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "12 °C"}
    request = read(MESSAGES, messages=[{"role": "user", "content": "Hi"}, {"role": "user", "content": [result]}])
    assert [turn.role for turn in request.turns] == [Role.USER, Role.TOOL]
    assert request.n_user_turns == 1


def test_what_is_unknown_passes() -> None:
    chat = read(
        CHAT,
        messages=[
            {
                "role": "critic",
                "content": [{"type": "hologram", "beam": 1}, {"type": "x", "text": "read me"}],
                "mood": 1,
            },
            {"role": "assistant", "content": "ok", "reasoning_content": "…"},
        ],
        tools=[{"type": "mind_reading"}, {"no": "name"}],
        new_field={"a": [1]},
    )
    assert chat.turns[0] == Turn(Role.USER, "read me")
    assert chat.tools == ("mind_reading", "unnamed")
    codex = read(
        RESPONSES,
        input=[
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "late"}]},
            {"type": "compaction", "encrypted_content": "x"},
            {"type": "local_shell_call", "call_id": "1", "action": {"command": ["ls"]}},
            {
                "type": "computer_call_output",
                "call_id": "2",
                "output": {"type": "computer_screenshot", "image_url": PNG},
            },
        ],
    )
    assert codex.tools == ("late",)
    assert codex.turns == (Turn(Role.ASSISTANT, "", tool_calls=("local_shell_call",)), Turn(Role.TOOL, "", n_images=1))


def test_nulls_are_as_good_as_absent() -> None:
    request = read(
        CHAT, messages=[{"role": "user"}], stream=None, max_tokens=None, n=None, tools=None, stream_options=None
    )
    assert (request.stream, request.max_output_tokens, request.tools) == (False, None, ())
    assert request.turns == (Turn(Role.USER, ""),)


def test_responses_may_leave_input_out_when_the_provider_has_it() -> None:
    assert read(RESPONSES, previous_response_id="resp_1").turns == ()
    assert read(RESPONSES, prompt={"id": "pmpt_1"}).turns == ()


@pytest.mark.parametrize(
    ("choice", "forces"),
    [
        ("auto", False),
        ("none", False),
        ("required", True),
        ({"type": "function", "function": {"name": "f"}}, True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, False),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, True),
    ],
)
def test_which_tool_choices_force_a_tool(choice: object, forces: bool) -> None:
    assert read(CHAT, messages=[{"role": "user", "content": "x"}], tool_choice=choice).forces_tool is forces


@pytest.mark.parametrize(
    ("dialect", "raw", "says", "param"),
    [
        (CHAT, b"", "empty", None),
        (CHAT, b" \r\n", "empty", None),
        (CHAT, b"hello", "not valid JSON", None),
        (CHAT, b'{"model":"auto"', "not valid JSON", None),
        (CHAT, b'{"model":"\xff"}', "not valid JSON in UTF-8", None),
        (CHAT, b'{"model":"\\ud800"}', "not valid JSON", None),
        (CHAT, b'{"model":"a","x":NaN}', "not valid JSON", None),
        (CHAT, b'\xef\xbb\xbf{"model":"a"}', "not valid JSON", None),
        (CHAT, b'["model"]', "must be a JSON object", None),
        (CHAT, b"{}", "model is missing", "model"),
        (CHAT, b'{"model":7}', "model must be a string", "model"),
        (CHAT, b'{"model":""}', "model must not be empty", "model"),
        (CHAT, b'{"model":"' + b"x" * 257 + b'"}', "at most 256", "model"),
        (CHAT, b'{"model":"a"}', "messages is missing", "messages"),
        (CHAT, b'{"model":"a","messages":{}}', "must be a list", "messages"),
        (MESSAGES, b'{"model":"a","messages":[]}', "must not be empty", "messages"),
        (CHAT, b'{"model":"a","messages":["SECRET"]}', "must be an object", "messages[0]"),
        (CHAT, b'{"model":"a","messages":[{"content":"SECRET"}]}', "must be a string", "messages[0].role"),
        (CHAT, b'{"model":"a","messages":[{"role":"user","content":7}]}', "a string or a list", "messages[0].content"),
        (MESSAGES, b'{"model":"a","messages":[{"role":"user","content":[7]}]}', "an object", "messages[0].content[0]"),
        (
            MESSAGES,
            b'{"model":"a","system":7,"messages":[{"role":"user","content":"x"}]}',
            "a string or a list",
            "system",
        ),
        (RESPONSES, b'{"model":"a"}', "input is missing", "input"),
        (RESPONSES, b'{"model":"a","input":""}', "input must not be empty", "input"),
        (RESPONSES, b'{"model":"a","input":[]}', "input must not be empty", "input"),
        (RESPONSES, b'{"model":"a","input":7}', "a string or a list of items", "input"),
        (RESPONSES, b'{"model":"a","input":["SECRET"]}', "must be an object", "input[0]"),
        (RESPONSES, b'{"model":"a","input":[{"content":"SECRET"}]}', "a type or a role", "input[0].type"),
    ],
)
def test_a_bad_body_is_refused_by_name_and_never_quoted(
    dialect: Dialect, raw: bytes, says: str, param: str | None
) -> None:
    with pytest.raises(BadRequest) as caught:
        read_request(dialect, raw)
    assert says in caught.value.message
    assert "SECRET" not in caught.value.message
    assert caught.value.param == param
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stream", "true"),
        ("stream", 1),
        ("max_tokens", 0),
        ("max_tokens", -5),
        ("max_tokens", 1.5),
        ("max_tokens", "100"),
        ("max_tokens", True),
        ("max_tokens", 10**18),
        ("max_completion_tokens", 0),
        ("n", 0),
        ("n", "2"),
        ("tools", {}),
        ("stream_options", []),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(BadRequest) as caught:
        read(CHAT, messages=[{"role": "user", "content": "x"}], **{field: value})
    assert caught.value.param == field


def test_two_hundred_levels_are_read_and_one_more_is_refused() -> None:
    def nested(levels: int) -> bytes:
        inner = levels - 1  # the body itself is the first level
        return b'{"model":"a","messages":[{"role":"user","content":"x"}],"x":' + b"[" * inner + b"]" * inner + b"}"

    assert read_request(CHAT, nested(200)).model == "a"
    for levels in (201, 1000, 5000):
        with pytest.raises(BadRequest, match=r"nested|not valid JSON"):
            read_request(CHAT, nested(levels))


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert read(CHAT, messages=[{"role": "user", "content": "[{" * 500}], x=[[]] * 500).model == "auto"


def test_paths_and_dialects_name_each_other() -> None:
    for dialect in Dialect:
        assert dialect_of(endpoint_of(dialect)) is dialect
    assert dialect_of("/v1/messages/count_tokens") is MESSAGES
    assert dialect_of("/v1/embeddings") is None
    request = read_request(
        MESSAGES, b'{"model":"a","messages":[{"role":"user","content":"x"}]}', endpoint="/v1/messages/count_tokens"
    )
    assert request.endpoint == "/v1/messages/count_tokens"


def test_a_request_is_built_from_python_values() -> None:
    request = build_request(prompt="Hi", max_tokens=5, temperature=0.0)
    assert (
        request.raw == b'{"model":"auto","messages":[{"role":"user","content":"Hi"}],"max_tokens":5,"temperature":0.0}'
    )
    assert (request.model, request.last_user_text, request.max_output_tokens) == ("auto", "Hi", 5)
    assert build_request(prompt="Hi", dialect=RESPONSES).body == {"model": "auto", "input": "Hi"}
    messages = [{"role": "user", "content": "Hi"}]
    assert build_request(messages=messages, dialect=MESSAGES, system="S").system_text == "S"


@pytest.mark.parametrize("arguments", [{}, {"prompt": "x", "messages": []}, {"prompt": "x", "user": object()}])
def test_a_request_that_cannot_be_built_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        build_request(**arguments)


def test_a_lone_surrogate_cannot_be_sent_and_is_refused() -> None:
    with pytest.raises(BadRequest, match="JSON"):
        build_request(prompt="\ud800")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 10)
    | st.text(max_size=5)
    | st.sampled_from(["user", "text", "f_call"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "text", "name", "function", "tool_calls", "output", "source", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
bodies = st.fixed_dictionaries(
    {"model": st.just("auto")},
    optional=dict.fromkeys(
        (
            *(
                "messages",
                "input",
                "instructions",
                "system",
                "tools",
                "functions",
                "tool_choice",
                "function_call",
                "text",
            ),
            *("response_format", "output_config", "stream_options", "metadata", "conversation", "user", "stream", "n"),
        ),
        json_values,
    ),
)


@given(
    st.sampled_from(Dialect), bodies | st.fixed_dictionaries({"model": st.just("a"), "messages": st.lists(json_values)})
)
@example(Dialect.OPENAI_RESPONSES, {"model": "auto", "instructions": [{"type": []}]})
def test_any_json_is_read_or_refused_as_a_bad_request(dialect: Dialect, body: dict[str, Any]) -> None:
    raw = orjson.dumps(body)
    try:
        request = read_request(dialect, raw)
    except BadRequest as refused:
        assert refused.message
        return
    assert request.raw is raw
    assert request.body == body
    assert request.n_total_tokens >= request.n_prompt_tokens >= 0


@given(st.sampled_from(Dialect), st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_as_a_bad_request(dialect: Dialect, raw: bytes) -> None:
    for candidate in (raw, b'{"model":"a","messages":' + raw + b"}", b'{"model":"a","input":[' + raw + b"]}"):
        try:
            request = read_request(dialect, candidate)
        except BadRequest as refused:
            assert refused.status == 400
        else:
            assert request.model
