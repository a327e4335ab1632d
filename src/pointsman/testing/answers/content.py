"""What an answer says, before a dialect gives it a form: the reply's words, or what the request asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pointsman.testing.exchange import Received
from pointsman.testing.script import Reply, ToolCall
from pointsman.vocabulary import Dialect, Usage

from .schema import instance_of

CREATED_UNIX_S = 1_767_225_600
"""2026-01-01; a fixed date, so that the same script always sends the same bytes."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call with its id and its arguments as JSON text."""

    id: str
    name: str
    arguments: str

    @property
    def pieces(self) -> tuple[str, str]:
        """The arguments as a stream cuts them: in the middle."""
        middle = len(self.arguments) // 2
        return self.arguments[:middle], self.arguments[middle:]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything a dialect writes. `usage` None means that the answer says nothing of it."""

    model: str
    text: str
    chunks: tuple[str, ...]
    calls: tuple[Call, ...]
    reasoning: str | None
    usage: Usage | None
    finish_reason: str | None
    extra: Mapping[str, Any]
    tokens: tuple[tuple[Mapping[str, Any], ...], ...]
    """The tokens of each chunk with their log-probabilities, as OpenAI shows them; empty when not asked for."""

    @property
    def all_tokens(self) -> list[Mapping[str, Any]]:
        """The tokens of the whole text."""
        return [token for chunk in self.tokens for token in chunk]


def content_of(received: Received, reply: Reply, *, call_prefix: str) -> Content:
    """The content of an answer to this request."""
    calls = tuple(
        Call(
            f"{call_prefix}{n}" if call.id is None else call.id,
            call.name,
            orjson.dumps(dict(call.arguments)).decode(),
        )
        for n, call in enumerate(reply.tool_calls, 1)
    )
    text = reply.text
    model = received.model if reply.model is None else reply.model
    if text is None and not calls:
        forced = _forced_tool(received.json)
        schema = _schema(received)
        if forced is not None:
            calls = (Call(f"{call_prefix}1", forced.name, orjson.dumps(dict(forced.arguments)).decode()),)
        elif schema is not None:
            text = orjson.dumps(instance_of(schema)).decode()
        elif reply.chunks is None:
            text = f"This is the scripted answer of {model}."
    if text is None:
        text = "".join(reply.chunks) if reply.chunks is not None else ""
    chunks = tuple(_words(text)) if reply.chunks is None else tuple(reply.chunks)
    usage = None if reply.omit_usage else reply.usage
    if usage is None and not reply.omit_usage:
        n_out = _n_tokens(text) + sum(_n_tokens(call.arguments) for call in calls)
        usage = Usage(input_tokens=_n_tokens(received.body.decode(errors="replace")), output_tokens=n_out)
    tokens = _tokens(chunks, reply.logprobs) if _asks_logprobs(received.json) else ()
    return Content(model, text, chunks, calls, reply.reasoning, usage, reply.finish_reason, reply.extra, tokens)


def n_input_tokens(received: Received) -> int:
    """The estimate that `usage` and `count_tokens` give."""
    return _n_tokens(received.body.decode(errors="replace"))


def _asks_logprobs(body: Mapping[str, Any]) -> bool:
    include = body.get("include")
    included = isinstance(include, list) and "message.output_text.logprobs" in include
    return body.get("logprobs") is True or included


def _tokens(chunks: Sequence[str], logprobs: Sequence[float]) -> tuple[tuple[Mapping[str, Any], ...], ...]:
    """One token a chunk; the last chunk has what is left."""
    out: list[tuple[Mapping[str, Any], ...]] = []
    for place, chunk in enumerate(chunks):
        shown = logprobs[place:] if place == len(chunks) - 1 else logprobs[place : place + 1]
        out.append(
            tuple({"token": chunk, "logprob": p, "bytes": list(chunk.encode()), "top_logprobs": []} for p in shown)
        )
    return tuple(out)


def _n_tokens(text: str) -> int:
    return max(1, len(text) // 4)


def _words(text: str) -> list[str]:
    """The text cut after each blank."""
    out = [word + " " for word in text.split(" ")]
    out[-1] = out[-1][:-1]
    return [word for word in out if word]


def _schema(received: Received) -> Mapping[str, Any] | None:
    body = received.json
    found: Any = None
    if received.dialect is Dialect.OPENAI_CHAT:
        found = _at(body, "response_format", "json_schema", "schema")
    elif received.dialect is Dialect.OPENAI_RESPONSES:
        found = _at(body, "text", "format", "schema")
    elif received.dialect is Dialect.ANTHROPIC_MESSAGES:
        found = _at(body, "output_config", "format", "schema")
        if found is None:
            found = _at(body, "output_format", "schema")
    return found if isinstance(found, dict) else None


def _at(value: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _forced_tool(body: Mapping[str, Any]) -> ToolCall | None:
    """The call that `tool_choice` demands, with arguments that fit the tool's schema; None when it demands none."""
    choice, tools = body.get("tool_choice"), body.get("tools")
    if not isinstance(tools, list):
        return None
    offered = {name: schema for name, schema in map(_tool, tools) if name is not None}
    wanted: str | None = None
    if choice == "required" or _at(choice, "type") == "any":
        wanted = next(iter(offered), None)
    elif isinstance(choice, dict):
        named = _at(choice, "function", "name")
        wanted = choice.get("name") if named is None else named
    if wanted is None:
        return None
    arguments = instance_of(offered.get(wanted, {"type": "object"}))
    return ToolCall(wanted, arguments if isinstance(arguments, dict) else {})


def _tool(tool: object) -> tuple[str | None, Mapping[str, Any]]:
    """Name and schema of an offered tool, in any dialect."""
    if not isinstance(tool, dict):
        return None, {}
    inner = tool.get("function")
    described = inner if isinstance(inner, dict) else tool
    name = described.get("name")
    schema = described.get("parameters", described.get("input_schema"))
    return (name if isinstance(name, str) else None), (schema if isinstance(schema, dict) else {"type": "object"})


def event(name: str | None, data: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """One server-sent event."""
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    return head + b"data: " + orjson.dumps(data) + b"\n\n"
