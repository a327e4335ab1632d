"""The upstream as clients see it: the official SDKs must accept every answer it writes."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import aiohttp
import anthropic
import openai
import pytest

from pointsman.testing import (
    CrLf,
    CutAfter,
    CutAfterBytes,
    CutBeforeAnswer,
    Drip,
    EmptyStream,
    EndAfter,
    ErrorEvent,
    Garbage,
    HoldAfter,
    HoldAnswer,
    MalformedEvent,
    NeverAnswer,
    Rechunk,
    Reply,
    ShortBody,
    SlowFirstByte,
    StallAfter,
    ToolCall,
    Upstream,
    closed_port,
    empty_error,
    html_error,
    overloaded,
    rate_limited,
    redirect,
)
from pointsman.vocabulary import Usage

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
CALLS = (ToolCall("get_weather", {"city": "Bern"}), ToolCall("get_weather", {"city": "Rome"}))
USAGE = Usage(input_tokens=120, output_tokens=30, cached_input_tokens=100, cache_write_tokens=5, reasoning_tokens=12)
HI: list[Any] = [{"role": "user", "content": "Hi"}]


def openai_client(upstream: Upstream) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="k", base_url=upstream.url + "/v1", max_retries=0)


def anthropic_client(upstream: Upstream) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key="k", base_url=upstream.url, max_retries=0)


async def post(upstream: Upstream, path: str = "/v1/chat/completions", **body: Any) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(upstream.url + path, json={"model": "m", "messages": HI} | body) as response,
    ):
        return response.status, await response.read()


async def test_chat_with_parallel_tools_usage_and_unknown_fields_plain_and_streamed() -> None:
    script = Reply(text="Looking.", tool_calls=CALLS, usage=USAGE, extra={"x_unknown": [1, None]})
    async with Upstream(script) as upstream, openai_client(upstream) as client:
        whole = await client.chat.completions.create(model="m", messages=HI)
        message = whole.choices[0].message
        assert message.content == "Looking."
        assert [
            json.loads(call.function.arguments) for call in message.tool_calls or [] if call.type == "function"
        ] == [
            {"city": "Bern"},
            {"city": "Rome"},
        ]
        assert whole.choices[0].finish_reason == "tool_calls"
        assert whole.usage is not None and whole.usage.prompt_tokens == 120
        assert whole.usage.prompt_tokens_details is not None
        assert whole.usage.prompt_tokens_details.cached_tokens == 100
        assert whole.usage.completion_tokens_details is not None
        assert whole.usage.completion_tokens_details.reasoning_tokens == 12
        assert whole.model_extra == {"x_unknown": [1, None]}

        async with client.chat.completions.stream(
            model="m", messages=HI, stream_options={"include_usage": True}
        ) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == "Looking."
        assert [call.function.arguments for call in final.choices[0].message.tool_calls or []] == [
            '{"city":"Bern"}',
            '{"city":"Rome"}',
        ]
        assert final.usage == whole.usage
    assert b'"usage"' in upstream.sent[1].body
    assert upstream.sent[1].body.endswith(b"data: [DONE]\n\n")


async def test_responses_with_reasoning_tools_and_usage_plain_and_streamed() -> None:
    script = Reply(text="Looking.", tool_calls=CALLS, reasoning="Two cities.", usage=USAGE)
    async with Upstream(script) as upstream, openai_client(upstream) as client:
        whole = await client.responses.create(model="m", input="Hi")
        assert whole.output_text == "Looking."
        assert [item.type for item in whole.output] == ["reasoning", "message", "function_call", "function_call"]
        assert whole.usage is not None and whole.usage.output_tokens_details.reasoning_tokens == 12
        assert whole.usage.input_tokens_details.cached_tokens == 100
        async with client.responses.stream(model="m", input="Hi") as stream:
            numbers = [event.sequence_number async for event in stream]
            final = await stream.get_final_response()
        assert numbers == list(range(len(numbers)))
        assert final.output_text == "Looking."
        assert final.usage == whole.usage


async def test_messages_with_thinking_tools_and_usage_plain_and_streamed() -> None:
    script = Reply(text="Looking.", tool_calls=CALLS, reasoning="Two cities.", usage=USAGE)
    async with Upstream(script) as upstream, anthropic_client(upstream) as client:
        whole = await client.messages.create(model="m", max_tokens=9, messages=HI)
        assert [block.type for block in whole.content] == ["thinking", "text", "tool_use", "tool_use"]
        assert whole.stop_reason == "tool_use"
        # Anthropic's input_tokens leaves out cached reads and writes: 120 - 100 - 5.
        assert (whole.usage.input_tokens, whole.usage.cache_read_input_tokens) == (15, 100)
        assert whole.usage.cache_creation_input_tokens == 5
        async with client.messages.stream(model="m", max_tokens=9, messages=HI) as stream:
            final = await stream.get_final_message()
        assert final.to_dict()["content"] == whole.to_dict()["content"]
        assert (final.usage.input_tokens, final.usage.output_tokens) == (15, 30)
        assert (await client.messages.count_tokens(model="m", messages=HI)).input_tokens > 0


@pytest.mark.parametrize("shape", ["chat", "responses"])
async def test_a_json_schema_is_answered_by_an_object_that_fits(shape: str) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}, "tags": {"type": "array"}}}
    async with Upstream() as upstream, openai_client(upstream) as client:
        if shape == "chat":
            answer = await client.chat.completions.create(
                model="m",
                messages=HI,
                response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
            )
            text = answer.choices[0].message.content or ""
        else:
            response = await client.responses.create(
                model="m", input="Hi", text={"format": {"type": "json_schema", "name": "x", "schema": schema}}
            )
            text = response.output_text
    assert json.loads(text) == {"n": 1, "tags": ["text"]}


async def test_a_forced_tool_is_called_with_arguments_that_fit() -> None:
    async with Upstream() as upstream, anthropic_client(upstream) as client:
        answer = await client.messages.create(
            model="m",
            max_tokens=9,
            messages=HI,
            tools=[{"name": "get_weather", "input_schema": WEATHER}],
            tool_choice={"type": "any"},
        )
    assert answer.content[0].type == "tool_use"
    assert answer.content[0].input == {"city": "text"}


async def test_embeddings_are_the_same_as_floats_and_as_base64_and_have_length_one() -> None:
    async with Upstream() as upstream, openai_client(upstream) as client:
        packed = await client.embeddings.create(model="e", input=["a", "b"])
        floats = await client.embeddings.create(model="e", input=["a", "b"], encoding_format="float")
    assert upstream.requests[0].json["encoding_format"] == "base64"
    for one, other in zip(packed.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert math.fsum(x * x for x in other.embedding) == pytest.approx(1.0)
    assert floats.data[0].embedding != floats.data[1].embedding


async def test_scripts_by_sequence_by_model_and_by_function() -> None:
    async with Upstream([rate_limited("7"), Reply(text="then")]) as upstream:
        assert (await post(upstream))[0] == 429
        assert dict(upstream.sent[0].headers)["Retry-After"] == "7"
        assert [(await post(upstream))[0] for _ in range(2)] == [200, 200]
        upstream.play({"a": [Reply(text="A1"), Reply(text="A2")], "b": Reply(text="B")})
        bodies = [await post(upstream, model=model) for model in ("a", "b", "a", "c")]
        texts = [json.loads(body)["choices"][0]["message"]["content"] for _, body in bodies]
        assert texts == ["A1", "B", "A2", "This is the scripted answer of c."]
        upstream.play(lambda received: Reply(text=received.path))
        assert b"/v1/chat/completions" in (await post(upstream))[1]


async def test_what_arrived_and_what_was_sent_are_kept_byte_for_byte() -> None:
    async with Upstream(Reply(text="a b")) as upstream:
        status, body = await post(upstream, stream=True, odd=[1.50, "ü"])
        assert status == 200
        assert upstream.sent[0].body == body
        assert upstream.sent[0].finished and not upstream.sent[0].cancelled
        received = upstream.requests[0]
        assert (received.method, received.path, received.stream) == ("POST", "/v1/chat/completions", True)
        assert received.json["odd"] == [1.5, "ü"]
        assert received.header("HOST") == upstream.url.removeprefix("http://")
        assert received.header("absent") is None


@pytest.mark.parametrize(
    ("reply", "status", "body"),
    [
        (html_error(502), 502, b"<html>"),
        (empty_error(503), 503, b""),
        (overloaded(), 529, b"Overloaded"),
        (Reply(status=400, error_code="bad"), 400, b'"code":"bad"'),
    ],
)
async def test_error_answers(reply: Reply, status: int, body: bytes) -> None:
    async with Upstream(reply) as upstream:
        got_status, got = await post(upstream)
    assert got_status == status
    assert body in got


async def test_errors_have_the_form_of_their_dialect() -> None:
    async with Upstream(Reply(status=529)) as upstream:
        _, body = await post(upstream, "/v1/messages")
        assert json.loads(body)["error"]["type"] == "overloaded_error"
        assert (await post(upstream, "/v2/other"))[0] == 404


async def test_a_redirect_carries_its_location() -> None:
    async with (
        Upstream(redirect("http://127.0.0.1:9/x")) as upstream,
        aiohttp.ClientSession() as session,
        session.post(upstream.url + "/v1/messages", json={}, allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["Location"]) == (302, "http://127.0.0.1:9/x")


@pytest.mark.parametrize(
    "fault",
    [CutBeforeAnswer(), CutBeforeAnswer(reset=False), Garbage(), CutAfter(2), CutAfter(2, reset=True), ShortBody()],
    ids=repr,
)
async def test_broken_connections_are_broken_for_a_strict_client(fault: Any) -> None:
    async with Upstream(Reply(text="a b c", fault=fault)) as upstream:
        with pytest.raises(aiohttp.ClientError):
            await post(upstream, stream=True)


async def test_a_cut_leaves_what_came_before_it() -> None:
    async with (
        Upstream(Reply(text="a b c", fault=CutAfterBytes(40))) as upstream,
        aiohttp.ClientSession() as session,
        session.post(upstream.url + "/v1/chat/completions", json={"model": "m", "stream": True}) as response,
    ):
        got = b""
        with pytest.raises(aiohttp.ClientPayloadError):
            async for piece in response.content.iter_any():
                got += piece
        assert len(got) == 40
        assert got == upstream.sent[0].body


async def test_refused_connections() -> None:
    with closed_port() as url:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(url)
    async with Upstream() as upstream:
        url = upstream.url
        upstream.stop_listening()
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(upstream)
        await upstream.listen()
        assert upstream.url == url
        assert (await post(upstream))[0] == 200


async def test_events_can_be_missing_broken_or_errors() -> None:
    async with Upstream() as upstream:
        upstream.play(Reply(fault=EmptyStream()))
        assert await post(upstream, stream=True) == (200, b"")
        upstream.play(Reply(text="a b", fault=EndAfter(-1)))
        assert b"[DONE]" not in (await post(upstream, stream=True))[1]
        upstream.play(Reply(text="a b", fault=ErrorEvent(after=1)))
        events = (await post(upstream, stream=True))[1].split(b"\n\n")
        assert len(events) == 3 and b'"error"' in events[1]
        upstream.play(Reply(text="a b", fault=ErrorEvent()))
        assert (await post(upstream, "/v1/messages", stream=True))[1].startswith(b"event: error\n")
        upstream.play(Reply(text="a b", fault=MalformedEvent(after=1, data=b"\xff{")))
        assert (await post(upstream, stream=True))[1].split(b"\n\n")[1] == b"data: \xff{"


async def test_the_same_bytes_in_other_pieces() -> None:
    async with Upstream(Reply(text="ä ö")) as upstream:
        _, plain = await post(upstream, stream=True)
        for size in (0, 1, 7):
            upstream.play(Reply(text="ä ö", fault=Rechunk(size)))
            assert (await post(upstream, stream=True))[1] == plain
        assert len(upstream.sent[1].chunks) == 1
        assert len(upstream.sent[2].chunks) == len(plain)
        upstream.play(Reply(text="ä ö", fault=(CrLf(), Rechunk(1))))
        crlf = (await post(upstream, stream=True))[1]
        assert b"data:{" in crlf and crlf.count(b"\r\n") == crlf.count(b"\n")


async def test_slow_answers_come_whole() -> None:
    for fault in (SlowFirstByte(0.001), Drip(0.001), (SlowFirstByte(0.001), Drip(0.001))):
        async with Upstream(Reply(text="a b", fault=fault)) as upstream:
            assert (await post(upstream, stream=True))[1].endswith(b"data: [DONE]\n\n")


async def test_a_held_answer_goes_on_when_released() -> None:
    async with Upstream(Reply(text="a b c", fault=HoldAfter(2))) as upstream:
        asking = asyncio.ensure_future(post(upstream, stream=True))
        await upstream.wait_sent(2)
        assert not asking.done() and len(upstream.sent[0].chunks) == 2 and upstream.n_in_flight == 1
        upstream.release()
        assert (await asking)[1].endswith(b"data: [DONE]\n\n")
        await upstream.wait_idle()


@pytest.mark.parametrize("fault", [NeverAnswer(), HoldAnswer(), StallAfter(1)], ids=repr)
async def test_a_client_that_leaves_is_seen(fault: Any) -> None:
    async with Upstream(Reply(text="a b c", fault=fault)) as upstream:
        asking = asyncio.ensure_future(post(upstream, stream=True))
        await upstream.wait_requests()
        assert upstream.n_open_connections == 1
        asking.cancel()
        await upstream.wait_cancelled()
        await upstream.wait_open_connections(0)
        assert upstream.n_cancelled == 1


async def test_waiting_for_what_does_not_come_fails() -> None:
    async with Upstream() as upstream:
        with pytest.raises(TimeoutError):
            await upstream.wait_requests(within_s=0.01)


async def test_a_stalled_answer_does_not_hold_up_the_end() -> None:
    async with Upstream(Reply(fault=NeverAnswer())) as upstream:
        asking = asyncio.ensure_future(post(upstream))
        await upstream.wait_requests()
    with pytest.raises(aiohttp.ClientError):
        await asking
    assert upstream.n_cancelled == 0
