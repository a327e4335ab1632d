"""The official SDKs work unchanged, and what the upstream sent is what they get, `model` aside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

from pointsman.testing import Reply, ToolCall
from pointsman.vocabulary import Usage

HI: list[Any] = [{"role": "user", "content": "Hi"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
CHAT_TOOLS: list[Any] = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
RESPONSES_TOOLS: list[Any] = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}]
MESSAGES_TOOLS: list[Any] = [{"name": "get_weather", "input_schema": SCHEMA}]
TEXT = 'Grüezi, 世界 👋, a \\ and a " quote.'
PLAIN = Reply(
    text=TEXT,
    usage=Usage(input_tokens=120, output_tokens=30, cached_input_tokens=100, cache_write_tokens=8, reasoning_tokens=12),
    extra={"x_new_field": {"deep": [1, 2.50, None, "ü"]}},
)
THINKING = Reply(text=TEXT, reasoning="The user greets.", usage=Usage(50, 20))
TOOLS = Reply(
    text="Looking.",
    tool_calls=(ToolCall("get_weather", {"city": "Bern", "degrees": 1}), ToolCall("get_weather", {"city": "Rome"})),
)
FORMAT: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA, "strict": True}}


# ---------------------------------------------------------------- comparing field for field


def events_of(raw: bytes) -> list[Any]:
    """The events of a stream: their names and their data, parsed."""
    out: list[Any] = []
    for block in raw.decode().split("\n\n"):
        if block:
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            data = lines["data"]
            out.append((lines.get("event"), data if data == "[DONE]" else json.loads(data)))
    return out


def renamed(value: Any, name: str) -> Any:
    """The same with every `model` that the upstream named put as the gateway names it."""
    if isinstance(value, dict):
        return {key: name if key == "model" else renamed(inner, name) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(renamed(inner, name) for inner in value)
    return value


def without_pointsman(events: list[Any]) -> list[Any]:
    """The events without the object that the gateway adds to a usage chunk."""
    return [
        (name, {key: inner for key, inner in data.items() if key != "pointsman"} if isinstance(data, dict) else data)
        for name, data in events
    ]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
@pytest.mark.parametrize("reply", [PLAIN, THINKING, TOOLS], ids=["plain", "thinking", "tools"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_bytes_of_the_upstream_reach_the_client(
    open_stand: OpenStand, path: str, reply: Reply, stream: bool
) -> None:
    body: dict[str, Any] = {"model": "auto", "stream": stream, "x_from_client": [1.0, "é"]}
    body |= {"input": "Hi"} if path == "/v1/responses" else {"messages": HI, "max_tokens": 50}
    if path == "/v1/chat/completions" and stream:
        body["stream_options"] = {"include_usage": True}
    async with open_stand(reply) as stand:
        status, headers, got = await stand.send("POST", path, json=body)
        assert status == 200
        sent = stand.upstream.sent[0].body
        # What went up is the client's body, the model aside.
        assert stand.upstream.requests[0].json == body | {"model": "small-2026"}
    assert headers["x-pointsman-model"] == "small"
    if stream:
        assert headers["Content-Type"].startswith("text/event-stream")
        assert without_pointsman(events_of(got)) == renamed(events_of(sent), "small")
    else:
        assert json.loads(got) == renamed(json.loads(sent), "small")
        # Not only equal values: equal bytes, once the name is put back.
        assert got.replace(b'"model":"small"', b'"model":"small-2026"') == sent


async def test_a_stream_whose_client_did_not_ask_for_usage_has_none(open_stand: OpenStand) -> None:
    body = {"model": "auto", "stream": True, "messages": HI}
    async with open_stand(PLAIN) as stand:
        _, _, got = await stand.send("POST", "/v1/chat/completions", json=body)
        assert stand.upstream.requests[0].json["stream_options"] == {"include_usage": True}
        sent = events_of(stand.upstream.sent[0].body)
        (record,) = await stand.ledger.wait_records(1)
    kept = [event for event in events_of(got) if event[1] != "[DONE]"]
    expected = [event for event in renamed(sent, "small") if event[1] != "[DONE]" and event[1]["choices"]]
    assert [{**data, "usage": None} for _, data in kept] == [data for _, data in expected]
    # Chat completions do not tell cache writes.
    assert PLAIN.usage is not None
    assert record.usage == replace(PLAIN.usage, cache_write_tokens=0)
    assert record.cost.usd is not None


async def test_the_usage_chunk_tells_cost_and_savings_when_usage_was_asked_for(open_stand: OpenStand) -> None:
    async with open_stand(Reply(text="a", usage=Usage(1_000_000, 500_000))) as stand, stand.openai() as client:
        stream = await client.chat.completions.create(
            model="auto", messages=HI, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    told = (chunks[-1].model_extra or {})["pointsman"]
    # 1 USD per million in, 2 out; the baseline costs the same here.
    assert (told["cost_usd"], told["saved_usd"], told["tier"]) == (pytest.approx(2.0), pytest.approx(0.0), "cheap")


# ---------------------------------------------------------------- OpenAI, chat completions


async def test_openai_chat_async(open_stand: OpenStand) -> None:
    async with open_stand(PLAIN) as stand, stand.openai() as client:
        answer = await client.chat.completions.with_raw_response.create(model="auto", messages=HI)
        parsed = answer.parse()
        assert parsed.choices[0].message.content == TEXT
        assert parsed.model == "small"
        assert parsed.usage is not None and parsed.usage.prompt_tokens == 120
        assert parsed._request_id == answer.headers["x-pointsman-request-id"]
        # (120 - 100 - 8 cached or written) are not told apart by this price: 120 in, 30 out.
        assert float(answer.headers["x-pointsman-cost-usd"]) > 0
        async with client.chat.completions.stream(model="auto", messages=HI) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == TEXT
        assert final.choices[0].finish_reason == "stop"


async def test_openai_chat_tools_in_parallel(open_stand: OpenStand) -> None:
    async with open_stand(TOOLS) as stand, stand.openai() as client:
        whole = await client.chat.completions.create(model="auto", messages=HI, tools=CHAT_TOOLS)
        calls = [call for call in whole.choices[0].message.tool_calls or [] if call.type == "function"]
        assert [(call.id, call.function.arguments) for call in calls] == [
            ("call_1", '{"city":"Bern","degrees":1}'),
            ("call_2", '{"city":"Rome"}'),
        ]
        async with client.chat.completions.stream(model="auto", messages=HI, tools=CHAT_TOOLS) as stream:
            final = await stream.get_final_completion()
        streamed = final.choices[0].message.tool_calls or []
        assert [(call.id, call.function.arguments) for call in streamed] == [
            (call.id, call.function.arguments) for call in calls
        ]
        # The second turn of the loop: the results go up with the ids they came with.
        turns: list[Any] = [
            *HI,
            whole.choices[0].message.to_dict(),
            *({"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls),
        ]
        await client.chat.completions.create(model="auto", messages=turns, tools=CHAT_TOOLS)
        assert stand.upstream.requests[2].json["messages"] == turns


async def test_openai_chat_json_schema(stand: Stand) -> None:
    async with stand.openai() as client:
        whole = await client.chat.completions.create(model="auto", messages=HI, response_format=FORMAT)  # type: ignore[call-overload]
        assert json.loads(whole.choices[0].message.content) == {"city": "text", "degrees": 1}
        streamed = await client.chat.completions.create(  # type: ignore[call-overload]
            model="auto", messages=HI, response_format=FORMAT, stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in streamed if chunk.choices])
        assert json.loads(text) == {"city": "text", "degrees": 1}
    assert stand.upstream.requests[0].json["response_format"] == FORMAT


# ---------------------------------------------------------------- OpenAI, responses


async def test_openai_responses_async(open_stand: OpenStand) -> None:
    async with open_stand(THINKING) as stand, stand.openai() as client:
        whole = await client.responses.create(model="auto", input="Hi")
        assert (whole.output_text, whole.model) == (TEXT, "small")
        async with client.responses.stream(model="auto", input="Hi") as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
        assert (final.output_text, final.model) == (TEXT, "small")
        assert final.usage == whole.usage


async def test_openai_responses_tools_and_json_schema(open_stand: OpenStand) -> None:
    async with open_stand({"small-2026": [TOOLS, TOOLS, Reply()]}) as stand, stand.openai() as client:
        whole = await client.responses.create(model="auto", input="Hi", tools=RESPONSES_TOOLS)
        calls = [item.arguments for item in whole.output if item.type == "function_call"]
        assert calls == ['{"city":"Bern","degrees":1}', '{"city":"Rome"}']
        async with client.responses.stream(model="auto", input="Hi", tools=RESPONSES_TOOLS) as stream:
            final = await stream.get_final_response()
        assert [item.arguments for item in final.output if item.type == "function_call"] == calls
        form: Any = {"format": {"type": "json_schema", "name": "w", "schema": SCHEMA, "strict": True}}
        answer = await client.responses.create(model="auto", input="Hi", text=form)
        assert json.loads(answer.output_text) == {"city": "text", "degrees": 1}


# ---------------------------------------------------------------- Anthropic, messages


async def test_anthropic_messages_async(open_stand: OpenStand) -> None:
    async with open_stand(THINKING) as stand, stand.anthropic() as client:
        raw = await client.messages.with_raw_response.create(
            model="claude-auto",
            max_tokens=50,
            messages=HI,
            extra_headers={"anthropic-beta": "one,two", "anthropic-version": "2023-06-01"},
        )
        whole = await raw.parse()
        assert [block.type for block in whole.content] == ["thinking", "text"]
        assert whole.model == "small"
        assert raw.headers["request-id"] == raw.headers["x-pointsman-request-id"]
        async with client.messages.stream(model="auto", max_tokens=50, messages=HI) as stream:
            final = await stream.get_final_message()
        # Thinking blocks are signed and must come back as they were.
        assert final.to_dict()["content"] == whole.to_dict()["content"]
        assert final.model == "small"
        up = stand.upstream.requests[0]
        assert (up.header("anthropic-beta"), up.header("anthropic-version")) == ("one,two", "2023-06-01")


async def test_anthropic_tools_in_parallel_and_json_schema(open_stand: OpenStand) -> None:
    async with open_stand({"small-2026": [TOOLS, TOOLS, Reply()]}) as stand, stand.anthropic() as client:
        whole = await client.messages.create(model="auto", max_tokens=50, messages=HI, tools=MESSAGES_TOOLS)
        calls = [block.input for block in whole.content if block.type == "tool_use"]
        assert calls == [{"city": "Bern", "degrees": 1}, {"city": "Rome"}]
        async with client.messages.stream(model="auto", max_tokens=50, messages=HI, tools=MESSAGES_TOOLS) as stream:
            final = await stream.get_final_message()
        assert [block.input for block in final.content if block.type == "tool_use"] == calls
        assert final.stop_reason == "tool_use"
        form: Any = {"format": {"type": "json_schema", "schema": SCHEMA}}
        answer = await client.messages.create(model="auto", max_tokens=50, messages=HI, output_config=form)
        assert answer.content[0].type == "text"
        assert json.loads(answer.content[0].text) == {"city": "text", "degrees": 1}


# ---------------------------------------------------------------- the synchronous clients


async def test_the_synchronous_openai_client(open_stand: OpenStand) -> None:
    def use(url: str) -> list[Any]:
        with openai.OpenAI(api_key="k", base_url=url + "/v1", max_retries=0) as client:
            out: list[Any] = [client.chat.completions.create(model="auto", messages=HI).choices[0].message.content]
            with client.chat.completions.stream(model="auto", messages=HI) as stream:
                out.append(stream.get_final_completion().choices[0].message.content)
            out.append(client.responses.create(model="auto", input="Hi").output_text)
            with client.responses.stream(model="auto", input="Hi") as events:
                out.append(events.get_final_response().output_text)
            out.append([model.id for model in client.models.list()])
            out.append(client.models.retrieve("auto:best").id)
            return out

    async with open_stand(PLAIN) as stand:
        *texts, names, one = await asyncio.to_thread(use, stand.url)
    assert texts == [TEXT] * 4
    assert names == ["auto", "auto:auto", "auto:best", "claude-auto", "small", "large", "spare"]
    assert one == "auto:best"


async def test_the_synchronous_anthropic_client(open_stand: OpenStand) -> None:
    def use(url: str) -> list[Any]:
        with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client:
            whole = client.messages.create(model="auto", max_tokens=50, messages=HI)
            with client.messages.stream(model="auto", max_tokens=50, messages=HI) as stream:
                final = stream.get_final_message()
            models = [model.id for model in client.models.list()]
            return [whole.content[0], final.content[0], models, client.models.retrieve("claude-auto").id]

    async with open_stand(PLAIN) as stand:
        whole, final, names, one = await asyncio.to_thread(use, stand.url)
    assert (whole.text, final.text) == (TEXT, TEXT)
    assert "claude-auto" in names and one == "claude-auto"


# ---------------------------------------------------------------- models, policies, errors


@pytest.mark.parametrize(
    ("model", "headers", "served"),
    [
        ("auto", {}, "small"),
        ("auto:best", {}, "large"),
        ("claude-auto", {}, "small"),
        ("spare", {}, "spare"),
        ("auto", {"x-pointsman-policy": "best"}, "large"),
        ("auto", {"x-pointsman-tier": "strong"}, "large"),
    ],
)
async def test_the_model_and_the_headers_choose(stand: Stand, model: str, headers: dict[str, str], served: str) -> None:
    async with stand.openai() as client:
        answer = await client.chat.completions.create(model=model, messages=HI, extra_headers=headers)
    assert answer.model == served


async def test_a_client_key_never_reaches_the_upstream(stand: Stand) -> None:
    async with stand.openai(api_key="secret-of-the-client") as client:
        await client.chat.completions.create(model="auto", messages=HI)
    sent = stand.upstream.requests[0]
    assert sent.header("authorization") == "Bearer upstream-key"
    assert "secret-of-the-client" not in repr(sent)


async def test_errors_become_the_typed_exceptions_of_the_sdks(open_stand: OpenStand) -> None:
    async with open_stand(Reply(status=400, error_message="too long", error_code="context_length_exceeded")) as stand:
        async with stand.openai() as client:
            with pytest.raises(openai.NotFoundError, match="not configured"):
                await client.chat.completions.create(model="no-such-model", messages=HI)
            # An error of the caller's making keeps the upstream's own words.
            with pytest.raises(openai.BadRequestError, match="too long") as caught:
                await client.chat.completions.create(model="auto", messages=HI)
            assert caught.value.code == "context_length_exceeded"
        async with stand.anthropic() as anthropic_client:
            with pytest.raises(anthropic.NotFoundError, match="not configured"):
                await anthropic_client.messages.create(model="no-such-model", max_tokens=5, messages=HI)
            with pytest.raises(anthropic.BadRequestError, match="too long"):
                await anthropic_client.messages.create(model="auto", max_tokens=5, messages=HI)


async def test_sdks_do_not_multiply_our_own_attempts(open_stand: OpenStand) -> None:
    async with open_stand(Reply(status=500)) as stand, stand.openai(max_retries=5) as client:
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="small", messages=HI)
        assert len(stand.upstream.requests) == 2, "one retry of ours, none of the SDK's five"


async def test_both_sdks_at_once_on_one_gateway(stand: Stand) -> None:
    async def chats() -> AsyncIterator[str | None]:
        async with stand.openai() as client:
            for _ in range(10):
                answer = await client.chat.completions.create(model="auto", messages=HI)
                yield answer.choices[0].message.content

    async def messages() -> int:
        async with stand.anthropic() as client:
            for _ in range(10):
                await client.messages.create(model="auto:best", max_tokens=5, messages=HI)
        return 10

    async def counted() -> int:
        return len([text async for text in chats()])

    assert tuple(await asyncio.gather(counted(), messages())) == (10, 10)
    records = await stand.ledger.wait_records(20)
    assert {record.status for record in records} == {"ok"}
