"""Error bodies in the caller's dialect, whole and in mid-stream.

The official SDKs map the status to an exception and print the message, so both must be right: OpenAI "Error codes"
(platform.openai.com/docs/guides/error-codes) and Anthropic "Errors" (docs.claude.com/en/api/errors), read 2026-11.
"""

from __future__ import annotations

import orjson

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def openai_error_type(status: int) -> str:
    """The `type` that goes with an HTTP status in an OpenAI error."""
    return _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def anthropic_error_type(status: int) -> str:
    """The `type` that goes with an HTTP status in an Anthropic error."""
    return _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def openai_error(*, status: int, code: str, message: str, param: str | None) -> bytes:
    """`{"error": {message, type, param, code}}`."""
    # OpenAI's own answer to a spent quota bears the word in both places.
    kind = code if code == "insufficient_quota" else openai_error_type(status)
    error = {"message": message, "type": kind, "param": param, "code": code}
    return orjson.dumps({"error": error})


def anthropic_error(*, status: int, message: str, request_id: str | None, code: str | None = None) -> bytes:
    """`{"type": "error", "error": {type, message}, "request_id"}`, with a `code` where another protocol gave one."""
    error = {"type": anthropic_error_type(status), "message": message}
    if code is not None:
        error["code"] = code
    return orjson.dumps({"type": "error", "error": error, "request_id": request_id})


def responses_error_event(*, code: str, message: str, sequence_number: int) -> bytes:
    """The `error` event of a Responses stream (platform.openai.com/docs/api-reference/responses-streaming/error)."""
    event = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": sequence_number}
    return b"event: error\ndata: " + orjson.dumps(event) + b"\n\n"
