"""Requests in each dialect become the right requests in the other two; expectations are written by hand."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.wire.translate.exchanges import (
    CHAT,
    MESSAGES,
    MINIMAL,
    PNG,
    RESPONSES,
    SCHEMA,
    carried,
    model_named,
    translation,
)

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect
from pointsman.wire import read_request
from pointsman.wire.translate import upstream_dialect, without_foreign_thinking
from pointsman.wire.translate.conversation import Conversation
from pointsman.wire.translate.names import MAX_CHARS, safe
from pointsman.wire.translate.seals import ANTHROPIC, OPENAI, UNSEALED, opened, seal

PAIRS = [(client, upstream) for client in Dialect for upstream in Dialect if client is not upstream]
IDS = [f"{client.value} to {upstream.value}" for client, upstream in PAIRS]
DATA_URL = f"data:image/png;base64,{PNG}"

# ---------------------------------------------------------------- one conversation, said in all three

SAID: dict[Dialect, dict[str, Any]] = {
    CHAT: {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where is this?"},
                    {"type": "image_url", "image_url": {"url": DATA_URL}},
                ],
            },
            {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [
                    {"id": "a1", "type": "function", "function": {"name": "find", "arguments": '{"city":"Bern"}'}},
                    {"id": "b2", "type": "function", "function": {"name": "find", "arguments": '{"city":"Rome"}'}},
                ],
            },
            {"role": "tool", "tool_call_id": "a1", "content": "46.9 N"},
            {"role": "tool", "tool_call_id": "b2", "content": "41.9 N"},
            {"role": "user", "content": "Which is north?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "find", "parameters": SCHEMA, "description": "Finds a city."},
            }
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "max_tokens": 500,
        "temperature": 0.5,
        "stream": True,
    },
    RESPONSES: {
        "instructions": "Be brief.",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Where is this?"},
                    {"type": "input_image", "image_url": DATA_URL, "detail": "auto"},
                ],
            },
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
            {"type": "function_call", "call_id": "a1", "name": "find", "arguments": '{"city":"Bern"}'},
            {"type": "function_call", "call_id": "b2", "name": "find", "arguments": '{"city":"Rome"}'},
            {"type": "function_call_output", "call_id": "a1", "output": "46.9 N"},
            {"type": "function_call_output", "call_id": "b2", "output": "41.9 N"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Which is north?"}]},
        ],
        "tools": [
            {
                "type": "function",
                "name": "find",
                "parameters": SCHEMA,
                "description": "Finds a city.",
                "strict": False,
            }
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "max_output_tokens": 500,
        "temperature": 0.5,
        "store": False,
        "stream": True,
    },
    MESSAGES: {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "a1", "name": "find", "input": {"city": "Bern"}},
                    {"type": "tool_use", "id": "b2", "name": "find", "input": {"city": "Rome"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "a1", "content": "46.9 N"},
                    {"type": "tool_result", "tool_use_id": "b2", "content": "41.9 N"},
                    {"type": "text", "text": "Which is north?"},
                ],
            },
        ],
        "tools": [{"name": "find", "input_schema": SCHEMA, "description": "Finds a city."}],
        "tool_choice": {"type": "auto"},
        "max_tokens": 500,
        "temperature": 0.5,
        "stream": True,
    },
}


def comparable(body: dict[str, Any], client: Dialect) -> dict[str, Any]:
    """Without what one of the two dialects has no word for."""
    out = dict(body)
    out.pop("stream_options", None)
    if client is MESSAGES:
        out.pop("parallel_tool_calls", None)
    if client is RESPONSES and "tools" in out and "messages" in out:
        out["tools"] = [
            tool | {"function": {k: v for k, v in tool["function"].items() if k != "strict"}}
            if "function" in tool
            else tool
            for tool in out["tools"]
        ]
    for message in out.get("messages", ()):
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if "image_url" in part:
                part["image_url"].pop("detail", None)
    return out


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
def test_a_conversation_with_tools_and_an_image(client: Dialect, upstream: Dialect) -> None:
    expected = orjson.loads(orjson.dumps(SAID[upstream]))
    if client is MESSAGES:
        expected.pop("parallel_tool_calls", None)
    assert comparable(carried(client, SAID[client], upstream), client) == expected


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
def test_the_shortest_request(client: Dialect, upstream: Dialect) -> None:
    got = carried(client, MINIMAL[client], upstream)
    user = {"role": "user", "content": "Hi"}
    if upstream is CHAT:
        assert got == {"messages": [user]} | ({"max_tokens": 100} if client is MESSAGES else {})
    elif upstream is RESPONSES:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
        assert got == {"input": [item], "store": False} | ({"max_output_tokens": 100} if client is MESSAGES else {})
    else:
        # Anthropic demands a limit.
        turn = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
        assert got == {"max_tokens": 8192, "messages": [turn]}


# ---------------------------------------------------------------- tools

CHOICES: list[dict[Dialect, Any]] = [
    {CHAT: "auto", RESPONSES: "auto", MESSAGES: {"type": "auto"}},
    {CHAT: "none", RESPONSES: "none", MESSAGES: {"type": "none"}},
    {CHAT: "required", RESPONSES: "required", MESSAGES: {"type": "any"}},
    {
        CHAT: {"type": "function", "function": {"name": "find"}},
        RESPONSES: {"type": "function", "name": "find"},
        MESSAGES: {"type": "tool", "name": "find"},
    },
]
TOOLS: dict[Dialect, Any] = {
    CHAT: [{"type": "function", "function": {"name": "find", "parameters": SCHEMA}}],
    RESPONSES: [{"type": "function", "name": "find", "parameters": SCHEMA, "strict": False}],
    MESSAGES: [{"name": "find", "input_schema": SCHEMA}],
}


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
@pytest.mark.parametrize("choice", CHOICES)
def test_tool_choice(client: Dialect, upstream: Dialect, choice: dict[Dialect, Any]) -> None:
    got = carried(client, MINIMAL[client] | {"tools": TOOLS[client], "tool_choice": choice[client]}, upstream)
    assert got["tool_choice"] == choice[upstream]


def test_one_call_at_a_time() -> None:
    body = MINIMAL[CHAT] | {"tools": TOOLS[CHAT], "parallel_tool_calls": False}
    assert carried(CHAT, body, MESSAGES)["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    back = MINIMAL[MESSAGES] | {
        "tools": TOOLS[MESSAGES],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    }
    got = carried(MESSAGES, back, CHAT)
    assert (got["tool_choice"], got["parallel_tool_calls"]) == ("required", False)


def test_allowed_tools_are_the_only_ones_where_no_such_choice_exists() -> None:
    both = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": True} for name in ("find", "buy")]
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "buy"}]}
    got = carried(RESPONSES, {"input": "Hi", "tools": both, "tool_choice": choice}, MESSAGES)
    assert [tool["name"] for tool in got["tools"]] == ["buy"]
    assert got["tool_choice"] == {"type": "any"}
    chat = carried(RESPONSES, {"input": "Hi", "tools": both, "tool_choice": choice}, CHAT)
    assert len(chat["tools"]) == 2
    assert chat["tool_choice"]["allowed_tools"] == {
        "mode": "required",
        "tools": [{"type": "function", "function": {"name": "buy"}}],
    }


def test_tools_of_agents_become_functions_and_their_history_too() -> None:
    body = {
        "input": [
            {"role": "user", "content": "Go"},
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "late"}]},
            {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
            {"type": "function_call", "call_id": "c2", "namespace": "crm", "name": "get", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "Ada"}]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        ],
        "tools": [
            {
                "type": "custom",
                "name": "patch",
                "description": "Patches.",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
            },
            {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "get", "parameters": SCHEMA}]},
            {"type": "web_search"},
        ],
    }
    made = translation(RESPONSES, body, CHAT)
    got = orjson.loads(made.body)
    functions = {tool["function"]["name"]: tool["function"] for tool in got["tools"]}
    assert list(functions) == ["patch", "crm__get", "late"]
    assert "lark grammar:\nstart: x" in functions["patch"]["description"]
    assert functions["patch"]["parameters"]["required"] == ["input"]
    calls = [call for message in got["messages"] for call in message.get("tool_calls", ())]
    assert [(call["function"]["name"], call["function"]["arguments"]) for call in calls] == [
        ("patch", '{"input":"*** Begin"}'),
        ("crm__get", "{}"),
    ]
    assert [message["content"] for message in got["messages"] if message["role"] == "tool"] == ["ok", "Ada"]
    assert made.dropped == ("input[6] (web_search_call)", "tools[2] (web_search)")


def test_server_tools_are_dropped_and_with_the_last_of_them_the_choice() -> None:
    body = MINIMAL[MESSAGES] | {
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "auto"},
    }
    made = translation(MESSAGES, body, CHAT)
    assert "tools" not in orjson.loads(made.body) and "tool_choice" not in orjson.loads(made.body)
    assert made.dropped == ("tools[0] (web_search_20250305)",)


def test_results_stand_right_behind_their_calls_whatever_the_history_looks_like() -> None:
    items = [
        {"role": "user", "content": "Go"},
        {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"city":"Bern"}'},
        {"role": "assistant", "content": "One moment."},
        {"role": "user", "content": "Hurry!"},
        {"type": "function_call_output", "call_id": "c1", "output": "46.9 N"},
        {"type": "function_call", "call_id": "c2", "name": "find", "arguments": "{}"},
        {"role": "user", "content": "Never mind."},
        {"type": "function_call_output", "call_id": "lost", "output": "late"},
    ]
    turns = carried(RESPONSES, {"input": items}, MESSAGES)["messages"]
    assert [(turn["role"], [block["type"] for block in turn["content"]]) for turn in turns] == [
        ("user", ["text"]),
        ("assistant", ["text", "tool_use"]),
        ("user", ["tool_result", "text"]),
        ("assistant", ["tool_use"]),
        ("user", ["tool_result", "text", "text"]),
    ]
    assert turns[4]["content"][0] == {
        "type": "tool_result",
        "tool_use_id": "c2",
        "content": "(no result)",
        "is_error": True,
    }
    chat = carried(RESPONSES, {"input": items}, CHAT)["messages"]
    assert [message["role"] for message in chat] == [
        "user",
        "assistant",
        "tool",
        "user",
        "assistant",
        "tool",
        "user",
    ]


@pytest.mark.parametrize("id_", ["functions.find:0", "x" * 100, "", "ünïcode", "call 1"])
def test_ids_of_other_providers_are_made_acceptable_in_pairs(id_: str) -> None:
    call = {"id": id_, "type": "function", "function": {"name": "my.tool", "arguments": "{}"}}
    body = {
        "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": id_, "content": "ok"},
        ],
        "tools": [{"type": "function", "function": {"name": "my.tool", "parameters": SCHEMA}}],
    }
    got = carried(CHAT, body, MESSAGES)
    use, result = got["messages"][1]["content"][0], got["messages"][2]["content"][0]
    assert use["id"] == result["tool_use_id"] == safe(id_)
    assert 0 < len(use["id"]) <= MAX_CHARS and use["id"].replace("-", "").replace("_", "").isalnum()
    assert use["id"].isascii()
    assert use["name"] == got["tools"][0]["name"] == safe("my.tool") != "my.tool"


def test_ids_that_differ_stay_different_and_repeated_ones_become_unique() -> None:
    assert len({safe(id_) for id_ in ("a.b", "a_b", "a:b", "a b", "x" * 70, "x" * 71)}) == 6
    call = {"id": "call_0", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    messages: list[Any] = [{"role": "user", "content": "Go"}]
    for n in range(3):
        messages += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_0", "content": str(n)},
        ]
    turns = carried(CHAT, {"messages": messages}, MESSAGES)["messages"]
    pairs = [(turns[n]["content"][0]["id"], turns[n + 1]["content"][0]) for n in (1, 3, 5)]
    assert [id_ for id_, _ in pairs] == ["call_0", "call_0_2", "call_0_3"]
    assert [(r["tool_use_id"], r["content"]) for _, r in pairs] == [
        ("call_0", "0"),
        ("call_0_2", "1"),
        ("call_0_3", "2"),
    ]


def test_an_image_in_a_tool_result_reaches_every_dialect() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    body = {
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "shoot", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "is_error": True,
                        "content": [{"type": "text", "text": "half"}, image],
                    }
                ],
            },
        ],
    }
    chat = carried(MESSAGES, body, CHAT)["messages"]
    assert chat[2] == {"role": "tool", "tool_call_id": "t1", "content": "Error: half"}
    assert chat[3]["content"][1] == {"type": "image_url", "image_url": {"url": DATA_URL}}
    output = carried(MESSAGES, body, RESPONSES)["input"][2]
    assert output["type"] == "function_call_output"
    assert [part["type"] for part in output["output"]] == ["input_text", "input_image"]


# ---------------------------------------------------------------- answers' form

FORMATS: dict[Dialect, dict[str, Any]] = {
    CHAT: {"response_format": {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA, "strict": True}}},
    RESPONSES: {"text": {"format": {"type": "json_schema", "name": "w", "schema": SCHEMA, "strict": True}}},
    MESSAGES: {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
}


@pytest.mark.parametrize(("client", "upstream"), PAIRS, ids=IDS)
def test_json_schemas(client: Dialect, upstream: Dialect) -> None:
    got = carried(client, MINIMAL[client] | FORMATS[client], upstream)
    name = "answer" if client is MESSAGES else "w"
    if upstream is CHAT:
        assert got["response_format"]["json_schema"] == {"name": name, "schema": SCHEMA, "strict": True}
    elif upstream is RESPONSES:
        assert got["text"]["format"] == {"type": "json_schema", "name": name, "schema": SCHEMA, "strict": True}
    else:
        assert got["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}


def test_anthropic_gets_schemas_that_it_takes() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "description": "How many."},
            "one": {"oneOf": [{"type": "string", "format": "color"}, {"$ref": "#/$defs/D"}]},
            "list": {"type": "array", "minItems": 2, "items": {"type": "object", "properties": {}}},
        },
        "$defs": {"D": {"type": "object", "properties": {"a": {"type": "string"}}}},
    }
    body = MINIMAL[CHAT] | {"response_format": {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}}
    got = carried(CHAT, body, MESSAGES)["output_config"]["format"]["schema"]
    assert got["additionalProperties"] is False
    assert got["properties"]["n"] == {"type": "integer", "description": "How many.\n\n{minimum: 1}"}
    assert got["properties"]["one"]["anyOf"] == [
        {"type": "string", "description": "{format: color}"},
        {"$ref": "#/$defs/D"},
    ]
    assert got["properties"]["list"]["items"] == {"type": "object", "properties": {}, "additionalProperties": False}
    assert got["$defs"]["D"]["additionalProperties"] is False


def test_a_schema_that_is_not_strict_is_not_called_so() -> None:
    open_schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": []}
    body = MINIMAL[MESSAGES] | {"output_config": {"format": {"type": "json_schema", "schema": open_schema}}}
    assert carried(MESSAGES, body, CHAT)["response_format"]["json_schema"]["strict"] is False


def test_any_json_object_is_asked_for_in_words_where_there_is_no_mode_for_it() -> None:
    body = MINIMAL[CHAT] | {"response_format": {"type": "json_object"}}
    assert carried(CHAT, body, MESSAGES)["system"] == [
        {"type": "text", "text": "Answer with one JSON object and nothing else."}
    ]
    assert carried(CHAT, body, RESPONSES)["text"] == {"format": {"type": "json_object"}}
    # A schema and a forced tool together, as instructor sends them.
    both = {"input": "Hi", "tools": TOOLS[RESPONSES], "tool_choice": "required"} | FORMATS[RESPONSES]
    got = carried(RESPONSES, both, MESSAGES)
    assert got["tool_choice"] == {"type": "any"} and "format" in got["output_config"]


# ---------------------------------------------------------------- thinking

ASKS_TO_THINK: dict[Dialect, dict[str, Any]] = {
    CHAT: {"reasoning_effort": "medium"},
    RESPONSES: {"reasoning": {"effort": "medium", "summary": "auto"}},
    MESSAGES: {"thinking": {"type": "enabled", "budget_tokens": 8000}, "max_tokens": 20000},
}


@pytest.mark.parametrize("client", [CHAT, RESPONSES])
def test_an_effort_becomes_anthropics_thinking(client: Dialect) -> None:
    body = MINIMAL[client] | ASKS_TO_THINK[client]
    old = carried(client, body, MESSAGES, "claude-sonnet-4-5-20250929", most=64_000)
    assert (old["thinking"], old["max_tokens"]) == ({"type": "enabled", "budget_tokens": 8192}, 40_192)
    new = carried(client, body, MESSAGES, "claude-opus-4-8")
    assert new["thinking"]["type"] == "adaptive"
    assert new["output_config"] == {"effort": "medium"}
    assert "thinking" not in carried(client, body, MESSAGES, "claude-3-haiku-20240307")


def test_thinking_becomes_an_effort() -> None:
    body = MINIMAL[MESSAGES] | ASKS_TO_THINK[MESSAGES]
    assert carried(MESSAGES, body, CHAT, "gpt-5-mini")["reasoning_effort"] == "medium"
    assert carried(MESSAGES, body, RESPONSES, "gpt-5-mini")["reasoning"] == {"effort": "medium", "summary": "auto"}
    made = translation(MESSAGES, body, CHAT, "gpt-4o")
    assert "reasoning_effort" not in orjson.loads(made.body) and "reasoning" in made.dropped
    adaptive = MINIMAL[MESSAGES] | {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}
    assert carried(MESSAGES, adaptive, CHAT, "gpt-6")["reasoning_effort"] == "high"


def test_no_thinking_where_anthropic_refuses_it() -> None:
    forced = MINIMAL[CHAT] | ASKS_TO_THINK[CHAT] | {"tools": TOOLS[CHAT], "tool_choice": "required"}
    assert "thinking" not in carried(CHAT, forced, MESSAGES)
    # In a tool loop, the assistant's turn would have to begin with thinking of Anthropic's own.
    call = {"id": "a", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    loop = {
        "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "tool_calls": [call], "reasoning_content": "somebody else's"},
            {"role": "tool", "tool_call_id": "a", "content": "ok"},
        ],
        "reasoning_effort": "low",
    }
    made = translation(CHAT, loop, MESSAGES)
    assert "thinking" not in orjson.loads(made.body)
    assert made.dropped == ("reasoning", "reasoning of another provider")
    assert carried(CHAT, loop, MESSAGES, "claude-opus-4-8")["thinking"] == {"type": "adaptive"}
    # A limit that leaves no room for it.
    assert "thinking" not in carried(CHAT, MINIMAL[CHAT] | ASKS_TO_THINK[CHAT] | {"max_tokens": 300}, MESSAGES)


def test_signed_thinking_goes_back_to_the_provider_that_signed_it_and_to_no_other() -> None:
    signed = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "short"}]}
    items = [
        {"role": "user", "content": "Go"},
        signed | {"encrypted_content": seal(ANTHROPIC, signature="sig", text="the whole thought")},
        signed | {"encrypted_content": seal(ANTHROPIC, data="hidden")},
        signed | {"encrypted_content": "of OpenAI's own"},
        signed | {"encrypted_content": seal(UNSEALED)},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "More"},
    ]
    turns = carried(RESPONSES, {"input": items}, MESSAGES)["messages"]
    assert turns[1]["content"] == [
        {"type": "thinking", "thinking": "the whole thought", "signature": "sig"},
        {"type": "redacted_thinking", "data": "hidden"},
        {"type": "text", "text": "Done."},
    ]
    assert [message["role"] for message in carried(RESPONSES, {"input": items}, CHAT)["messages"]] == [
        "user",
        "assistant",
        "user",
    ]

    def block(signature: str) -> dict[str, Any]:
        return {"type": "thinking", "thinking": "t", "signature": signature}

    history = {
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "Go"},
            {
                "role": "assistant",
                "content": [block(seal(OPENAI, id="rs_7", encrypted="gAAA")), block("real"), block(seal(UNSEALED))],
            },
            {"role": "user", "content": "More"},
        ],
    }
    items = carried(MESSAGES, history, RESPONSES)["input"]
    assert items[1] == {
        "type": "reasoning",
        "id": "rs_7",
        "summary": [{"type": "summary_text", "text": "t"}],
        "encrypted_content": "gAAA",
    }
    assert [item["type"] for item in items] == ["message", "reasoning", "message"]


def test_foreign_thinking_is_taken_out_of_a_request_that_is_not_translated() -> None:
    ours = seal(OPENAI, id="rs_7", encrypted="gAAA")
    raw = orjson.dumps(
        {
            "model": "auto",
            "messages": [
                {"role": "user", "content": 'say "pointsman.x"'},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": ours}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "t", "signature": ours},
                        {"type": "thinking", "thinking": "u", "signature": "real"},
                        {"type": "text", "text": "x"},
                    ],
                },
            ],
        }
    )
    stripped = without_foreign_thinking(raw, MESSAGES)
    assert stripped is not None
    assert [message["content"] for message in stripped[1]["messages"]] == [
        'say "pointsman.x"',
        [{"type": "thinking", "thinking": "u", "signature": "real"}, {"type": "text", "text": "x"}],
    ]
    assert orjson.loads(stripped[0]) == stripped[1]
    items = {
        "model": "auto",
        "input": [{"role": "user", "content": "a"}, {"type": "reasoning", "encrypted_content": ours}],
    }
    stripped = without_foreign_thinking(orjson.dumps(items), RESPONSES)
    assert stripped is not None and stripped[1]["input"] == items["input"][:1]
    # Words that only look like it are the client's own, and stay byte for byte.
    for innocent in (b'{"input":"\\"pointsman.none.\\""}', b'{"input":["pointsman.none."]}', b'{"input":"x"}'):
        assert without_foreign_thinking(innocent, RESPONSES) is None


def test_a_damaged_envelope_is_nobodys() -> None:
    assert opened("pointsman.openai.!!", OPENAI) is None
    assert opened("pointsman.openai.e30=", ANTHROPIC) is None
    assert opened("pointsman.openai.MTI=", OPENAI) is None
    assert opened(seal(OPENAI, id="x"), OPENAI) == {"id": "x"}


# ---------------------------------------------------------------- system prompts, caches, the rest


def test_system_prompts_in_mid_conversation_keep_their_place() -> None:
    messages = [
        {"role": "system", "content": "One."},
        {"role": "developer", "content": "Two."},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Now in French."},
    ]
    got = carried(CHAT, {"messages": messages}, MESSAGES)
    assert [block["text"] for block in got["system"]] == ["One.", "Two."]
    assert [block["text"] for block in got["messages"][0]["content"]] == ["Hi", "<system>\nNow in French.\n</system>"]
    items = carried(CHAT, {"messages": messages}, RESPONSES)
    assert items["instructions"] == "One.\n\nTwo."
    assert [item["role"] for item in items["input"]] == ["user", "developer"]
    # Claude Code sends this role inside messages.
    body = {"max_tokens": 9, "system": "One.", "messages": [*messages[2:3], {"role": "system", "content": "Hint."}]}
    assert [m["role"] for m in carried(MESSAGES, body, CHAT)["messages"]] == ["system", "user", "system"]


def test_anthropic_always_gets_a_users_turn_first_and_last_and_no_blank_text() -> None:
    only_system = carried(CHAT, {"messages": [{"role": "system", "content": "Tell a joke."}]}, MESSAGES)
    assert "system" not in only_system
    assert only_system["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Tell a joke."}]}]
    body = {
        "messages": [
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "  "},
            {"role": "user", "content": [{"type": "text", "text": ""}]},
            {"role": "assistant", "content": "And?"},
        ]
    }
    turns = carried(CHAT, body, MESSAGES)["messages"]
    assert [(turn["role"], [block["text"] for block in turn["content"]]) for turn in turns] == [
        ("user", ["(start)"]),
        ("assistant", ["Hello!", "And?"]),
        ("user", ["(continue)"]),
    ]


def test_cache_marks() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    part = {"type": "text", "text": "Long.", "cache_control": mark}
    body = {"messages": [{"role": "system", "content": [part]}, {"role": "user", "content": "Hi"}]}
    assert carried(CHAT, body, MESSAGES)["system"] == [part]
    breakpoint_ = {"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}}
    items = {"input": [{"role": "user", "content": [breakpoint_]}]}
    assert carried(RESPONSES, items, MESSAGES)["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    # Codex names a key for its cache: that is a wish for one.
    keyed = {"instructions": "Be.", "input": "Hi", "prompt_cache_key": "thread-1"}
    got = carried(RESPONSES, keyed, MESSAGES)
    assert (
        got["system"][-1]["cache_control"]
        == got["messages"][-1]["content"][-1]["cache_control"]
        == {"type": "ephemeral"}
    )
    assert "cache_control" not in str(carried(RESPONSES, {"input": "Hi"}, MESSAGES))
    # OpenAI caches by itself: the mark means nothing there.
    claude = {"max_tokens": 9, "system": [part], "messages": [{"role": "user", "content": [part]}]}
    assert "cache_control" not in str(carried(MESSAGES, claude, CHAT))


def test_stop_sequences() -> None:
    assert carried(CHAT, MINIMAL[CHAT] | {"stop": ["END", "\n"]}, MESSAGES)["stop_sequences"] == ["END"]
    assert carried(CHAT, MINIMAL[CHAT] | {"stop": "END"}, MESSAGES)["stop_sequences"] == ["END"]
    assert carried(MESSAGES, MINIMAL[MESSAGES] | {"stop_sequences": ["END"]}, CHAT)["stop"] == ["END"]
    assert "stop" in translation(CHAT, MINIMAL[CHAT] | {"stop": "END"}, RESPONSES).dropped


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("claude-3-7-sonnet-20250219", True),
        ("claude-haiku-4-5-20251001", True),
        ("claude-opus-4-6", True),
        ("claude-opus-4-7", False),
        ("claude-sonnet-5-5", False),
        ("claude-next", False),
        ("qwen3", True),
    ],
)
def test_sampling_fields_go_to_models_that_take_them(model: str, kept: bool) -> None:
    made = translation(CHAT, MINIMAL[CHAT] | {"temperature": 1.4, "top_p": 0.9}, MESSAGES, model)
    got = orjson.loads(made.body)
    # Both at once are refused; Anthropic's scale ends at 1.
    assert got.get("temperature") == (1.0 if kept else None)
    assert "top_p" not in got and "top_p" in made.dropped


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("gpt-4o", True),
        ("gpt-5-chat-latest", True),
        ("llama-3.1-8b", True),
        ("o3-mini", False),
        ("gpt-5-mini", False),
        ("openai/gpt-5.1", False),
        ("gpt-6-astra", False),
    ],
)
def test_reasoning_models_of_openai_get_no_sampling_fields_or_stops(model: str, kept: bool) -> None:
    body = MINIMAL[MESSAGES] | {"temperature": 0.3, "stop_sequences": ["END"]}
    got = carried(MESSAGES, body, CHAT, model)
    assert ("temperature" in got, "stop" in got) == (kept, kept)


def test_limits_go_by_the_name_that_the_provider_knows() -> None:
    assert carried(MESSAGES, MINIMAL[MESSAGES], CHAT)["max_tokens"] == 100
    assert carried(MESSAGES, MINIMAL[MESSAGES], CHAT, provider="openai")["max_completion_tokens"] == 100
    assert carried(MESSAGES, MINIMAL[MESSAGES] | {"max_tokens": 5}, RESPONSES)["max_output_tokens"] == 16
    assert carried(CHAT, MINIMAL[CHAT], MESSAGES, most=4_096)["max_tokens"] == 4_096
    assert carried(CHAT, MINIMAL[CHAT], MESSAGES, most=128_000)["max_tokens"] == 32_000


def test_fields_that_the_target_lacks_are_named_and_dropped() -> None:
    body = MINIMAL[CHAT] | {"seed": 7, "logit_bias": {"1": 2}, "n": 2, "x_unknown": {"deep": 1}, "verbosity": "low"}
    made = translation(CHAT, body | {"user": "u-1", "metadata": {"a": "b"}}, MESSAGES)
    assert made.dropped == ("logit_bias", "metadata", "n", "seed", "verbosity", "x_unknown")
    assert orjson.loads(made.body)["metadata"] == {"user_id": "u-1"}
    claude = MINIMAL[MESSAGES] | {"context_management": {"edits": []}, "container": "c"}
    made = translation(MESSAGES, claude | {"metadata": {"user_id": "u"}, "top_k": 5}, CHAT)
    assert made.dropped == ("container", "context_management", "metadata.user_id", "top_k")


def test_what_the_two_openai_dialects_share_goes_over() -> None:
    shared = {"metadata": {"a": "b"}, "user": "u", "prompt_cache_key": "k", "service_tier": "flex", "store": True}
    got = carried(CHAT, MINIMAL[CHAT] | shared | {"verbosity": "low"}, RESPONSES)
    assert {key: got[key] for key in shared} == shared
    assert got["text"] == {"verbosity": "low"}
    back = carried(RESPONSES, MINIMAL[RESPONSES] | shared, CHAT, "gpt-4o", provider="openai")
    assert {key: back[key] for key in shared} == shared
    assert "metadata" not in carried(RESPONSES, MINIMAL[RESPONSES] | shared, CHAT)


def test_documents() -> None:
    pdf = "JVBERi0="
    claude = {
        "max_tokens": 9,
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": pdf},
                    },
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
                    {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}},
                    {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                ],
            }
        ],
    }
    chat = carried(MESSAGES, claude, CHAT)["messages"][0]["content"]
    url = f"data:application/pdf;base64,{pdf}"
    assert chat[0] == {"type": "file", "file": {"filename": "a.pdf", "file_data": url}}
    assert chat[1] == {"type": "text", "text": "words"}
    assert "https://a.example/b.pdf" in chat[2]["text"]
    items = carried(MESSAGES, claude, RESPONSES)["input"][0]["content"]
    assert [part["type"] for part in items] == ["input_file", "input_text", "input_file", "input_text"]
    assert items[2] == {"type": "input_file", "file_url": "https://a.example/b.pdf"}
    back = carried(CHAT, {"messages": [{"role": "user", "content": chat}]}, MESSAGES)["messages"][0]["content"]
    assert back[0] == claude["messages"][0]["content"][0]  # type: ignore[index]
    words = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}}
    text = carried(CHAT, {"messages": [{"role": "user", "content": [words]}]}, MESSAGES)["messages"][0]["content"]
    assert text[0]["source"] == {"type": "text", "media_type": "text/plain", "data": "hi"}


def test_pictures_by_address_are_never_fetched_only_named() -> None:
    link = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/x.png", "detail": "low"}}
    content = [{"type": "text", "text": "?"}, link]
    got = carried(CHAT, {"messages": [{"role": "user", "content": content}]}, MESSAGES)["messages"][0]["content"]
    assert got[1] == {"type": "image", "source": {"type": "url", "url": "http://169.254.169.254/x.png"}}


# ---------------------------------------------------------------- what cannot be translated, and which dialect is best


@pytest.mark.parametrize(
    ("dialect", "body", "why"),
    [
        (RESPONSES, {"previous_response_id": "resp_1", "input": "Hi"}, "previous_response_id"),
        (RESPONSES, {"conversation": "conv_1", "input": "Hi"}, "conversation"),
        (RESPONSES, {"prompt": {"id": "pmpt_1"}}, "prompt"),
        (RESPONSES, {"input": "Hi", "background": True}, "background"),
        (RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        (
            CHAT,
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}]},
            "sound",
        ),
        (CHAT, MINIMAL[CHAT] | {"audio": {"voice": "alloy"}}, "sound"),
    ],
)
def test_what_only_its_own_provider_can_serve_says_so(dialect: Dialect, body: dict[str, Any], why: str) -> None:
    request = read_request(dialect, orjson.dumps({"model": "auto"} | body))
    assert request.own_dialect_only is not None and why in request.own_dialect_only


@pytest.mark.parametrize("dialect", Dialect)
def test_all_else_can_be_translated(dialect: Dialect) -> None:
    assert read_request(dialect, orjson.dumps({"model": "auto"} | SAID[dialect])).own_dialect_only is None


def test_the_clients_own_dialect_comes_first_then_the_one_that_loses_least() -> None:
    model = model_named("x")
    assert {upstream_dialect(dialect, model) for dialect in Dialect} == set(Dialect)

    def best(client: Dialect, *spoken: Dialect, provider: str = "openai-compatible") -> Dialect | None:
        made = model_named("x", provider=provider)
        keep = {dialect: endpoint for dialect, endpoint in made.endpoints.items() if dialect in spoken}
        object.__setattr__(made, "endpoints", keep)
        return upstream_dialect(client, made)

    assert best(MESSAGES, CHAT, RESPONSES, provider="openai") is RESPONSES
    assert best(MESSAGES, CHAT, RESPONSES) is CHAT
    assert best(RESPONSES, CHAT, MESSAGES, provider="anthropic") is MESSAGES
    assert best(CHAT, MESSAGES) is MESSAGES
    assert best(CHAT) is None


def test_a_bad_request_is_refused_before_any_translation() -> None:
    with pytest.raises(BadRequest):
        translation(CHAT, {"messages": []}, MESSAGES)


def test_a_path_is_noted_once() -> None:
    noted = Conversation()
    noted.drop("a")
    noted.drop("a")
    assert noted.dropped == ["a"]
