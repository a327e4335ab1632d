"""Answers in Chat Completions, read into pieces and written from them.

`reasoning_content` is not OpenAI's: DeepSeek, vLLM and most gateways show thinking under this name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.vocabulary import JSONObject
from pointsman.wire.codec import UnreadableAnswer, error_words
from pointsman.wire.faults import openai_error
from pointsman.wire.translate.blocks import Block, Kind, Step
from pointsman.wire.translate.failures import failure_of
from pointsman.wire.translate.names import call_id
from pointsman.wire.translate.pieces import (
    Argued,
    Called,
    Counted,
    Ended,
    Failed,
    Finish,
    Finished,
    Piece,
    Refused,
    Said,
    Started,
    Thought,
)
from pointsman.wire.translate.usages import chat_usage
from pointsman.wire.translate.values import arguments_of, objects, words
from pointsman.wire.translate.writer import AnswerWriter, Asked
from pointsman.wire.usage import read_openai_usage

_READ = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.CALLS,
    "function_call": Finish.CALLS,
    "content_filter": Finish.FILTER,
}
_WRITTEN = {
    Finish.STOP: "stop",
    Finish.STOP_SEQUENCE: "stop",
    Finish.PAUSE: "stop",
    Finish.LENGTH: "length",
    Finish.CALLS: "tool_calls",
    Finish.FILTER: "content_filter",
}


_TEXT = (b',"choices":[{"index":0,"delta":{"content":', b'},"logprobs":null,"finish_reason":null}]}\n\n')
"""What stands around a part of the text, after the frame."""


class ChatReader:
    """Reads one answer; the first choice's, as there is but one elsewhere."""

    def __init__(self) -> None:
        self._id = ""
        self._started = False
        self._keys: dict[object, int] = {}
        self._ids: list[str] = []

    def event(self, event: Mapping[str, Any]) -> list[Piece]:
        """The pieces in one chunk."""
        choices = event.get("choices")
        if event.get("error") is not None and not choices:
            return [failure_of(event["error"])]
        out: list[Piece] = []
        self._start(event, out)
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                self._message(choice.get("delta"), out)
                reason = choice.get("finish_reason")
                if isinstance(reason, str):
                    out.append(Finished(_READ.get(reason, Finish.STOP)))
        usage = read_openai_usage(event.get("usage"))
        if usage is not None:
            out.append(Counted(usage))
        return out

    def done(self) -> list[Piece]:
        """The pieces of `[DONE]`."""
        return [Ended()]

    def whole(self, body: Mapping[str, Any]) -> list[Piece]:
        """The pieces of a whole answer.

        Raises:
            UnreadableAnswer: it is not one.
        """
        choices = body.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise UnreadableAnswer(f"the answer is not a chat completion: {error_words(body.get('error'))}")
        out: list[Piece] = []
        self._start(body, out)
        self._message(choices[0].get("message"), out)
        reason = choices[0].get("finish_reason")
        out.append(Finished(_READ.get(reason, Finish.STOP) if isinstance(reason, str) else Finish.STOP))
        usage = read_openai_usage(body.get("usage"))
        if usage is not None:
            out.append(Counted(usage))
        return out

    def _start(self, frame: Mapping[str, Any], out: list[Piece]) -> None:
        if self._started:
            return
        self._started = True
        id_, model, created = frame.get("id"), frame.get("model"), frame.get("created")
        id_ = id_ if isinstance(id_, str) else ""
        # Calls without an id are numbered within their answer, which must be told from the answers before it.
        self._id = id_ or str(created)
        model = model if isinstance(model, str) else ""
        out.append(Started(id_, model, int(created) if isinstance(created, int | float) else None))

    def _message(self, message: object, out: list[Piece]) -> None:
        if not isinstance(message, dict):
            return
        thinking = message.get("reasoning_content") or message.get("reasoning")
        if isinstance(thinking, str):
            out.append(Thought(thinking))
        content = message.get("content")
        if isinstance(content, str):
            out.append(Said(content))
        elif isinstance(content, list):
            _read_parts(content, out)
        if isinstance(message.get("refusal"), str):
            out.append(Refused(message["refusal"]))
        calls = message.get("tool_calls")
        for position, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                self._call(call, position, out)
        if isinstance(message.get("function_call"), dict):
            self._call({"index": 0, "function": message["function_call"]}, 0, out)

    def _call(self, call: Mapping[str, Any], position: int, out: list[Piece]) -> None:
        """A call or a part of one. Where servers give no index, or one index to several calls, the id tells."""
        function, id_ = call.get("function"), call.get("id")
        inner = function if isinstance(function, dict) else {}
        id_ = id_ if isinstance(id_, str) else ""
        name = inner.get("name")
        index = call.get("index")
        place: object = index if isinstance(index, int) else (id_ or position)
        key = self._keys.get(place)
        known = "" if key is None else self._ids[key]
        if key is None or (id_ and name and known != id_):
            key = self._keys[place] = len(self._ids)
            self._ids.append(id_)
            out.append(Called(key, id_ or call_id(self._id, key), name if isinstance(name, str) else ""))
        elif isinstance(name, str) and name:
            out.append(Called(key, id_, name))
        arguments = inner.get("arguments")
        if isinstance(arguments, str):
            out.append(Argued(key, arguments))
        elif isinstance(arguments, dict):
            out.append(Argued(key, orjson.dumps(arguments).decode()))


