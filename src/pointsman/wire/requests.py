"""A client's bytes become a `Request`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect, Hints, Request
from pointsman.wire.draft import flag
from pointsman.wire.hints import read_hints
from pointsman.wire.paths import endpoint_of
from pointsman.wire.session import session_id
from pointsman.wire.side import ANY_MODEL, MODERATIONS, WHOLE_ONLY, codec_of

MAX_DEPTH = 200
"""Levels of nesting accepted: orjson reads 1,000 but writes no more than 254, and real bodies stay below 30."""

MAX_MODEL_CHARS = 256
"""The longest model name accepted: it becomes a label in errors and records."""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def read_request(
    dialect: Dialect,
    raw: bytes,
    *,
    headers: Mapping[str, str] = _NO_HEADERS,
    endpoint: str | None = None,
    hints: Hints | None = None,
    key_id: str | None = None,
) -> Request:
    """The request in a client's body; the body itself is kept, and unknown fields, roles, parts and tools pass.

    Args:
        dialect: what the client speaks.
        raw: the body as it came.
        headers: the client's headers, names in lower case.
        endpoint: the path that was asked; None for the dialect's own.
        hints: what the caller asks of routing; None to read it from the headers.
        key_id: which gateway key the caller used.

    Raises:
        BadRequest: the body or a hint cannot be read; `param` is the JSON path or header at fault.
    """
    body = _parse(raw)
    codec = codec_of(dialect, endpoint)
    model = body.get("model")
    if model is None and endpoint == MODERATIONS:
        model = ANY_MODEL
    if not isinstance(model, str):
        problem = "is missing" if model is None else "must be a string"
        raise BadRequest(f"model {problem}", param="model")
    if not 1 <= len(model) <= MAX_MODEL_CHARS:
        problem = "must not be empty" if model == "" else f"must have at most {MAX_MODEL_CHARS} characters"
        raise BadRequest(f"model {problem}", param="model")
    if hints is None:
        hints = read_hints(headers)
    draft = codec.read_body(body)
    return Request(
        dialect=dialect,
        endpoint=endpoint_of(dialect) if endpoint is None else endpoint,
        model=model,
        raw=raw,
        body=body,
        turns=tuple(draft.turns),
        tools=tuple(draft.tools),
        forces_tool=draft.forces_tool,
        json_output=draft.output_format in ("json_object", "json_schema"),
        json_schema=draft.output_format == "json_schema",
        max_output_tokens=draft.max_output_tokens,
        stream=flag(body, "stream") and endpoint not in WHOLE_ONLY,
        wants_stream_usage=draft.wants_stream_usage,
        n_images=draft.n_images,
        n_prompt_tokens=draft.n_prompt_tokens,
        n_total_tokens=draft.n_tokens,
        key_id=key_id,
        session_id=session_id(dialect, body, draft.turns, headers, hints),
        hints=hints,
        own_dialect_only=draft.own_dialect_only,
    )


def build_request(
    *,
    prompt: str | None = None,
    messages: Sequence[Mapping[str, Any]] | None = None,
    dialect: Dialect = Dialect.OPENAI_CHAT,
    model: str = "auto",
    hints: Hints | None = None,
    key_id: str | None = None,
    **params: Any,
) -> Request:
    """A request made from Python values, for the library; exactly one of `prompt` and `messages`.

    Args:
        prompt: one user message.
        messages: messages in the dialect's form (for Responses: input items).
        dialect: the form of the body to make.
        model: as a client would ask for it.
        hints: what the caller asks of routing.
        key_id: stands in the record.
        params: further fields of the body, such as `tools` or `max_tokens`.

    Raises:
        BadRequest: both or neither are given, or the body cannot be written as JSON or read.
    """
    if (prompt is None) == (messages is None):
        raise BadRequest("give exactly one of prompt and messages")
    body: dict[str, Any] = {"model": model}
    if dialect is Dialect.OPENAI_RESPONSES:
        body["input"] = prompt if messages is None else list(messages)
    else:
        body["messages"] = [{"role": "user", "content": prompt}] if messages is None else list(messages)
    body.update(params)
    try:
        raw = orjson.dumps(body)
    except TypeError as error:
        raise BadRequest(f"the request cannot be written as JSON: {error}") from None
    return read_request(dialect, raw, hints=Hints() if hints is None else hints, key_id=key_id)


def _parse(raw: bytes) -> dict[str, Any]:
    if not raw or raw.isspace():
        raise BadRequest("the body is empty; a JSON object is expected")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # The decoder's message names the place and never quotes the text.
        raise BadRequest(f"the body is not valid JSON in UTF-8: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_deeper(body, MAX_DEPTH):
        raise BadRequest(f"the body is nested more than {MAX_DEPTH} levels deep")
    return body


def _is_deeper(body: dict[str, Any], limit: int) -> bool:
    level: list[Any] = [body]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True
