"""Answers of each dialect become the right answers in the other two, whole and streamed; fixtures written by hand."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.wire.translate.exchanges import CHAT, MESSAGES, MINIMAL, RESPONSES, SCHEMA, events, fed, parsed, translation

from pointsman.vocabulary import Dialect, Usage
from pointsman.wire import CODECS, UnreadableAnswer
from pointsman.wire.translate import Translation

PAIRS = [(client, upstream) for client in Dialect for upstream in Dialect if client is not upstream]
IDS = [f"{upstream.value} to {client.value}" for client, upstream in PAIRS]
TEXT = "Grüße, 世界 👋"
USAGE = Usage(input_tokens=120, output_tokens=30, cached_input_tokens=100, reasoning_tokens=12)

# ---------------------------------------------------------------- one answer in all three: words and two calls at once

CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 100},
    "completion_tokens_details": {"reasoning_tokens": 12},
}
RESPONSES_USAGE = {
    "input_tokens": 120,
    "input_tokens_details": {"cached_tokens": 100},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 150,
}
MESSAGES_USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 100,
    "output_tokens": 30,
    "output_tokens_details": {"thinking_tokens": 12},
}
ARGUMENTS = ('{"city":"Bern"}', '{"city":"Rome"}')


def chat_call(n: int, arguments: str, *, named: bool = True) -> dict[str, Any]:
    head = {"id": f"call_{n}", "type": "function"} if named else {}
    function = {"name": "find", "arguments": arguments} if named else {"arguments": arguments}
    return head | {"function": function}


def function_call(n: int, arguments: str, status: str = "completed") -> dict[str, Any]:
    call = {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": "find"}
    return call | {"arguments": arguments, "status": status}


def tool_block(n: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"call_{n}", "name": "find", "input": {}}


MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
}
THINKING = {"type": "thinking", "thinking": "Two cities.", "signature": "c2lnbmVk"}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Two cities."}],
    "encrypted_content": "gAAAA",
}
WHOLE: dict[Dialect, dict[str, Any]] = {
    CHAT: {
        "id": "c1",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": "up",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": TEXT,
                    "reasoning_content": "Two cities.",
                    "tool_calls": [chat_call(n, ARGUMENTS[n]) for n in (0, 1)],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": CHAT_USAGE,
    },
    RESPONSES: {
        "id": "r1",
        "object": "response",
        "created_at": 1_767_225_600,
        "model": "up",
        "status": "completed",
        "output": [REASONING, MESSAGE, *(function_call(n, ARGUMENTS[n]) for n in (0, 1))],
        "usage": RESPONSES_USAGE,
    },
    MESSAGES: {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "up",
        "content": [
            THINKING,
            {"type": "text", "text": TEXT},
            *(
                {"type": "tool_use", "id": f"call_{n}", "name": "find", "input": orjson.loads(ARGUMENTS[n])}
                for n in (0, 1)
            ),
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    },
}


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return (
        {"id": "c1", "object": "chat.completion.chunk", "created": 1_767_225_600, "model": "up"}
        | {"choices": choices}
        | more
    )


def of_item(kind: str, index: int, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": index, "item_id": "i", "sequence_number": 0} | more


def of_block(kind: str, index: int, **more: Any) -> dict[str, Any]:
    return {"type": f"content_block_{kind}", "index": index} | more


MESSAGE_START = {
    "type": "message_start",
    "message": WHOLE[MESSAGES] | {"content": [], "stop_reason": None, "usage": MESSAGES_USAGE | {"output_tokens": 1}},
}
BEGUN: dict[str, Any] = {"output": [], "status": "in_progress", "usage": None}
MESSAGE_END = {"stop_reason": "tool_use", "stop_sequence": None}
STREAM: dict[Dialect, bytes] = {
    # The arguments of the two calls come in turns.
    CHAT: events(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Two "}),
        chunk({"reasoning_content": "cities."}),
        chunk({"content": TEXT[:4]}),
        chunk({"content": TEXT[4:]}),
        *(chunk({"tool_calls": [{"index": n} | chat_call(n, "")]}) for n in (0, 1)),
        *(
            chunk({"tool_calls": [{"index": n} | chat_call(n, ARGUMENTS[n][part], named=False)]})
            for part in (slice(0, 6), slice(6, None))
            for n in (0, 1)
        ),
        chunk({}, "tool_calls"),
        chunk({}) | {"choices": [], "usage": CHAT_USAGE},
        done=True,
    ),
    RESPONSES: events(
        {
            "type": "response.created",
            "response": WHOLE[RESPONSES] | {"output": [], "status": "in_progress", "usage": None},
        },
        of_item("output_item.added", 0, item=REASONING | {"summary": [], "encrypted_content": None}),
        of_item("reasoning_summary_text.delta", 0, summary_index=0, delta="Two "),
        of_item("reasoning_summary_text.delta", 0, summary_index=0, delta="cities."),
        of_item("output_item.done", 0, item=REASONING),
        of_item("output_item.added", 1, item=MESSAGE | {"content": []}),
        of_item("output_text.delta", 1, content_index=0, delta=TEXT[:4]),
        of_item("output_text.delta", 1, content_index=0, delta=TEXT[4:]),
        of_item("output_text.done", 1, content_index=0, text=TEXT),
        of_item("output_item.done", 1, item=MESSAGE),
        *(
            event
            for n in (0, 1)
            for event in (
                of_item("output_item.added", 2 + n, item=function_call(n, "", "in_progress")),
                of_item("function_call_arguments.delta", 2 + n, delta=ARGUMENTS[n][:6]),
                of_item("function_call_arguments.delta", 2 + n, delta=ARGUMENTS[n][6:]),
                of_item("function_call_arguments.done", 2 + n, arguments=ARGUMENTS[n]),
                of_item("output_item.done", 2 + n, item=function_call(n, ARGUMENTS[n])),
            )
        ),
        {"type": "response.completed", "response": WHOLE[RESPONSES]},
        named=True,
    ),
    MESSAGES: events(
        MESSAGE_START,
        of_block("start", 0, content_block=THINKING | {"thinking": "", "signature": ""}),
        {"type": "ping"},
        of_block("delta", 0, delta={"type": "thinking_delta", "thinking": "Two "}),
        of_block("delta", 0, delta={"type": "thinking_delta", "thinking": "cities."}),
        of_block("delta", 0, delta={"type": "signature_delta", "signature": "c2lnbmVk"}),
        of_block("stop", 0),
        of_block("start", 1, content_block={"type": "text", "text": ""}),
        of_block("delta", 1, delta={"type": "text_delta", "text": TEXT[:4]}),
        of_block("delta", 1, delta={"type": "text_delta", "text": TEXT[4:]}),
        of_block("stop", 1),
        *(
            event
            for n in (0, 1)
            for event in (
                of_block("start", 2 + n, content_block=tool_block(n)),
                of_block("delta", 2 + n, delta={"type": "input_json_delta", "partial_json": ""}),
                of_block("delta", 2 + n, delta={"type": "input_json_delta", "partial_json": ARGUMENTS[n][:6]}),
                of_block("delta", 2 + n, delta={"type": "input_json_delta", "partial_json": ARGUMENTS[n][6:]}),
                of_block("stop", 2 + n),
            )
        ),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 30},
        },
        {"type": "message_stop"},
        named=True,
    ),
}
ASKED: dict[Dialect, dict[str, Any]] = {
    CHAT: {"tools": [{"type": "function", "function": {"name": "find", "parameters": SCHEMA}}]},
    RESPONSES: {
        "tools": [{"type": "function", "name": "find", "parameters": SCHEMA, "strict": True}],
        "reasoning": {"effort": "low", "summary": "auto"},
    },
    MESSAGES: {"tools": [{"name": "find", "input_schema": SCHEMA}], "thinking": {"type": "adaptive"}},
}


def exchange(client: Dialect, upstream: Dialect, **more: Any) -> Translation:
    return translation(client, MINIMAL[client] | ASKED[client] | more, upstream)


def meaning(client: Dialect, body: dict[str, Any]) -> dict[str, Any]:
    """What a whole answer says: thinking, words, calls and why it ended."""
    if client is CHAT:
        choice = body["choices"][0]
        message = choice["message"]
        calls = [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls", ())]
        out = {"thinking": message.get("reasoning_content"), "text": message["content"], "end": choice["finish_reason"]}
    elif client is RESPONSES:
        items = body["output"]
        calls = [(i["call_id"], i["name"], i["arguments"]) for i in items if i["type"] == "function_call"]
        texts = [part["text"] for i in items if i["type"] == "message" for part in i["content"]]
        thoughts = [part["text"] for i in items if i["type"] == "reasoning" for part in i["summary"]]
        out = {"thinking": "".join(thoughts) or None, "text": "".join(texts), "end": body["status"]}
    else:
        blocks = body["content"]
        calls = [(b["id"], b["name"], orjson.dumps(b["input"]).decode()) for b in blocks if b["type"] == "tool_use"]
        thoughts = [b["thinking"] for b in blocks if b["type"] == "thinking"]
        texts = [b["text"] for b in blocks if b["type"] == "text"]
        out = {"thinking": "".join(thoughts) or None, "text": "".join(texts), "end": body["stop_reason"]}
    return out | {"calls": calls}


ENDS = {CHAT: "tool_calls", RESPONSES: "completed", MESSAGES: "tool_use"}


def said(client: Dialect) -> dict[str, Any]:
    calls = [(f"call_{n}", "find", ARGUMENTS[n]) for n in (0, 1)]
    return {"thinking": "Two cities.", "text": TEXT, "end": ENDS[client], "calls": calls}


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
def test_a_whole_answer(client: Dialect, upstream: Dialect) -> None:
    raw = exchange(client, upstream).answer(orjson.dumps(WHOLE[upstream]))
    body = orjson.loads(raw)
    assert meaning(client, body) == said(client)
    assert body["model"] == "up"
    answer = CODECS[client].read_answer(raw)
    assert (answer.text, answer.tool_calls, answer.complete) == (TEXT, ("find", "find"), True)
    assert answer.usage == USAGE


def gathered(client: Dialect, stream: bytes) -> dict[str, Any]:
    """A client's whole answer, put together from a stream's events as the official SDKs do."""
    found = parsed(stream)
    if client is CHAT:
        assert found.pop() == "[DONE]"
        message: dict[str, Any] = {"content": None}
        calls: dict[int, Any] = {}
        finish = None
        for event in found:
            for choice in event["choices"]:
                finish = choice["finish_reason"] or finish
                for key in ("content", "reasoning_content", "refusal"):
                    if key in choice["delta"]:
                        message[key] = (message.get(key) or "") + choice["delta"][key]
                for call in choice["delta"].get("tool_calls", ()):
                    if "id" in call:
                        assert call["index"] == len(calls)
                        calls[call["index"]] = orjson.loads(orjson.dumps(call))
                    else:
                        calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
        if calls:
            message["tool_calls"] = list(calls.values())
        return {"choices": [{"message": message, "finish_reason": finish}]}
    if client is RESPONSES:
        assert [event["sequence_number"] for event in found] == list(range(len(found)))
        response: dict[str, Any] = found[-1]["response"]
        assert [event["item"] for event in found if event["type"] == "response.output_item.done"] == response["output"]
        _check_items(found)
        return response
    assert found[-1] == {"type": "message_stop"}
    blocks: list[Any] = []
    open_block: int | None = None
    body: dict[str, Any] = found[0]["message"]
    for event in found:
        match event["type"]:
            case "content_block_start":
                assert open_block is None and event["index"] == len(blocks)
                open_block = event["index"]
                blocks.append(event["content_block"] | {"json": ""})
            case "content_block_delta":
                assert event["index"] == open_block
                delta, block = event["delta"], blocks[event["index"]]
                places = {"partial_json": "json"}
                for name in ("text", "thinking", "signature", "partial_json"):
                    if name in delta:
                        block[places.get(name, name)] += delta[name]
            case "content_block_stop":
                assert event["index"] == open_block
                open_block = None
            case "message_delta":
                assert open_block is None
                body |= event["delta"] | {"usage": body["usage"] | event["usage"]}
    for block in blocks:
        text = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = orjson.loads(text)
    return body | {"content": blocks}


def _check_items(found: list[Any]) -> None:
    """One item at a time, its parts in order, its deltas together what its end says."""
    open_index: int | None = None
    texts: dict[int, str] = {}
    for event in found:
        index = event.get("output_index")
        match event["type"].removeprefix("response."):
            case "output_item.added":
                assert open_index is None and index == len(texts)
                open_index, texts[index] = index, ""
            case "output_item.done":
                assert open_index == index
                open_index = None
            case "output_text.delta" | "function_call_arguments.delta" | "reasoning_summary_text.delta":
                assert open_index == index
                texts[index] += event["delta"]
            case "output_text.done" | "reasoning_summary_text.done":
                assert texts[index] == event["text"]
            case "function_call_arguments.done":
                assert texts[index] == event["arguments"]


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
def test_a_streamed_answer(client: Dialect, upstream: Dialect) -> None:
    out = fed(exchange(client, upstream, stream=True), [STREAM[upstream]])
    assert meaning(client, gathered(client, out)) == said(client)
    reader = CODECS[client].stream(name="m")
    assert reader.feed(out) == out.replace(b'"model":"up"', b'"model":"m"')
    assert (reader.terminated, reader.error) == (True, None)
    assert (reader.answer.text, reader.answer.tool_calls, reader.answer.usage) == (TEXT, ("find", "find"), USAGE)


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_cut_at_every_byte_and_fed_bytewise_says_the_same(
    client: Dialect, upstream: Dialect, line_end: bytes
) -> None:
    stream = STREAM[upstream].replace(b"\n", line_end)
    made = exchange(client, upstream, stream=True)
    whole = fed(made, [stream])
    assert fed(made, [stream[n : n + 1] for n in range(len(stream))]) == whole
    step = 1 if upstream is CHAT and line_end == b"\n" else 7
    for n in range(1, len(stream), step):
        assert fed(made, [stream[:n], stream[n:]]) == whole


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
def test_a_stream_that_ends_early_never_looks_whole(client: Dialect, upstream: Dialect) -> None:
    """Cut anywhere before the upstream has said why its answer ended, no terminator and no finish comes out."""
    stream = STREAM[upstream]
    marks = {
        CHAT: b'"finish_reason":"tool_calls"',
        RESPONSES: b"response.completed",
        MESSAGES: b'"stop_reason":"tool_use"',
    }
    # An event counts once its blank line is there, or would be there but for the end of the stream.
    said_at = stream.index(b"\n\n", stream.index(marks[upstream]))
    for n in range(0, len(stream), 7):
        out = fed(exchange(client, upstream, stream=True), [stream[:n]])
        reader = CODECS[client].stream(name="m")
        reader.feed(out)
        assert reader.complete is (n >= said_at), n
        assert reader.terminated is reader.complete


@pytest.mark.parametrize("client", [RESPONSES, MESSAGES])
def test_calls_that_come_in_turns_are_shown_one_after_the_other(client: Dialect) -> None:
    found = parsed(fed(exchange(client, CHAT, stream=True), [STREAM[CHAT]]))
    kinds = [
        (event["type"], event.get("index", event.get("output_index")))
        for event in found
        if "arguments.delta" in event["type"] or (event.get("delta", {}) and "partial_json" in str(event["delta"]))
    ]
    assert [place for _, place in kinds] == [2, 2, 3, 3]


def test_a_first_call_that_is_whole_does_not_hold_up_the_second() -> None:
    made = exchange(MESSAGES, CHAT, stream=True).stream()
    made.feed(events(chunk({"tool_calls": [{"index": 0} | chat_call(0, ARGUMENTS[0])]})))
    out = parsed(made.feed(events(chunk({"tool_calls": [{"index": 1} | chat_call(1, "")]}))))
    assert [event["type"] for event in out] == ["content_block_stop", "content_block_start"]
    out = parsed(made.feed(events(chunk({"tool_calls": [{"index": 1} | chat_call(1, '{"ci', named=False)]}))))
    assert out[0]["delta"] == {"type": "input_json_delta", "partial_json": '{"ci'}


def test_all_calls_under_one_index_or_without_any_are_told_apart_by_their_ids() -> None:
    for index in ({"index": 0}, {}):
        stream = events(
            *(chunk({"tool_calls": [index | chat_call(n, ARGUMENTS[n])]}) for n in (0, 1)),
            chunk({}, "stop"),
            done=True,
        )
        body = gathered(MESSAGES, fed(exchange(MESSAGES, CHAT, stream=True), [stream]))
        assert meaning(MESSAGES, body)["calls"] == [(f"call_{n}", "find", ARGUMENTS[n]) for n in (0, 1)]
        # The upstream said "stop"; a client of Anthropic's would not run the tools then.
        assert body["stop_reason"] == "tool_use"


def test_a_call_without_an_id_or_arguments_gets_them() -> None:
    call = {"index": 0, "id": "", "type": "function", "function": {"name": "find", "arguments": ""}}
    stream = events(chunk({"tool_calls": [call]}), chunk({}, "tool_calls"), done=True)
    for client in (RESPONSES, MESSAGES):
        body = gathered(client, fed(exchange(client, CHAT, stream=True), [stream]))
        ((id_, name, arguments),) = meaning(client, body)["calls"]
        assert (name, arguments) == ("find", "{}") and id_.startswith("call_")


def test_ids_that_anthropics_clients_would_choke_on_are_made_safe() -> None:
    body = orjson.loads(orjson.dumps(WHOLE[CHAT]))
    body["choices"][0]["message"]["tool_calls"][0]["id"] = "functions.find:0"
    content = orjson.loads(exchange(MESSAGES, CHAT).answer(orjson.dumps(body)))["content"]
    assert content[2]["id"].startswith("functions_find_0_")


# ---------------------------------------------------------------- thinking


def test_thinking_is_hidden_from_clients_of_anthropic_that_did_not_ask_for_it() -> None:
    plain = translation(MESSAGES, MINIMAL[MESSAGES], CHAT)
    assert [b["type"] for b in orjson.loads(plain.answer(orjson.dumps(WHOLE[CHAT])))["content"]] == [
        "text",
        "tool_use",
        "tool_use",
    ]
    stream = gathered(MESSAGES, fed(plain, [STREAM[CHAT]]))
    assert [b["type"] for b in stream["content"]] == ["text", "tool_use", "tool_use"]
    omitted = translation(MESSAGES, MINIMAL[MESSAGES] | {"thinking": {"type": "adaptive", "display": "omitted"}}, CHAT)
    first = gathered(MESSAGES, fed(omitted, [STREAM[CHAT]]))["content"][0]
    assert (first["type"], first["thinking"]) == ("thinking", "") and first["signature"]


@pytest.mark.parametrize("streamed", [False, True])
def test_signed_and_encrypted_thinking_survives_the_way_through_a_foreign_client(streamed: bool) -> None:
    """Out to the client in an envelope, back in its next request, and opened for the provider that made it."""
    made = exchange(RESPONSES, MESSAGES, stream=streamed)
    body = (
        gathered(RESPONSES, fed(made, [STREAM[MESSAGES]]))
        if streamed
        else orjson.loads(made.answer(orjson.dumps(WHOLE[MESSAGES])))
    )
    again = {"input": [{"role": "user", "content": "Hi"}, *body["output"]]}
    turn = orjson.loads(translation(RESPONSES, again, MESSAGES).body)["messages"][1]
    assert turn["content"][0] == THINKING

    made = exchange(MESSAGES, RESPONSES, stream=streamed)
    body = (
        gathered(MESSAGES, fed(made, [STREAM[RESPONSES]]))
        if streamed
        else orjson.loads(made.answer(orjson.dumps(WHOLE[RESPONSES])))
    )
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": body["content"]}]
    items = orjson.loads(translation(MESSAGES, {"max_tokens": 9, "messages": history}, RESPONSES).body)["input"]
    assert items[1] == REASONING


def test_redacted_thinking_survives_too() -> None:
    hidden = {"type": "redacted_thinking", "data": "ZW5j"}
    whole = orjson.loads(exchange(RESPONSES, MESSAGES).answer(orjson.dumps(WHOLE[MESSAGES] | {"content": [hidden]})))
    assert whole["output"][0]["summary"] == []
    again = {"input": [{"role": "user", "content": "Hi"}, *whole["output"], {"role": "user", "content": "On"}]}
    assert orjson.loads(translation(RESPONSES, again, MESSAGES).body)["messages"][1]["content"] == [hidden]


# ---------------------------------------------------------------- agents' tools


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("upstream", [CHAT, MESSAGES])
def test_tools_in_namespaces_and_custom_tools_come_back_as_the_client_knows_them(
    upstream: Dialect, streamed: bool
) -> None:
    tools = [
        {"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "get", "parameters": SCHEMA}]},
    ]
    made = translation(RESPONSES, {"input": "Hi", "tools": tools, "stream": streamed}, upstream)
    given = [("patch", {"input": 'a "quoted"\nline'}), ("crm__get", {"city": "Bern"}), ("made_up", {})]
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": orjson.dumps(args).decode()}}
        for n, (name, args) in enumerate(given)
    ]
    blocks = [
        {"type": "tool_use", "id": f"call_{n}", "name": name, "input": args} for n, (name, args) in enumerate(given)
    ]
    if not streamed:
        whole = {
            CHAT: {"choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]},
            MESSAGES: {"content": blocks, "stop_reason": "tool_use"},
        }
        body = orjson.loads(made.answer(orjson.dumps(whole[upstream])))
    elif upstream is CHAT:
        chunks = [chunk({"tool_calls": [{"index": n} | call]}) for n, call in enumerate(calls)]
        body = gathered(RESPONSES, fed(made, [events(*chunks, chunk({}, "tool_calls"), done=True)]))
    else:
        body = gathered(
            RESPONSES,
            fed(
                made,
                [
                    events(
                        MESSAGE_START,
                        *(
                            event
                            for n, block in enumerate(blocks)
                            for event in (of_block("start", n, content_block=block), of_block("stop", n))
                        ),
                        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
                        {"type": "message_stop"},
                        named=True,
                    )
                ],
            ),
        )
    items = [{k: v for k, v in item.items() if k not in ("id", "status")} for item in body["output"]]
    assert items == [
        {"type": "custom_tool_call", "call_id": "call_0", "name": "patch", "input": 'a "quoted"\nline'},
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "get",
            "namespace": "crm",
            "arguments": '{"city":"Bern"}',
        },
        {"type": "function_call", "call_id": "call_2", "name": "made_up", "arguments": "{}"},
    ]


@pytest.mark.parametrize("streamed", [False, True])
def test_custom_tools_of_chat_completions(streamed: bool) -> None:
    tools = [{"type": "custom", "custom": {"name": "patch", "description": "Patches."}}]
    made = translation(CHAT, MINIMAL[CHAT] | {"tools": tools, "stream": streamed}, RESPONSES)
    assert orjson.loads(made.body)["tools"] == [{"type": "custom", "name": "patch", "description": "Patches."}]
    item = {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"}
    whole = WHOLE[RESPONSES] | {"output": [item]}
    if streamed:
        stream = events(
            {"type": "response.created", "response": whole},
            of_item("output_item.added", 0, item=item | {"input": ""}),
            of_item("custom_tool_call_input.delta", 0, delta="*** Begin"),
            of_item("output_item.done", 0, item=item),
            {"type": "response.completed", "response": whole},
        )
        calls = gathered(CHAT, fed(made, [stream]))["choices"][0]["message"]["tool_calls"]
    else:
        calls = orjson.loads(made.answer(orjson.dumps(whole)))["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["type"], call["custom"]) for call in calls] == [
        ("c", "custom", {"name": "patch", "input": "*** Begin"})
    ]


# ---------------------------------------------------------------- why an answer ended

FINISHES: list[tuple[Dialect, Any, dict[Dialect, Any]]] = [
    (CHAT, "stop", {RESPONSES: ("completed", None), MESSAGES: "end_turn"}),
    (CHAT, "length", {RESPONSES: ("incomplete", "max_output_tokens"), MESSAGES: "max_tokens"}),
    (CHAT, "content_filter", {RESPONSES: ("incomplete", "content_filter"), MESSAGES: "refusal"}),
    (CHAT, "a_new_reason", {RESPONSES: ("completed", None), MESSAGES: "end_turn"}),
    (MESSAGES, "end_turn", {RESPONSES: ("completed", None), CHAT: "stop"}),
    (MESSAGES, "stop_sequence", {RESPONSES: ("completed", None), CHAT: "stop"}),
    (MESSAGES, "max_tokens", {RESPONSES: ("incomplete", "max_output_tokens"), CHAT: "length"}),
    (MESSAGES, "model_context_window_exceeded", {RESPONSES: ("incomplete", "max_output_tokens"), CHAT: "length"}),
    (MESSAGES, "refusal", {RESPONSES: ("incomplete", "content_filter"), CHAT: "content_filter"}),
    (RESPONSES, ("completed", None), {CHAT: "stop", MESSAGES: "end_turn"}),
    (RESPONSES, ("incomplete", "max_output_tokens"), {CHAT: "length", MESSAGES: "max_tokens"}),
    (RESPONSES, ("incomplete", "content_filter"), {CHAT: "content_filter", MESSAGES: "refusal"}),
]


@pytest.mark.parametrize(("upstream", "reason", "expected"), FINISHES)
@pytest.mark.parametrize("streamed", [False, True])
def test_finish_reasons(upstream: Dialect, reason: Any, expected: dict[Dialect, Any], streamed: bool) -> None:
    if upstream is CHAT:
        whole: dict[str, Any] = {"choices": [{"message": {"content": "x"}, "finish_reason": reason}]}
        stream = events(chunk({"content": "x"}), chunk({}, reason), done=True)
    elif upstream is MESSAGES:
        ends = {"stop_reason": reason, "stop_sequence": "END" if reason == "stop_sequence" else None}
        whole = WHOLE[MESSAGES] | {"content": [{"type": "text", "text": "x"}]} | ends
        stream = events(
            MESSAGE_START,
            of_block("start", 0, content_block={"type": "text", "text": "x"}),
            of_block("stop", 0),
            {"type": "message_delta", "delta": ends, "usage": {"output_tokens": 1}},
            {"type": "message_stop"},
        )
    else:
        details = None if reason[1] is None else {"reason": reason[1]}
        whole = WHOLE[RESPONSES] | {"output": [MESSAGE], "status": reason[0], "incomplete_details": details}
        stream = events(
            {"type": "response.created", "response": whole}, {"type": f"response.{reason[0]}", "response": whole}
        )
    for client, wanted in expected.items():
        made = translation(client, MINIMAL[client] | {"stream": streamed}, upstream)
        body = gathered(client, fed(made, [stream])) if streamed else orjson.loads(made.answer(orjson.dumps(whole)))
        if client is CHAT:
            assert body["choices"][0]["finish_reason"] == wanted
        elif client is MESSAGES:
            assert body["stop_reason"] == wanted
        else:
            details = body["incomplete_details"]
            assert (body["status"], None if details is None else details["reason"]) == wanted


def test_a_stop_sequence_is_named_to_clients_of_anthropic_only_as_far_as_it_is_known() -> None:
    body = orjson.loads(translation(MESSAGES, MINIMAL[MESSAGES], CHAT).answer(orjson.dumps(WHOLE[CHAT])))
    assert body["stop_sequence"] is None


@pytest.mark.parametrize("streamed", [False, True])
def test_refusals(streamed: bool) -> None:
    refusal = MESSAGE | {"content": [{"type": "refusal", "refusal": "I cannot."}]}
    whole = WHOLE[RESPONSES] | {"output": [refusal]}
    stream = events(
        {"type": "response.created", "response": whole},
        of_item("refusal.delta", 0, content_index=0, delta="I "),
        of_item("refusal.delta", 0, content_index=0, delta="cannot."),
        of_item("output_item.done", 0, item=refusal),
        {"type": "response.completed", "response": whole},
    )
    for client in (CHAT, MESSAGES):
        made = translation(client, MINIMAL[client] | {"stream": streamed}, RESPONSES)
        body = gathered(client, fed(made, [stream])) if streamed else orjson.loads(made.answer(orjson.dumps(whole)))
        if client is CHAT:
            assert body["choices"][0]["message"]["refusal"] == "I cannot."
            assert body["choices"][0]["message"]["content"] in (None, "")
        else:
            assert (body["content"], body["stop_reason"]) == ([{"type": "text", "text": "I cannot."}], "refusal")
    chat = {"choices": [{"message": {"content": None, "refusal": "I cannot."}, "finish_reason": "stop"}]}
    made = translation(RESPONSES, MINIMAL[RESPONSES], CHAT)
    assert orjson.loads(made.answer(orjson.dumps(chat)))["output"][0]["content"] == [
        {"type": "refusal", "refusal": "I cannot."}
    ]
    explained = WHOLE[MESSAGES] | {
        "content": [],
        "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "explanation": "Policy."},
    }
    made = translation(CHAT, MINIMAL[CHAT], MESSAGES)
    assert orjson.loads(made.answer(orjson.dumps(explained)))["choices"][0]["message"]["refusal"] == "Policy."


# ---------------------------------------------------------------- usage


def test_tokens_written_to_the_cache_for_an_hour_keep_their_price_on_the_way_through() -> None:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 60,
        "cache_read_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 40},
        "output_tokens": 5,
    }
    expected = Usage(100, 5, 30, 60, 0, cache_write_1h_tokens=40)
    for client in (CHAT, RESPONSES):
        raw = exchange(client, MESSAGES).answer(orjson.dumps(WHOLE[MESSAGES] | {"usage": usage}))
        assert CODECS[client].read_answer(raw).usage == expected


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropics_clients_get_an_estimate_marked_as_one_when_the_upstream_counts_nothing(streamed: bool) -> None:
    made = exchange(MESSAGES, CHAT, stream=streamed)
    if streamed:
        out = fed(made, [events(chunk({"content": "Hello there"}), chunk({}, "stop"), done=True)])
        reader = CODECS[MESSAGES].stream(name="m")
        reader.feed(out)
        usage = reader.answer.usage
    else:
        whole = {"choices": [{"message": {"content": "Hello there"}, "finish_reason": "stop"}]}
        usage = CODECS[MESSAGES].read_answer(made.answer(orjson.dumps(whole))).usage
    assert usage is not None and usage.estimated and usage.output_tokens > 0 and usage.input_tokens > 0


def test_openais_clients_get_no_usage_when_the_upstream_counts_nothing() -> None:
    whole = WHOLE[MESSAGES] | {"usage": None}
    assert "usage" not in orjson.loads(exchange(CHAT, MESSAGES).answer(orjson.dumps(whole)))
    assert orjson.loads(exchange(RESPONSES, MESSAGES).answer(orjson.dumps(whole)))["usage"] is None


# ---------------------------------------------------------------- errors

ERRORS: dict[Dialect, bytes] = {
    CHAT: b'{"error":{"message":"too long","type":"invalid_request_error","param":"messages",'
    b'"code":"context_length_exceeded"}}',
    RESPONSES: b'{"error":{"message":"too long","type":"invalid_request_error","param":"input","code":null}}',
    MESSAGES: b'{"type":"error","error":{"type":"invalid_request_error","message":"too long"},"request_id":"r"}',
}


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
def test_error_bodies_get_the_callers_envelope(client: Dialect, upstream: Dialect) -> None:
    body = orjson.loads(exchange(client, upstream).error(ERRORS[upstream], 400))
    assert body["error"]["message"] == "too long"
    assert body["error"]["type"] == "invalid_request_error"
    assert (body.get("type") == "error") is (client is MESSAGES)
    if upstream is CHAT and client is RESPONSES:
        assert (body["error"]["code"], body["error"]["param"]) == ("context_length_exceeded", "messages")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error":"model not found"}', "model not found"),
        (b'{"detail":[{"loc":["body"],"msg":"bad"}]}', '[{"loc":["body"],"msg":"bad"}]'),
        (b'{"message":"no"}', "no"),
    ],
)
def test_error_bodies_of_other_servers(raw: bytes, message: str) -> None:
    assert orjson.loads(exchange(MESSAGES, CHAT).error(raw, 404))["error"] == {
        "type": "not_found_error",
        "message": message,
    }


@pytest.mark.parametrize("raw", [b"<html>", b"", b"[]", b"{}", b'{"error":null}'])
def test_an_error_page_stays_as_it_is(raw: bytes) -> None:
    assert exchange(MESSAGES, CHAT).error(raw, 400) == raw


STREAM_ERRORS: dict[Dialect, bytes] = {
    CHAT: events({"error": {"message": "busy", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}),
    RESPONSES: events(
        {"type": "error", "code": "rate_limit_exceeded", "message": "busy", "sequence_number": 3}, named=True
    ),
    MESSAGES: events({"type": "error", "error": {"type": "rate_limit_error", "message": "busy"}}, named=True),
}


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
def test_an_error_in_mid_stream_is_told_in_the_clients_form_and_nothing_follows(
    client: Dialect, upstream: Dialect
) -> None:
    first = STREAM[upstream].split(b"\n\n")[0] + b"\n\n"
    out = fed(exchange(client, upstream, stream=True), [first, STREAM_ERRORS[upstream], STREAM[upstream]])
    last = parsed(out)[-1]
    reader = CODECS[client].stream(name="m")
    reader.feed(out)
    assert (reader.error, reader.complete) == ("busy", False)
    if client is MESSAGES:
        assert last["error"] == {"type": "rate_limit_error", "message": "busy"}
        assert out.endswith(b"\n\n") and b"event: error\n" in out
    elif client is RESPONSES:
        assert (last["type"], last["message"], last["sequence_number"]) == ("error", "busy", len(parsed(out)) - 1)
    else:
        assert last["error"]["message"] == "busy"


def test_a_response_that_failed_is_an_error() -> None:
    failed = WHOLE[RESPONSES] | {"status": "failed", "error": {"code": "server_error", "message": "oops"}}
    with pytest.raises(UnreadableAnswer, match="server_error"):
        exchange(CHAT, RESPONSES).answer(orjson.dumps(failed))
    out = fed(exchange(CHAT, RESPONSES, stream=True), [events({"type": "response.failed", "response": failed})])
    assert parsed(out)[-1]["error"]["message"] == "oops"


@pytest.mark.parametrize("upstream", Dialect)
@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"x":1}', b'{"error":{"message":"m"}}', b'{"choices":[]}'])
def test_what_is_no_answer_is_not_made_into_one(upstream: Dialect, raw: bytes) -> None:
    client = MESSAGES if upstream is CHAT else CHAT
    with pytest.raises(UnreadableAnswer):
        exchange(client, upstream).answer(raw)


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"null"])
def test_an_event_that_is_no_json_object_ends_the_stream(data: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        exchange(CHAT, MESSAGES, stream=True).stream().feed(b"data: " + data + b"\n\n")


def test_signs_of_life_go_on() -> None:
    chat = exchange(CHAT, MESSAGES, stream=True).stream()
    assert chat.feed(events({"type": "ping"}, named=True)) == b": ping\n\n"
    messages = exchange(MESSAGES, CHAT, stream=True).stream()
    assert messages.feed(b": keep-alive\n\n") == b": ping\n\n"
    messages.feed(events(chunk({"content": "x"})))
    assert parsed(messages.feed(b": keep-alive\n\n")) == [{"type": "ping"}]


def test_a_responses_answer_repeats_its_request_and_says_that_it_is_not_kept() -> None:
    made = exchange(RESPONSES, CHAT, temperature=0.5, metadata={"a": "b"}, instructions="Be.", store=True)
    body = orjson.loads(made.answer(orjson.dumps(WHOLE[CHAT])))
    assert (body["temperature"], body["metadata"], body["instructions"]) == (0.5, {"a": "b"}, "Be.")
    assert body["tools"] == ASKED[RESPONSES]["tools"]
    assert body["store"] is False and body["previous_response_id"] is None


@pytest.mark.parametrize("id_", ["", "x" * 90, "gen/1:2"])
def test_items_have_ids_that_openai_would_take_back_and_that_differ_between_turns(id_: str) -> None:
    whole = WHOLE[CHAT] | {"id": id_}
    ids: list[str] = []
    for said in ("one", "two"):
        made = translation(RESPONSES, {"input": said, "reasoning": {"summary": "auto"}}, CHAT)
        body = orjson.loads(made.answer(orjson.dumps(whole)))
        prefixes = {"reasoning": "rs_", "message": "msg_", "function_call": "fc_"}
        for item in body["output"]:
            assert item["id"].startswith(prefixes[item["type"]]) and len(item["id"]) <= 64
            assert item["id"].replace("_", "").replace("-", "").isalnum()
        assert body["id"].startswith("resp_") and len(body["id"]) <= 64
        ids += [item["id"] for item in body["output"]]
    assert len(set(ids)) == (len(ids) if id_ == "" else len(ids) // 2)
