"""A simulated answer in each dialect, whole or as the events of a stream, in the providers' own shapes.

Shapes: OpenAI API reference, "Chat completions", "Responses" and their streaming pages; Anthropic API reference,
"Messages" and "Streaming messages"; read 2026-11. Every whole answer, and the first or last event of every stream,
carries `"simulated": true`, which no provider sends and clients ignore.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pointsman.vocabulary import Dialect, JSONObject

from .sim_draft import Draft

MAX_PIECES = 200
CHARS_PER_PIECE = 16


def whole(draft: Draft, dialect: Dialect, body: Mapping[str, Any], model: str, created: int) -> bytes:
    """The JSON body of the answer. `created` is in Unix seconds."""
    if dialect is Dialect.OPENAI_CHAT:
        return orjson.dumps(_chat(draft, body, model, created))
    if dialect is Dialect.OPENAI_RESPONSES:
        return orjson.dumps(_response(draft, body, model, created))
    return orjson.dumps(_message(draft, model))


def events(draft: Draft, dialect: Dialect, body: Mapping[str, Any], model: str, created: int) -> Iterator[bytes]:
    """The events of the streamed answer, one at a time, as server-sent events."""
    if dialect is Dialect.OPENAI_CHAT:
        options = body.get("stream_options")
        usage = isinstance(options, dict) and options.get("include_usage") is True
        shown = body.get("logprobs") is True
        for chunk in _chat_chunks(draft, model, created, usage=usage, logprobs=shown):
            yield b"data: " + orjson.dumps(chunk) + b"\n\n"
        yield b"data: [DONE]\n\n"
        return
    if dialect is Dialect.OPENAI_RESPONSES:
        named = _response_events(draft, body, model, created)
    else:
        named = _message_events(draft, model)
    for event in named:
        yield b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"


def pieces(text: str) -> list[str]:
    """A text in at most 200 pieces of about equal length; none for an empty text."""
    size = max(CHARS_PER_PIECE, -(-len(text) // MAX_PIECES))
    return [text[at : at + size] for at in range(0, len(text), size)]


# ---------------------------------------------------------------- Chat Completions


def _chat(draft: Draft, body: Mapping[str, Any], model: str, created: int) -> JSONObject:
    message: JSONObject = {"role": "assistant", "content": draft.text, "refusal": None, "annotations": []}
    if draft.tool_call is not None:
        message |= {"content": None, "tool_calls": [_chat_call(draft)]}
    return {
        "id": f"chatcmpl-sim{draft.seed}",
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": _chat_logprobs(draft, draft.text) if body.get("logprobs") is True else None,
                "finish_reason": _chat_finish(draft),
            }
        ],
        "usage": _chat_usage(draft),
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
        "simulated": True,
    }


def _tokens(draft: Draft, text: str) -> list[JSONObject]:
    """The tokens of a text as OpenAI shows them, one for each piece."""
    logprob = math.log(draft.token_p)
    return [
        {"token": piece, "logprob": logprob, "bytes": list(piece.encode()), "top_logprobs": []}
        for piece in pieces(text)
    ]


def _chat_logprobs(draft: Draft, text: str) -> JSONObject:
    return {"content": _tokens(draft, text), "refusal": None}


def _chat_chunks(draft: Draft, model: str, created: int, *, usage: bool, logprobs: bool) -> Iterator[JSONObject]:
    frame: JSONObject = {
        "id": f"chatcmpl-sim{draft.seed}",
        "object": "chat.completion.chunk",
        "created": created,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
        "simulated": True,
    }
    if usage:
        frame["usage"] = None

    def chunk(delta: JSONObject, finish: str | None = None) -> JSONObject:
        text = delta.get("content")
        shown = _chat_logprobs(draft, text) if logprobs and text else None
        return {**frame, "choices": [{"index": 0, "delta": delta, "logprobs": shown, "finish_reason": finish}]}

    if draft.tool_call is None:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for piece in pieces(draft.text):
            yield chunk({"content": piece})
    else:
        call = _chat_call(draft)
        opening = {**call, "index": 0, "function": {"name": draft.tool_call.name, "arguments": ""}}
        yield chunk({"role": "assistant", "content": None, "tool_calls": [opening]})
        for piece in pieces(draft.tool_call.arguments):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield chunk({}, _chat_finish(draft))
    if usage:
        yield {**frame, "choices": [], "usage": _chat_usage(draft)}


def _chat_call(draft: Draft) -> JSONObject:
    assert draft.tool_call is not None
    function = {"name": draft.tool_call.name, "arguments": draft.tool_call.arguments}
    return {"id": f"call_sim{draft.seed[:24]}", "type": "function", "function": function}


def _chat_finish(draft: Draft) -> str:
    return "tool_calls" if draft.tool_call is not None else "length" if draft.cut else "stop"


def _chat_usage(draft: Draft) -> JSONObject:
    usage = draft.usage
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


# ---------------------------------------------------------------- Responses


def _response(draft: Draft, body: Mapping[str, Any], model: str, created: int) -> JSONObject:
    return {
        **_response_frame(draft, body, model, created),
        "status": "incomplete" if draft.cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if draft.cut else None,
        "output": [_response_item(draft, body)],
        "usage": {
            "input_tokens": draft.usage.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": draft.usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": draft.usage.input_tokens + draft.usage.output_tokens,
        },
    }


def _response_frame(draft: Draft, body: Mapping[str, Any], model: str, created: int) -> JSONObject:
    defaults: JSONObject = {
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }
    return {
        "id": f"resp_sim{draft.seed}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **{name: body.get(name, value) for name, value in defaults.items()},
        "simulated": True,
    }


def _response_item(draft: Draft, body: Mapping[str, Any]) -> JSONObject:
    if draft.tool_call is not None:
        return {
            "id": f"fc_sim{draft.seed}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_sim{draft.seed[:24]}",
            "name": draft.tool_call.name,
            "arguments": draft.tool_call.arguments,
        }
    return {
        "id": f"msg_sim{draft.seed}",
        "type": "message",
        "status": "incomplete" if draft.cut else "completed",
        "role": "assistant",
        "content": [_response_part(draft, body, draft.text)],
    }


def _response_part(draft: Draft, body: Mapping[str, Any], text: str) -> JSONObject:
    return {"type": "output_text", "annotations": [], "logprobs": _included(draft, body, text), "text": text}


def _included(draft: Draft, body: Mapping[str, Any], text: str) -> list[JSONObject]:
    include = body.get("include")
    asked = isinstance(include, list) and "message.output_text.logprobs" in include
    return _tokens(draft, text) if asked else []


def _response_events(draft: Draft, body: Mapping[str, Any], model: str, created: int) -> Iterator[JSONObject]:
    n_sent = 0

    def event(kind: str, **fields: Any) -> JSONObject:
        nonlocal n_sent
        n_sent += 1
        return {"type": f"response.{kind}", "sequence_number": n_sent - 1, **fields}

    frame = _response_frame(draft, body, model, created)
    item = _response_item(draft, body)
    at: JSONObject = {"item_id": item["id"], "output_index": 0}
    yield event("created", response=frame)
    yield event("in_progress", response=frame)
    if draft.tool_call is not None:
        opening = {**item, "status": "in_progress", "arguments": ""}
        yield event("output_item.added", output_index=0, item=opening)
        for piece in pieces(draft.tool_call.arguments):
            yield event("function_call_arguments.delta", **at, delta=piece)
        yield event("function_call_arguments.done", **at, arguments=item["arguments"], name=item["name"])
    else:
        at["content_index"] = 0
        opening = {**item, "status": "in_progress", "content": []}
        yield event("output_item.added", output_index=0, item=opening)
        yield event("content_part.added", **at, part=_response_part(draft, body, ""))
        for piece in pieces(draft.text):
            yield event("output_text.delta", **at, delta=piece, logprobs=_included(draft, body, piece))
        yield event("output_text.done", **at, text=draft.text, logprobs=_included(draft, body, draft.text))
        yield event("content_part.done", **at, part=_response_part(draft, body, draft.text))
    yield event("output_item.done", output_index=0, item=item)
    ended = _response(draft, body, model, created)
    yield event(ended["status"], response=ended)


# ---------------------------------------------------------------- Messages


def _message(draft: Draft, model: str) -> JSONObject:
    return {
        **_message_frame(draft, model),
        "content": [_message_block(draft)],
        "stop_reason": _message_stop(draft),
        "usage": _message_usage(draft, draft.usage.output_tokens),
    }


def _message_frame(draft: Draft, model: str) -> JSONObject:
    return {
        "id": f"msg_sim{draft.seed}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _message_usage(draft, 1),
        "simulated": True,
    }


def _message_block(draft: Draft) -> JSONObject:
    if draft.tool_call is None:
        return {"type": "text", "text": draft.text}
    arguments = orjson.loads(draft.tool_call.arguments)
    return {"type": "tool_use", "id": f"toolu_sim{draft.seed[:24]}", "name": draft.tool_call.name, "input": arguments}


def _message_stop(draft: Draft) -> str:
    return "tool_use" if draft.tool_call is not None else "max_tokens" if draft.cut else "end_turn"


def _message_usage(draft: Draft, n_output: int) -> JSONObject:
    return {
        "input_tokens": draft.usage.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": n_output,
        "service_tier": "standard",
    }


def _message_events(draft: Draft, model: str) -> Iterator[JSONObject]:
    yield {"type": "message_start", "message": _message_frame(draft, model)}
    block = _message_block(draft)
    if draft.tool_call is None:
        opening, text, kind, key = {**block, "text": ""}, draft.text, "text_delta", "text"
    else:
        opening, text = {**block, "input": {}}, draft.tool_call.arguments
        kind, key = "input_json_delta", "partial_json"
    yield {"type": "content_block_start", "index": 0, "content_block": opening}
    yield {"type": "ping"}
    for piece in pieces(text):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": kind, key: piece}}
    yield {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": _message_stop(draft), "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": draft.usage.output_tokens}}
    yield {"type": "message_stop"}
