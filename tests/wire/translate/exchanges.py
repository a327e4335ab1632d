"""Requests and answers carried from one dialect to another, for the tests beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from pointsman.vocabulary import Capabilities, Dialect, Endpoint, Model
from pointsman.wire import read_request
from pointsman.wire.translate import Translation

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES
MODELS = {CHAT: "some-model", RESPONSES: "gpt-4.1", MESSAGES: "claude-sonnet-4-5"}
"""Models that take sampling fields, so that nothing is left out unless a test names another."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
PNG = "iVBORw0KGgo="
MINIMAL: dict[Dialect, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    RESPONSES: {"input": "Hi"},
    MESSAGES: {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100},
}


def model_named(provider_model: str, *, provider: str = "openai-compatible", most: int | None = None) -> Model:
    """A model at no real address."""
    return Model(
        name="m",
        provider=provider,
        provider_model=provider_model,
        endpoints={dialect: Endpoint("http://127.0.0.1:9/") for dialect in Dialect},
        capabilities=Capabilities(max_output_tokens=most),
    )


def translation(
    client: Dialect, body: dict[str, Any], upstream: Dialect, model: str | None = None, **of_model: Any
) -> Translation:
    """The translation of a body, to which model and what else is needed are added."""
    request = read_request(client, orjson.dumps({"model": "auto"} | body))
    return Translation(request, model_named(MODELS[upstream] if model is None else model, **of_model), upstream)


def carried(
    client: Dialect, body: dict[str, Any], upstream: Dialect, model: str | None = None, **of_model: Any
) -> dict[str, Any]:
    """The body that the upstream gets, `model` left out."""
    out: dict[str, Any] = orjson.loads(translation(client, body, upstream, model, **of_model).body)
    out.pop("model")
    return out


def events(*bodies: Any, named: bool = False, done: bool = False) -> bytes:
    """Bodies as server-sent events."""
    out = []
    for body in bodies:
        head = b"event: %b\n" % body["type"].encode() if named else b""
        out.append(head + b"data: " + orjson.dumps(body) + b"\n\n")
    return b"".join(out) + (b"data: [DONE]\n\n" if done else b"")


def parsed(stream: bytes) -> list[Any]:
    """The data of a stream's events; comments are left out, `[DONE]` stays a string."""
    out: list[Any] = []
    for block in stream.decode().split("\n\n"):
        for line in block.split("\n"):
            if line.startswith("data: "):
                data = line[len("data: ") :]
                out.append(data if data == "[DONE]" else orjson.loads(data))
    return out


def fed(made: Translation, chunks: Iterable[bytes]) -> bytes:
    """A stream through a translator, to its end."""
    translator = made.stream()
    out = b"".join([translator.feed(chunk) for chunk in chunks])
    return out + translator.end()
