"""Answers in Responses, read into pieces and written from them (docs, "Streaming events", read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.vocabulary import JSONObject
from pointsman.wire.codec import UnreadableAnswer, error_words
from pointsman.wire.faults import responses_error_event
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
)
from pointsman.wire.translate.read_chat import custom_arguments
from pointsman.wire.translate.seals import OPENAI, UNSEALED, seal
from pointsman.wire.translate.usages import responses_usage
from pointsman.wire.translate.values import arguments_of, objects, words
from pointsman.wire.translate.writer import AnswerWriter, Asked
from pointsman.wire.usage import read_openai_usage

_ECHOED: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what it says where the request said nothing."""


_TEXT = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":%d,'
    b'"output_index":%d,"item_id":%b,"content_index":0,"delta":%b,"logprobs":[]}\n\n'
)


class ResponsesReader:
    """Reads one answer. Items of tools that run at the provider are passed over: a translated request offers none."""

    def __init__(self) -> None:
        self._shown: set[object] = set()
        """Output indexes of which something came in deltas."""
        self._summaries: dict[object, object] = {}

    def event(self, event: Mapping[str, Any]) -> list[Piece]:
        """The pieces in one event."""
        kind, index, delta = event.get("type"), event.get("output_index"), event.get("delta")
        text = delta if isinstance(delta, str) else ""
        match kind:
            case "response.output_text.delta":
                self._shown.add(index)
                return [Said(text)]
            case "response.refusal.delta":
                self._shown.add(index)
                return [Refused(text)]
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._shown.add(index)
                part = event.get("summary_index", event.get("content_index"))
                new_part = self._summaries.setdefault(index, part) != part
                self._summaries[index] = part
                return [Thought("\n\n" + text if new_part else text)]
            case "response.function_call_arguments.delta" if isinstance(index, int):
                self._shown.add(index)
                return [Argued(index, text)]
            case "response.output_item.added":
                return self._open(index, event.get("item"))
            case "response.output_item.done":
                return self._close(index, event.get("item"))
            case "response.created" | "response.in_progress":
                return self._start(event.get("response"))
            case "response.completed" | "response.incomplete" | "response.failed":
                return self._end(event.get("response"))
            case "error":
                return [failure_of(event.get("error", event))]
            case None if event.get("error") is not None:
                return [failure_of(event["error"])]
        return []

    def done(self) -> list[Piece]:
        """`[DONE]` means nothing here."""
        return []

    def whole(self, body: Mapping[str, Any]) -> list[Piece]:
        """The pieces of a whole answer.

        Raises:
            UnreadableAnswer: it is not one.
        """
        output = body.get("output")
        if not isinstance(output, list):
            raise UnreadableAnswer(f"the answer is not a response: {error_words(body.get('error'))}")
        out = self._start(body)
        for index, item in enumerate(output):
            out += self._open(index, item)
            out += self._close(index, item)
        return out + self._end(body)

    def _start(self, response: object) -> list[Piece]:
        if not isinstance(response, dict):
            return []
        created = response.get("created_at")
        created_s = int(created) if isinstance(created, int | float) else None
        return [Started(str(response.get("id", "")), str(response.get("model", "")), created_s)]

    def _open(self, index: object, item: object) -> list[Piece]:
        if not isinstance(item, dict) or not isinstance(index, int):
            return []
        if item.get("type") in ("function_call", "custom_tool_call"):
            id_ = item.get("call_id", item.get("id", ""))
            return [Called(index, str(id_), str(item.get("name", "")))]
        return []

    def _close(self, index: object, item: object) -> list[Piece]:
        """The end of an item, with its content when no delta had brought it."""
        if not isinstance(item, dict) or not isinstance(index, int):
            return []
        out: list[Piece] = []
        known = index in self._shown
        match item.get("type"):
            case "message":
                for part in () if known else objects(item.get("content")):
                    if part.get("type") == "refusal":
                        out.append(Refused(words(part.get("refusal"))))
                    else:
                        out.append(Said(words(part.get("text"))))
                out.append(Closed())
            case "function_call":
                if not known and isinstance(item.get("arguments"), str):
                    out.append(Argued(index, item["arguments"]))
                out.append(Closed(index))
            case "custom_tool_call":
                out += [Argued(index, custom_arguments(item.get("input"))), Closed(index)]
            case "reasoning":
                shown = objects(item.get("summary")) or objects(item.get("content"))
                if not known:
                    out.append(Thought("\n\n".join(words(part.get("text")) for part in shown)))
                encrypted, id_ = item.get("encrypted_content"), item.get("id")
                fields = {"id": str(id_ or ""), "encrypted": encrypted} if isinstance(encrypted, str) else None
                out.append(Sealed(None if fields is None else seal(OPENAI, **fields)))
        return out

    def _end(self, response: object) -> list[Piece]:
        if not isinstance(response, dict):
            return []
        if response.get("status") == "failed":
            return [failure_of(response.get("error"))]
        out: list[Piece] = []
        usage = read_openai_usage(response.get("usage"))
        if usage is not None:
            out.append(Counted(usage))
        details = response.get("incomplete_details")
        why = details.get("reason") if isinstance(details, dict) else None
        reason = Finish.STOP
        if response.get("status") == "incomplete":
            reason = Finish.FILTER if why == "content_filter" else Finish.LENGTH
        return [*out, Finished(reason), Ended()]


