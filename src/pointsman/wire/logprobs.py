"""Log-probabilities of an answer's tokens: asked for when routing needs them, read, and taken out again when the client
did not ask, so that it sees what it would have seen.

Chat Completions: `logprobs: true`; an answer that was not asked for them has `"logprobs": null` in each choice.
Responses: `include: ["message.output_text.logprobs"]`; an answer that was not asked has `"logprobs": []` in its parts.
Messages has none. (platform.openai.com/docs/api-reference, read 2026-11.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from pointsman.vocabulary import Dialect, Request
from pointsman.wire.spans import Span, replaced, spans_at, value_spans

INCLUDE = "message.output_text.logprobs"
MAX_LOGPROBS = 262_144
"""Twice the longest output that any model offers today; more are not gathered."""

_HELD = re.compile(rb'"logprobs"[ \t\r\n]*+:[ \t\r\n]*+(?:\{|\[[ \t\r\n]*+[^\] \t\r\n])')
"""Found in all text that holds some, and in few that hold none."""
_CHAT_PATHS: tuple[tuple[str, ...], ...] = (("choices", "*", "logprobs"),)
_RESPONSES_PATHS: tuple[tuple[str, ...], ...] = (
    ("logprobs",),
    ("part", "logprobs"),
    ("item", "content", "*", "logprobs"),
    ("response", "output", "*", "content", "*", "logprobs"),
    ("output", "*", "content", "*", "logprobs"),
)


def asks_logprobs(request: Request) -> bool:
    """True when the client wants to see them."""
    if request.dialect is Dialect.OPENAI_CHAT:
        return request.body.get("logprobs") is True
    include = request.body.get("include")
    return isinstance(include, list) and INCLUDE in include


def with_logprobs(request: Request) -> Request | None:
    """The request that also asks for them; None when it does already, or its dialect has none."""
    if request.dialect is Dialect.ANTHROPIC_MESSAGES or asks_logprobs(request):
        return None
    raw, body = request.raw, request.body
    if request.dialect is Dialect.OPENAI_CHAT:
        raw = _set(raw, body, "logprobs", b"true")
        return replace(request, raw=raw, body={**body, "logprobs": True})
    include = body.get("include")
    wanted = [*include, INCLUDE] if isinstance(include, list) else [INCLUDE]
    return replace(request, raw=_set(raw, body, "include", orjson.dumps(wanted)), body={**body, "include": wanted})


def _set(raw: bytes, body: Mapping[str, Any], key: str, value: bytes) -> bytes:
    if key in body:
        return replaced(raw, ((start, end, value) for start, end in value_spans(raw, key)))
    at = raw.index(b"{") + 1
    return replaced(raw, ((at, at, b'"' + key.encode() + b'":' + value + (b"," if body else b"")),))


def strip_edits(data: bytes, dialect: Dialect) -> list[tuple[int, int, bytes]]:
    """The edits that take them out of an answer or of one event's data."""
    if _HELD.search(data) is None:
        return []
    if dialect is Dialect.OPENAI_CHAT:
        paths, nothing = _CHAT_PATHS, b"null"
    else:
        paths, nothing = _RESPONSES_PATHS, b"[]"
    spans: Iterator[Span] = (span for path in paths for span in spans_at(data, path))
    return [(start, end, nothing) for start, end in spans if data[start:end] != nothing]


def without_logprobs(raw: bytes, dialect: Dialect) -> bytes:
    """A whole answer's bytes without them; all else byte for byte."""
    if dialect is Dialect.ANTHROPIC_MESSAGES:
        return raw
    return replaced(raw, strip_edits(raw, dialect))


def token_logprobs(entries: object) -> list[float]:
    """The numbers in a list of tokens as OpenAI gives them; what is no finite number is passed over."""
    out: list[float] = []
    for entry in entries if isinstance(entries, list) else ():
        value = entry.get("logprob") if isinstance(entry, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            out.append(float(value))
    return out
