"""Streams of the three dialects, written after the providers' documentation, fed whole, bytewise and cut anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.vocabulary import Answer, Dialect, JSONObject, Usage
from pointsman.wire import CODECS, StreamReader, StreamTooLarge, estimate_tokens
from pointsman.wire.stream import MAX_MOULDS

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES


def events(*bodies: object, named: bool = False) -> bytes:
    out = []
    for body in bodies:
        name = b"event: %b\n" % body["type"].encode() if named and isinstance(body, dict) else b""
        out.append(name + b"data: " + orjson.dumps(body) + b"\n\n")
    return b"".join(out)


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
    return {**head, "system_fingerprint": "fp_1", "choices": choices, "usage": None, **more}


def call(index: int, *, name: str | None = None, arguments: str) -> dict[str, Any]:
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    more = {} if name is None else {"id": f"call_{index}", "type": "function"}
    return {"tool_calls": [{"index": index, **more, "function": function}]}


CHAT_USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
CHAT_HEAD = events(
    chunk({"role": "assistant", "content": "", "refusal": None}),
    chunk({"content": "Grüße, "}),
    chunk({"content": "Welt 🌍"}),
    chunk(call(0, name="weather", arguments="")),
    chunk(call(1, name="time", arguments="")),
    chunk(call(0, arguments='{"model":')),
    chunk(call(1, arguments="{}")),
    chunk(call(0, arguments='"x"}')),
    chunk({}, finish="tool_calls"),
)
CHAT_USAGE_CHUNK = events({**chunk({}), "choices": [], "usage": CHAT_USAGE})
CHAT_STREAM = CHAT_HEAD + CHAT_USAGE_CHUNK + b"data: [DONE]\n\n"
CHAT_ANSWER = Answer(
    text="Grüße, Welt 🌍",
    finish_reason="tool_calls",
    usage=Usage(19, 10, cached_input_tokens=16, reasoning_tokens=4),
    upstream_model="gpt-4o-2024-08-06",
    tool_calls=("weather", "time"),
)

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "model": "gpt-5-2025-08-07",
    "output": [],
    "tools": [{"type": "function", "name": "weather", "parameters": {"properties": {"model": {"type": "string"}}}}],
    "usage": None,
}
FINISHED: dict[str, Any] = {
    **RESPONSE,
    "status": "completed",
    "usage": {
        "input_tokens": 37,
        "input_tokens_details": {"cached_tokens": 8},
        "output_tokens": 11,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 48,
    },
}
TEXT_ITEM = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
CALL_ITEM = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "weather", "arguments": ""}


def numbered(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**body, "sequence_number": number} for number, body in enumerate(bodies)]


RESPONSES_HEAD = numbered(
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.in_progress", "response": RESPONSE},
    {"type": "response.output_item.added", "output_index": 0, "item": TEXT_ITEM},
    {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "delta": "Grüße, "},
    {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "delta": "Welt 🌍"},
    {"type": "response.output_text.done", "item_id": "msg_1", "output_index": 0, "text": "Grüße, Welt 🌍"},
    {"type": "response.output_item.added", "output_index": 1, "item": CALL_ITEM},
    {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 1, "delta": '{"model":1}'},
    {"type": "response.output_item.done", "output_index": 1, "item": {**CALL_ITEM, "arguments": '{"model":1}'}},
)
RESPONSES_STREAM = events(
    *RESPONSES_HEAD, {"type": "response.completed", "response": FINISHED, "sequence_number": 9}, named=True
)
RESPONSES_ANSWER = Answer(
    text="Grüße, Welt 🌍",
    finish_reason="completed",
    usage=Usage(37, 11, cached_input_tokens=8, reasoning_tokens=3),
    upstream_model="gpt-5-2025-08-07",
    tool_calls=("weather",),
    id="resp_1",
)

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [],
    "model": "claude-haiku-4-5-20251001",
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 25, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 7, "output_tokens": 1},
}
MESSAGES_HEAD = events(
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße, "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Welt 🌍"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t1", "name": "weather"}},
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": '{"model": "claude-haiku-4-5-20251001"}'},
    },
    {"type": "content_block_stop", "index": 1},
    named=True,
)
MESSAGES_STREAM = MESSAGES_HEAD + events(
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 15}},
    {"type": "message_stop"},
    named=True,
)
MESSAGES_ANSWER = Answer(
    text="Grüße, Welt 🌍",
    finish_reason="tool_use",
    usage=Usage(132, 15, cached_input_tokens=100, cache_write_tokens=7),
    upstream_model="claude-haiku-4-5-20251001",
    tool_calls=("weather",),
)

STREAMS = {CHAT: CHAT_STREAM, RESPONSES: RESPONSES_STREAM, MESSAGES: MESSAGES_STREAM}
ANSWERS = {CHAT: CHAT_ANSWER, RESPONSES: RESPONSES_ANSWER, MESSAGES: MESSAGES_ANSWER}
MODEL = {
    CHAT: b'"model":"gpt-4o-2024-08-06"',
    RESPONSES: b'"model":"gpt-5-2025-08-07"',
    MESSAGES: b'"model":"claude-haiku-4-5-20251001"',
}


def crlf(stream: bytes) -> bytes:
    return stream.replace(b"\n", b"\r\n")


def mixed(stream: bytes) -> bytes:
    """A byte order mark, comments, ids, no space after the colon, CR, and data cut over several lines."""
    parts = [b"\xef\xbb\xbf: welcome\n\n"]
    for number, event in enumerate(stream.split(b"\n\n")[:-1]):
        if number % 4 == 1:
            event = b": ping\nid: %d\n" % number + event.replace(b"data: ", b"data:", 1)
        elif number % 4 == 2:
            event = event.replace(b'":', b'":\ndata:  ', 2)
        elif number % 4 == 3:
            event = event.replace(b"\n", b"\r")
        parts.append(event + (b"\r\r" if number % 4 == 3 else b"\n\n"))
    return b"".join(parts)


def run(reader: StreamReader, chunks: Iterable[bytes]) -> bytes:
    return b"".join([reader.feed(piece) for piece in chunks]) + reader.end()


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def renamed(dialect: Dialect, stream: bytes) -> bytes:
    """The expected bytes: the model's whole member replaced; in strings it stands with escaped quotes."""
    return stream.replace(MODEL[dialect], b'"model":"cheap \\"one\\""')


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("dress", [bytes, crlf], ids=["plain", "crlf"])
def test_a_stream_passes_with_its_model_renamed_and_is_read(dialect: Dialect, dress: Callable[[bytes], bytes]) -> None:
    stream = dress(STREAMS[dialect])
    expected = renamed(dialect, stream)
    assert expected != stream
    for chunks in ([stream], bytewise(stream)):
        reader = CODECS[dialect].stream(name='cheap "one"')
        assert run(reader, chunks) == expected
        assert reader.answer == ANSWERS[dialect]
        assert (reader.started, reader.complete, reader.terminated, reader.error) == (True, True, True, None)


