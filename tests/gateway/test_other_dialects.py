"""The official SDKs against a gateway whose upstream speaks another dialect than they do, over real sockets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
import structlog

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

from pointsman.call.health import Health
from pointsman.call.retry import RetryPolicy
from pointsman.testing import CutAfter, EndAfter, ErrorEvent, HoldAfter, MalformedEvent, Reply, ToolCall, overloaded
from pointsman.vocabulary import Dialect, Usage

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES
PATHS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses", MESSAGES: "/v1/messages"}
PAIRS = [(client, upstream) for client in Dialect for upstream in Dialect if client is not upstream]
pairs = pytest.mark.parametrize(
    ("client", "upstream"), PAIRS, ids=[f"{client.value} to {upstream.value}" for client, upstream in PAIRS]
)
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
HI: list[Any] = [{"role": "user", "content": "Hi"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
TOOLS: dict[Dialect, list[Any]] = {
    CHAT: [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}],
    RESPONSES: [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}],
    MESSAGES: [{"name": "get_weather", "input_schema": SCHEMA}],
}
TEXT = 'Grüezi, 世界 👋, a \\ and a " quote.'
USAGE = Usage(input_tokens=120, output_tokens=30, cached_input_tokens=100)
CALLS = (ToolCall("get_weather", {"city": "Bern", "degrees": 1}), ToolCall("get_weather", {"city": "Rome"}))
BODIES: dict[Dialect, dict[str, Any]] = {
    CHAT: {"model": "auto", "messages": HI},
    RESPONSES: {"model": "auto", "input": "Hi"},
    MESSAGES: {"model": "auto", "max_tokens": 9, "messages": HI},
}


def speaking(upstream: Dialect) -> dict[str, tuple[Dialect, ...]]:
    return dict.fromkeys(("small", "large", "spare"), (upstream,))


async def asked(stand: Stand, client: Dialect, *, stream: bool, **more: Any) -> dict[str, Any]:
    """What the official SDK makes of an answer: its words, calls, reason and usage (input, output, cached)."""
    if client is MESSAGES:
        return await _asked_anthropic(stand, stream=stream, **more)
    async with stand.openai() as sdk:
        return await (_asked_responses if client is RESPONSES else _asked_chat)(sdk, stream=stream, **more)


async def _asked_chat(sdk: openai.AsyncOpenAI, *, stream: bool, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"model": "auto", "messages": HI} | more
    if stream:
        async with sdk.chat.completions.stream(**given, stream_options={"include_usage": True}) as events:
            answer: Any = await events.get_final_completion()
    else:
        answer = await sdk.chat.completions.create(**given)
    message, usage = answer.choices[0].message, answer.usage
    calls = message.tool_calls or ()
    return {
        "text": message.content,
        "calls": [(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls],
        "reason": answer.choices[0].finish_reason,
        "usage": (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens),
        "model": answer.model,
        "raw": answer,
    }


async def _asked_responses(sdk: openai.AsyncOpenAI, *, stream: bool, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"model": "auto", "input": "Hi"} | more
    if stream:
        async with sdk.responses.stream(**given) as events:
            answer: Any = await events.get_final_response()
    else:
        answer = await sdk.responses.create(**given)
    calls = [item for item in answer.output if item.type == "function_call"]
    usage = answer.usage
    return {
        "text": answer.output_text,
        "calls": [(call.call_id, call.name, json.loads(call.arguments)) for call in calls],
        "reason": answer.status,
        "usage": (usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens),
        "model": answer.model,
        "raw": answer,
    }


async def _asked_anthropic(stand: Stand, *, stream: bool, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"model": "auto", "max_tokens": 50, "messages": HI} | more
    async with stand.anthropic() as sdk:
        if stream:
            async with sdk.messages.stream(**given) as events:
                answer: Any = await events.get_final_message()
        else:
            answer = await sdk.messages.create(**given)
    usage = answer.usage
    cached = usage.cache_read_input_tokens
    return {
        "text": "".join(block.text for block in answer.content if block.type == "text"),
        "calls": [(block.id, block.name, block.input) for block in answer.content if block.type == "tool_use"],
        "reason": answer.stop_reason,
        "usage": (usage.input_tokens + cached, usage.output_tokens, cached),
        "model": answer.model,
        "raw": answer,
    }


ENDS = {CHAT: "stop", RESPONSES: "completed", MESSAGES: "end_turn"}
CALL_ENDS = {CHAT: "tool_calls", RESPONSES: "completed", MESSAGES: "tool_use"}


@pairs
@streamed
async def test_text_usage_and_the_record(
    open_stand: OpenStand, client: Dialect, upstream: Dialect, stream: bool
) -> None:
    async with open_stand(Reply(text=TEXT, usage=USAGE), speak=speaking(upstream)) as stand:
        got = await asked(stand, client, stream=stream)
        (record,) = await stand.ledger.wait_records(1)
        (received,) = stand.upstream.requests
    got.pop("raw")
    assert got == {
        "text": TEXT,
        "calls": [],
        "reason": ENDS[client],
        "usage": (120, 30, 100),
        "model": "small",
    }
    assert received.path == PATHS[upstream]
    assert received.model == "small-2026"
    assert (record.status, record.usage, record.dialect) == ("ok", USAGE, client)
    assert record.cost.usd == pytest.approx((120 * 1.0 + 30 * 2.0) / 1e6)


@pairs
@streamed
async def test_parallel_tool_calls_and_their_results(
    open_stand: OpenStand, client: Dialect, upstream: Dialect, stream: bool
) -> None:
    script = [Reply(text="Looking.", tool_calls=CALLS, usage=USAGE), Reply(text="Bern.", usage=USAGE)]
    async with open_stand(script, speak=speaking(upstream)) as stand:
        got = await asked(stand, client, stream=stream, tools=TOOLS[client])
        assert (got["text"], got["reason"]) == ("Looking.", CALL_ENDS[client])
        ids = [id_ for id_, _, _ in got["calls"]]
        assert [(name, args) for _, name, args in got["calls"]] == [(call.name, call.arguments) for call in CALLS]
        assert len(set(ids)) == 2
        # The client sends back what it got, with the results, as its SDK's users do.
        raw = got["raw"]
        if client is CHAT:
            said: dict[str, Any] = {
                "messages": [
                    *HI,
                    raw.choices[0].message.to_dict(),
                    *({"role": "tool", "tool_call_id": id_, "content": f"result of {id_}"} for id_ in ids),
                ]
            }
        elif client is RESPONSES:
            results = [{"type": "function_call_output", "call_id": id_, "output": f"result of {id_}"} for id_ in ids]
            output = [item.to_dict() for item in raw.output]
            for item in output:
                item.pop("parsed_arguments", None)
            said = {"input": [*HI, *output, *results]}
        else:
            results = [{"type": "tool_result", "tool_use_id": id_, "content": f"result of {id_}"} for id_ in ids]
            content = [block.to_dict() for block in raw.content]
            said = {"messages": [*HI, {"role": "assistant", "content": content}, {"role": "user", "content": results}]}
        assert (await asked(stand, client, stream=stream, tools=TOOLS[client], **said))["text"] == "Bern."
        body = stand.upstream.requests[1].json
    if upstream is CHAT:
        calls = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
        answers = [(m["tool_call_id"], m["content"]) for m in body["messages"] if m["role"] == "tool"]
    elif upstream is RESPONSES:
        calls = [item["call_id"] for item in body["input"] if item["type"] == "function_call"]
        answers = [(i["call_id"], i["output"]) for i in body["input"] if i["type"] == "function_call_output"]
    else:
        blocks = [block for turn in body["messages"] for block in turn["content"]]
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        answers = [(b["tool_use_id"], b["content"]) for b in blocks if b["type"] == "tool_result"]
    assert calls == ids
    assert answers == [(id_, f"result of {id_}") for id_ in ids]


@pairs
async def test_json_schemas_and_forced_tools(open_stand: OpenStand, client: Dialect, upstream: Dialect) -> None:
    """The upstream answers with what fits the schema, or calls the forced tool, so that both must have arrived."""
    forms: dict[Dialect, dict[str, Any]] = {
        CHAT: {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "w", "schema": SCHEMA, "strict": True},
            }
        },
        RESPONSES: {"text": {"format": {"type": "json_schema", "name": "w", "schema": SCHEMA, "strict": True}}},
        MESSAGES: {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    }
    forced: dict[Dialect, Any] = {
        CHAT: {"type": "function", "function": {"name": "get_weather"}},
        RESPONSES: {"type": "function", "name": "get_weather"},
        MESSAGES: {"type": "tool", "name": "get_weather"},
    }
    async with open_stand(Reply(), speak=speaking(upstream)) as stand:
        got = await asked(stand, client, stream=False, **forms[client])
        assert json.loads(got["text"]) == {"city": "text", "degrees": 1}
        got = await asked(stand, client, stream=False, tools=TOOLS[client], tool_choice=forced[client])
        assert [(name, args) for _, name, args in got["calls"]] == [("get_weather", {"city": "text", "degrees": 1})]


@pytest.mark.parametrize("upstream", [CHAT, RESPONSES])
@streamed
async def test_thinking_reaches_claudes_clients_and_goes_back_without_harm(
    open_stand: OpenStand, upstream: Dialect, stream: bool
) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    async with open_stand(
        Reply(text="Yes.", reasoning="Let me see.", usage=USAGE), speak=speaking(upstream) | {"large": tuple(Dialect)}
    ) as stand:
        got = await asked(stand, MESSAGES, stream=stream, thinking=thinking, max_tokens=3000)
        blocks = [block.to_dict() for block in got["raw"].content]
        assert [(block["type"], block.get("thinking")) for block in blocks] == [
            ("thinking", "Let me see."),
            ("text", None),
        ]
        # The next turn goes to an upstream of the client's own dialect, which would refuse that signature.
        history = [*HI, {"role": "assistant", "content": blocks}, *HI]
        await asked(stand, MESSAGES, stream=stream, model="large", messages=history, thinking=thinking, max_tokens=3000)
        sent = stand.upstream.requests[1].json
    assert sent["messages"][1]["content"] == [{"type": "text", "text": "Yes."}]
    assert sent["thinking"] == thinking


async def test_reasoning_reaches_clients_of_responses_and_signed_thinking_comes_back(open_stand: OpenStand) -> None:
    async with open_stand(Reply(text="Yes.", reasoning="Let me see."), speak=speaking(MESSAGES)) as stand:
        got = await asked(stand, RESPONSES, stream=True, reasoning={"effort": "low", "summary": "auto"})
        output = [item.to_dict() for item in got["raw"].output]
        assert output[0]["summary"][0]["text"] == "Let me see."
        await asked(stand, RESPONSES, stream=False, input=[*HI, *output, *HI])
        turn = stand.upstream.requests[1].json["messages"][1]
    assert turn["content"][0]["type"] == "thinking"
    assert turn["content"][0]["signature"] == "c2lnbmVkIGJ5IHRoZSB1cHN0cmVhbQ=="


# ---------------------------------------------------------------- synchronous clients


async def test_the_synchronous_clients(open_stand: OpenStand) -> None:
    def with_openai(url: str) -> list[Any]:
        with openai.OpenAI(api_key="k", base_url=url + "/v1", max_retries=0) as client:
            whole = client.chat.completions.create(model="auto", messages=HI).choices[0].message.content
            with client.chat.completions.stream(model="auto", messages=HI) as stream:
                chat = stream.get_final_completion().choices[0].message.content
            with client.responses.stream(model="auto", input="Hi") as events:
                return [whole, chat, events.get_final_response().output_text]

    def with_anthropic(url: str) -> list[Any]:
        with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client:
            whole: Any = client.messages.create(model="auto", max_tokens=50, messages=HI).content[0]
            with client.messages.stream(model="auto", max_tokens=50, messages=HI) as stream:
                return [whole.text, "".join(stream.text_stream)]

    async with open_stand(Reply(text=TEXT), speak=speaking(MESSAGES)) as stand:
        assert await asyncio.to_thread(with_openai, stand.url) == [TEXT] * 3
    async with open_stand(Reply(text=TEXT), speak=speaking(CHAT)) as stand:
        assert await asyncio.to_thread(with_anthropic, stand.url) == [TEXT] * 2


# ---------------------------------------------------------------- what goes wrong


@pairs
async def test_errors_become_the_typed_exceptions_of_the_callers_sdk(
    open_stand: OpenStand, client: Dialect, upstream: Dialect
) -> None:
    sdk: Any = anthropic if client is MESSAGES else openai
    bad = Reply(status=400, error_message="too long", error_code="context_length_exceeded")
    async with open_stand([bad, overloaded()], speak=speaking(upstream)) as stand:
        with pytest.raises(sdk.BadRequestError, match="too long"):
            await asked(stand, client, stream=False)
        with pytest.raises(sdk.InternalServerError) as caught:
            await asked(stand, client, stream=False, model="small")
        assert caught.value.status_code == (529 if client is MESSAGES else 503)
        assert caught.value.response.headers["x-should-retry"] == "false"


@pairs
@pytest.mark.parametrize(
    "fault",
    [CutAfter(4), EndAfter(4), MalformedEvent(after=4), ErrorEvent(after=4)],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_broken_stream_ends_in_an_error_event_of_the_callers_dialect(
    open_stand: OpenStand, client: Dialect, upstream: Dialect, fault: Any
) -> None:
    async with open_stand(
        Reply(text="one two three four five", fault=(fault, HoldAfter(3))), speak=speaking(upstream)
    ) as stand:
        async with stand.session.post(stand.url + PATHS[client], json=BODIES[client] | {"stream": True}) as response:
            assert response.status == 200
            stand.upstream.release()
            got = await response.content.read()
        (record,) = await stand.ledger.wait_records(1)
    terminator = {CHAT: b"[DONE]", RESPONSES: b"response.completed", MESSAGES: b"message_stop"}[client]
    assert terminator not in got
    last = json.loads(got.decode().strip().split("\n\n")[-1].split("data: ", 1)[1])
    assert "error" in last if client is not RESPONSES else last["type"] == "error"
    assert got.count(b'data: {"error":' if client is CHAT else b"event: error\n") == 1
    assert record.status == "incomplete"


@pairs
async def test_an_upstream_that_only_looks_well_gives_way_to_one_of_another_dialect(
    open_stand: OpenStand, client: Dialect, upstream: Dialect
) -> None:
    """The fallback may speak whatever it likes: the client sees one dialect."""
    other = next(dialect for dialect in Dialect if dialect not in (client, upstream))
    script = {
        "small-2026": Reply(fault=ErrorEvent(after=0)),
        "large-2026": Reply(status=500),
        "spare-2026": Reply(text=TEXT, usage=USAGE),
    }
    speak = {"small": (upstream,), "large": (client,), "spare": (other,)}
    once = Health(retry=RetryPolicy(attempts_per_model=1))
    async with open_stand(script, speak=speak, health=once) as stand:
        got = await asked(stand, client, stream=True)
        (record,) = await stand.ledger.wait_records(1)
        paths = [received.path for received in stand.upstream.requests]
    assert (got["text"], got["model"]) == (TEXT, "spare")
    assert paths == [PATHS[upstream], PATHS[client], PATHS[other]]
    assert [attempt.model for attempt in record.attempts] == ["small", "large", "spare"]


@pytest.mark.parametrize("client", [RESPONSES, MESSAGES])
async def test_an_upstream_that_breaks_once_it_has_finished_leaves_a_whole_answer(
    open_stand: OpenStand, client: Dialect
) -> None:
    """Cut behind the finish reason: only usage and terminator are missing, and these can be made up for."""
    reply = Reply(chunks=("one ", "two"), usage=USAGE, fault=CutAfter(4, reset=True))
    async with open_stand(reply, speak=speaking(CHAT)) as stand:
        _, _, got = await stand.send("POST", PATHS[client], json=BODIES[client] | {"stream": True})
        (record,) = await stand.ledger.wait_records(1)
    terminator = {RESPONSES: b"event: response.completed\n", MESSAGES: b"event: message_stop\n"}[client]
    assert got.count(terminator) == 1 and b"event: error" not in got
    assert record.status == "ok"
    assert record.usage is not None and record.usage.estimated and record.usage.output_tokens > 0


async def test_a_client_that_leaves_cancels_the_translated_call(open_stand: OpenStand) -> None:
    async with open_stand(Reply(text="one two three", fault=HoldAfter(4)), speak=speaking(MESSAGES)) as stand:
        async with stand.session.post(stand.url + PATHS[CHAT], json=BODIES[CHAT] | {"stream": True}) as response:
            await response.content.readany()
        await stand.upstream.wait_cancelled(1)
        (record,) = await stand.ledger.wait_records(1)
    assert record.status == "cancelled"


async def test_usage_is_left_out_for_a_chat_client_who_did_not_ask(open_stand: OpenStand) -> None:
    async with open_stand(Reply(text=TEXT, usage=USAGE), speak=speaking(MESSAGES)) as stand:
        _, _, got = await stand.send("POST", PATHS[CHAT], json=BODIES[CHAT] | {"stream": True})
        assert b'"usage"' not in got and got.endswith(b"data: [DONE]\n\n")
        _, _, got = await stand.send(
            "POST", PATHS[CHAT], json=BODIES[CHAT] | {"stream": True, "stream_options": {"include_usage": True}}
        )
        assert got.count(b'"usage"') == 1 and b'"pointsman":{' in got
        records = await stand.ledger.wait_records(2)
    assert [record.usage for record in records] == [USAGE, USAGE]


# ---------------------------------------------------------------- headers, logs, and what stays where it is


async def test_an_anthropic_upstream_gets_its_version_and_no_key_or_header_of_the_clients(
    open_stand: OpenStand,
) -> None:
    async with open_stand(Reply(), speak=speaking(MESSAGES)) as stand:
        await stand.send(
            "POST",
            PATHS[CHAT],
            json=BODIES[CHAT],
            headers={"Authorization": "Bearer secret", "OpenAI-Beta": "x=v1", "anthropic-beta": "y"},
        )
        received = stand.upstream.requests[0]
    assert received.header("anthropic-version") == "2023-06-01"
    assert received.header("x-api-key") == "upstream-key"
    assert received.header("openai-beta") is None and received.header("anthropic-beta") is None
    assert "secret" not in repr(received)


async def test_what_is_dropped_is_logged_by_its_name_and_never_by_its_content(open_stand: OpenStand) -> None:
    body = BODIES[CHAT] | {"seed": 7, "x_secret_thing": {"inner": "do not log me"}}
    with structlog.testing.capture_logs() as logs:
        async with open_stand(Reply(), speak=speaking(MESSAGES)) as stand:
            status, headers, _ = await stand.send("POST", PATHS[CHAT], json=body)
            assert status == 200
            (line,) = [log for log in logs if log["event"] == "fields dropped in translation"]
    assert line["fields"] == ["seed", "x_secret_thing"]
    assert line["request_id"] == headers["x-pointsman-request-id"]
    assert "do not log me" not in str(logs)


async def test_a_thread_that_a_provider_holds_is_not_sent_to_one_that_does_not(open_stand: OpenStand) -> None:
    """Translated, the request would lose all that was said before."""
    body = BODIES[RESPONSES] | {"previous_response_id": "resp_1"}
    async with open_stand(Reply(), speak={"small": (CHAT,), "large": (RESPONSES,), "spare": (CHAT,)}) as stand:
        status, headers, _ = await stand.send("POST", PATHS[RESPONSES], json=body)
        assert (status, headers["x-pointsman-model"]) == (200, "large")
        status, _, raw = await stand.send("POST", PATHS[RESPONSES], json=body | {"model": "small"})
        assert status == 400
        assert "previous_response_id" in json.loads(raw)["error"]["message"]


async def test_the_body_of_claude_code_goes_to_a_chat_upstream(open_stand: OpenStand) -> None:
    """Fields, roles and tools as Claude Code sends them: nothing of it may be refused."""
    cache = {"type": "ephemeral"}
    body: dict[str, Any] = {
        "model": "claude-auto",
        "max_tokens": 32000,
        "stream": True,
        "system": [{"type": "text", "text": "You are Claude Code.", "cache_control": cache}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": cache}]},
            {"role": "system", "content": [{"type": "text", "text": "A hint.", "cache_control": cache}]},
        ],
        "tools": [
            {"name": "Bash", "description": "Runs.", "input_schema": SCHEMA, "cache_control": cache},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
        ],
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
        "output_config": {"effort": "high"},
        "metadata": {"user_id": "user_1_session_2"},
    }
    async with open_stand(Reply(text=TEXT), speak=speaking(CHAT)) as stand:
        status, _, got = await stand.send("POST", "/v1/messages?beta=true", json=body)
        sent = stand.upstream.requests[0].json
    assert status == 200 and b"event: message_stop" in got
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "system"]
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["Bash"]
    assert sent["stream_options"] == {"include_usage": True}


async def test_an_upstream_gets_only_the_betas_that_it_knows(open_stand: OpenStand) -> None:
    async with open_stand(Reply(), speak=speaking(MESSAGES)) as stand:
        stand.router.models["small"] = replace(stand.router.models["small"], anthropic_betas=("b",))
        for model in ("small", "large"):
            body = BODIES[MESSAGES] | {"model": model}
            await stand.send("POST", PATHS[MESSAGES], json=body, headers={"anthropic-beta": "a,b,c"})
        assert [received.header("anthropic-beta") for received in stand.upstream.requests] == ["b", "a,b,c"]
