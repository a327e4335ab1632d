"""GET /v1/models and /v1/models/{id}, in OpenAI's, Anthropic's or Google's form."""

from __future__ import annotations

import orjson
from aiohttp import web

from pointsman.errors import UnknownModel
from pointsman.wire import (
    asks_as_gemini,
    gemini_model_entry,
    listing_dialect,
    model_entry,
    write_gemini_model_list,
    write_model_list,
)

from .errors import JSON_TYPE
from .headers import lower_cased, request_id_headers
from .state import EXCHANGE, GATEWAY


async def list_models(request: web.Request) -> web.Response:
    """Everything this client may put in `model`."""
    exchange = request[EXCHANGE]
    headers = lower_cased(request.headers)
    exchange.dialect = dialect = listing_dialect(headers)
    names = request.app[GATEWAY].router.names_for(exchange.key_id)
    body = write_gemini_model_list(names) if asks_as_gemini(headers) else write_model_list(names, dialect)
    out = request_id_headers(exchange.request_id, dialect)
    return web.Response(body=body, headers=out, content_type=JSON_TYPE)


async def one_model(request: web.Request) -> web.Response:
    """One of them.

    Raises:
        UnknownModel: there is none of that name.
    """
    exchange = request[EXCHANGE]
    headers = lower_cased(request.headers)
    exchange.dialect = dialect = listing_dialect(headers)
    name = request.match_info["id"]
    if name not in request.app[GATEWAY].router.names_for(exchange.key_id):
        raise UnknownModel(f"the model {name[:200]!r} is not configured")
    entry = gemini_model_entry(name) if asks_as_gemini(headers) else model_entry(name, dialect)
    out = request_id_headers(exchange.request_id, dialect)
    return web.Response(body=orjson.dumps(entry), headers=out, content_type=JSON_TYPE)
