"""Anthropic Messages (docs.claude.com/en/api/messages, read 2026-11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from pointsman.errors import BadRequest
from pointsman.vocabulary import Answer, Dialect, JSONObject, Request, Role, Usage
from pointsman.wire.codec import UnreadableAnswer, error_words, parse_object, request_edits, with_model
from pointsman.wire.draft import (
    Draft,
    Parts,
    format_type,
    json_tokens,
    positive_count,
    read_messages,
    read_parts,
    read_role,
    tool_name,
)
from pointsman.wire.faults import anthropic_error
from pointsman.wire.spans import replaced
from pointsman.wire.stream import MAX_ANSWER_CHARS, MAX_EVENT_BYTES, Edits, StreamReader, estimated_output
from pointsman.wire.usage import read_anthropic_usage


class MessagesCodec:
    """The codec of Messages."""

    dialect = Dialect.ANTHROPIC_MESSAGES

    def read_body(self, body: Mapping[str, Any]) -> Draft:
        """See `Codec.read_body`."""
        draft = Draft()
        system = body.get("system")
        if system is not None:
            draft.add_turn(Role.SYSTEM, read_parts(system, "system").text)
        for position, message in enumerate(read_messages(body)):
            _read_message(draft, message, f"messages[{position}]")
        draft.add_tools(body, "tools")
        choice = body.get("tool_choice")
        draft.forces_tool = isinstance(choice, dict) and choice.get("type") in ("any", "tool")
        output = body.get("output_config")
        wanted = output.get("format") if isinstance(output, dict) else None
        if wanted is None:  # The beta's name, before `output_config`.
            wanted = body.get("output_format")
        draft.output_format = format_type(wanted)
        if draft.output_format is not None:
            draft.n_tokens += json_tokens(wanted)
        draft.max_output_tokens = positive_count(body, "max_tokens")
        return draft

    def write_request(
        self, request: Request, *, provider_model: str, ask_usage: bool, stream: bool | None = None
    ) -> bytes:
        """See `Codec.write_request`; a Messages stream always gives usage."""
        return replaced(request.raw, request_edits(request, provider_model, stream))

    def read_answer(self, raw: bytes) -> Answer:
        """See `Codec.read_answer`."""
        body = parse_object(raw)
        content = body.get("content")
        if body.get("type") == "error" or not (isinstance(content, list) or "stop_reason" in body):
            if body.get("error") is not None:
                raise UnreadableAnswer(f"the answer is an error body under status 200: {error_words(body['error'])}")
            raise UnreadableAnswer("the answer is JSON without `content`: not a message")
        texts: list[str] = []
        calls: list[str] = []
        inputs: list[str] = []
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict):
                if block.get("type") == "text" and isinstance(block.get("text"), str):
                    texts.append(block["text"])
                elif _is_call(block):
                    calls.append(tool_name(block))
                    inputs.append(orjson.dumps(block.get("input", {})).decode())
        stop, model = body.get("stop_reason"), body.get("model")
        return Answer(
            text="".join(texts),
            finish_reason=stop if isinstance(stop, str) else None,
            usage=read_anthropic_usage(body.get("usage")),
            upstream_model=model if isinstance(model, str) else None,
            tool_calls=tuple(calls),
            complete=isinstance(stop, str),
            tool_inputs=tuple(inputs),
        )

    def rename_model(self, raw: bytes, name: str, *, seen: bool = False) -> bytes:
        """See `Codec.rename_model`."""
        return with_model(raw, name, seen=seen)

    def stream(
        self,
        *,
        name: str,
        strip_usage: bool = False,
        usage_extra: Callable[[Usage], JSONObject] | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_answer_chars: int = MAX_ANSWER_CHARS,
    ) -> StreamReader:
        """See `Codec.stream`."""
        return MessagesStream(name=name, max_event_bytes=max_event_bytes, max_answer_chars=max_answer_chars)

    def write_error(
        self, *, status: int, code: str, message: str, request_id: str | None = None, param: str | None = None
    ) -> bytes:
        """See `Codec.write_error`; Anthropic's errors have neither a code nor a param."""
        return anthropic_error(status=status, message=message, request_id=request_id)

    def write_stream_error(
        self, *, status: int, code: str, message: str, request_id: str | None = None, sequence_number: int = 0
    ) -> bytes:
        """See `Codec.write_stream_error`."""
        error = anthropic_error(status=status, message=message, request_id=request_id)
        return b"event: error\ndata: " + error + b"\n\n"


