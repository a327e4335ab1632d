"""GET /v1/models and /v1/models/{id}, in OpenAI's or Anthropic's form."""

from __future__ import annotations

import orjson
from aiohttp import web

from pointsman.errors import UnknownModel
from pointsman.wire import listing_dialect, model_entry, write_model_list

from .errors import JSON_TYPE
from .headers import lower_cased, request_id_headers
from .state import EXCHANGE, GATEWAY


async def list_models(request: web.Request) -> web.Response:
    """Everything this client may put in `model`."""
    exchange = request[EXCHANGE]
    exchange.dialect = dialect = listing_dialect(lower_cased(request.headers))
    body = write_model_list(request.app[GATEWAY].router.names_for(exchange.key_id), dialect)
    headers = request_id_headers(exchange.request_id, dialect)
    return web.Response(body=body, headers=headers, content_type=JSON_TYPE)


async def one_model(request: web.Request) -> web.Response:
    """One of them.

    Raises:
        UnknownModel: there is none of that name.
    """
    exchange = request[EXCHANGE]
    exchange.dialect = dialect = listing_dialect(lower_cased(request.headers))
    name = request.match_info["id"]
    if name not in request.app[GATEWAY].router.names_for(exchange.key_id):
        raise UnknownModel(f"the model {name[:200]!r} is not configured")
    headers = request_id_headers(exchange.request_id, dialect)
    return web.Response(body=orjson.dumps(model_entry(name, dialect)), headers=headers, content_type=JSON_TYPE)
