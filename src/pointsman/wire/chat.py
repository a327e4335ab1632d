"""OpenAI Chat Completions (platform.openai.com/docs/api-reference/chat, read 2026-11), also spoken by most others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from pointsman.errors import BadRequest
from pointsman.vocabulary import Answer, Dialect, JSONObject, Request, Usage
from pointsman.wire.codec import (
    UnreadableAnswer,
    after_brace,
    error_words,
    parse_object,
    request_edits,
    with_model,
)
from pointsman.wire.draft import (
    Draft,
    format_type,
    json_tokens,
    positive_count,
    read_messages,
    read_parts,
    read_role,
    tool_name,
)
from pointsman.wire.faults import openai_error
from pointsman.wire.logprobs import strip_edits, token_logprobs
from pointsman.wire.spans import known_value_spans, replaced, value_spans
from pointsman.wire.stream import MAX_ANSWER_CHARS, MAX_EVENT_BYTES, Edits, StreamReader
from pointsman.wire.usage import read_openai_usage


class ChatCodec:
    """The codec of Chat Completions."""

    dialect = Dialect.OPENAI_CHAT

    def read_body(self, body: Mapping[str, Any]) -> Draft:
        """See `Codec.read_body`."""
        draft = Draft()
        for position, message in enumerate(read_messages(body)):
            _read_message(draft, message, f"messages[{position}]")
        if body.get("audio") is not None:
            draft.own_dialect_only = "no other dialect has sound"
        draft.add_tools(body, "tools")
        draft.add_tools(body, "functions")
        draft.forces_tool = _forces_tool(body.get("tool_choice")) or isinstance(body.get("function_call"), dict)
        response_format = body.get("response_format")
        draft.output_format = format_type(response_format)
        if draft.output_format == "json_schema":
            draft.n_tokens += json_tokens(response_format)
        newer, older = positive_count(body, "max_completion_tokens"), positive_count(body, "max_tokens")
        draft.max_output_tokens = older if newer is None else newer
        positive_count(body, "n")
        options = body.get("stream_options")
        if options is not None:
            if not isinstance(options, dict):
                raise BadRequest("stream_options must be an object", param="stream_options")
            draft.wants_stream_usage = options.get("include_usage") is True
        return draft

    def write_request(
        self, request: Request, *, provider_model: str, ask_usage: bool, stream: bool | None = None
    ) -> bytes:
        """See `Codec.write_request`."""
        edits = request_edits(request, provider_model, stream)
        streams = request.stream if stream is None else stream
        if ask_usage and streams and not request.wants_stream_usage:
            edits += _ask_usage(request)
        return replaced(request.raw, edits)

    def read_answer(self, raw: bytes) -> Answer:
        """See `Codec.read_answer`; text, finish reason and tool calls are the first choice's."""
        body = parse_object(raw)
        choices = body.get("choices")
        if not isinstance(choices, list):
            if body.get("error") is not None:
                raise UnreadableAnswer(f"the answer is an error body under status 200: {error_words(body['error'])}")
            raise UnreadableAnswer("the answer is JSON without `choices`: not a chat completion")
        first = choices[0] if choices and isinstance(choices[0], dict) else {}
        message = first.get("message")
        if not isinstance(message, dict):
            message = {}
        finish = first.get("finish_reason")
        model = body.get("model")
        return Answer(
            text=_text_of(message),
            finish_reason=finish if isinstance(finish, str) else None,
            usage=read_openai_usage(body.get("usage")),
            upstream_model=model if isinstance(model, str) else None,
            tool_calls=_calls(message),
            complete=isinstance(finish, str),
            logprobs=tuple(_logprobs(first)),
            tool_inputs=_inputs(message),
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
        return ChatStream(
            name=name,
            strip_usage=strip_usage,
            usage_extra=usage_extra,
            max_event_bytes=max_event_bytes,
            max_answer_chars=max_answer_chars,
        )

    def write_error(
        self, *, status: int, code: str, message: str, request_id: str | None = None, param: str | None = None
    ) -> bytes:
        """See `Codec.write_error`; OpenAI gives the request id in a header only."""
        return openai_error(status=status, code=code, message=message, param=param)

    def write_stream_error(
        self, *, status: int, code: str, message: str, request_id: str | None = None, sequence_number: int = 0
    ) -> bytes:
        """See `Codec.write_stream_error`."""
        return b"data: " + openai_error(status=status, code=code, message=message, param=None) + b"\n\n"


_PLAIN_CHOICE = frozenset({"index", "delta", "finish_reason", "logprobs"})


class ChatStream(StreamReader):
    """Reads `chat.completion.chunk` events."""

    def __init__(
        self,
        *,
        name: str,
        strip_usage: bool,
        usage_extra: Callable[[Usage], JSONObject] | None,
        max_event_bytes: int,
        max_answer_chars: int,
    ) -> None:
        super().__init__(name=name, max_event_bytes=max_event_bytes, max_answer_chars=max_answer_chars)
        self._strip_usage = strip_usage
        self._usage_extra = usage_extra
        self._terminator = b"data: [DONE]\n\n"
        self._open_choices: set[object] = set()

    def _done(self) -> None:
        self.terminated = self.complete = True

    def _read(self, event: dict[str, Any], data: bytes) -> Edits | None:
        choices = event.get("choices")
        error = event.get("error")
        if error is not None and not choices:
            self._fail(error.get("message") if isinstance(error, dict) else error)
            return []
        self.started = True
        model = event.get("model")
        edits: Edits = []
        if model is not None:
            if self._upstream_model is None and isinstance(model, str):
                self._upstream_model = model
            edits = self._rename(data)
        finished = False
        if isinstance(choices, list):
            for choice in choices:
                if not isinstance(choice, dict):
                    continue
                if choice.get("index", 0) == 0:
                    finished = self._read_choice(choice) or finished
                elif isinstance(choice.get("finish_reason"), str):
                    self._open_choices.discard(choice["index"])
                elif isinstance(choice.get("index"), int):
                    self._open_choices.add(choice["index"])
            # With `n` above 1 the choices end one by one; the answer is whole when all have.
            self.complete = self._finish_reason is not None and not self._open_choices
        usage = event.get("usage")
        if usage is not None:
            return self._read_usage(usage, edits, data, only_usage=not choices, finished=finished)
        return edits

    def _read_choice(self, choice: dict[str, Any]) -> bool:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            content = delta.get("content")
            if content is not None:
                self._add_text(content if isinstance(content, str) else _text_of(delta))
            calls = delta.get("tool_calls")
            if isinstance(calls, list):
                for call in calls:
                    function = call.get("function") if isinstance(call, dict) else None
                    if isinstance(function, dict):
                        self._add_tool_call(function.get("name"))
                        self._add_tool_input(call.get("index"), function.get("arguments"))
        if self.gather:
            tokens = choice.get("logprobs")
            self._add_logprobs(tokens.get("content") if isinstance(tokens, dict) else None)
        reason = choice.get("finish_reason")
        if not isinstance(reason, str):
            return False
        self._finish_reason = reason
        return True

    def _said(self, event: dict[str, Any]) -> tuple[bytes, str] | None:
        choices = event.get("choices")
        if not isinstance(choices, list) or len(choices) != 1 or event.get("usage") is not None or "error" in event:
            return None
        choice = choices[0]
        if not isinstance(choice, dict):
            return None
        if not _PLAIN_CHOICE.issuperset(choice) or choice.get("index") != 0 or choice.get("finish_reason") is not None:
            return None
        delta = choice.get("delta")
        if choice.get("logprobs") is not None or not isinstance(delta, dict) or delta.keys() != {"content"}:
            return None
        text = delta["content"]
        return (b'"content"', text) if isinstance(text, str) else None

    def _logprob_edits(self, data: bytes) -> Edits:
        return strip_edits(data, Dialect.OPENAI_CHAT)

    def _read_usage(
        self, usage: object, edits: Edits, data: bytes, *, only_usage: bool, finished: bool
    ) -> Edits | None:
        known = read_openai_usage(usage)
        if known is not None:
            self._usage = known
        if only_usage and self._strip_usage:
            return None
        if self._usage_extra is not None and known is not None and (only_usage or finished):
            # Some providers give usage with the finish reason and once more alone; the object belongs there once.
            extra = b',"pointsman":' + orjson.dumps(self._usage_extra(known))
            self._usage_extra = None
            at = data.rindex(b"}")
            edits = [*edits, (at, at, extra)]
        return edits


def _read_message(draft: Draft, message: Mapping[str, Any], path: str) -> None:
    role = read_role(message, path)
    parts = read_parts(message.get("content"), f"{path}.content")
    calls = _calls(message)
    if parts.has_sound:
        draft.own_dialect_only = "no other dialect has sound"
    draft.add_turn(role, parts.text, parts.n_images, calls)
    draft.n_tokens += parts.n_tokens
    if calls:
        draft.n_tokens += json_tokens(message.get("tool_calls"))


def _calls(message: Mapping[str, Any]) -> tuple[str, ...]:
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        return tuple(tool_name(call) for call in calls if isinstance(call, dict))
    legacy = message.get("function_call")
    return (tool_name(legacy),) if isinstance(legacy, dict) else ()


def _inputs(message: Mapping[str, Any]) -> tuple[str, ...]:
    """The arguments of each call, in the order of `_calls`."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        legacy = message.get("function_call")
        calls = [{"function": legacy}] if isinstance(legacy, dict) else []
    out: list[str] = []
    for call in calls:
        if isinstance(call, dict):
            function = call.get("function")
            text = function.get("arguments") if isinstance(function, dict) else None
            out.append(text if isinstance(text, str) else "")
    return tuple(out)


def _logprobs(choice: Mapping[str, Any]) -> list[float]:
    tokens = choice.get("logprobs")
    return token_logprobs(tokens.get("content")) if isinstance(tokens, dict) else []


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):  # Mistral answers with parts, docs.mistral.ai "Reasoning".
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""


def _forces_tool(choice: object) -> bool:
    if isinstance(choice, dict):
        allowed = choice.get("allowed_tools")
        if isinstance(allowed, dict):
            return bool(allowed.get("mode") == "required")
        return bool(choice.get("mode", "required") == "required")
    return choice == "required"


def _ask_usage(request: Request) -> Edits:
    """The edits that set `stream_options.include_usage`; the client's other options stay."""
    raw = request.raw
    word = b'"include_usage":true'
    if "stream_options" not in request.body:
        return [after_brace(raw, 0, b'"stream_options":{' + word + b"},")]
    edits: Edits = []
    for start, end in known_value_spans(raw, "stream_options"):
        if raw[start : start + 1] != b"{":
            edits.append((start, end, b"{" + word + b"}"))
            continue
        inner = value_spans(raw, "include_usage", (start, end))
        if inner:
            edits += ((a, b, b"true") for a, b in inner)
        else:
            empty = not raw[start + 1 : end - 1].strip()
            edits.append(after_brace(raw, start, word if empty else word + b","))
    return edits
