"""OpenAI Responses (platform.openai.com/docs/api-reference/responses, read 2026-11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pointsman.errors import BadRequest
from pointsman.vocabulary import Answer, Dialect, JSONObject, Request, Role, Usage
from pointsman.wire.codec import UnreadableAnswer, error_words, parse_object, request_edits, with_model
from pointsman.wire.draft import Draft, format_type, json_tokens, positive_count, read_parts, read_role, tool_name
from pointsman.wire.faults import openai_error, responses_error_event
from pointsman.wire.logprobs import strip_edits, token_logprobs
from pointsman.wire.spans import replaced
from pointsman.wire.stream import MAX_ANSWER_CHARS, MAX_EVENT_BYTES, Edits, StreamReader
from pointsman.wire.usage import read_openai_usage

_ENDS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}

_HOLD_INPUT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
"""With one of these the provider already has input, and `input` may be left out."""


class ResponsesCodec:
    """The codec of Responses."""

    dialect = Dialect.OPENAI_RESPONSES

    def read_body(self, body: Mapping[str, Any]) -> Draft:
        """See `Codec.read_body`."""
        draft = Draft()
        instructions = body.get("instructions")
        if instructions is not None:
            parts = read_parts(instructions, "instructions")
            draft.add_turn(Role.SYSTEM, parts.text, parts.n_images)
        given = body.get("input")
        if isinstance(given, str) and given:
            draft.add_turn(Role.USER, given)
        elif isinstance(given, list) and given:
            for position, item in enumerate(given):
                _read_item(draft, item, f"input[{position}]")
        elif given is not None and not isinstance(given, str | list):
            raise BadRequest("input must be a string or a list of items", param="input")
        elif all(body.get(key) is None for key in _HOLD_INPUT_ELSEWHERE):
            problem = "is missing" if given is None else "must not be empty"
            raise BadRequest(f"input {problem}", param="input")
        held = [key for key in _HOLD_INPUT_ELSEWHERE if body.get(key) is not None]
        if held:
            draft.own_dialect_only = f"only its provider holds what `{held[0]}` names"
        elif body.get("background") is True:
            draft.own_dialect_only = "only its provider can answer in the background"
        draft.add_tools(body, "tools")
        draft.forces_tool = _forces_tool(body.get("tool_choice"))
        text = body.get("text")
        if isinstance(text, dict):
            draft.output_format = format_type(text.get("format"))
            if draft.output_format == "json_schema":
                draft.n_tokens += json_tokens(text.get("format"))
        draft.max_output_tokens = positive_count(body, "max_output_tokens")
        return draft

    def write_request(
        self, request: Request, *, provider_model: str, ask_usage: bool, stream: bool | None = None
    ) -> bytes:
        """See `Codec.write_request`; a Responses stream always gives usage."""
        return replaced(request.raw, request_edits(request, provider_model, stream))

    def read_answer(self, raw: bytes) -> Answer:
        """See `Codec.read_answer`; the finish reason is the status, or why it is incomplete."""
        body = parse_object(raw)
        if not isinstance(body.get("output"), list):
            if body.get("error") is not None:
                raise UnreadableAnswer(f"the answer is an error body under status 200: {error_words(body['error'])}")
            raise UnreadableAnswer("the answer is JSON without `output`: not a response")
        texts: list[str] = []
        calls: list[str] = []
        inputs: list[str] = []
        logprobs: list[float] = []
        for item in body["output"]:
            if isinstance(item, dict):
                if _is_call(item):
                    calls.append(tool_name(item))
                    inputs.append(_input(item))
                elif item.get("type") == "message":
                    texts += _output_texts(item)
                    logprobs += _output_logprobs(item)
        reason = _reason(body)
        model = body.get("model")
        return Answer(
            text="".join(texts),
            finish_reason=reason,
            usage=read_openai_usage(body.get("usage")),
            upstream_model=model if isinstance(model, str) else None,
            tool_calls=tuple(calls),
            complete=body.get("status") in ("completed", "incomplete"),
            id=body["id"] if isinstance(body.get("id"), str) else None,
            logprobs=tuple(logprobs),
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
        return ResponsesStream(name=name, max_event_bytes=max_event_bytes, max_answer_chars=max_answer_chars)

    def write_error(
        self, *, status: int, code: str, message: str, request_id: str | None = None, param: str | None = None
    ) -> bytes:
        """See `Codec.write_error`; OpenAI gives the request id in a header only."""
        return openai_error(status=status, code=code, message=message, param=param)

    def write_stream_error(
        self, *, status: int, code: str, message: str, request_id: str | None = None, sequence_number: int = 0
    ) -> bytes:
        """See `Codec.write_stream_error`."""
        return responses_error_event(code=code, message=message, sequence_number=sequence_number)


class ResponsesStream(StreamReader):
    """Reads the typed events of a response. The response object, with `model`, comes in the first and last of them."""

    def _read(self, event: dict[str, Any], data: bytes) -> Edits | None:
        kind = event.get("type")
        if kind == "response.output_text.delta" or kind == "response.refusal.delta":
            self.started = True
            self._add_text(event.get("delta"))
            self._add_logprobs(event.get("logprobs"))
            return []
        if kind == "error" or (kind is None and event.get("error") is not None):
            nested = event.get("error")
            message = event.get("message")
            self._fail(nested.get("message") if message is None and isinstance(nested, dict) else message)
            return []
        response = event.get("response")
        edits: Edits = []
        if isinstance(response, dict):
            edits = self._read_response(response, data)
            if isinstance(kind, str) and kind in _ENDS:
                self._end(kind, response)
        elif kind == "response.output_item.added":
            item = event.get("item")
            if isinstance(item, dict) and _is_call(item):
                self._add_tool_call(tool_name(item))
                self._add_tool_input(event.get("output_index"), None)
        elif self.gather and kind == "response.output_item.done":
            item = event.get("item")
            if isinstance(item, dict) and _is_call(item):
                self._add_tool_input(event.get("output_index"), _input(item))
        if self.error is None:
            self.started = True
        return edits

    def _logprob_edits(self, data: bytes) -> Edits:
        return strip_edits(data, Dialect.OPENAI_RESPONSES)

    def _read_response(self, response: dict[str, Any], data: bytes) -> Edits:
        usage = read_openai_usage(response.get("usage"))
        if usage is not None:
            self._usage = usage
        if self._id is None and isinstance(response.get("id"), str):
            self._id = response["id"]
        model = response.get("model")
        if model is None:
            return []
        if self._upstream_model is None and isinstance(model, str):
            self._upstream_model = model
        return self._rename(data, ("response",))

    def _end(self, kind: str, response: dict[str, Any]) -> None:
        self.terminated = True
        if kind == "response.failed":
            error = response.get("error")
            self._finish_reason = "failed"
            self._fail(error.get("message") if isinstance(error, dict) else None)
            return
        self.complete = True
        reason = _reason(response)
        self._finish_reason = _ENDS[kind] if reason is None else reason


def _read_item(draft: Draft, item: object, path: str) -> None:
    if not isinstance(item, dict):
        raise BadRequest(f"{path} must be an object", param=path)
    kind = item.get("type")
    if kind == "message" or (kind is None and "role" in item):
        parts = read_parts(item.get("content"), f"{path}.content")
        draft.add_turn(read_role(item, path), parts.text, parts.n_images)
        draft.n_tokens += parts.n_tokens
    elif not isinstance(kind, str):
        raise BadRequest(f"{path} must have a type or a role", param=f"{path}.type")
    elif kind.endswith("_output"):  # function_call_output, custom_tool_call_output, local_shell_call_output, …
        output = item.get("output")
        if isinstance(output, str | list):
            parts = read_parts(output, f"{path}.output")
            draft.add_turn(Role.TOOL, parts.text, parts.n_images)
            draft.n_tokens += parts.n_tokens
        else:
            draft.add_turn(Role.TOOL, "", 1 if isinstance(output, dict) and "image_url" in output else 0)
    elif _is_call(item):
        draft.add_tool_call(tool_name(item), item.get("arguments", item.get("input", item.get("action"))))
    elif kind == "additional_tools":  # Codex adds tools in mid-conversation.
        draft.add_tools(item, "tools")
    elif kind in ("item_reference", "compaction", "compaction_trigger"):
        draft.own_dialect_only = f"only its provider holds what {path} stands for"
    elif kind == "reasoning":
        summary = item.get("summary")
        draft.n_tokens += read_parts(summary if isinstance(summary, list) else None, f"{path}.summary").n_tokens


def _is_call(item: Mapping[str, Any]) -> bool:
    kind = item.get("type")
    return isinstance(kind, str) and kind.endswith("_call")


def _input(item: Mapping[str, Any]) -> str:
    """A call's arguments as text."""
    text = item.get("arguments", item.get("input"))
    return text if isinstance(text, str) else ""


def _output_logprobs(item: Mapping[str, Any]) -> list[float]:
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    return [value for part in parts if isinstance(part, dict) for value in token_logprobs(part.get("logprobs"))]


def _output_texts(item: Mapping[str, Any]) -> list[str]:
    content = item.get("content")
    if not isinstance(content, list):
        return []
    texts: list[str] = []
    for part in content:
        if isinstance(part, dict):
            text = part.get("refusal") if part.get("type") == "refusal" else part.get("text")
            if isinstance(text, str):
                texts.append(text)
    return texts


def _reason(response: Mapping[str, Any]) -> str | None:
    details = response.get("incomplete_details")
    if isinstance(details, dict) and isinstance(details.get("reason"), str):
        return str(details["reason"])
    status = response.get("status")
    return status if isinstance(status, str) else None


def _forces_tool(choice: object) -> bool:
    if isinstance(choice, dict):  # {"type": "allowed_tools", "mode": …} may leave the choice free; the rest do not.
        return bool(choice.get("mode", "required") == "required")
    return choice == "required"
