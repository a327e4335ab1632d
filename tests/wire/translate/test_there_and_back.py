"""Properties: what is said in one dialect means the same in every other; and no JSON breaks a reader."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.wire.translate.exchanges import CHAT, MESSAGES, MINIMAL, MODELS, PNG, RESPONSES, SCHEMA, model_named

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect, JSONObject, Model, Usage
from pointsman.wire import UnreadableAnswer, read_request
from pointsman.wire.translate import (
    Translation,
    read_chat,
    read_messages,
    read_responses,
    write_chat,
    write_messages,
    write_responses,
)
from pointsman.wire.translate.blocks import Blocks, Kind, Move, Step
from pointsman.wire.translate.chat_answer import ChatReader, ChatWriter
from pointsman.wire.translate.conversation import (
    Call,
    Choice,
    Conversation,
    Format,
    Image,
    Message,
    Part,
    Result,
    Text,
    Tool,
)
from pointsman.wire.translate.messages_answer import MessagesReader, MessagesWriter
from pointsman.wire.translate.pairing import paired
from pointsman.wire.translate.pieces import (
    Argued,
    Called,
    Closed,
    Counted,
    Ended,
    Finish,
    Finished,
    Piece,
    Said,
    Sealed,
    Started,
    Thought,
)
from pointsman.wire.translate.responses_answer import ResponsesReader, ResponsesWriter
from pointsman.wire.translate.translation import AnswerReader, StreamTranslator
from pointsman.wire.translate.writer import AnswerWriter, Asked

READ_REQUEST: dict[Dialect, Callable[[Mapping[str, Any]], Conversation]] = {
    CHAT: read_chat.read,
    RESPONSES: read_responses.read,
    MESSAGES: read_messages.read,
}
WRITE_REQUEST: dict[Dialect, Callable[[Conversation, Model], JSONObject]] = {
    CHAT: write_chat.write,
    RESPONSES: write_responses.write,
    MESSAGES: write_messages.write,
}
READERS: dict[Dialect, Callable[[], AnswerReader]] = {
    CHAT: ChatReader,
    RESPONSES: ResponsesReader,
    MESSAGES: MessagesReader,
}
WRITERS: dict[Dialect, Callable[[Asked], AnswerWriter]] = {
    CHAT: ChatWriter,
    RESPONSES: ResponsesWriter,
    MESSAGES: MessagesWriter,
}
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# ---------------------------------------------------------------- requests

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda text: text.strip())
tool_ids = st.text("abcdefXYZ0123_-", min_size=1, max_size=20)
json_objects = st.dictionaries(words, st.one_of(words, st.integers(-9, 9), st.none(), st.booleans()), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """A conversation that every dialect can say: a system prompt, then turns, calls with their results between them."""
    out = Conversation(stream=draw(st.booleans()), max_tokens=draw(st.integers(16, 9_999)))
    out.temperature = draw(st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0])))
    if draw(st.booleans()):
        out.messages.append(Message("system", [Text(draw(words))]))
    n_calls = 0
    for _ in range(draw(st.integers(1, 3))):
        parts: list[Part] = [Text(draw(words))]
        if draw(st.booleans()):
            parts.append(Image(media_type="image/png", data=PNG))
        out.say("user", *parts)
        speaks: list[Part] = [Text(draw(words))] if draw(st.booleans()) else []
        calls = [
            Call(f"{draw(tool_ids)}{n_calls + n}", "find", orjson.dumps(draw(json_objects)).decode())
            for n in range(draw(st.integers(0 if speaks else 1, 3)))
        ]
        n_calls += len(calls)
        out.say("assistant", *speaks, *calls)
        if calls:
            out.say("user", *(Result(call.id, [Text(draw(words))]) for call in calls))
    out.say("user", Text(draw(words)))
    if n_calls or draw(st.booleans()):
        out.tools = [Tool("find", draw(st.one_of(st.none(), words)), SCHEMA, own_name="find")]
        out.choice = draw(
            st.sampled_from([None, Choice("auto"), Choice("any"), Choice("none"), Choice("tool", "find")])
        )
    if draw(st.booleans()):
        out.format = Format(SCHEMA, name="answer", strict=True)
    return out


def meaning_of(said: Conversation) -> dict[str, Any]:
    turns: list[Any] = []
    for message in paired(said.messages):
        for part in message.parts:
            match part:
                case Text(text):
                    turns.append((message.role, "text", text))
                case Image():
                    turns.append((message.role, "image", part.media_type, part.data))
                case Call():
                    turns.append((message.role, "call", part.id, part.name, orjson.loads(part.arguments)))
                case Result():
                    turns.append((message.role, "result", part.call_id, [p.text for p in part.parts]))  # type: ignore[union-attr]
    return {
        "turns": turns,
        "tools": [(tool.name, tool.description, tool.schema) for tool in said.tools],
        "choice": said.choice,
        "schema": None if said.format is None else said.format.schema,
        "limit": said.max_tokens,
        "temperature": said.temperature,
        "stream": said.stream,
    }


@relaxed
@given(conversations(), st.permutations(list(Dialect)))
def test_a_conversation_means_the_same_after_a_way_through_every_dialect(
    said: Conversation, way: list[Dialect]
) -> None:
    expected = meaning_of(said)
    for dialect in (*way, way[0]):
        body = orjson.loads(orjson.dumps(WRITE_REQUEST[dialect](said, model_named(MODELS[dialect]))))
        # It is a body that the codec of the dialect takes.
        read_request(dialect, orjson.dumps(body))
        said = READ_REQUEST[dialect](body)
        assert not said.dropped
        assert meaning_of(said) == expected


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False, width=16), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "role",
                    "content",
                    "text",
                    "id",
                    "name",
                    "input",
                    "arguments",
                    "function",
                    "tool_calls",
                    "call_id",
                    "output",
                    "source",
                    "data",
                    "image_url",
                    "url",
                    "thinking",
                    "signature",
                    "tool_use_id",
                    "schema",
                    "format",
                    "parameters",
                    "tools",
                ]
            ),
            st.one_of(
                inner,
                st.sampled_from(
                    [
                        "text",
                        "image",
                        "tool_use",
                        "tool_result",
                        "thinking",
                        "function",
                        "custom",
                        "namespace",
                        "message",
                        "function_call",
                        "function_call_output",
                        "reasoning",
                        "input_image",
                        "input_file",
                        "document",
                        "file",
                        "assistant",
                        "user",
                        "tool",
                        "system",
                        "additional_tools",
                        "json_schema",
                        "allowed_tools",
                        "base64",
                    ]
                ),
            ),
            max_size=5,
        ),
    ),
    max_leaves=12,
)
FIELDS = [
    "messages",
    "input",
    "system",
    "instructions",
    "tools",
    "functions",
    "tool_choice",
    "response_format",
    "text",
    "output_config",
    "thinking",
    "reasoning",
    "reasoning_effort",
    "stop",
    "stop_sequences",
    "metadata",
    "user",
    "temperature",
    "top_p",
    "cache_control",
    "n",
    "store",
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    st.sampled_from(list(Dialect)),
    st.sampled_from(list(Dialect)),
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4),
)
def test_any_json_is_refused_or_translated(client: Dialect, upstream: Dialect, fields: dict[str, Any]) -> None:
    try:
        request = read_request(client, orjson.dumps({"model": "auto"} | MINIMAL[client] | fields))
    except BadRequest:
        return
    body = orjson.loads(Translation(request, model_named("some-model"), upstream).body)
    assert body["model"] == "some-model"


# ---------------------------------------------------------------- answers


@st.composite
def answers(draw: st.DrawFn) -> list[Piece]:
    """The pieces of a whole answer, in the order and cuts in which an upstream may send them."""
    out: list[Piece] = [Started("id1", "up", 7)]
    if draw(st.booleans()):
        out += [*(Thought(draw(words)) for _ in range(draw(st.integers(1, 3)))), Sealed(None)]
    if draw(st.booleans()):
        out += [*(Said(draw(words)) for _ in range(draw(st.integers(1, 3)))), Closed()]
    n_calls = draw(st.integers(0, 3))
    texts = [orjson.dumps(draw(json_objects)).decode() for _ in range(n_calls)]
    for key, text in enumerate(texts):
        cut = draw(st.integers(0, len(text)))
        out += [Called(key, f"call_{key}", "find"), Argued(key, text[:cut]), Argued(key, text[cut:]), Closed(key)]
    ends = [Finish.CALLS] if n_calls else [Finish.STOP, Finish.LENGTH, Finish.FILTER]
    out.append(Finished(draw(st.sampled_from(ends))))
    out.append(Counted(Usage(draw(st.integers(9, 99)), draw(st.integers(1, 99)), draw(st.integers(0, 9)))))
    return [*out, Ended()]


def asked(client: Dialect) -> Asked:
    body = {
        CHAT: MINIMAL[CHAT],
        RESPONSES: MINIMAL[RESPONSES] | {"reasoning": {"effort": "low", "summary": "auto"}},
        MESSAGES: MINIMAL[MESSAGES] | {"thinking": {"type": "adaptive"}},
    }[client]
    said = READ_REQUEST[client](body)
    return Asked(said, body, 5, {})


def summed(pieces: list[Piece]) -> dict[str, Any]:
    """What pieces come to, however they are cut."""
    blocks = Blocks()
    out: dict[str, Any] = {}
    for piece in pieces:
        match piece:
            case Counted(usage):
                out["usage"] = usage
            case Finished(reason):
                out["reason"] = reason
            case _:
                list(blocks.take(piece))
    list(blocks.finish())
    if out["reason"] is Finish.STOP and blocks.has_calls:
        out["reason"] = Finish.CALLS
    out["blocks"] = [
        (block.kind, block.name, block.text if block.kind is not Kind.CALL else orjson.loads(block.text))
        for block in blocks.all
    ]
    return out


@relaxed
@given(answers(), st.permutations(list(Dialect)), st.data())
def test_a_stream_means_the_same_after_a_way_through_every_dialect(
    pieces: list[Piece], way: list[Dialect], data: st.DataObject
) -> None:
    expected = summed(pieces)
    writer = WRITERS[way[0]](asked(way[0]))
    stream = b"".join(writer.take(piece) for piece in pieces)
    for upstream, client in ((way[0], way[1]), (way[1], way[2]), (way[2], way[0])):
        translator = StreamTranslator(READERS[upstream](), WRITERS[client](asked(client)), max_event_bytes=10**6)
        cut = data.draw(st.integers(0, len(stream)))
        stream = translator.feed(stream[:cut]) + translator.feed(stream[cut:]) + translator.end()
        assert translator.ended
        reader = READERS[client]()
        got: list[Piece] = []
        for block in stream.split(b"\n\n"):
            text = block.rpartition(b"data: ")[2]
            if text and text != b"[DONE]":
                got += reader.event(orjson.loads(text))
        assert summed(got) == expected


@relaxed
@given(answers(), st.permutations(list(Dialect)))
def test_a_whole_answer_means_the_same_after_a_way_through_every_dialect(
    pieces: list[Piece], way: list[Dialect]
) -> None:
    expected = summed(pieces)
    for dialect in (*way, way[0]):
        raw = WRITERS[dialect](asked(dialect)).whole(pieces)
        pieces = READERS[dialect]().whole(orjson.loads(raw))
        assert summed(pieces) == expected


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(Dialect)), st.sampled_from(list(Dialect)), st.lists(json_values, max_size=5))
def test_odd_events_and_bodies_never_break_the_translator(
    upstream: Dialect, client: Dialect, values: list[Any]
) -> None:
    kinds = [
        {"type": kind}
        for kind in [
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "response.created",
            "response.output_item.added",
            "response.output_item.done",
            "response.completed",
            "error",
        ]
    ]
    translator = StreamTranslator(READERS[upstream](), WRITERS[client](asked(client)), max_event_bytes=10**6)
    try:
        for n, value in enumerate(values):
            event = kinds[n % len(kinds)] | {
                "index": n,
                "output_index": n,
                "choices": value,
                "delta": value,
                "content_block": value,
                "item": value,
                "response": value,
                "usage": value,
                "error": None,
            }
            translator.feed(b"data: " + orjson.dumps(event) + b"\n\n")
        translator.end()
    except UnreadableAnswer:
        pass
    for value in values:
        try:
            pieces = READERS[upstream]().whole({"choices": value, "content": value, "output": value, "usage": value})
            orjson.loads(WRITERS[client](asked(client)).whole(pieces))
        except UnreadableAnswer:
            pass


# ---------------------------------------------------------------- order and speed


@given(st.lists(st.tuples(st.integers(0, 3), st.text("ab", max_size=3)), max_size=30))
def test_blocks_are_opened_and_closed_one_after_the_other_and_lose_nothing(parts: list[tuple[int, str]]) -> None:
    blocks = Blocks()
    moves: list[Move] = []
    for key, text in parts:
        moves += blocks.take(Called(key, f"c{key}", "find"))
        moves += blocks.take(Argued(key, text))
    moves += blocks.finish()
    opened: list[int] = []
    shown: dict[int, str] = {}
    is_open = False
    for step, block, text in moves:
        if step is Step.OPEN:
            assert not is_open and block.index == len(opened)
            is_open = True
            opened.append(block.index)
            shown[block.index] = ""
        elif step is Step.PART:
            assert is_open and block.index == opened[-1]
            shown[block.index] += text
        else:
            assert is_open
            is_open = False
    assert not is_open
    for block in blocks.all:
        wanted = "".join(text for key, text in parts if key == block.key)
        assert shown[block.index] == (wanted or "{}")


@pytest.mark.parametrize("client", [RESPONSES, MESSAGES])
def test_the_work_is_linear_in_the_length_of_the_stream(client: Dialect) -> None:
    """Sixteen times the events may take sixteen times as long, with room for noise, and not 256 times."""

    def seconds(n_events: int) -> float:
        chunk = {"id": "c", "model": "m", "created": 1, "choices": [{"index": 0, "delta": {}, "finish_reason": None}]}
        chunk["choices"][0]["delta"] = {"content": "word "}  # type: ignore[index]
        event = b"data: " + orjson.dumps(chunk) + b"\n\n"
        best = float("inf")
        for _ in range(3):
            translator = StreamTranslator(ChatReader(), WRITERS[client](asked(client)), max_event_bytes=10**6)
            started_s = time.process_time()
            for _ in range(n_events):
                translator.feed(event)
            best = min(best, time.process_time() - started_s)
        return best

    assert seconds(8_000) < 64 * seconds(500)
