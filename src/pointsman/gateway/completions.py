"""POST /v1/chat/completions, /v1/responses and /v1/messages: one way for all three."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from pointsman.errors import BadRequest, PointsmanError, UpstreamRefused
from pointsman.vocabulary import Dialect, Request
from pointsman.wire import endpoint_of, read_request

from .body import read_body
from .errors import JSON_TYPE
from .headers import answer_headers, lower_cased, wants_debug
from .json_size import check_n_values
from .state import EXCHANGE, GATEWAY, Exchange, Gateway

if TYPE_CHECKING:
    from pointsman.call.reply import Reply

SMALL_BODY_BYTES = 128 * 2**10
"""Up to here a body is read on the event loop, in a few milliseconds at most; a larger one in a thread, where the loop
gets its turn in between."""
EVENTS_TYPE = "text/event-stream; charset=utf-8"
_UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""The second keeps nginx from gathering events (nginx.org, ngx_http_proxy_module, "proxy_buffering")."""


def completion(dialect: Dialect) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The endpoint of one dialect."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await answered(request, dialect, endpoint_of(dialect))

    return answer


async def answered(
    request: web.Request,
    dialect: Dialect,
    endpoint: str,
    *,
    prepare: Callable[[Gateway, Request], Request] | None = None,
) -> web.StreamResponse:
    """The answer to a request at an endpoint where this dialect, or one close to it, is spoken.

    Args:
        prepare: changes or refuses the request once it has been read.
    """
    gateway, exchange = request.app[GATEWAY], request[EXCHANGE]
    await gateway.turnstile.enter()
    try:
        return await _served(request, dialect, endpoint, prepare, gateway, exchange)
    finally:
        gateway.turnstile.leave()


async def _served(
    request: web.Request,
    dialect: Dialect,
    endpoint: str,
    prepare: Callable[[Gateway, Request], Request] | None,
    gateway: Gateway,
    exchange: Exchange,
) -> web.StreamResponse:
    headers = lower_cased(request.headers)
    started_s = gateway.clock()
    asked = await _read(request, dialect, endpoint, headers, gateway, exchange)
    if prepare is not None:
        asked = prepare(gateway, asked)
    reply = await gateway.router.send(asked, request_id=exchange.request_id, headers=headers)
    gateway.metrics.first_byte(exchange.endpoint, gateway.clock() - started_s)
    gateway.metrics.decided(reply.decision)
    try:
        if reply.stream:
            return await _stream(request, reply, exchange, dialect, debug=wants_debug(headers))
        return await _whole(reply, dialect, debug=wants_debug(headers))
    finally:
        await reply.aclose()
        gateway.metrics.ended(reply.tier, reply.cost, reply.saved_usd)
        if reply.account is not None and reply.decision.cascade is not None:
            gateway.metrics.cascaded(reply.account.attempts)


async def _read(
    request: web.Request,
    dialect: Dialect,
    endpoint: str,
    headers: Mapping[str, str],
    gateway: Gateway,
    exchange: Exchange,
) -> Request:
    """The client's request; one that cannot be read is recorded as refused."""
    try:
        raw = await read_body(request)
        return await parsed(gateway, dialect, endpoint, raw, headers, exchange.key_id)
    except PointsmanError as error:
        gateway.router.reject(
            endpoint=endpoint,
            dialect=dialect,
            requested_model="",
            error=error,
            request_id=exchange.request_id,
            key_id=exchange.key_id,
        )
        raise


async def parsed(
    gateway: Gateway, dialect: Dialect, endpoint: str, raw: bytes, headers: Mapping[str, str], key_id: str | None
) -> Request:
    """The request in a body.

    Raises:
        BadRequest: it is none, or has more JSON values than `limits.max_json_values`.
    """
    if len(raw) <= SMALL_BODY_BYTES:
        return read_request(dialect, raw, headers=headers, endpoint=endpoint, key_id=key_id)
    return await asyncio.to_thread(_read_large, dialect, endpoint, raw, headers, key_id, gateway.limits.max_json_values)


def _read_large(
    dialect: Dialect, endpoint: str, raw: bytes, headers: Mapping[str, str], key_id: str | None, max_values: int
) -> Request:
    check_n_values(raw, max_values)
    return read_request(dialect, raw, headers=headers, endpoint=endpoint, key_id=key_id)


async def _whole(reply: Reply, dialect: Dialect, *, debug: bool) -> web.Response:
    body = await reply.read()
    if reply.status >= 400 and not _is_object(body):
        # An error page of something before the model; the caller's SDK could not read it.
        raise UpstreamRefused(
            f"model {reply.model!r} refused the request (status {reply.status}) without saying why",
            model=reply.model,
            upstream_status=reply.status,
            status=reply.status,
        )
    headers = answer_headers(reply, dialect, debug=debug)
    if reply.status >= 400:
        # What the model said of this request it would say of the same one again.
        headers["x-should-retry"] = "false"
    return web.Response(status=reply.status, body=body, headers=headers, content_type=JSON_TYPE)


class _Events(web.StreamResponse):
    """A stream whose head goes out with its first events, which are there when it begins: one packet less."""

    _send_headers_immediately = False


async def _stream(
    request: web.Request, reply: Reply, exchange: Exchange, dialect: Dialect, *, debug: bool
) -> web.StreamResponse:
    """Passes events on as they come: each write waits until the client has taken enough of those before it."""
    headers = answer_headers(reply, dialect, debug=debug) | {"Content-Type": EVENTS_TYPE} | _UNBUFFERED
    response = _Events(status=reply.status, headers=headers)
    await response.prepare(request)
    exchange.response = response
    try:
        async for chunk in reply.chunks():
            await response.write(chunk)
    finally:
        exchange.n_events = reply.n_events
    await response.write_eof()
    return response


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(orjson.loads(body), dict)
    except orjson.JSONDecodeError:
        return False


async def refuse_websocket(request: web.Request) -> web.StreamResponse:
    """GET /v1/responses: Codex first tries a WebSocket, and goes on with POST after a plain refusal.

    Raises:
        BadRequest: 426 to an upgrade, 404 otherwise.
    """
    if request.headers.get("Upgrade", "").lower() == "websocket":
        raise BadRequest("WebSockets are not offered here; use POST /v1/responses", status=426)
    raise web.HTTPMethodNotAllowed(request.method, ["POST"])
