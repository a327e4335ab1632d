"""What an upstream says of its own failure, read from any dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.wire.translate.pieces import Failed

UNTOLD = "server_error"
"""The code of a failure that came without one."""

_STATUS = {
    "authentication_error": 401,
    "billing_error": 402,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "timeout_error": 504,
}
"""Statuses that go with the types and codes of both providers' errors; all others are 500."""


def failure_of(error: object) -> Failed:
    """The failure in an `error` object, in an `error` event of Responses, or in a bare message."""
    if not isinstance(error, dict):
        return Failed(error if isinstance(error, str) and error else "the upstream sent an error", UNTOLD, 500)
    message, code, kind = error.get("message"), error.get("code"), error.get("type")
    words = [word for word in (code, kind) if isinstance(word, str) and word not in ("", "error")]
    status = next((_STATUS[word] for word in words if word in _STATUS), 500)
    said = message if isinstance(message, str) and message else "the upstream sent an error"
    return Failed(said, words[0] if words else UNTOLD, status)


def read_error_body(raw: bytes) -> tuple[str, str, str | None] | None:
    """Code, message and param of an error body of any provider; None when it is no JSON object or says nothing."""
    try:
        body: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, Mapping):
        return None
    # {"error": {…}} of OpenAI and Anthropic, {"error": "…"} of Ollama, {"detail"} of FastAPI, {"message"} of others.
    error = next((body[key] for key in ("error", "detail", "message") if body.get(key)), None)
    if error is None:
        return None
    if not isinstance(error, str | dict):
        error = orjson.dumps(error).decode()
    failed = failure_of(error)
    param = error.get("param") if isinstance(error, dict) else None
    return failed.code, failed.message, param if isinstance(param, str) else None
