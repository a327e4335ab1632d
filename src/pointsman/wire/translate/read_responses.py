"""Reads requests in Responses (platform.openai.com/docs/api-reference/responses, read 2026-11).

Tools of agents go beyond functions: a `namespace` groups them, a `custom` one takes one text, and `additional_tools`
items bring more in mid-conversation. All of them become functions elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.wire.translate.conversation import (
    SHARED,
    Call,
    Conversation,
    File,
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
from pointsman.wire.translate.media import (
    LEFT_OUT_FILE,
    LEFT_OUT_IMAGE,
    file_of,
    image_of,
)
from pointsman.wire.translate.names import joined, safe
from pointsman.wire.translate.read_chat import cache_of, custom_arguments, custom_tool, read_choice
from pointsman.wire.translate.seals import OPENAI, is_ours, seal
from pointsman.wire.translate.values import entries, maybe, objects, words

_KNOWN = frozenset(
    {
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
        "truncation",
        *SHARED,
    }
)


def read(body: Mapping[str, Any]) -> Conversation:
    """The conversation in a body that the codec of this dialect has accepted."""
    out = Conversation(
        max_tokens=body.get("max_output_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        stream=body.get("stream") is True,
        parallel=body.get("parallel_tool_calls"),
        shared={key: body[key] for key in SHARED if body.get(key) is not None},
    )
    for key in body.keys() - _KNOWN:
        if body[key] is not None:
            out.drop(key)
    if body.get("instructions"):
        out.messages.append(Message("system", _read_content(out, body["instructions"], "instructions")))
    for n, tool in enumerate(entries(body.get("tools"))):
        _read_tool(out, tool, f"tools[{n}]")
    given = body.get("input")
    if isinstance(given, str):
        out.say("user", Text(given))
    else:
        for n, item in enumerate(entries(given)):
            _read_item(out, item, f"input[{n}]")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("function", "custom") and choice.get("namespace"):
        choice = {"name": joined(str(choice["namespace"]), str(choice.get("name")))}
    read_choice(out, choice)
    text = body.get("text")
    if isinstance(text, dict):
        out.verbosity = text.get("verbosity")
        wanted = text.get("format")
        if isinstance(wanted, dict) and wanted.get("type") == "json_object":
            out.format = Format(None)
        elif isinstance(wanted, dict) and isinstance(wanted.get("schema"), dict):
            out.format = Format(wanted["schema"], wanted.get("name"), wanted.get("description"), wanted.get("strict"))
    reasoning = body.get("reasoning")
    if isinstance(reasoning, dict):
        effort, summary = maybe(reasoning.get("effort")), reasoning.get("summary", reasoning.get("generate_summary"))
        if effort is not None or summary is not None:
            out.reasoning = Reasoning(enabled=effort != "none", effort=effort, visible=summary is not None)
    return out


def _read_item(out: Conversation, item: object, path: str) -> None:
    if not isinstance(item, dict):
        return
    kind = item.get("type", "message")
    match kind:
        case "message" | "agent_message":
            role, parts = item.get("role"), _read_content(out, item.get("content"), f"{path}.content")
            if role in ("system", "developer"):
                out.messages.append(Message("system", parts))
            else:
                out.say("assistant" if role == "assistant" else "user", *parts)
        case "function_call" | "custom_tool_call":
            given = item.get("arguments")
            arguments = custom_arguments(item.get("input")) if kind == "custom_tool_call" else given
            name, namespace = words(item.get("name")), maybe(item.get("namespace"))
            name = safe(name) if namespace is None else joined(namespace, name)
            out.say("assistant", Call(words(item.get("call_id", item.get("id"))), name, words(arguments)))
        case "function_call_output" | "custom_tool_call_output":
            inner = _read_content(out, item.get("output"), f"{path}.output")
            out.say("user", Result(words(item.get("call_id")), inner))
        case "reasoning":
            out.say("assistant", _read_reasoning(item))
        case "additional_tools":
            for n, tool in enumerate(entries(item.get("tools"))):
                _read_tool(out, tool, f"{path}.tools[{n}]")
        case _:
            out.drop(f"{path} ({kind})")


def _read_content(out: Conversation, content: object, path: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [_read_part(out, part, f"{path}[{n}]") for n, part in enumerate(entries(content))]


def _read_part(out: Conversation, part: object, path: str) -> Part:
    if not isinstance(part, dict):
        return Text(str(part))
    cache = cache_of(part)
    match part.get("type"):
        case "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text":
            return Text(words(part.get("text")), cache)
        case "refusal":
            return Refusal(words(part.get("refusal")))
        case "input_image" if isinstance(part.get("image_url"), str):
            image = image_of(part["image_url"], detail=maybe(part.get("detail")))
            image.cache = cache
            return image
        case "input_file" if isinstance(part.get("file_data"), str):
            file = file_of(part["file_data"], maybe(part.get("filename")))
            file.cache = cache
            return file
        case "input_file" if isinstance(part.get("file_url"), str):
            return File(maybe(part.get("filename")), url=part["file_url"], cache=cache)
        case kind:
            out.drop(f"{path} ({kind})")
            return Text(LEFT_OUT_IMAGE if kind == "input_image" else LEFT_OUT_FILE, cache)


def _read_reasoning(item: Mapping[str, Any]) -> Thinking:
    shown = objects(item.get("summary")) or objects(item.get("content"))
    text = "\n\n".join(words(part.get("text")) for part in shown)
    encrypted = maybe(item.get("encrypted_content"))
    if encrypted is None or is_ours(encrypted):
        return Thinking(text, encrypted)
    return Thinking(text, seal(OPENAI, id=words(item.get("id")), encrypted=encrypted))


def _read_tool(out: Conversation, tool: object, path: str, namespace: str | None = None) -> None:
    if not isinstance(tool, dict):
        return
    kind, own = tool.get("type"), tool.get("name")
    if kind == "namespace" and isinstance(own, str):
        for n, inner in enumerate(entries(tool.get("tools"))):
            _read_tool(out, inner, f"{path}.tools[{n}]", own)
        return
    if kind not in ("function", "custom") or not isinstance(own, str):
        out.drop(f"{path} ({kind})")
        return
    name = safe(own) if namespace is None else joined(namespace, own)
    if kind == "custom":
        made = custom_tool(name, tool, own_name=own)
    else:
        schema, strict = tool.get("parameters"), tool.get("strict")
        made = Tool(
            name,
            maybe(tool.get("description")),
            schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
            strict if isinstance(strict, bool) else None,
            own_name=own,
        )
    made.namespace = namespace
    out.tools = [known for known in out.tools if known.name != name] + [made]
