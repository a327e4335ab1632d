"""Reads requests in Chat Completions (platform.openai.com/docs/api-reference/chat, read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.vocabulary import JSONObject
from pointsman.wire.translate.conversation import (
    SHARED,
    Call,
    Choice,
    Conversation,
    Format,
    Message,
    Part,
    Reasoning,
    Refusal,
    Result,
    Text,
    Thinking,
    Tool,
)
from pointsman.wire.translate.media import LEFT_OUT_FILE, file_of, image_of
from pointsman.wire.translate.names import safe
from pointsman.wire.translate.values import entries, maybe, objects, words

CUSTOM_SCHEMA: JSONObject = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as text."}},
    "required": ["input"],
    "additionalProperties": False,
}
"""The parameters of a tool that takes one text, where only functions are known."""
_KNOWN = frozenset(
    {
        "function_call",
        "functions",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "verbosity",
        *SHARED,
    }
)


def read(body: Mapping[str, Any]) -> Conversation:
    """The conversation in a body that the codec of this dialect has accepted."""
    newer, stop = body.get("max_completion_tokens"), body.get("stop")
    out = Conversation(
        max_tokens=body.get("max_tokens") if newer is None else newer,
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        stop=[stop] if isinstance(stop, str) else [one for one in entries(stop) if isinstance(one, str)],
        stream=body.get("stream") is True,
        parallel=body.get("parallel_tool_calls"),
        verbosity=body.get("verbosity"),
        shared={key: body[key] for key in SHARED if body.get(key) is not None},
    )
    for key in body.keys() - _KNOWN:
        if body[key] is not None:
            out.drop(key)
    if body.get("n") not in (None, 1):
        out.drop("n")
    for n, message in enumerate(body["messages"]):
        _read_message(out, message, f"messages[{n}]")
    for n, tool in enumerate(objects(body.get("tools"))):
        _read_tool(out, tool, f"tools[{n}]")
    for function in objects(body.get("functions")):
        _read_function(out, function)
    read_choice(out, body.get("tool_choice", body.get("function_call")))
    effort = body.get("reasoning_effort")
    if isinstance(effort, str):
        out.reasoning = Reasoning(enabled=effort != "none", effort=effort)
    wanted: Any = body.get("response_format")
    if isinstance(wanted, dict):
        inner = wanted.get("json_schema")
        if wanted.get("type") == "json_object":
            out.format = Format(None)
        elif isinstance(inner, dict) and isinstance(inner.get("schema"), dict):
            out.format = Format(inner["schema"], inner.get("name"), inner.get("description"), inner.get("strict"))
    return out


def _read_message(out: Conversation, message: Mapping[str, Any], path: str) -> None:
    role, content = message.get("role"), message.get("content")
    if role in ("system", "developer"):
        out.messages.append(Message("system", _read_content(out, content, f"{path}.content")))
    elif role == "assistant":
        thinking = message.get("reasoning_content", message.get("reasoning"))
        if isinstance(thinking, str) and thinking:
            out.say("assistant", Thinking(thinking))
        out.say("assistant", *_read_content(out, content, f"{path}.content"))
        if isinstance(message.get("refusal"), str):
            out.say("assistant", Refusal(message["refusal"]))
        for call in objects(message.get("tool_calls")):
            out.say("assistant", _read_call(call))
        if isinstance(message.get("function_call"), dict):
            out.say("assistant", _read_call({"function": message["function_call"], "id": "function_call"}))
        if message.get("audio") is not None:
            out.drop(f"{path}.audio")
    elif role == "tool":
        inner = _read_content(out, content, f"{path}.content")
        out.say("user", Result(words(message.get("tool_call_id")), inner))
    elif role == "function":
        out.say("user", Result("function_call", _read_content(out, content, f"{path}.content")))
    else:
        out.say("user", *_read_content(out, content, f"{path}.content"))


def _read_content(out: Conversation, content: object, path: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [_read_part(out, part, f"{path}[{n}]") for n, part in enumerate(entries(content))]


def _read_part(out: Conversation, part: object, path: str) -> Part:
    if not isinstance(part, dict):
        return Text(str(part))
    cache = cache_of(part)
    match part.get("type"):
        case "text":
            return Text(words(part.get("text")), cache)
        case "refusal":
            return Refusal(words(part.get("refusal")))
        case "image_url":
            given = part.get("image_url")
            url = given.get("url") if isinstance(given, dict) else given
            image = image_of(words(url), detail=maybe(given.get("detail")) if isinstance(given, dict) else None)
            image.cache = cache
            return image
        case "file" if isinstance(part.get("file"), dict) and isinstance(part["file"].get("file_data"), str):
            file = file_of(part["file"]["file_data"], part["file"].get("filename"))
            file.cache = cache
            return file
        case kind:
            out.drop(f"{path} ({kind})")
            return Text(LEFT_OUT_FILE, cache)


def cache_of(part: Mapping[str, Any]) -> JSONObject | None:
    """Anthropic's cache mark for a part: one that stands there already (clients of other gateways send it so), or for
    OpenAI's `prompt_cache_breakpoint`; its times of 30 minutes and 12 hours become 5 minutes and 1 hour."""
    if isinstance(part.get("cache_control"), dict):
        return dict(part["cache_control"])
    mark = part.get("prompt_cache_breakpoint")
    if not isinstance(mark, dict):
        return None
    return {"type": "ephemeral", "ttl": "1h"} if mark.get("ttl") == "12h" else {"type": "ephemeral"}


