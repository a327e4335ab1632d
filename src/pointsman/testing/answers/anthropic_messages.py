"""Anthropic Messages (docs.claude.com/en/api/messages and /messages-streaming, read 2026-11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from pointsman.testing.exchange import Received
from pointsman.testing.script import Reply
from pointsman.vocabulary import Usage

from .content import Content, content_of, event

ID = "msg_upstream"
SIGNATURE = "c2lnbmVkIGJ5IHRoZSB1cHN0cmVhbQ=="
"""A thinking block is signed, and must come back unchanged."""


def body(received: Received, reply: Reply) -> dict[str, Any]:
    """The plain answer."""
    content = content_of(received, reply, call_prefix="toolu_")
    usage = {} if content.usage is None else {"usage": _usage(content.usage)}
    return _message(content, _blocks(content), _stop_reason(content)) | usage | dict(content.extra)


def events(received: Received, reply: Reply) -> Iterator[bytes]:
    """The events of a stream. Usage at the start counts the input, at the end all of it."""
    content = content_of(received, reply, call_prefix="toolu_")
    usage = content.usage
    started = _message(content, [], None)
    if usage is not None:
        started["usage"] = _usage(usage) | {"output_tokens": 1}
    yield event("message_start", {"type": "message_start", "message": started | dict(content.extra)})
    for index, block in enumerate(_blocks(content)):
        first, deltas = _cut(content, block)
        yield event("content_block_start", {"type": "content_block_start", "index": index, "content_block": first})
        if index == 0:
            yield event("ping", {"type": "ping"})
        for delta in deltas:
            yield event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})
        yield event("content_block_stop", {"type": "content_block_stop", "index": index})
    ended: dict[str, Any] = {
        "type": "message_delta",
        "delta": {"stop_reason": _stop_reason(content), "stop_sequence": None},
    }
    if usage is not None:
        ended["usage"] = _usage(usage)
    yield event("message_delta", ended)
    yield event("message_stop", {"type": "message_stop"})


def _message(content: Content, blocks: list[dict[str, Any]], stop_reason: str | None) -> dict[str, Any]:
    return {
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": content.model,
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
    }


def _blocks(content: Content) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if content.reasoning is not None:
        blocks.append({"type": "thinking", "thinking": content.reasoning, "signature": SIGNATURE})
    if content.text or not content.calls:
        blocks.append({"type": "text", "text": content.text})
    blocks += (
        {"type": "tool_use", "id": call.id, "name": call.name, "input": orjson.loads(call.arguments)}
        for call in content.calls
    )
    return blocks


def _cut(content: Content, block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as its start event shows it, and the deltas that follow."""
    if block["type"] == "thinking":
        return block | {"thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    if block["type"] == "text":
        return block | {"text": ""}, [{"type": "text_delta", "text": text} for text in content.chunks]
    call = next(call for call in content.calls if call.id == block["id"])
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in call.pieces]


def _stop_reason(content: Content) -> str:
    if content.finish_reason is not None:
        return content.finish_reason
    return "tool_use" if content.calls else "end_turn"


def _usage(usage: Usage) -> dict[str, Any]:
    """Anthropic's `input_tokens` leaves out what was read from or written to the cache."""
    return {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "service_tier": "standard",
    }