def _read_parts(content: list[Any], out: list[Piece]) -> None:
    """Content in parts, as Mistral sends it (docs.mistral.ai, "Reasoning")."""
    for part in objects(content):
        if isinstance(part.get("text"), str):
            out.append(Said(part["text"]))
        out += (Thought(words(inner.get("text"))) for inner in objects(part.get("thinking")))


class ChatWriter(AnswerWriter):
    """Writes one answer; usage always gets a chunk of its own, which the codec leaves out for who did not ask."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._head = b""
        self._numbers: dict[int, int] = {}

    def write_start(self) -> bytes:
        """The chunk with the role."""
        frame = {
            "id": f"chatcmpl-{self.id}",
            "object": "chat.completion.chunk",
            "created": self.created_s,
            "model": self.model,
        }
        self._head = b"data: " + orjson.dumps(frame)[:-1]
        return self._chunk({"role": "assistant", "content": ""})

    def write_move(self, step: Step, block: Block, text: str) -> bytes:
        """See `AnswerWriter`."""
        if block.kind is Kind.CALL:
            return self._call_chunk(step, block, text)
        if step is not Step.PART:
            return b""
        if block.kind is Kind.TEXT:
            return b"%b%b%b%b" % (self._head, _TEXT[0], orjson.dumps(text), _TEXT[1])
        name = {Kind.TEXT: "content", Kind.REFUSAL: "refusal", Kind.THINKING: "reasoning_content"}[block.kind]
        return self._chunk({name: text})

    def _call_chunk(self, step: Step, block: Block, text: str) -> bytes:
        number = self._numbers.setdefault(block.index, len(self._numbers))
        tool = self.asked.tool(block.name)
        if tool is not None and tool.custom is not None:
            # Its text is inside JSON, which cannot be cut anywhere: it goes out once it is whole.
            return self._chunk({"tool_calls": [{"index": number} | self._call(block)]}) if step is Step.CLOSE else b""
        if step is Step.OPEN:
            call = self._call(block) | {"function": {"name": self._name(block), "arguments": ""}}
            return self._chunk({"tool_calls": [{"index": number} | call]})
        if step is Step.PART:
            return self._chunk({"tool_calls": [{"index": number, "function": {"arguments": text}}]})
        return b""

    def write_end(self, reason: Finish) -> bytes:
        """See `AnswerWriter`."""
        out = self._chunk({}, _WRITTEN[reason])
        if self.usage is not None:
            out += self._head + b',"choices":[],"usage":' + orjson.dumps(chat_usage(self.usage)) + b"}\n\n"
        return out + b"data: [DONE]\n\n"

    def write_failure(self, failure: Failed) -> bytes:
        """See `AnswerWriter`."""
        error = openai_error(status=failure.status, code=failure.code, message=failure.message, param=None)
        return b"data: " + error + b"\n\n"

    def body(self) -> JSONObject:
        """See `AnswerWriter`."""
        texts, refusals = self.of_kind(Kind.TEXT), self.of_kind(Kind.REFUSAL)
        message: JSONObject = {
            "role": "assistant",
            "content": "".join(block.text for block in texts) if texts else None,
            "refusal": "".join(block.text for block in refusals) if refusals else None,
        }
        thinking = "".join(block.text for block in self.of_kind(Kind.THINKING))
        if thinking:
            message["reasoning_content"] = thinking
        calls = self.of_kind(Kind.CALL)
        if calls:
            message["tool_calls"] = [self._call(block) for block in calls]
        elif message["content"] is None and not refusals:
            message["content"] = ""
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _WRITTEN[self.reason]}
        out: JSONObject = {
            "id": f"chatcmpl-{self.id}",
            "object": "chat.completion",
            "created": self.created_s,
            "model": self.model,
            "choices": [choice],
        }
        if self.usage is not None:
            out["usage"] = chat_usage(self.usage)
        return out

    def _name(self, block: Block) -> str:
        tool = self.asked.tool(block.name)
        return block.name if tool is None else tool.own_name

    def _call(self, block: Block) -> JSONObject:
        tool = self.asked.tool(block.name)
        if tool is not None and tool.custom is not None:
            text = arguments_of(block.text).get("input", block.text)
            return {"id": block.id, "type": "custom", "custom": {"name": tool.own_name, "input": text}}
        function = {"name": self._name(block), "arguments": block.text}
        return {"id": block.id, "type": "function", "function": function}

    def _chunk(self, delta: JSONObject, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._head + b',"choices":[' + orjson.dumps(choice) + b"]}\n\n"
