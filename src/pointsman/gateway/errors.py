"""Errors in the caller's dialect, before the first byte of an answer and after it."""

from __future__ import annotations

from aiohttp import web

from pointsman.errors import (
    BadRequest,
    BudgetSpent,
    LedgerAway,
    MethodNotAllowed,
    Overloaded,
    PointsmanError,
    RateLimited,
    SharedStateAway,
    Stopping,
    UpstreamError,
)
from pointsman.vocabulary import Dialect
from pointsman.wire import CODECS

from .headers import SERVER, request_id_headers, retry_after
from .state import Exchange

JSON_TYPE = "application/json"
_TELL_WHEN = UpstreamError | Overloaded | SharedStateAway | LedgerAway | RateLimited | BudgetSpent
"""Errors that say when to come back."""
LONGEST_WAIT_OF_SDKS_S = 60.0
"""The OpenAI and Anthropic SDKs do not wait longer than this: they come back after a second or two all the same
(`_calculate_retry_timeout` in both)."""


def told_status(error: PointsmanError, dialect: Dialect | None) -> int:
    """The status for the caller.

    529 is Anthropic's own (docs.claude.com/en/api/errors), others are told 503. A spent budget is 402 to Anthropic's
    clients (`billing_error`, same page) and 429 to OpenAI's (`insufficient_quota`,
    platform.openai.com/docs/guides/error-codes).
    """
    if isinstance(error, BudgetSpent) and dialect is not Dialect.ANTHROPIC_MESSAGES:
        return 429
    if error.status == 529 and dialect is not Dialect.ANTHROPIC_MESSAGES:
        return 503
    return error.status


def error_response(error: PointsmanError, exchange: Exchange) -> web.Response:
    """The answer to a request that failed before its first byte."""
    status = told_status(error, exchange.dialect)
    codec = CODECS[Dialect.OPENAI_CHAT if exchange.dialect is None else exchange.dialect]
    body = codec.write_error(
        status=status,
        code=error.code,
        message=error.message,
        request_id=exchange.request_id,
        param=error.param if isinstance(error, BadRequest) else None,
    )
    headers = {"Server": SERVER} | request_id_headers(exchange.request_id, exchange.dialect)
    wait_s = error.retry_after_s if isinstance(error, _TELL_WHEN) else None
    headers |= retry_after(wait_s)
    is_long = wait_s is None or (wait_s > LONGEST_WAIT_OF_SDKS_S and not isinstance(error, RateLimited))
    if isinstance(error, BudgetSpent) or (is_long and not isinstance(error, Stopping)):
        # The SDKs and coding agents send a failed request again up to thirty times; our own attempts and fallbacks
        # are over, so that this would only multiply the load.
        headers["x-should-retry"] = "false"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    return web.Response(status=status, body=body, headers=headers, content_type=JSON_TYPE)


def error_event(error: PointsmanError, exchange: Exchange) -> bytes:
    """The event that ends a stream which has begun; nothing may follow it, least of all a terminator."""
    codec = CODECS[Dialect.OPENAI_CHAT if exchange.dialect is None else exchange.dialect]
    return codec.write_stream_error(
        status=told_status(error, exchange.dialect),
        code=error.code,
        message=error.message,
        request_id=exchange.request_id,
        sequence_number=exchange.n_events,
    )