@pytest.mark.parametrize("dialect", Dialect)
def test_an_oddly_written_stream_says_the_same_and_keeps_its_bytes(dialect: Dialect) -> None:
    stream = mixed(STREAMS[dialect])
    whole = CODECS[dialect].stream(name="cheap")
    out = run(whole, [stream])
    assert whole.answer == ANSWERS[dialect]
    plain = out.replace(b'"cheap"', MODEL[dialect].removeprefix(b'"model":'))
    assert plain == stream
    assert out.count(b'"cheap"') == STREAMS[dialect].count(MODEL[dialect])
    by_byte = CODECS[dialect].stream(name="cheap")
    assert run(by_byte, bytewise(stream)) == out
    assert by_byte.answer == ANSWERS[dialect]


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("dress", [bytes, crlf, mixed], ids=["plain", "crlf", "mixed"])
def test_a_cut_at_any_boundary_changes_nothing(dialect: Dialect, dress: Callable[[bytes], bytes]) -> None:
    stream = dress(STREAMS[dialect])
    expected = run(CODECS[dialect].stream(name="cheap"), [stream])
    for cut in range(1, len(stream)):
        reader = CODECS[dialect].stream(name="cheap")
        assert run(reader, [stream[:cut], stream[cut:]]) == expected
        assert reader.terminated


