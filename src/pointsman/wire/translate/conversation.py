"""The neutral form of a request: what the three dialects have in common, and what two of them share.

A reader for each dialect makes a `Conversation` of a body, a writer for each makes a body of it. What a reader does
not know, or a writer cannot say, is noted in `dropped` by its JSON path and never by its content.

Turns are "system", "user" and "assistant"; a tool's result is a part of a user turn, as in Anthropic Messages, because
that form also says which results belong together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from pointsman.vocabulary import JSONObject


@dataclass(slots=True)
class Text:
    """Words. `cache` is Anthropic's `cache_control`, on every part that can bear it."""

    text: str
    cache: JSONObject | None = None


@dataclass(slots=True)
class Image:
    """A picture by its address, or by its bytes in base64."""

    url: str | None = None
    media_type: str | None = None
    data: str | None = None
    detail: str | None = None
    cache: JSONObject | None = None


@dataclass(slots=True)
class File:
    """A document by its address, by its bytes in base64, or as plain text."""

    name: str | None = None
    url: str | None = None
    media_type: str | None = None
    data: str | None = None
    text: str | None = None
    cache: JSONObject | None = None


@dataclass(slots=True)
class Refusal:
    """What an assistant said in place of an answer."""

    text: str


@dataclass(slots=True)
class Thinking:
    """An assistant's thinking. `seal` is what its provider demands back unchanged, see `seals`."""

    text: str
    seal: str | None = None


@dataclass(slots=True)
class Call:
    """A call of a tool, by the name that the tool has on the neutral side. `arguments` is JSON text."""

    id: str
    name: str
    arguments: str
    cache: JSONObject | None = None


@dataclass(slots=True)
class Result:
    """What a tool gave back."""

    call_id: str
    parts: list[Part]
    is_error: bool = False
    cache: JSONObject | None = None


Part: TypeAlias = Text | Image | File | Refusal | Thinking | Call | Result


@dataclass(slots=True)
class Message:
    """One turn."""

    role: str
    parts: list[Part]


@dataclass(slots=True)
class Tool:
    """A tool on offer.

    `name` is what upstreams are told: in Responses a tool may stand in a namespace, and elsewhere the two names become
    one. `own_name` and `namespace` are what the client calls it. `custom` tools take one text in place of arguments.
    """

    name: str
    description: str | None
    schema: JSONObject
    strict: bool | None = None
    own_name: str = ""
    namespace: str | None = None
    custom: JSONObject | None = None
    """The client's whole description of a custom tool; None for a function."""
    cache: JSONObject | None = None


@dataclass(slots=True)
class Choice:
    """Which tools may be called: "auto", "none", "any", or "tool" with its name."""

    mode: str
    name: str | None = None
    allowed: tuple[str, ...] | None = None
    """The only tools that may be called, None for all of them."""


@dataclass(slots=True)
class Format:
    """The form of the answer: any JSON object, or one that fits a schema."""

    schema: JSONObject | None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@dataclass(slots=True)
class Reasoning:
    """How much to think. `effort` is one of OpenAI's words, `budget_tokens` is Anthropic's older way to say it."""

    enabled: bool = True
    effort: str | None = None
    budget_tokens: int | None = None
    visible: bool = False
    """The client wants to see a summary of the thinking."""


@dataclass(slots=True)
class Conversation:
    """One request.

    `shared` holds fields that Chat Completions and Responses have in common under one name, as they came.
    """

    messages: list[Message] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    choice: Choice | None = None
    parallel: bool | None = None
    format: Format | None = None
    verbosity: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = field(default_factory=list)
    reasoning: Reasoning | None = None
    stream: bool = False
    user: str | None = None
    caches: bool = False
    """The client asked for prompt caching as a whole, not at certain parts."""
    shared: JSONObject = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    def drop(self, path: str) -> None:
        """Notes a field that the target will not get."""
        if path not in self.dropped:
            self.dropped.append(path)

    def say(self, role: str, *parts: Part) -> None:
        """Adds parts to the last turn when it is of this role, else begins one."""
        if self.messages and self.messages[-1].role == role:
            self.messages[-1].parts += parts
        else:
            self.messages.append(Message(role, list(parts)))


SHARED = (
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
)
"""Fields of the same name and meaning in Chat Completions and in Responses (platform.openai.com/docs/api-reference)."""
