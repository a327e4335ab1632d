"""Endpoints beside the three dialects: embeddings, moderations, text completions, token counts, and held responses."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson
from aiohttp import web

from pointsman.errors import BadRequest, NoModelAvailable, NotFound
from pointsman.vocabulary import Dialect, Request
from pointsman.wire.side import EMBEDDINGS, MODERATIONS

from .body import read_body
from .completions import answered, parsed
from .errors import JSON_TYPE
from .headers import request_id_headers
from .state import EXCHANGE, GATEWAY, Gateway

_RESPONSE_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
_QUERY = frozenset({"after", "before", "include", "include[]", "limit", "order"})
"""What may be asked of a held response; a stream of it is not offered."""


def passed(
    endpoint: str, dialect: Dialect = Dialect.OPENAI_CHAT
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """An endpoint whose bytes are passed through to the model that the client names."""

    async def answer(request: web.Request) -> web.StreamResponse:
        gateway, exchange = request.app[GATEWAY], request[EXCHANGE]
        exchange.dialect = dialect
        return await answered(request, gateway, exchange, dialect, endpoint, prepare=_prepared)

    return answer


def _prepared(gateway: Gateway, asked: Request) -> Request:
    router = gateway.router
    if asked.endpoint == EMBEDDINGS and asked.model not in router.models and asked.model in router.names:
        # Vectors of two models cannot be compared, so that no policy may choose between them.
        raise BadRequest("embeddings need the name of one configured model", param="model")
    if asked.endpoint == MODERATIONS and asked.model not in router.models:
        speaks = [model for model in router.models.values() if Dialect.OPENAI_CHAT in model.endpoints]
        official = [model for model in speaks if model.provider == "openai"]
        if not speaks:
            raise NoModelAvailable("no configured upstream speaks OpenAI's protocol")
        return replace(asked, model=(official or speaks)[0].name)
    return asked


def token_count(dialect: Dialect, endpoint: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """How many tokens a request has, counted by the upstream that would get it, else estimated."""

    async def answer(request: web.Request) -> web.Response:
        gateway, exchange = request.app[GATEWAY], request[EXCHANGE]
        exchange.dialect = dialect
        headers = exchange.headers
        raw = await read_body(request, headers, gateway.limits)
        asked = await parsed(gateway, dialect, endpoint, raw, headers, exchange.key_id)
        decision = gateway.router.decide(asked, request_id=exchange.request_id)
        model = gateway.router.models[decision.model]
        counted = await gateway.router.side_calls().count_tokens(asked, model, headers)
        out = request_id_headers(exchange.request_id, dialect)
        if counted is None:
            kind = {"object": "response.input_tokens"} if dialect is Dialect.OPENAI_RESPONSES else {}
            body = orjson.dumps(kind | {"input_tokens": asked.n_total_tokens})
            return web.Response(body=body, headers=out, content_type=JSON_TYPE)
        return web.Response(status=counted.status, body=counted.body, headers=out, content_type=JSON_TYPE)

    return answer


async def held_response(request: web.Request) -> web.Response:
    """GET, DELETE and cancel of a response, by the upstream that holds it.

    Raises:
        NotFound: nobody holds it, it is another client's, or the id cannot be one.
    """
    gateway, exchange = request.app[GATEWAY], request[EXCHANGE]
    exchange.dialect = Dialect.OPENAI_RESPONSES
    response_id = request.match_info["id"]
    if _RESPONSE_ID.fullmatch(response_id) is None:
        raise NotFound("no response of this id is held here")
    rest = request.match_info.get("rest", "")
    query = request.rel_url.with_query([(k, v) for k, v in request.query.items() if k in _QUERY]).raw_query_string
    if gateway.router.sharing is not None:
        await gateway.router.sharing.look_up_response(response_id)
    found = await gateway.router.side_calls().held_response(
        request.method,
        response_id,
        rest + ("?" + query if query else ""),
        key_id=exchange.key_id,
        asks_keys=gateway.keys.asked and not exchange.is_admin,
    )
    headers = {name: value for name, value in found.headers.items() if name not in ("x-request-id", "request-id")}
    headers |= request_id_headers(exchange.request_id, Dialect.OPENAI_RESPONSES)
    return web.Response(status=found.status, body=found.body, headers=headers, content_type=JSON_TYPE)