class MessagesStream(StreamReader):
    """Reads `message_start` … `message_stop`. The model stands in `message_start` only.

    Usage comes in two parts: input in `message_start`, with a first output count that means little, and the cumulative
    counts in `message_delta` (docs.claude.com, "Streaming messages").
    """

    def __init__(self, *, name: str, max_event_bytes: int, max_answer_chars: int) -> None:
        super().__init__(name=name, max_event_bytes=max_event_bytes, max_answer_chars=max_answer_chars)
        self._terminator = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
        self._reported: dict[str, Any] = {}
        self._output_reported = False

    def _read(self, event: dict[str, Any], data: bytes) -> Edits | None:
        kind = event.get("type")
        if kind == "content_block_delta":
            self.started = True
            delta = event.get("delta")
            if isinstance(delta, dict):
                self._add_text(delta.get("text"))
                if self.gather and delta.get("type") == "input_json_delta":
                    self._add_tool_input(event.get("index"), delta.get("partial_json"))
            return []
        if kind == "ping":
            return []
        if kind == "error":
            error = event.get("error")
            self._fail(error.get("message") if isinstance(error, dict) else None)
            return []
        self.started = True
        if kind == "message_start":
            return self._read_start(event.get("message"), data)
        if kind == "content_block_start":
            block = event.get("content_block")
            if isinstance(block, dict):
                self._add_text(block.get("text"))
                if _is_call(block):
                    self._add_tool_call(tool_name(block))
                    self._add_tool_input(event.get("index"), None)
        elif kind == "message_delta":
            self._read_delta(event)
        elif kind == "message_stop":
            self.terminated = self.complete = True
        return []

    def _said(self, event: dict[str, Any]) -> tuple[bytes, str] | None:
        delta = event.get("delta")
        if event.get("type") != "content_block_delta" or not isinstance(delta, dict):
            return None
        text = delta.get("text")
        if delta.keys() != {"type", "text"} or delta["type"] != "text_delta" or not isinstance(text, str):
            return None
        return b'"text"', text

    def _read_start(self, message: object, data: bytes) -> Edits:
        if not isinstance(message, dict):
            return []
        usage = message.get("usage")
        if isinstance(usage, dict):
            self._reported.update(usage)
        model = message.get("model")
        if model is None:
            return []
        if isinstance(model, str):
            self._upstream_model = model
        return self._rename(data, ("message",))

    def _read_delta(self, event: dict[str, Any]) -> None:
        usage = event.get("usage")
        if isinstance(usage, dict):
            # Null means "not said": it must not wipe out what message_start gave.
            self._reported.update((key, value) for key, value in usage.items() if value is not None)
            self._output_reported = usage.get("output_tokens") is not None
        delta = event.get("delta")
        reason = delta.get("stop_reason") if isinstance(delta, dict) else None
        if isinstance(reason, str):
            self._finish_reason = reason
            self.complete = True

    def _usage_so_far(self, text: str) -> Usage | None:
        usage = read_anthropic_usage(self._reported)
        if usage is None or self._output_reported:
            return usage
        return estimated_output(usage, text)


def _read_message(draft: Draft, message: Mapping[str, Any], path: str) -> None:
    """One message: tool results become tool turns of their own, as they are in the other dialects."""
    role = read_role(message, path)
    content = message.get("content")
    if not isinstance(content, list):
        draft.add_turn(role, read_parts(content, f"{path}.content").text)
        return
    parts = Parts()
    calls: list[str] = []
    n_results = 0
    for position, block in enumerate(content):
        if not isinstance(block, dict):
            raise BadRequest(f"{path}.content[{position}] must be an object", param=f"{path}.content[{position}]")
        kind = block.get("type")
        if kind == "tool_result":
            inner = read_parts(block.get("content"), f"{path}.content[{position}].content")
            draft.add_turn(Role.TOOL, inner.text, inner.n_images)
            draft.n_tokens += inner.n_tokens
            n_results += 1
        elif _is_call(block):
            calls.append(tool_name(block))
            draft.n_tokens += json_tokens(block.get("input"))
        else:
            parts.add(block)
    if parts.texts or parts.n_images or calls or n_results == 0:
        draft.add_turn(role, parts.text, parts.n_images, tuple(calls))
    draft.n_tokens += parts.n_tokens


def _is_call(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    return isinstance(kind, str) and kind.endswith("tool_use")
