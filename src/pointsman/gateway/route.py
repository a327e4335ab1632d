"""POST /v1/route: the decision for a request in any of the three forms, without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect
from pointsman.wire import endpoint_of

from .body import read_body
from .completions import SMALL_BODY_BYTES, parsed
from .errors import JSON_TYPE
from .headers import request_id_headers
from .json_size import check_n_values
from .state import EXCHANGE, GATEWAY


async def route(request: web.Request) -> web.Response:
    """The decision as JSON.

    Raises:
        BadRequest: the body or `?dialect=` cannot be read.
        UnknownModel, NoModelAvailable: as when it were sent.
    """
    gateway, exchange = request.app[GATEWAY], request[EXCHANGE]
    headers = exchange.headers
    raw = await read_body(request, headers, gateway.limits)
    named = request.query.get("dialect")
    dialect = await _detected(raw, headers, gateway.limits.max_json_values) if named is None else _dialect(named)
    exchange.dialect = dialect
    asked = await parsed(gateway, dialect, endpoint_of(dialect), raw, headers, exchange.key_id)
    decision = await gateway.router.advise(asked, request_id=exchange.request_id)
    gateway.metrics.decided(decision)
    return web.Response(
        body=orjson.dumps(decision.to_json()),
        headers=request_id_headers(exchange.request_id, dialect),
        content_type=JSON_TYPE,
    )


async def _detected(raw: bytes, headers: Mapping[str, str], max_values: int) -> Dialect:
    """As `detect`; a large body is looked at in a thread, once it is known not to be too much work.

    Raises:
        BadRequest: it has more JSON values than allowed.
    """
    if len(raw) <= SMALL_BODY_BYTES:
        return detect(raw, headers)

    def look() -> Dialect:
        check_n_values(raw, max_values)
        return detect(raw, headers)

    return await asyncio.to_thread(look)


def detect(raw: bytes, headers: Mapping[str, str]) -> Dialect:
    """The dialect that a body is written in, by its shape; what cannot be told is OpenAI Chat.

    `input` is only in Responses. Anthropic has its system prompt beside the messages, and always `max_tokens`, which
    older chat requests have too; there the `anthropic-version` header decides.
    """
    try:
        parsed: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        # `read_request` says what is wrong.
        return Dialect.OPENAI_CHAT
    if not isinstance(parsed, dict):
        return Dialect.OPENAI_CHAT
    if "input" in parsed and "messages" not in parsed:
        return Dialect.OPENAI_RESPONSES
    if "messages" in parsed and ("system" in parsed or "anthropic-version" in headers):
        return Dialect.ANTHROPIC_MESSAGES
    return Dialect.OPENAI_CHAT


def _dialect(named: str) -> Dialect:
    try:
        return Dialect(named)
    except ValueError:
        known = ", ".join(Dialect)
        raise BadRequest(f"the dialect {named[:64]!r} is not known; use one of {known}", param="dialect") from None
