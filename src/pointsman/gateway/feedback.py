"""POST /v1/feedback: what a user said of an answer."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from pointsman.errors import BadRequest
from pointsman.vocabulary import Feedback

from .body import read_body
from .decisions import record_for
from .errors import JSON_TYPE
from .headers import request_id_headers
from .state import EXCHANGE, GATEWAY

MAX_LABEL_CHARS = 128
MAX_COMMENT_CHARS = 10_000


async def feedback(request: web.Request) -> web.Response:
    """Takes `{request_id, score: 0..1 | label, comment}`.

    Raises:
        BadRequest: a field is missing, of the wrong type or out of range.
        NotFound: there is no such request of this caller's.
    """
    gateway, exchange = request.app[GATEWAY], request[EXCHANGE]
    body = _object(await read_body(request, exchange.headers, gateway.limits))
    request_id = _text(body, "request_id", 128)
    if request_id is None:
        raise BadRequest("request_id is missing", param="request_id")
    score = _score(body)
    label = _text(body, "label", MAX_LABEL_CHARS)
    if (score is None) == (label is None):
        raise BadRequest("give either score (0 to 1) or label", param="score")
    comment = _text(body, "comment", MAX_COMMENT_CHARS)
    await record_for(request, request_id)
    gateway.router.feedback(Feedback(request_id, gateway.now(), score, label, comment))
    return web.Response(
        status=202,
        body=orjson.dumps({"request_id": request_id, "accepted": True}),
        headers=request_id_headers(exchange.request_id, None),
        content_type=JSON_TYPE,
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadRequest("the body is not valid JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def _text(body: dict[str, Any], name: str, max_chars: int) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= max_chars or "\x00" in value:
        raise BadRequest(f"{name} must be a string of 1 to {max_chars} characters", param=name)
    return value


def _score(body: dict[str, Any]) -> float | None:
    value = body.get("score")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadRequest("score must be a number from 0 to 1", param="score")
    return float(value)
