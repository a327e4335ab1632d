"""POST /v1/route: the decision for a request in any of the three forms, without an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect
from pointsman.wire import read_request

from .body import read_body
from .errors import JSON_TYPE
from .headers import lower_cased, request_id_headers
from .state import EXCHANGE, GATEWAY


async def route(request: web.Request) -> web.Response:
    """The decision as JSON.

    Raises:
        BadRequest: the body or `?dialect=` cannot be read.
        UnknownModel, NoModelAvailable: as when it were sent.
    """
    gateway, exchange = request.app[GATEWAY], request[EXCHANGE]
    headers = lower_cased(request.headers)
    raw = await read_body(request)
    named = request.query.get("dialect")
    dialect = detect(raw, headers) if named is None else _dialect(named)
    exchange.dialect = dialect
    asked = read_request(dialect, raw, headers=headers, key_id=exchange.key_id)
    decision = await gateway.router.advise(asked, request_id=exchange.request_id)
    gateway.metrics.decided(decision)
    return web.Response(
        body=orjson.dumps(decision.to_json()),
        headers=request_id_headers(exchange.request_id, dialect),
        content_type=JSON_TYPE,
    )


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