def _read_call(call: Mapping[str, Any]) -> Call:
    function, custom = call.get("function"), call.get("custom")
    id_ = words(call.get("id"))
    if isinstance(custom, dict):
        return Call(id_, safe(words(custom.get("name"))), custom_arguments(custom.get("input")))
    inner = function if isinstance(function, dict) else {}
    return Call(id_, safe(words(inner.get("name"))), words(inner.get("arguments")))


def custom_arguments(text: object) -> str:
    """The input of a custom tool as the arguments of a function."""
    return orjson.dumps({"input": text if isinstance(text, str) else ""}).decode()


def _read_tool(out: Conversation, tool: Mapping[str, Any], path: str) -> None:
    function, custom = tool.get("function"), tool.get("custom")
    if isinstance(function, dict) and isinstance(function.get("name"), str):
        _read_function(out, function, tool.get("cache_control"))
    elif isinstance(custom, dict) and isinstance(custom.get("name"), str):
        out.tools.append(custom_tool(safe(custom["name"]), custom, own_name=custom["name"]))
    else:
        out.drop(f"{path} ({tool.get('type')})")


def _read_function(out: Conversation, function: Mapping[str, Any], cache: JSONObject | None = None) -> None:
    schema, strict = function.get("parameters"), function.get("strict")
    name = words(function.get("name"))
    out.tools.append(
        Tool(
            safe(name),
            maybe(function.get("description")),
            schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
            strict if isinstance(strict, bool) else None,
            own_name=name,
            cache=cache,
        )
    )


def custom_tool(name: str, custom: Mapping[str, Any], *, own_name: str) -> Tool:
    """A tool that takes one text, described as a function; a grammar that its input must follow goes into the words."""
    told = [words(custom.get("description"))]
    form = custom.get("format")
    grammar = form.get("grammar", form) if isinstance(form, dict) else {}
    if isinstance(grammar, dict) and isinstance(grammar.get("definition"), str):
        told.append(f"The input must follow this {grammar.get('syntax', '')} grammar:\n{grammar['definition']}")
    described = "\n\n".join(one for one in told if one) or None
    return Tool(name, described, CUSTOM_SCHEMA, None, own_name=own_name, custom=dict(custom))


def read_choice(out: Conversation, choice: object) -> None:
    """`tool_choice` of either OpenAI dialect."""
    if choice in ("auto", "none"):
        out.choice = Choice(str(choice))
    elif choice == "required":
        out.choice = Choice("any")
    elif isinstance(choice, dict):
        allowed = choice.get("allowed_tools", choice) if choice.get("type") == "allowed_tools" else None
        if isinstance(allowed, dict) and isinstance(allowed.get("tools"), list):
            names = tuple(name for tool in allowed["tools"] if (name := _choice_name(tool)) is not None)
            out.choice = Choice("any" if allowed.get("mode") == "required" else "auto", allowed=names)
        elif (name := _choice_name(choice)) is not None:
            out.choice = Choice("tool", name)
        else:
            out.drop("tool_choice")


def _choice_name(choice: object) -> str | None:
    if not isinstance(choice, dict):
        return None
    for inner in (choice.get("function"), choice.get("custom"), choice):
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            return safe(inner["name"])
    return None
