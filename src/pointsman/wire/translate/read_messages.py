"""Reads requests in Anthropic Messages (platform.claude.com/docs/en/api/messages, read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.vocabulary import JSONObject
from pointsman.wire.translate.conversation import (
    Call,
    Choice,
    Conversation,
    File,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Result,
    Text,
    Thinking,
    Tool,
)
from pointsman.wire.translate.media import LEFT_OUT_FILE, LEFT_OUT_IMAGE, image_of, plain
from pointsman.wire.translate.names import safe
from pointsman.wire.translate.seals import ANTHROPIC, is_ours, seal
from pointsman.wire.translate.values import entries, maybe, objects, words

_KNOWN = frozenset(
    {
        "cache_control",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)


def read(body: Mapping[str, Any]) -> Conversation:
    """The conversation in a body that the codec of this dialect has accepted."""
    out = Conversation(
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        stop=[stop for stop in entries(body.get("stop_sequences")) if isinstance(stop, str)],
        stream=body.get("stream") is True,
        caches=isinstance(body.get("cache_control"), dict),
    )
    for key in body.keys() - _KNOWN:
        out.drop(key)
    system = body.get("system")
    if system:
        out.messages.append(Message("system", _read_content(out, system, "system")))
    for n, message in enumerate(body["messages"]):
        role = message.get("role")
        parts = _read_content(out, message.get("content"), f"messages[{n}].content")
        if role == "system":
            out.messages.append(Message("system", parts))
        else:
            out.say("assistant" if role == "assistant" else "user", *parts)
    for n, tool in enumerate(objects(body.get("tools"))):
        _read_tool(out, tool, f"tools[{n}]")
    _read_choice(out, body.get("tool_choice"))
    _read_output(out, body)
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("user_id"), str):
        out.user = metadata["user_id"]
    return out


def _read_content(out: Conversation, content: object, path: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    parts: list[Part] = []
    for n, block in enumerate(entries(content)):
        part = _read_block(out, block, f"{path}[{n}]")
        if part is not None:
            parts.append(part)
    return parts


def _read_block(out: Conversation, block: object, path: str) -> Part | None:
    if isinstance(block, str):
        return Text(block)
    if not isinstance(block, dict):
        return None
    cache = block.get("cache_control")
    match block.get("type"):
        case "text":
            return Text(words(block.get("text")), cache)
        case "image":
            return _read_image(out, block.get("source"), cache, path)
        case "document":
            return _read_document(out, block, cache, path)
        case "search_result":
            return Text(_search_words(block), cache)
        case "thinking":
            signature = block.get("signature")
            sealed = maybe(signature)
            if sealed is not None and not is_ours(sealed):
                sealed = seal(ANTHROPIC, signature=sealed)
            return Thinking(words(block.get("thinking")), sealed)
        case "redacted_thinking":
            return Thinking("", seal(ANTHROPIC, data=words(block.get("data"))))
        case "tool_use":
            arguments = orjson.dumps(block.get("input") or {}).decode()
            return Call(words(block.get("id")), safe(words(block.get("name"))), arguments, cache)
        case "tool_result":
            inner = _read_content(out, block.get("content"), f"{path}.content")
            return Result(words(block.get("tool_use_id")), inner, block.get("is_error") is True, cache)
        case kind:
            out.drop(f"{path} ({kind})")
            return None


def _read_image(out: Conversation, source: object, cache: JSONObject | None, path: str) -> Part:
    if isinstance(source, dict):
        if source.get("type") == "base64":
            return Image(media_type=maybe(source.get("media_type")), data=words(source.get("data")), cache=cache)
        if source.get("type") == "url":
            image = image_of(words(source.get("url")))
            image.cache = cache
            return image
    out.drop(path)
    return Text(LEFT_OUT_IMAGE, cache)


def _read_document(out: Conversation, block: Mapping[str, Any], cache: JSONObject | None, path: str) -> Part:
    source, name = block.get("source"), maybe(block.get("title"))
    if isinstance(source, dict):
        match source.get("type"):
            case "base64":
                return File(
                    name, media_type=maybe(source.get("media_type")), data=words(source.get("data")), cache=cache
                )
            case "text":
                return File(name, media_type="text/plain", text=words(source.get("data")), cache=cache)
            case "url":
                return File(name, url=words(source.get("url")), cache=cache)
            case "content":
                inner = _read_content(out, source.get("content"), f"{path}.source.content")
                return File(name, media_type="text/plain", text=plain(inner), cache=cache)
    out.drop(path)
    return Text(LEFT_OUT_FILE, cache)


def _search_words(block: Mapping[str, Any]) -> str:
    said = [block.get("title"), block.get("source"), *(inner.get("text") for inner in objects(block.get("content")))]
    return "\n".join(one for one in said if isinstance(one, str))


def _read_tool(out: Conversation, tool: Mapping[str, Any], path: str) -> None:
    kind, name = tool.get("type"), tool.get("name")
    if kind not in (None, "custom") or not isinstance(name, str):
        out.drop(f"{path} ({kind})")
        return
    schema, strict = tool.get("input_schema"), tool.get("strict")
    out.tools.append(
        Tool(
            safe(name),
            maybe(tool.get("description")),
            schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
            strict if isinstance(strict, bool) else None,
            own_name=name,
            cache=tool.get("cache_control"),
        )
    )


def _read_choice(out: Conversation, choice: object) -> None:
    if not isinstance(choice, dict):
        return
    if choice.get("disable_parallel_tool_use") is True:
        out.parallel = False
    match choice.get("type"):
        case "auto" | "none" | "any" as mode:
            out.choice = Choice(mode)
        case "tool" if isinstance(choice.get("name"), str):
            out.choice = Choice("tool", safe(choice["name"]))
        case _:
            out.drop("tool_choice")


def _read_output(out: Conversation, body: Mapping[str, Any]) -> None:
    config, thinking = body.get("output_config"), body.get("thinking")
    wanted = config.get("format") if isinstance(config, dict) else None
    if wanted is None:
        wanted = body.get("output_format")
    if isinstance(wanted, dict) and isinstance(wanted.get("schema"), dict):
        out.format = Format(wanted["schema"])
    effort = maybe(config.get("effort")) if isinstance(config, dict) else None
    if isinstance(thinking, dict):
        budget = thinking.get("budget_tokens")
        out.reasoning = Reasoning(
            enabled=thinking.get("type") != "disabled",
            effort=effort,
            budget_tokens=budget if isinstance(budget, int) else None,
            visible=thinking.get("type") != "disabled" and thinking.get("display") != "omitted",
        )
    elif effort is not None:
        out.reasoning = Reasoning(effort=effort)
