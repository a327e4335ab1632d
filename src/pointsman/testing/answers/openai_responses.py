"""OpenAI Responses (platform.openai.com/docs/api-reference/responses and /responses-streaming, read 2026-11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pointsman.testing.exchange import Received
from pointsman.testing.script import Reply
from pointsman.vocabulary import Usage

from .content import CREATED_UNIX_S, Content, content_of, event

ID = "resp_upstream"


def body(received: Received, reply: Reply) -> dict[str, Any]:
    """The plain answer."""
    content = content_of(received, reply, call_prefix="call_")
    return _response(received, content, "completed", _items(content))


def events(received: Received, reply: Reply) -> Iterator[bytes]:
    """The events of a stream, numbered from 0."""
    content = content_of(received, reply, call_prefix="call_")
    for number, (kind, fields) in enumerate(_events(received, content)):
        yield event(kind, {"type": kind, "sequence_number": number} | dict(fields))


def _events(received: Received, content: Content) -> Iterator[tuple[str, Mapping[str, Any]]]:
    begun = _response(received, content, "in_progress", [])
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    items = _items(content)
    calls = {call.id: call for call in content.calls}
    for index, item in enumerate(items):
        at = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "reasoning":
            yield "response.output_item.added", {"output_index": index, "item": item | {"summary": []}}
            part = {"summary_index": 0}
            text = item["summary"][0]["text"]
            yield (
                "response.reasoning_summary_part.added",
                at | part | {"part": {"type": "summary_text", "text": ""}},
            )
            yield "response.reasoning_summary_text.delta", at | part | {"delta": text}
            yield "response.reasoning_summary_text.done", at | part | {"text": text}
            yield "response.reasoning_summary_part.done", at | part | {"part": item["summary"][0]}
        elif item["type"] == "message":
            started = item | {"content": [], "status": "in_progress"}
            yield "response.output_item.added", {"output_index": index, "item": started}
            part = {"content_index": 0}
            written = item["content"][0]
            yield "response.content_part.added", at | part | {"part": written | {"text": "", "logprobs": []}}
            for place, text in enumerate(content.chunks):
                tokens = list(content.tokens[place]) if content.tokens else []
                yield "response.output_text.delta", at | part | {"delta": text, "logprobs": tokens}
            yield "response.output_text.done", at | part | {"text": content.text, "logprobs": content.all_tokens}
            yield "response.content_part.done", at | part | {"part": written}
        else:
            started = item | {"arguments": "", "status": "in_progress"}
            yield "response.output_item.added", {"output_index": index, "item": started}
            for piece in calls[item["call_id"]].pieces:
                yield "response.function_call_arguments.delta", at | {"delta": piece}
            yield (
                "response.function_call_arguments.done",
                at | {"arguments": item["arguments"], "name": item["name"]},
            )
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield "response.completed", {"response": _response(received, content, "completed", items)}


def _items(content: Content) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if content.reasoning is not None:
        summary = [{"type": "summary_text", "text": content.reasoning}]
        items.append({"id": "rs_upstream", "type": "reasoning", "summary": summary})
    if content.text or not content.calls:
        part = {"type": "output_text", "text": content.text, "annotations": [], "logprobs": content.all_tokens}
        items.append(
            {"id": "msg_upstream", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        )
    items += (
        {
            "id": f"fc_{call.id}",
            "type": "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
        for call in content.calls
    )
    return items


def _response(received: Received, content: Content, status: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    asked = received.json
    completed = status == "completed"
    return {
        "id": ID,
        "object": "response",
        "created_at": CREATED_UNIX_S,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "model": content.model,
        "output": items,
        "parallel_tool_calls": asked.get("parallel_tool_calls", True),
        "previous_response_id": asked.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "store": asked.get("store", True),
        "temperature": asked.get("temperature", 1.0),
        "text": asked.get("text", {"format": {"type": "text"}}),
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools", []),
        "top_p": asked.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _usage(content.usage) if completed and content.usage is not None else None,
        "metadata": asked.get("metadata", {}),
    } | dict(content.extra)


def _usage(usage: Usage) -> dict[str, Any]:
    """Cached tokens are counted among the input's, and reasoning among the output's."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
