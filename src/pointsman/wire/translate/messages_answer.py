"""Answers in Anthropic Messages, read into pieces and written from them (docs, "Streaming messages", read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.vocabulary import JSONObject, Usage
from pointsman.wire.codec import UnreadableAnswer, error_words
from pointsman.wire.faults import anthropic_error
from pointsman.wire.tokens import estimate_tokens
from pointsman.wire.translate.blocks import Block, Kind, Step
from pointsman.wire.translate.failures import failure_of
from pointsman.wire.translate.names import safe
from pointsman.wire.translate.pieces import (
    Argued,
    Called,
    Closed,
    Counted,
    Ended,
    Failed,
    Finish,
    Finished,
    Piece,
    Refused,
    Said,
    Sealed,
    Started,
    Thought,
    Waiting,
)
from pointsman.wire.translate.seals import ANTHROPIC, UNSEALED, seal
from pointsman.wire.translate.usages import messages_usage
from pointsman.wire.translate.values import arguments_of
from pointsman.wire.translate.writer import AnswerWriter, Asked
from pointsman.wire.usage import read_anthropic_usage

_READ = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.CALLS,
    "refusal": Finish.FILTER,
    "pause_turn": Finish.PAUSE,
}
_WRITTEN = {
    Finish.STOP: "end_turn",
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.LENGTH: "max_tokens",
    Finish.CALLS: "tool_use",
    Finish.FILTER: "refusal",
    Finish.PAUSE: "pause_turn",
}


_TEXT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"text_delta","text":%b}}\n\n'
)


class MessagesReader:
    """Reads one answer. Blocks of server tools are passed over: a translated request offers none."""

    def __init__(self) -> None:
        self._reported: dict[str, Any] = {}
        self._kinds: dict[object, str] = {}
        self._inputs: dict[object, Any] = {}
        self._thinking: list[str] = []
        self._signature: list[str] = []

    def event(self, event: Mapping[str, Any]) -> list[Piece]:
        """The pieces in one event."""
        match event.get("type"):
            case "content_block_delta":
                return self._delta(event.get("index"), event.get("delta"))
            case "content_block_start":
                return self._open(event.get("index"), event.get("content_block"))
            case "content_block_stop":
                return self._close(event.get("index"))
            case "message_start":
                return self._start(event.get("message"))
            case "message_delta":
                return self._end(event.get("delta"), event.get("usage"))
            case "message_stop":
                return [Ended()]
            case "ping":
                return [Waiting()]
            case "error":
                return [failure_of(event.get("error"))]
        return []

    def done(self) -> list[Piece]:
        """`[DONE]` means nothing here."""
        return []

    def whole(self, body: Mapping[str, Any]) -> list[Piece]:
        """The pieces of a whole answer.

        Raises:
            UnreadableAnswer: it is not one.
        """
        content = body.get("content")
        if body.get("type") == "error" or not isinstance(content, list):
            raise UnreadableAnswer(f"the answer is not a message: {error_words(body.get('error'))}")
        out = self._start(body)
        for index, block in enumerate(content):
            out += self._open(index, block)
            out += self._close(index)
        return out + self._end(body, body.get("usage"))

    def _start(self, message: object) -> list[Piece]:
        if not isinstance(message, dict):
            return []
        usage = message.get("usage")
        if isinstance(usage, dict):
            self._reported.update(usage)
        return [Started(str(message.get("id", "")), str(message.get("model", "")))]

    def _open(self, index: object, block: object) -> list[Piece]:
        if not isinstance(block, dict):
            return []
        kind = self._kinds[index] = str(block.get("type"))
        match kind:
            case "text":
                return [Said(block["text"])] if isinstance(block.get("text"), str) else []
            case "thinking":
                self._thinking, self._signature = [str(block.get("thinking", ""))], [str(block.get("signature", ""))]
                return [Thought(self._thinking[0])]
            case "redacted_thinking":
                return [Closed(), Sealed(seal(ANTHROPIC, data=str(block.get("data", ""))))]
            case "tool_use" if isinstance(index, int):
                self._inputs[index] = block.get("input")
                return [Called(index, str(block.get("id", "")), str(block.get("name", "")))]
        return []

    def _delta(self, index: object, delta: object) -> list[Piece]:
        if not isinstance(delta, dict):
            return []
        match delta.get("type"):
            case "text_delta":
                return [Said(str(delta.get("text", "")))]
            case "input_json_delta" if self._kinds.get(index) == "tool_use" and isinstance(index, int):
                text = str(delta.get("partial_json", ""))
                if text:
                    self._inputs.pop(index, None)
                return [Argued(index, text)]
            case "thinking_delta":
                self._thinking.append(str(delta.get("thinking", "")))
                return [Thought(self._thinking[-1])]
            case "signature_delta":
                self._signature.append(str(delta.get("signature", "")))
        return []

    def _close(self, index: object) -> list[Piece]:
        match self._kinds.get(index):
            case "text":
                return [Closed()]
            case "thinking":
                signature = "".join(self._signature)
                fields = {"signature": signature, "text": "".join(self._thinking)}
                return [Sealed(seal(ANTHROPIC, **fields) if signature else None)]
            case "tool_use" if isinstance(index, int):
                given = self._inputs.pop(index, None)
                whole: list[Piece] = [Argued(index, orjson.dumps(given).decode())] if given else []
                return [*whole, Closed(index)]
        return []

    def _end(self, delta: object, usage: object) -> list[Piece]:
        out: list[Piece] = []
        if isinstance(usage, dict):
            # Null means "not said": it must not wipe out what message_start gave.
            self._reported.update((key, value) for key, value in usage.items() if value is not None)
        counted = read_anthropic_usage(self._reported)
        if counted is not None:
            out.append(Counted(counted))
        if not isinstance(delta, dict):
            return out
        details, reason = delta.get("stop_details"), delta.get("stop_reason")
        if isinstance(details, dict) and isinstance(details.get("explanation"), str):
            out.append(Refused(details["explanation"]))
        if isinstance(reason, str):
            stop = delta.get("stop_sequence")
            out.append(Finished(_READ.get(reason, Finish.STOP), stop if isinstance(stop, str) else None))
        return out


class MessagesWriter(AnswerWriter):
    """Writes one answer. Thinking is shown to a client that asked for it, behind a signature of ours."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._places: dict[int, int] = {}

    @property
    def _thinks(self) -> bool:
        wanted = self.asked.conversation.reasoning
        return wanted is not None and wanted.enabled

    @property
    def _shows(self) -> bool:
        wanted = self.asked.conversation.reasoning
        return wanted is not None and wanted.visible

    def write_start(self) -> bytes:
        """message_start: its usage is our estimate, until the upstream's count comes at the end."""
        usage = {"input_tokens": self.asked.n_input_tokens, "output_tokens": 1}
        message = self._message([]) | {"stop_reason": None, "stop_sequence": None, "usage": usage}
        return _event("message_start", {"type": "message_start", "message": message})

    def write_move(self, step: Step, block: Block, text: str) -> bytes:
        """See `AnswerWriter`."""
        if block.kind is Kind.THINKING and not self._thinks:
            return b""
        index = self._places.setdefault(block.index, len(self._places))
        if step is Step.OPEN:
            start = {"type": "content_block_start", "index": index, "content_block": self._empty(block)}
            return _event("content_block_start", start)
        if step is Step.CLOSE:
            end = _event("content_block_stop", {"type": "content_block_stop", "index": index})
            if block.kind is not Kind.THINKING:
                return end
            return _delta(index, {"type": "signature_delta", "signature": _signature(block)}) + end
        match block.kind:
            case Kind.CALL:
                return _delta(index, {"type": "input_json_delta", "partial_json": text})
            case Kind.THINKING:
                return _delta(index, {"type": "thinking_delta", "thinking": text}) if self._shows else b""
            case _:
                return _TEXT % (index, orjson.dumps(text))

    def write_end(self, reason: Finish) -> bytes:
        """See `AnswerWriter`. The protocol demands a count: where the upstream gave none, it is our estimate."""
        delta = {
            "type": "message_delta",
            "delta": {"stop_reason": self._stop(reason), "stop_sequence": self._sequence},
            "usage": messages_usage(self._usage()),
        }
        return _event("message_delta", delta) + _event("message_stop", {"type": "message_stop"})

    def write_failure(self, failure: Failed) -> bytes:
        """See `AnswerWriter`."""
        error = anthropic_error(status=failure.status, message=failure.message, request_id=None)
        return b"event: error\ndata: " + error + b"\n\n"

    def write_sign_of_life(self) -> bytes:
        """The protocol's own."""
        return _event("ping", {"type": "ping"}) if self._started else b": ping\n\n"

    def body(self) -> JSONObject:
        """See `AnswerWriter`."""
        content = []
        for block in self.blocks.all:
            match block.kind:
                case Kind.THINKING if self._thinks:
                    shown = {"thinking": block.text if self._shows else "", "signature": _signature(block)}
                    content.append(self._empty(block) | shown)
                case Kind.CALL:
                    content.append(self._empty(block) | {"input": arguments_of(block.text)})
                case Kind.TEXT | Kind.REFUSAL:
                    content.append({"type": "text", "text": block.text})
        return self._message(content) | {
            "stop_reason": self._stop(self.reason),
            "stop_sequence": self._sequence,
            "usage": messages_usage(self._usage()),
        }

    def _message(self, content: list[JSONObject]) -> JSONObject:
        id_ = f"msg_{self.id}"
        return {"id": id_, "type": "message", "role": "assistant", "model": self.model, "content": content}

    def _empty(self, block: Block) -> JSONObject:
        match block.kind:
            case Kind.CALL:
                tool = self.asked.tool(block.name)
                name = block.name if tool is None else tool.own_name
                return {"type": "tool_use", "id": safe(block.id), "name": name, "input": {}}
            case Kind.THINKING:
                return {"type": "thinking", "thinking": "", "signature": ""}
            case _:
                return {"type": "text", "text": ""}

    def _stop(self, reason: Finish) -> str:
        if reason is Finish.STOP and self.of_kind(Kind.REFUSAL):
            return "refusal"
        return _WRITTEN[reason]

    @property
    def _sequence(self) -> str | None:
        return None if self.finish is None else self.finish.stop_sequence

    def _usage(self) -> Usage:
        if self.usage is not None:
            return self.usage
        n_output = sum(estimate_tokens(block.text) for block in self.blocks.all)
        return Usage(self.asked.n_input_tokens, n_output, estimated=True)


def _signature(block: Block) -> str:
    return seal(UNSEALED) if block.seal is None else block.seal


def _delta(index: int, delta: JSONObject) -> bytes:
    return _event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})


def _event(name: str, data: JSONObject) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))