class ResponsesWriter(AnswerWriter):
    """Writes one answer. Nothing of it is kept anywhere, which `store` says."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._n_events = 0
        self._items: list[JSONObject] = []
        self._places: dict[int, int] = {}
        given = {key: value for key, value in asked.body.items() if key in _ECHOED and value is not None}
        # Agents send 60 KB of tools, and a stream repeats them three times.
        self._echo = orjson.dumps(dict(_ECHOED) | given | {"store": False})

    def write_start(self) -> bytes:
        """response.created and response.in_progress."""
        begun = self._response("in_progress", [])
        return self._event("response.created", {"response": begun}) + self._event(
            "response.in_progress", {"response": begun}
        )

    def write_move(self, step: Step, block: Block, text: str) -> bytes:
        """See `AnswerWriter`."""
        index = self._places.setdefault(block.index, len(self._places))
        at: JSONObject = {"output_index": index, "item_id": self._item_id(block)}
        if step is Step.OPEN:
            item = self._item(block, whole=False)
            opened = self._event("response.output_item.added", {"output_index": index, "item": item})
            if block.kind in (Kind.TEXT, Kind.REFUSAL):
                part = _part(block, "")
                opened += self._event("response.content_part.added", at | {"content_index": 0, "part": part})
            return opened
        if step is Step.PART:
            return self._delta(block, at, text)
        item = self._item(block, whole=True)
        self._items.append(item)
        done = self._done(block, at, item)
        return done + self._event("response.output_item.done", {"output_index": index, "item": item})

    def _delta(self, block: Block, at: JSONObject, text: str) -> bytes:
        match block.kind:
            case Kind.TEXT:
                number, self._n_events = self._n_events, self._n_events + 1
                item_id = orjson.dumps(at["item_id"])
                return _TEXT % (number, at["output_index"], item_id, orjson.dumps(text))
            case Kind.REFUSAL:
                return self._event("response.refusal.delta", at | {"content_index": 0, "delta": text})
            case Kind.CALL:
                if self._is_custom(block):
                    return b""
                return self._event("response.function_call_arguments.delta", at | {"delta": text})
            case Kind.THINKING:
                if not self._shows:
                    return b""
                out = b""
                if block.n_shown == 1:
                    empty = {"summary_index": 0, "part": {"type": "summary_text", "text": ""}}
                    out = self._event("response.reasoning_summary_part.added", at | empty)
                fields = at | {"summary_index": 0, "delta": text}
                return out + self._event("response.reasoning_summary_text.delta", fields)

    def _done(self, block: Block, at: JSONObject, item: JSONObject) -> bytes:
        match block.kind:
            case Kind.TEXT:
                done = {"content_index": 0, "text": block.text, "logprobs": []}
                part = {"content_index": 0, "part": item["content"][0]}
                return self._event("response.output_text.done", at | done) + self._event(
                    "response.content_part.done", at | part
                )
            case Kind.REFUSAL:
                done = {"content_index": 0, "refusal": block.text}
                part = {"content_index": 0, "part": item["content"][0]}
                return self._event("response.refusal.done", at | done) + self._event(
                    "response.content_part.done", at | part
                )
            case Kind.CALL if self._is_custom(block):
                return self._event(
                    "response.custom_tool_call_input.delta", at | {"delta": item["input"]}
                ) + self._event("response.custom_tool_call_input.done", at | {"input": item["input"]})
            case Kind.CALL:
                done = {"arguments": block.text, "name": item["name"]}
                return self._event("response.function_call_arguments.done", at | done)
            case Kind.THINKING:
                if not item["summary"]:
                    return b""
                done = {"summary_index": 0, "text": block.text}
                part = {"summary_index": 0, "part": item["summary"][0]}
                return self._event("response.reasoning_summary_text.done", at | done) + self._event(
                    "response.reasoning_summary_part.done", at | part
                )

    def write_end(self, reason: Finish) -> bytes:
        """See `AnswerWriter`."""
        status = _status(reason)
        return self._event(f"response.{status}", {"response": self._response(status, self._items)})

    def write_failure(self, failure: Failed) -> bytes:
        """See `AnswerWriter`."""
        return responses_error_event(code=failure.code, message=failure.message, sequence_number=self._n_events)

    def body(self) -> JSONObject:
        """See `AnswerWriter`."""
        items = [self._item(block, whole=True) for block in self.blocks.all]
        whole: JSONObject = orjson.loads(orjson.dumps(self._response(_status(self.reason), items)))
        return whole

    @property
    def _shows(self) -> bool:
        wanted = self.asked.conversation.reasoning
        return wanted is not None and wanted.visible

    def _is_custom(self, block: Block) -> bool:
        tool = self.asked.tool(block.name)
        return tool is not None and tool.custom is not None

    def _item_id(self, block: Block) -> str:
        prefix = {Kind.TEXT: "msg", Kind.REFUSAL: "msg", Kind.THINKING: "rs", Kind.CALL: "fc"}[block.kind]
        # OpenAI takes ids of its own form only, should the client send this item there: the prefix and 64 characters.
        return safe(f"{prefix}_{self.id}_{block.index}")

    def _item(self, block: Block, *, whole: bool) -> JSONObject:
        id_, status = self._item_id(block), "completed" if whole else "in_progress"
        match block.kind:
            case Kind.TEXT | Kind.REFUSAL:
                content = [_part(block, block.text)] if whole else []
                return {"id": id_, "type": "message", "status": status, "role": "assistant", "content": content}
            case Kind.THINKING:
                summary = [{"type": "summary_text", "text": block.text}] if whole and self._shows and block.text else []
                item: JSONObject = {"id": id_, "type": "reasoning", "summary": summary}
                if whole:
                    item["encrypted_content"] = seal(UNSEALED) if block.seal is None else block.seal
                return item
            case Kind.CALL:
                return self._call_item(block, id_, status, whole=whole)

    def _call_item(self, block: Block, id_: str, status: str, *, whole: bool) -> JSONObject:
        tool = self.asked.tool(block.name)
        item: JSONObject = {
            "id": id_,
            "type": "function_call",
            "status": status,
            "call_id": block.id,
            "name": block.name if tool is None else tool.own_name,
        }
        if tool is not None and tool.namespace is not None:
            item["namespace"] = tool.namespace
        if tool is None or tool.custom is None:
            return item | {"arguments": block.text if whole else ""}
        given = arguments_of(block.text).get("input") if whole else ""
        return item | {"type": "custom_tool_call", "input": given if isinstance(given, str) else block.text}

    def _response(self, status: str, items: list[JSONObject]) -> orjson.Fragment:
        ended = status != "in_progress"
        why = {Finish.FILTER: "content_filter"}.get(self.reason, "max_output_tokens")
        own = {
            "id": safe(f"resp_{self.id}"),
            "object": "response",
            "created_at": self.created_s,
            "completed_at": self.created_s if status == "completed" else None,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": why} if status == "incomplete" else None,
            "model": self.model,
            "output": items,
            "usage": responses_usage(self.usage) if ended and self.usage is not None else None,
        }
        return orjson.Fragment(orjson.dumps(own)[:-1] + b"," + self._echo[1:])

    def _event(self, kind: str, fields: JSONObject) -> bytes:
        data = orjson.dumps({"type": kind, "sequence_number": self._n_events, **fields})
        self._n_events += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def _part(block: Block, text: str) -> JSONObject:
    if block.kind is Kind.REFUSAL:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _status(reason: Finish) -> str:
    return "incomplete" if reason in (Finish.LENGTH, Finish.FILTER) else "completed"
