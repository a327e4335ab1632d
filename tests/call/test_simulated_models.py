"""Simulated models: right in shape, honest about it, repeatable, better with more skill, and as slow as told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonschema
import orjson
import pydantic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from pointsman.call.sim import ModelTransport, SimTransport
from pointsman.call.sim_draft import draft
from pointsman.call.sim_schema import example
from pointsman.vocabulary import Dialect, Endpoint, Model, Transport, UpstreamAnswer, UpstreamCall

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city", "days"],
    "additionalProperties": False,
}


def simulated(name: str = "sim-small", **settings: float) -> Model:
    endpoints = {dialect: Endpoint("sim:") for dialect in Dialect}
    return Model(name, "sim", f"{name}-1", endpoints, simulated=True, simulation=settings)


def call(dialect: Dialect, *, stream: bool = False, model: Model | None = None, **body: Any) -> UpstreamCall:
    question = {"role": "user", "content": "What is the capital of France?"}
    plain: dict[Dialect, dict[str, Any]] = {
        Dialect.OPENAI_CHAT: {"messages": [question]},
        Dialect.OPENAI_RESPONSES: {"input": [question]},
        Dialect.ANTHROPIC_MESSAGES: {"messages": [question], "max_tokens": 1000},
    }
    full = plain[dialect] | body
    model = simulated(skill=1.0) if model is None else model
    return UpstreamCall(model, dialect, orjson.dumps(full), stream)


async def answer_to(one: UpstreamCall, **transport: Any) -> Any:
    answer = await SimTransport(now=lambda: NOON, **transport).send(one)
    assert answer.status == 200
    return orjson.loads(await answer.read())


async def events_of(one: UpstreamCall) -> list[Any]:
    answer = await SimTransport(now=lambda: NOON).send(one)
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = (await answer.read()).decode().removesuffix("\n\n").split("\n\n")
    data = [block.split("data: ", 1)[1] for block in blocks]
    return [orjson.loads(one) for one in data if one != "[DONE]"]


def text_of(dialect: Dialect, answer: Any) -> str:
    if dialect is Dialect.OPENAI_CHAT:
        return str(answer["choices"][0]["message"]["content"])
    if dialect is Dialect.OPENAI_RESPONSES:
        return str(answer["output"][0]["content"][0]["text"])
    return str(answer["content"][0]["text"])


@pytest.mark.parametrize("dialect", Dialect)
async def test_an_answer_says_in_text_and_json_that_it_is_simulated(dialect: Dialect) -> None:
    answer = await answer_to(call(dialect))
    assert answer["simulated"] is True
    assert answer["model"] == "sim-small-1"
    assert text_of(dialect, answer).startswith("[simulated answer by sim-small] ")


@pytest.mark.parametrize("dialect", Dialect)
async def test_the_same_request_gets_the_same_answer(dialect: Dialect) -> None:
    assert await answer_to(call(dialect)) == await answer_to(call(dialect))
    assert await answer_to(call(dialect)) != await answer_to(
        call(dialect, instructions="Be brief.", system="Be brief.")
    )


async def test_a_chat_stream_says_what_the_whole_answer_says() -> None:
    whole = await answer_to(call(Dialect.OPENAI_CHAT))
    chunks = await events_of(call(Dialect.OPENAI_CHAT, stream=True, stream_options={"include_usage": True}))
    *deltas, last, usage = chunks
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in deltas) == text_of(Dialect.OPENAI_CHAT, whole)
    assert (last["choices"][0]["finish_reason"], usage["choices"]) == ("stop", [])
    assert usage["usage"] == whole["usage"]
    assert all(chunk["simulated"] is True for chunk in chunks)
    silent = await events_of(call(Dialect.OPENAI_CHAT, stream=True))
    assert not any("usage" in chunk for chunk in silent)


async def test_a_responses_stream_says_what_the_whole_answer_says() -> None:
    whole = await answer_to(call(Dialect.OPENAI_RESPONSES))
    events = await events_of(call(Dialect.OPENAI_RESPONSES, stream=True))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1] == {"type": "response.completed", "sequence_number": len(events) - 1, "response": whole}
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == text_of(Dialect.OPENAI_RESPONSES, whole)


async def test_a_messages_stream_says_what_the_whole_answer_says() -> None:
    whole = await answer_to(call(Dialect.ANTHROPIC_MESSAGES))
    events = await events_of(call(Dialect.ANTHROPIC_MESSAGES, stream=True))
    assert events[0]["type"] == "message_start"
    assert events[0]["message"]["simulated"] is True
    deltas = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(deltas) == text_of(Dialect.ANTHROPIC_MESSAGES, whole)
    assert events[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    assert events[-1] == {"type": "message_stop"}


TOOLS = {
    Dialect.OPENAI_CHAT: {"type": "function", "function": {"name": "get_weather", "parameters": CITY}},
    Dialect.OPENAI_RESPONSES: {"type": "function", "name": "get_weather", "parameters": CITY},
    Dialect.ANTHROPIC_MESSAGES: {"name": "get_weather", "input_schema": CITY},
}
FORCED: dict[Dialect, Any] = {
    Dialect.OPENAI_CHAT: "required",
    Dialect.OPENAI_RESPONSES: {"type": "function", "name": "get_weather"},
    Dialect.ANTHROPIC_MESSAGES: {"type": "any"},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", Dialect)
async def test_a_forced_tool_is_called_with_arguments_that_fit(dialect: Dialect, stream: bool) -> None:
    one = call(dialect, stream=stream, tools=[TOOLS[dialect]], tool_choice=FORCED[dialect])
    if not stream:
        answer = await answer_to(one)
        if dialect is Dialect.OPENAI_CHAT:
            assert answer["choices"][0]["finish_reason"] == "tool_calls"
            arguments = orjson.loads(answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
        elif dialect is Dialect.OPENAI_RESPONSES:
            arguments = orjson.loads(answer["output"][0]["arguments"])
        else:
            assert answer["stop_reason"] == "tool_use"
            arguments = answer["content"][0]["input"]
    else:
        events = await events_of(one)
        if dialect is Dialect.OPENAI_CHAT:
            calls = [event["choices"][0]["delta"].get("tool_calls", []) for event in events]
            parts = [part["function"]["arguments"] for chunk in calls for part in chunk]
        else:
            parts = [
                event["delta"] if dialect is Dialect.OPENAI_RESPONSES else event["delta"]["partial_json"]
                for event in events
                if event["type"] in ("response.function_call_arguments.delta", "content_block_delta")
            ]
        arguments = orjson.loads("".join(parts))
    jsonschema.validate(arguments, CITY)


async def test_an_offered_tool_is_called_when_the_user_speaks_of_it_and_not_after_it_answered() -> None:
    asked = {"role": "user", "content": "What is the weather in Paris?"}
    tools = [TOOLS[Dialect.OPENAI_CHAT]]
    first = await answer_to(call(Dialect.OPENAI_CHAT, messages=[asked], tools=tools))
    message = first["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["name"] == "get_weather"
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "sunny weather"}
    second = await answer_to(call(Dialect.OPENAI_CHAT, messages=[asked, message, result], tools=tools))
    assert second["choices"][0]["finish_reason"] == "stop"
    for other in (
        call(Dialect.OPENAI_CHAT, tools=tools),
        call(Dialect.OPENAI_CHAT, messages=[asked], tools=tools, tool_choice="none"),
    ):
        assert (await answer_to(other))["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("dialect", "wanted"),
    [
        (Dialect.OPENAI_CHAT, {"response_format": {"type": "json_schema", "json_schema": {"schema": CITY}}}),
        (Dialect.OPENAI_RESPONSES, {"text": {"format": {"type": "json_schema", "schema": CITY}}}),
        (Dialect.ANTHROPIC_MESSAGES, {"output_config": {"format": {"type": "json_schema", "schema": CITY}}}),
    ],
)
async def test_a_demanded_schema_is_fitted_and_its_strings_say_simulated(dialect: Dialect, wanted: Any) -> None:
    text = text_of(dialect, await answer_to(call(dialect, **wanted)))
    assert orjson.loads(text) == {"city": "[simulated answer by sim-small]", "days": 2}


async def test_the_most_output_tokens_cut_the_answer() -> None:
    chat = await answer_to(call(Dialect.OPENAI_CHAT, max_tokens=5))
    assert chat["choices"][0]["finish_reason"] == "length"
    assert (chat["usage"]["completion_tokens"], len(text_of(Dialect.OPENAI_CHAT, chat))) == (5, 20)
    response = await answer_to(call(Dialect.OPENAI_RESPONSES, max_output_tokens=5))
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (await answer_to(call(Dialect.ANTHROPIC_MESSAGES, max_tokens=5)))["stop_reason"] == "max_tokens"


async def test_a_model_that_is_able_gives_the_ideal_answer_and_one_that_is_not_does_not() -> None:
    asked: dict[str, Any] = {"metadata": {"difficulty": "0.5"}}
    able = call(Dialect.OPENAI_CHAT, model=simulated(skill=1.0), **asked)
    unable = call(Dialect.OPENAI_CHAT, model=simulated(skill=0.0), **asked)
    good = await answer_to(able, answer_of=lambda body: "Paris.")
    poor = await answer_to(unable, answer_of=lambda body: "Paris.")
    assert text_of(Dialect.OPENAI_CHAT, good) == "[simulated answer by sim-small] Paris."
    assert "misses the point" in text_of(Dialect.OPENAI_CHAT, poor)
    assert (await answer_to(able, difficulty_of=lambda body: 2.0))["choices"][0]["message"]["content"].endswith(
        "point."
    )


@given(st.text(min_size=1, max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_what_a_model_answers_well_a_more_skilled_one_does_too(prompt: str, one: float, other: float) -> None:
    body = {"messages": [{"role": "user", "content": prompt}]}
    low, high = (
        draft(body, Dialect.OPENAI_CHAT, simulated(skill=skill)).good for skill in (min(one, other), max(one, other))
    )
    assert high or not low


def test_quality_falls_where_difficulty_passes_skill() -> None:
    def share_good(difficulty: float) -> float:
        bodies = [
            {"messages": [{"role": "user", "content": f"prompt {i}"}], "metadata": {"difficulty": difficulty}}
            for i in range(1_000)
        ]
        model = simulated(skill=0.5)
        return sum(draft(body, Dialect.OPENAI_CHAT, model).good for body in bodies) / len(bodies)

    # 1 / (1 + exp(-12 (0.5 - difficulty))), within three standard errors of 1,000 draws.
    assert share_good(0.3) == pytest.approx(0.917, abs=0.03)
    assert share_good(0.5) == pytest.approx(0.500, abs=0.05)
    assert share_good(0.7) == pytest.approx(0.083, abs=0.03)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_takes_its_latency_and_its_writing_time(stream: bool) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def wait_for(latency_ms: float) -> tuple[float, float]:
        slept.clear()
        model = simulated(skill=1.0, latency_ms=latency_ms, tokens_per_s=50.0)
        one = call(Dialect.OPENAI_CHAT, stream=stream, model=model)
        answer = await SimTransport(sleep=sleep).send(one)
        before = sum(slept)
        await answer.read()
        return before, sum(slept)

    n_output = (await answer_to(call(Dialect.OPENAI_CHAT)))["usage"]["completion_tokens"]
    before, total = await wait_for(200.0)
    assert total == pytest.approx(0.2 + n_output / 50, rel=0.05)
    assert before == pytest.approx(0.2 if stream else total)
    assert await wait_for(0.0) == (0.0, 0.0)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
async def test_a_body_that_is_no_request_is_answered_with_400(body: bytes) -> None:
    answer = await SimTransport().send(UpstreamCall(simulated(), Dialect.OPENAI_CHAT, body, False))
    assert answer.status == 400


JSON_BODIES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "messages",
                "input",
                "tools",
                "tool_choice",
                "metadata",
                "response_format",
                "text",
                "max_tokens",
                "output_config",
            ]
        ),
        JSON_BODIES,
    ),
    st.sampled_from(Dialect),
)
def test_no_shape_of_body_breaks_a_simulated_model(body: dict[str, Any], dialect: Dialect) -> None:
    planned = draft(body, dialect, simulated())
    assert planned.usage.input_tokens >= 0
    assert planned.usage.output_tokens >= 1


@pytest.mark.parametrize(
    "schema",
    [
        CITY,
        {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}, "one": {"const": 7}}},
        {"type": "array", "items": {"type": "number", "exclusiveMinimum": 3}, "minItems": 3},
        {"type": "object", "properties": {"n": {"type": "number", "maximum": -2}, "b": {"type": "boolean"}}},
        {"type": "object", "properties": {"x": {"type": ["string", "null"]}, "y": {"type": "null"}}},
        {"type": "string", "minLength": 10, "maxLength": 12},
        {"type": "object", "properties": {"when": {"type": "string", "format": "date"}}},
        {
            "type": "object",
            "properties": {"steps": {"$ref": "#/$defs/step"}},
            "$defs": {
                "step": {
                    "type": "object",
                    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/step"}, {"type": "null"}]}},
                    "required": ["next"],
                }
            },
        },
    ],
)
def test_an_example_fits_its_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(example(schema, "text"), schema)


async def test_each_model_is_called_by_its_own_transport() -> None:
    class Opened:
        def __init__(self) -> None:
            self.sent: list[str] = []
            self.closed = False

        async def send(self, one: UpstreamCall) -> UpstreamAnswer:
            self.sent.append(one.model.name)
            return await SimTransport().send(one)

        async def aclose(self) -> None:
            self.closed = True

    opened: list[Opened] = []

    def open_http() -> Transport:
        opened.append(Opened())
        return opened[-1]

    transport = ModelTransport(open_http, SimTransport())
    await transport.send(call(Dialect.OPENAI_CHAT))
    assert opened == []
    real = Model("haiku", "openai", "m", {Dialect.OPENAI_CHAT: Endpoint("http://x/v1")})
    for _ in range(2):
        await transport.send(call(Dialect.OPENAI_CHAT, model=real))
    await transport.aclose()
    assert [(one.sent, one.closed) for one in opened] == [(["haiku", "haiku"], True)]


async def test_the_official_sdks_types_know_every_answer_and_event() -> None:
    answers: dict[Dialect, type[pydantic.BaseModel]] = {
        Dialect.OPENAI_CHAT: ChatCompletion,
        Dialect.OPENAI_RESPONSES: Response,
        Dialect.ANTHROPIC_MESSAGES: Message,
    }
    events: dict[Dialect, pydantic.TypeAdapter[Any]] = {
        Dialect.OPENAI_CHAT: pydantic.TypeAdapter(ChatCompletionChunk),
        Dialect.OPENAI_RESPONSES: pydantic.TypeAdapter(ResponseStreamEvent),
        Dialect.ANTHROPIC_MESSAGES: pydantic.TypeAdapter(RawMessageStreamEvent),
    }
    for dialect in Dialect:
        for extra in ({}, {"tools": [TOOLS[dialect]], "tool_choice": FORCED[dialect]}):
            answers[dialect].model_validate(await answer_to(call(dialect, **extra)))
            for event in await events_of(call(dialect, stream=True, **extra)):
                if event.get("type") != "ping":
                    events[dialect].validate_python(event)
