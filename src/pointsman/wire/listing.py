"""The list of models, as OpenAI's, Anthropic's and Google's clients expect it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from pointsman.vocabulary import Dialect, JSONObject

_RELEASED_UNIX_S = 1767225600
_RELEASED_ISO = "2026-01-01T00:00:00Z"
"""Both shapes demand a date of release; a routed name has none, so all carry the same fixed one."""


def asks_as_gemini(headers: Mapping[str, str]) -> bool:
    """True for Google's clients: the key comes in `x-goog-api-key`, and no other client sends it there."""
    return "x-goog-api-key" in headers and "anthropic-version" not in headers


def listing_dialect(headers: Mapping[str, str]) -> Dialect:
    """Anthropic's shape when the client sent `anthropic-version`, else OpenAI's. Header names are in lower case."""
    return Dialect.ANTHROPIC_MESSAGES if "anthropic-version" in headers else Dialect.OPENAI_CHAT


def model_entry(name: str, dialect: Dialect) -> JSONObject:
    """One model, as `GET /v1/models/{id}` answers it."""
    if dialect is Dialect.ANTHROPIC_MESSAGES:
        return {"type": "model", "id": name, "display_name": name, "created_at": _RELEASED_ISO}
    return {"id": name, "object": "model", "created": _RELEASED_UNIX_S, "owned_by": "pointsman"}


def write_gemini_model_list(names: Sequence[str]) -> bytes:
    """`GET /v1/models` as Google's clients expect it (ai.google.dev/api/models, read 2026-11); always one page."""
    return orjson.dumps({"models": [gemini_model_entry(name) for name in names]})


def gemini_model_entry(name: str) -> JSONObject:
    """One model in Google's form. It names no methods: its protocol is not spoken here."""
    return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": []}


def write_model_list(names: Sequence[str], dialect: Dialect) -> bytes:
    """`GET /v1/models` in OpenAI's shape, or in Anthropic's for Anthropic Messages; always one page."""
    data = [model_entry(name, dialect) for name in names]
    if dialect is Dialect.ANTHROPIC_MESSAGES:
        first, last = (names[0], names[-1]) if names else (None, None)
        return orjson.dumps({"data": data, "has_more": False, "first_id": first, "last_id": last})
    return orjson.dumps({"object": "list", "data": data})
