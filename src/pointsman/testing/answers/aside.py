"""Endpoints beside the three dialects: text completions, moderations, and responses that are kept (OpenAI's API
reference, read 2026-11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pointsman.testing.exchange import Received
from pointsman.testing.script import Reply

from .content import CREATED_UNIX_S, content_of, event, n_input_tokens

COMPLETIONS, MODERATIONS = "/v1/completions", "/v1/moderations"
INPUT_TOKENS, COMPACT = "/v1/responses/input_tokens", "/v1/responses/compact"
RESPONSES = "/v1/responses/"


def completion(received: Received, reply: Reply) -> dict[str, Any]:
    """A text completion."""
    content = content_of(received, reply, call_prefix="call_")
    choice = {"text": content.text, "index": 0, "logprobs": None, "finish_reason": "stop"}
    out: dict[str, Any] = _frame(content.model) | {"choices": [choice]}
    if content.usage is not None:
        out["usage"] = _usage(content.usage.input_tokens, content.usage.output_tokens)
    return out


def completion_events(received: Received, reply: Reply) -> Iterator[bytes]:
    """The events of a streamed text completion."""
    content = content_of(received, reply, call_prefix="call_")
    for n, text in enumerate(content.chunks, 1):
        finish = "stop" if n == len(content.chunks) else None
        choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
        yield event(None, _frame(content.model) | {"choices": [choice]})
    options = received.json.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True and content.usage is not None:
        usage = _usage(content.usage.input_tokens, content.usage.output_tokens)
        yield event(None, _frame(content.model) | {"choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def moderation(received: Received) -> dict[str, Any]:
    """Nothing is ever flagged."""
    result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.01}}
    return {"id": "modr-upstream", "model": received.model or "omni-moderation-latest", "results": [result]}


def kept(received: Received) -> dict[str, Any]:
    """What becomes of a kept response: its deletion, its input, or itself."""
    id_, _, rest = received.path.removeprefix(RESPONSES).partition("/")
    if received.method == "DELETE":
        return {"id": id_, "object": "response", "deleted": True}
    if rest == "input_items":
        return {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
    status = "cancelled" if rest == "cancel" else "completed"
    return {"id": id_, "object": "response", "created_at": CREATED_UNIX_S, "status": status, "model": "small-2026"} | {
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def input_tokens(received: Received) -> dict[str, Any]:
    """The count of a request's tokens."""
    return {"object": "response.input_tokens", "input_tokens": n_input_tokens(received)}


def compaction(received: Received) -> dict[str, Any]:
    """A compacted conversation."""
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"}
    usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}
    return {"id": "resp_compact", "object": "response.compaction", "created_at": CREATED_UNIX_S} | {
        "output": [item],
        "usage": usage,
    }


def _frame(model: str) -> dict[str, Any]:
    return {"id": "cmpl-upstream", "object": "text_completion", "created": CREATED_UNIX_S, "model": model}


def _usage(n_input: int, n_output: int) -> dict[str, Any]:
    return {"prompt_tokens": n_input, "completion_tokens": n_output, "total_tokens": n_input + n_output}
