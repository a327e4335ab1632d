"""Token probabilities are asked for, read, and taken out of what a client gets that did not ask."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.vocabulary import Dialect
from pointsman.wire import CODECS, asks_logprobs, build_request, read_request, with_logprobs, without_logprobs
from pointsman.wire.spans import element_spans, spans_at

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES
TOKENS: list[Any] = [
    {"token": 'a"]}', "logprob": -0.5, "bytes": [97], "top_logprobs": []},
    {"token": "b", "logprob": -1.25, "bytes": [98], "top_logprobs": []},
]


def chat_answer(logprobs: object) -> bytes:
    message = {"role": "assistant", "content": 'ab "logprobs": [1]', "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}
    return orjson.dumps({"id": "c", "model": "m", "choices": [choice], "x": {"logprobs": 1}})


def response(logprobs: object) -> dict[str, Any]:
    part = {"type": "output_text", "text": "ab", "annotations": [], "logprobs": logprobs}
    item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return {"id": "r", "object": "response", "model": "m", "status": "completed", "output": [item]}


def stream(dialect: Dialect, logprobs: bool) -> bytes:
    if dialect is CHAT:
        nothing: Any = {"content": [], "refusal": None} if logprobs else None
        chunks = [
            {"choices": [{"index": 0, "delta": {"content": token["token"]}, "logprobs": tokens, "finish_reason": None}]}
            for token in TOKENS
            for tokens in ({"content": [token], "refusal": None} if logprobs else None,)
        ]
        end = {"choices": [{"index": 0, "delta": {}, "logprobs": nothing, "finish_reason": "stop"}]}
        return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in (*chunks, end)) + b"data: [DONE]\n\n"
    shown = TOKENS if logprobs else []
    part = {"type": "output_text", "text": "ab", "annotations": [], "logprobs": shown}
    events: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "delta": token["token"], "logprobs": [token] if logprobs else []}
        for token in TOKENS
    ]
    events += [
        {"type": "response.output_text.done", "text": "ab", "logprobs": shown},
        {"type": "response.content_part.done", "part": part},
        {"type": "response.output_item.done", "item": response(shown)["output"][0]},
        {"type": "response.completed", "response": response(shown)},
    ]
    return b"".join(b"event: " + e["type"].encode() + b"\ndata: " + orjson.dumps(e) + b"\n\n" for e in events)


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES])
@pytest.mark.parametrize("indent", [False, True])
def test_a_request_asks_for_them_and_changes_in_nothing_else(dialect: Dialect, indent: bool) -> None:
    request = build_request(prompt='with "logprobs": null inside', dialect=dialect, temperature=0)
    if indent:
        request = read_request(dialect, orjson.dumps(dict(request.body), option=orjson.OPT_INDENT_2))
    asking = with_logprobs(request)
    assert asking is not None and asks_logprobs(asking) and not asks_logprobs(request)
    key = "logprobs" if dialect is CHAT else "include"
    added = {"logprobs": True} if dialect is CHAT else {"include": ["message.output_text.logprobs"]}
    assert orjson.loads(asking.raw) == {**request.body, **added} == asking.body
    assert len(asking.raw) == len(request.raw) + len(orjson.dumps(added)) - 1
    assert with_logprobs(asking) is None
    refused = read_request(dialect, orjson.dumps({**request.body, key: None}))
    asking = with_logprobs(refused)
    assert asking is not None and orjson.loads(asking.raw) == {**request.body, **added}


def test_what_a_client_included_stays() -> None:
    request = build_request(prompt="x", dialect=RESPONSES, include=["reasoning.encrypted_content"])
    asking = with_logprobs(request)
    assert asking is not None
    assert asking.body["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert with_logprobs(build_request(prompt="x", dialect=MESSAGES, max_tokens=5)) is None


def test_they_are_read_from_a_whole_answer_and_taken_out_byte_for_byte() -> None:
    asked = chat_answer({"content": TOKENS, "refusal": None})
    assert CODECS[CHAT].read_answer(asked).logprobs == (-0.5, -1.25)
    assert without_logprobs(asked, CHAT) == chat_answer(None)
    assert without_logprobs(chat_answer(None), CHAT) == chat_answer(None)
    asked = orjson.dumps(response(TOKENS))
    assert CODECS[RESPONSES].read_answer(asked).logprobs == (-0.5, -1.25)
    assert without_logprobs(asked, RESPONSES) == orjson.dumps(response([]))
    assert without_logprobs(b'{"logprobs":[1]}', MESSAGES) == b'{"logprobs":[1]}'


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_stream_reads_as_if_they_had_not_been_asked_for(dialect: Dialect, size: int) -> None:
    raw = stream(dialect, logprobs=True)
    reader = CODECS[dialect].stream(name="m")
    reader.gather = reader.strip_logprobs = True
    out = b"".join(reader.feed(raw[at : at + size]) for at in range(0, len(raw), size)) + reader.end()
    assert out == stream(dialect, logprobs=False)
    assert reader.answer.logprobs == (-0.5, -1.25)
    assert reader.complete and reader.terminated


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES])
def test_a_client_that_asked_for_them_gets_them(dialect: Dialect) -> None:
    raw = stream(dialect, logprobs=True)
    reader = CODECS[dialect].stream(name="m")
    assert reader.feed(raw) == raw
    assert reader.answer.logprobs == ()


def test_calls_of_a_stream_are_gathered_with_their_arguments() -> None:
    def event(delta: dict[str, Any]) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        return b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"

    reader = CODECS[CHAT].stream(name="m")
    reader.gather = True
    for n, name in enumerate(("a", "b")):
        reader.feed(event({"tool_calls": [{"index": n, "id": name, "function": {"name": name, "arguments": ""}}]}))
    for n, text in ((0, '{"x"'), (1, "{}"), (0, ":1}")):
        reader.feed(event({"tool_calls": [{"index": n, "function": {"arguments": text}}]}))
    assert (reader.answer.tool_calls, reader.answer.tool_inputs) == (("a", "b"), ('{"x":1}', "{}"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6) | st.floats(allow_nan=False, width=32),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "logprobs", 'q"']), inner),
    max_leaves=12,
)


@given(st.lists(json_values, max_size=5), st.booleans())
def test_the_elements_of_any_array_are_found(values: list[Any], indent: bool) -> None:
    raw = orjson.dumps(values, option=orjson.OPT_INDENT_2 if indent else 0)
    assert [orjson.loads(raw[a:b]) for a, b in element_spans(raw, (0, len(raw)))] == orjson.loads(orjson.dumps(values))


@given(json_values)
def test_a_path_finds_what_the_parsed_value_has_there(value: Any) -> None:
    raw = orjson.dumps({"choices": [value, {"logprobs": value}]})
    found = [orjson.loads(raw[a:b]) for a, b in spans_at(raw, ("choices", "*", "logprobs"))]
    parsed = orjson.loads(raw)["choices"]
    assert found == [each["logprobs"] for each in parsed if isinstance(each, dict) and "logprobs" in each]
