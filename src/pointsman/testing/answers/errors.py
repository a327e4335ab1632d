"""Error bodies and error events, as each provider sends them."""

from __future__ import annotations

import orjson

from pointsman.vocabulary import Dialect

_OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def error_body(dialect: Dialect | None, *, status: int, message: str, code: str | None) -> bytes:
    """The body of an error answer; None as the dialect means OpenAI's."""
    if dialect is Dialect.ANTHROPIC_MESSAGES:
        kind = _ANTHROPIC_TYPES.get(status, "api_error")
        return orjson.dumps(
            {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_upstream"}
        )
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def error_event(dialect: Dialect | None, *, message: str, code: str, sequence_number: int) -> bytes:
    """One error event of a stream."""
    if dialect is Dialect.ANTHROPIC_MESSAGES:
        data = orjson.dumps({"type": "error", "error": {"type": "overloaded_error", "message": message}})
        return b"event: error\ndata: " + data + b"\n\n"
    if dialect is Dialect.OPENAI_RESPONSES:
        data = orjson.dumps(
            {"type": "error", "code": code, "message": message, "param": None, "sequence_number": sequence_number}
        )
        return b"event: error\ndata: " + data + b"\n\n"
    data = orjson.dumps({"error": {"message": message, "type": "server_error", "param": None, "code": code}})
    return b"data: " + data + b"\n\n"