@pytest.mark.parametrize("dialect", Dialect)
def test_only_whole_events_come_out(dialect: Dialect) -> None:
    stream = STREAMS[dialect]
    for cut in range(1, len(stream)):
        out = CODECS[dialect].stream(name="cheap").feed(stream[:cut])
        assert out == b"" or out.endswith(b"\n\n")
        assert out.count(b"\n\n") == stream[:cut].count(b"\n\n")


def test_usage_is_stripped_for_a_client_who_did_not_ask() -> None:
    for chunks in ([CHAT_STREAM], bytewise(CHAT_STREAM)):
        reader = CODECS[CHAT].stream(name="cheap", strip_usage=True)
        assert run(reader, chunks) == (CHAT_HEAD + b"data: [DONE]\n\n").replace(MODEL[CHAT], b'"model":"cheap"')
        assert reader.answer.usage == CHAT_ANSWER.usage


@pytest.mark.parametrize("dialect", [RESPONSES, MESSAGES])
def test_usage_elsewhere_is_neither_stripped_nor_extended(dialect: Dialect) -> None:
    reader = CODECS[dialect].stream(name='cheap "one"', strip_usage=True, usage_extra=lambda _: {"cost_usd": 1})
    assert run(reader, [STREAMS[dialect]]) == renamed(dialect, STREAMS[dialect])


def test_what_a_call_cost_goes_into_the_usage_chunk_once() -> None:
    seen: list[Usage] = []

    def extra(usage: Usage) -> JSONObject:
        seen.append(usage)
        return {"cost_usd": 0.25}

    reader = CODECS[CHAT].stream(name="cheap", usage_extra=extra)
    out = run(reader, [CHAT_STREAM])
    chunks = [orjson.loads(line[6:]) for line in out.split(b"\n\n") if line.startswith(b"data: {")]
    assert [each.get("pointsman") for each in chunks] == [None] * 9 + [{"cost_usd": 0.25}]
    assert chunks[-1]["usage"] == CHAT_USAGE
    assert chunks[-1]["model"] == "cheap"
    assert seen == [CHAT_ANSWER.usage]

    early = events(chunk({"content": "x"}, usage=CHAT_USAGE), chunk({}, finish="stop", usage=CHAT_USAGE))
    twice = CODECS[CHAT].stream(name="cheap", usage_extra=extra).feed(early + CHAT_USAGE_CHUNK)
    flags = [b"pointsman" in event for event in twice.split(b"\n\n")[:-1]]
    assert flags == [False, True, False]


@pytest.mark.parametrize("dialect", Dialect)
def test_a_cut_stream_is_not_complete(dialect: Dialect) -> None:
    stream = STREAMS[dialect]
    text_at = stream.index(b"Welt")
    reader = CODECS[dialect].stream(name="cheap")
    out = run(reader, [stream[: text_at + 4]])
    assert out.endswith(b"\n\n")
    assert (reader.started, reader.complete, reader.terminated, reader.error) == (True, False, False, None)
    assert reader.answer.text == "Grüße, "
    assert not reader.answer.complete


def test_a_cut_message_keeps_its_input_count_and_estimates_its_output() -> None:
    reader = CODECS[MESSAGES].stream(name="cheap")
    run(reader, [MESSAGES_HEAD])
    usage = reader.answer.usage
    assert usage is not None
    assert usage.estimated
    assert usage.input_tokens == 132
    assert usage.output_tokens == estimate_tokens("Grüße, Welt 🌍")


def test_a_finish_reason_completes_a_chat_without_done() -> None:
    reader = CODECS[CHAT].stream(name="cheap")
    run(reader, [CHAT_HEAD])
    assert (reader.complete, reader.terminated) == (True, False)


