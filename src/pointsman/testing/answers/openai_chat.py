"""OpenAI Chat Completions (platform.openai.com/docs/api-reference/chat, read 2026-11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pointsman.testing.exchange import Received
from pointsman.testing.script import Reply
from pointsman.vocabulary import Usage

from .content import CREATED_UNIX_S, Call, Content, content_of, event

ID = "chatcmpl-upstream"


def body(received: Received, reply: Reply) -> dict[str, Any]:
    """The plain answer."""
    content = content_of(received, reply, call_prefix="call_")
    message: dict[str, Any] = {"role": "assistant", "content": content.text if content.text else None, "refusal": None}
    if content.reasoning is not None:
        message["reasoning_content"] = content.reasoning
    if content.calls:
        message["tool_calls"] = [_call(call) for call in content.calls]
    out: dict[str, Any] = {
        "id": ID,
        "object": "chat.completion",
        "created": CREATED_UNIX_S,
        "model": content.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": {"content": content.all_tokens, "refusal": None} if content.tokens else None,
                "finish_reason": _finish_reason(content),
            }
        ],
    }
    if content.usage is not None:
        out["usage"] = _usage(content.usage)
    return out | {"service_tier": "default", "system_fingerprint": "fp_upstream"} | dict(content.extra)


def events(received: Received, reply: Reply) -> Iterator[bytes]:
    """The events of a stream; the calls' arguments come interleaved, as parallel calls may."""
    content = content_of(received, reply, call_prefix="call_")
    options = received.json.get("stream_options")
    with_usage = isinstance(options, dict) and options.get("include_usage") is True
    yield _chunk(content, with_usage, {"role": "assistant", "content": "", "refusal": None})
    if content.reasoning is not None:
        yield _chunk(content, with_usage, {"reasoning_content": content.reasoning})
    for place, text in enumerate(content.chunks):
        tokens = content.tokens[place] if content.tokens else ()
        yield _chunk(content, with_usage, {"content": text}, tokens=tokens)
    for n, call in enumerate(content.calls):
        yield _chunk(content, with_usage, {"tool_calls": [{"index": n} | _call(call, arguments="")]})
    for piece in (0, 1):
        for n, call in enumerate(content.calls):
            part = {"index": n, "function": {"arguments": call.pieces[piece]}}
            yield _chunk(content, with_usage, {"tool_calls": [part]})
    yield _chunk(content, with_usage, {}, finish_reason=_finish_reason(content))
    if with_usage and content.usage is not None:
        yield event(None, _frame(content) | {"choices": [], "usage": _usage(content.usage)} | dict(content.extra))
    yield b"data: [DONE]\n\n"


def _frame(content: Content) -> dict[str, Any]:
    return {
        "id": ID,
        "object": "chat.completion.chunk",
        "created": CREATED_UNIX_S,
        "model": content.model,
        "service_tier": "default",
        "system_fingerprint": "fp_upstream",
    }


def _chunk(
    content: Content,
    with_usage: bool,
    delta: dict[str, Any],
    finish_reason: str | None = None,
    tokens: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    logprobs = {"content": list(tokens), "refusal": None} if tokens else None
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
    usage = {"usage": None} if with_usage else {}
    return event(None, _frame(content) | {"choices": [choice]} | usage | dict(content.extra))


def _call(call: Call, arguments: str | None = None) -> dict[str, Any]:
    text = call.arguments if arguments is None else arguments
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": text}}


def _finish_reason(content: Content) -> str:
    if content.finish_reason is not None:
        return content.finish_reason
    return "tool_calls" if content.calls else "stop"


def _usage(usage: Usage) -> dict[str, Any]:
    """OpenAI counts cached tokens among the prompt's, and reasoning among the completion's."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
