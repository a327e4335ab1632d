"""GET /v1/decisions/{request_id}: the record of a request."""

from __future__ import annotations

import orjson
from aiohttp import web

from pointsman.errors import NotFound
from pointsman.vocabulary import JSONObject

from .errors import JSON_TYPE
from .headers import request_id_headers
from .state import EXCHANGE, GATEWAY


async def decision(request: web.Request) -> web.Response:
    """The record with its decision, attempts and feedback.

    Raises:
        NotFound: there is none, or it is another key's.
    """
    record = await record_for(request, request.match_info["request_id"])
    return web.Response(
        body=orjson.dumps(record, default=str),
        headers=request_id_headers(request[EXCHANGE].request_id, None),
        content_type=JSON_TYPE,
    )


async def record_for(request: web.Request, request_id: str) -> JSONObject:
    """The record of that id, if the caller may see it: its own, or with the admin key any.

    Raises:
        NotFound: otherwise; another client's record is not told apart from none.
    """
    gateway, exchange = request.app[GATEWAY], request[EXCHANGE]
    record = await gateway.router.decision_record(request_id)
    if record is not None and (not gateway.keys.asked or exchange.is_admin or record.get("key_id") == exchange.key_id):
        return record
    raise NotFound("no request of this id is on record")