@pytest.mark.parametrize("dialect", Dialect)
def test_an_empty_stream_never_starts(dialect: Dialect) -> None:
    for stream in (b"", b": ping\n\n", b"event: ping\n\n", b"retry: 10\n\n", b"<html>\n\n</html>", b'{"error":{}}\n'):
        reader = CODECS[dialect].stream(name="cheap")
        run(reader, [stream])
        assert not reader.started
        assert not reader.complete
    reader = CODECS[CHAT].stream(name="cheap")
    assert run(reader, [b"data: [DONE]\n\n"]) == b"data: [DONE]\n\n"
    assert (reader.started, reader.terminated) == (False, True)
    reader = CODECS[MESSAGES].stream(name="cheap")
    reader.feed(b'event: ping\ndata: {"type": "ping"}\n\n')
    assert not reader.started


@pytest.mark.parametrize(
    ("dialect", "event", "message"),
    [
        (CHAT, {"error": {"message": "out of memory", "type": "server_error", "code": 500}}, "out of memory"),
        (CHAT, {"error": "out of memory"}, "out of memory"),
        (CHAT, {"error": {"code": 500}, "choices": []}, "the upstream sent an error"),
        (RESPONSES, {"type": "error", "code": "x", "message": "out of memory", "sequence_number": 3}, "out of memory"),
        (RESPONSES, {"type": "error", "error": {"message": "out of memory"}}, "out of memory"),
        (RESPONSES, {"error": {"message": "out of memory"}}, "out of memory"),
        (MESSAGES, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded"),
    ],
)
def test_an_error_event_is_seen_passed_on_and_ends_the_stream(dialect: Dialect, event: Any, message: str) -> None:
    raw = events(event)
    first = CODECS[dialect].stream(name="cheap")
    assert first.feed(raw) == raw
    assert (first.error, first.error_sent, first.started, first.complete) == (message, True, False, False)
    assert first.feed(STREAMS[dialect]) == b""

    half = STREAMS[dialect][: STREAMS[dialect].index(b"Welt")]
    half = half[: half.rindex(b"\n\n") + 2]
    later = CODECS[dialect].stream(name='cheap "one"')
    assert later.feed(half + raw + STREAMS[dialect]) == renamed(dialect, half) + raw
    assert (later.error, later.started, later.complete) == (message, True, False)


def test_a_failed_response_is_an_error_and_an_incomplete_one_is_an_answer() -> None:
    failed = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "broke"}}
    reader = CODECS[RESPONSES].stream(name="cheap")
    reader.feed(events(*RESPONSES_HEAD, {"type": "response.failed", "response": failed}))
    assert (reader.error, reader.terminated, reader.complete) == ("broke", True, False)
    cut = {**FINISHED, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    reader = CODECS[RESPONSES].stream(name="cheap")
    reader.feed(events(*RESPONSES_HEAD, {"type": "response.incomplete", "response": cut}))
    assert (reader.error, reader.terminated, reader.complete) == (None, True, True)
    assert reader.answer.finish_reason == "max_output_tokens"
    assert reader.n_events == 10


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("bad", [b'data: {"cho\n\n', b"data: \xff\xfe\n\n", b"data: 7\n\n", b'data: {"a":"\xc3"}\n\n'])
def test_a_malformed_event_is_an_error_and_never_reaches_the_client(dialect: Dialect, bad: bytes) -> None:
    stream = STREAMS[dialect]
    first = stream[: stream.index(b"\n\n") + 2]
    reader = CODECS[dialect].stream(name='cheap "one"')
    assert run(reader, [first + bad + stream]) == renamed(dialect, first)
    assert reader.error is not None
    assert not reader.error_sent


@pytest.mark.parametrize("dialect", Dialect)
def test_nothing_comes_out_after_the_terminator(dialect: Dialect) -> None:
    stream = STREAMS[dialect]
    reader = CODECS[dialect].stream(name='cheap "one"')
    assert run(reader, [stream + stream, stream, b": late\n\n"]) == renamed(dialect, stream)
    assert reader.answer == ANSWERS[dialect]


@pytest.mark.parametrize("dialect", Dialect)
def test_a_last_event_without_its_blank_line_still_counts(dialect: Dialect) -> None:
    for ending in (b"", b"\n"):
        stream = STREAMS[dialect].removesuffix(b"\n\n") + ending
        reader = CODECS[dialect].stream(name='cheap "one"')
        assert run(reader, [stream]) == renamed(dialect, STREAMS[dialect])
        assert reader.terminated


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(("kept", "added"), [(0, b"\n\n"), (1, b"\n\n"), (2, b"\n"), (3, b""), (4, b"")])
def test_a_last_event_with_half_a_blank_line_is_finished(dialect: Dialect, kept: int, added: bytes) -> None:
    stream = crlf(STREAMS[dialect]).removesuffix(b"\r\n\r\n") + b"\r\n\r\n"[:kept]
    for chunks in ([stream], bytewise(stream)):
        reader = CODECS[dialect].stream(name='cheap "one"')
        assert run(reader, chunks) == renamed(dialect, stream) + added
        assert reader.terminated


def test_an_event_or_an_answer_that_is_too_large_is_refused() -> None:
    event = events(chunk({"content": "x" * 1000}))
    with pytest.raises(StreamTooLarge, match="event"):
        CODECS[CHAT].stream(name="m", max_event_bytes=len(event) - 1).feed(event)
    reader = CODECS[CHAT].stream(name="m", max_event_bytes=len(event), max_answer_chars=1500)
    assert reader.feed(event) != b""
    with pytest.raises(StreamTooLarge, match="answer"):
        reader.feed(event)


def test_an_event_of_megabytes_in_small_pieces_is_read() -> None:
    text = "é\n" * 1_000_000
    stream = events(chunk({"content": text})) + b"data: [DONE]\n\n"
    reader = CODECS[CHAT].stream(name="gpt-4o-2024-08-06")
    assert run(reader, (stream[at : at + 1024] for at in range(0, len(stream), 1024))) == stream
    assert reader.answer.text == text


def test_a_second_choice_is_passed_on_and_the_first_is_read() -> None:
    second = chunk({"content": "other"})
    second["choices"][0]["index"] = 1
    reader = CODECS[CHAT].stream(name="gpt-4o-2024-08-06")
    stream = events(chunk({"content": "first"}), second)
    assert reader.feed(stream) == stream
    assert reader.answer.text == "first"


def test_a_model_spelled_anew_or_nested_is_renamed_at_its_place_only() -> None:
    stream = (
        b'data: {"model":"a","choices":[]}\n\n'
        b'data: {"choices":[],"x":{"model":"a"},"model":"a"}\n\n'
        b'data: {"choices":[],"x":{"model":"a"},"mod\\u0065l":"a"}\n\n'
        b'data: {"choices":[],"x\\"model":"a","model" : "b"}\n\n'
        b'data: {"choices":[],"x":{"model":"a"}}\n\n'
        b'data: {"choices":[],"model":null}\n\n'
    )
    assert CODECS[CHAT].stream(name="m").feed(stream) == (
        b'data: {"model":"m","choices":[]}\n\n'
        b'data: {"choices":[],"x":{"model":"a"},"model":"m"}\n\n'
        b'data: {"choices":[],"x":{"model":"a"},"mod\\u0065l":"m"}\n\n'
        b'data: {"choices":[],"x\\"model":"a","model" : "m"}\n\n'
        b'data: {"choices":[],"x":{"model":"a"}}\n\n'
        b'data: {"choices":[],"model":null}\n\n'
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["delta", "message", "content", "tool_calls", "function", "name", "model", "usage", "error"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)
kinds = st.sampled_from(
    [
        *("message_start", "content_block_start", "content_block_delta", "message_delta", "error", "ping"),
        *("response.created", "response.output_text.delta", "response.output_item.added", "response.failed"),
    ]
)
FIELDS = ["choices", "usage", "model", "message", "response", "item", "delta", "content_block", "error"]
odd_events = st.dictionaries(st.sampled_from(FIELDS), json_values | st.lists(json_values, max_size=2))


@given(st.sampled_from(Dialect), st.lists(st.tuples(kinds, odd_events), max_size=5), st.booleans())
def test_odd_events_never_break_the_reader(
    dialect: Dialect, bodies: list[tuple[str, dict[str, Any]]], strip_usage: bool
) -> None:
    stream = events(*({**body, "type": kind} for kind, body in bodies))
    whole = CODECS[dialect].stream(name="m", strip_usage=strip_usage)
    out = run(whole, [stream])
    by_byte = CODECS[dialect].stream(name="m", strip_usage=strip_usage)
    assert run(by_byte, bytewise(stream)) == out
    assert by_byte.answer == whole.answer
    for event in out.split(b"\n\n")[:-1]:
        assert isinstance(orjson.loads(event.removeprefix(b"data: ")), dict)


@given(st.sampled_from(Dialect), st.lists(st.binary(max_size=20), max_size=6))
def test_any_bytes_at_all_never_break_the_reader(dialect: Dialect, pieces: list[bytes]) -> None:
    whole = CODECS[dialect].stream(name="m")
    out = run(whole, [b"".join(pieces)])
    in_pieces = CODECS[dialect].stream(name="m")
    assert run(in_pieces, pieces) == out


said_in_bytes = st.lists(
    st.sampled_from(
        [
            b"a",
            b" word",
            "ü".encode(),
            "🌍".encode(),
            b"\\n",
            b'\\"',
            b"\\u0041",
            b'"model"',
            b"\xff",
            b"\x01",
            b'"',
            b"",
        ]
    ),
    max_size=4,
).map(b"".join)
around_text = st.sampled_from(
    [
        (CHAT, b'data: {"model":"up","choices":[{"index":0,"delta":{"content":"', b'"},"finish_reason":null}]}\n\n'),
        (CHAT, b'data: {"choices":[{"delta":{"content": "', b'"}, "index":0}], "usage":null, "model" : "up"}\n\n'),
        (CHAT, b'data: {"choices":[{"index":1,"delta":{"content":"', b'"}}],"model":"up"}\n\n'),
        (CHAT, b'data: {"choices":[{"index":0,"delta":{"content":"', b'"},"finish_reason":"stop"}],"model":"up"}\n\n'),
        (CHAT, b'data: {"x\\u006d":1,"choices":[{"index":0,"delta":{"content":"', b'"}}],"model":"up"}\n\n'),
        (CHAT, b'data: {"choices":[{"index":0,"delta":{"content":"', b'","content":"b"}}],"model":"up"}\n\n'),
        (MESSAGES, b'event: x\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"', b'"}}\n\n'),
        (MESSAGES, b'data: {"type":"content_block_delta","delta":{"type":"input_json_delta","text":"', b'"}}\n\n'),
    ]
)


@given(around_text, st.lists(said_in_bytes, min_size=1, max_size=6), st.booleans())
def test_events_that_only_differ_in_their_text_are_read_as_each_by_itself(
    around: tuple[Dialect, bytes, bytes], said: list[bytes], gathers: bool
) -> None:
    dialect, head, tail = around
    stream = b"".join(head + text + tail for text in said)
    quick = CODECS[dialect].stream(name="m")
    careful = CODECS[dialect].stream(name="m")
    quick.gather = careful.gather = gathers
    careful._n_moulds = MAX_MOULDS
    assert run(quick, [stream]) == run(careful, [stream])
    assert quick.answer == careful.answer
    assert (quick.n_events, quick.n_chars, quick.error) == (careful.n_events, careful.n_chars, careful.error)


def test_plain_pieces_of_text_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = CODECS[CHAT].stream(name="m")
    reader.feed(events(chunk({"content": "one"})))
    monkeypatch.setattr(reader, "_pass", None)
    out = reader.feed(events(chunk({"content": " two"}), chunk({"content": "ü"})))
    assert reader.answer.text == "one twoü"
    assert out == events(chunk({"content": " two"}, model="m"), chunk({"content": "ü"}, model="m"))
