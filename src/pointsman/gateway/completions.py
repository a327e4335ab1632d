"""POST /v1/chat/completions, /v1/responses and /v1/messages: one way for all three."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import orjson
from aiohttp import web

from pointsman.errors import BadRequest, PointsmanError, UpstreamRefused
from pointsman.vocabulary import Dialect, Request
from pointsman.wire import endpoint_of, read_request

from .body import read_body
from .errors import JSON_TYPE
from .headers import answer_headers, wants_debug
from .json_size import check_n_values
from .state import EXCHANGE, GATEWAY, Exchange, Gateway
from .written import Response, Whole

if TYPE_CHECKING:
    from pointsman.call.reply import Reply

SMALL_BODY_BYTES = 128 * 2**10
"""Up to here a body is read on the event loop, in a few milliseconds at most; a larger one in a thread, where the loop
gets its turn in between."""
_EVENTS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    # Keeps nginx from gathering events (nginx.org, ngx_http_proxy_module, "proxy_buffering").
    "X-Accel-Buffering": "no",
}

Respond: TypeAlias = Callable[[int, Mapping[str, str], bytes | None], Response]
"""Makes a response of a status, headers and a body, or (None) of a stream to come."""


def completion(dialect: Dialect) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The endpoint of one dialect."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await answered(request, request.app[GATEWAY], request[EXCHANGE], dialect, endpoint_of(dialect))

    return answer


async def answered(
    request: web.Request,
    gateway: Gateway,
    exchange: Exchange,
    dialect: Dialect,
    endpoint: str,
    *,
    prepare: Callable[[Gateway, Request], Request] | None = None,
) -> web.StreamResponse:
    """The answer to a request at an endpoint where this dialect, or one close to it, is spoken.

    Args:
        prepare: changes or refuses the request once it has been read.
    """
    response = await served(request, gateway, exchange, dialect, endpoint, prepare=prepare, respond=_aiohttp_response)
    assert isinstance(response, web.StreamResponse)
    return response


async def served(
    request: web.BaseRequest,
    gateway: Gateway,
    exchange: Exchange,
    dialect: Dialect,
    endpoint: str,
    *,
    respond: Respond,
    prepare: Callable[[Gateway, Request], Request] | None = None,
) -> Response:
    """As `answered`, by responses of either kind."""
    turnstile = gateway.turnstile
    await turnstile.enter()
    try:
        headers = exchange.headers
        started_s = gateway.clock()
        asked = await _read(request, dialect, endpoint, headers, gateway, exchange)
        if prepare is not None:
            asked = prepare(gateway, asked)
        reply = await gateway.router.send(asked, request_id=exchange.request_id, headers=headers)
        gateway.metrics.first_byte(exchange.endpoint, gateway.clock() - started_s)
        gateway.metrics.decided(reply.decision)
        debug = "x-pointsman-debug" in headers and wants_debug(headers)
        try:
            if reply.stream:
                return await _stream(request, reply, gateway, exchange, dialect, respond, debug=debug)
            return await _whole(reply, gateway, exchange, dialect, respond, debug=debug)
        finally:
            await reply.aclose()
            gateway.metrics.ended(reply.tier, reply.cost, reply.saved_usd)
            if reply.account is not None and reply.decision.cascade is not None:
                gateway.metrics.cascaded(reply.account.attempts)
    finally:
        turnstile.leave()


async def _read(
    request: web.BaseRequest,
    dialect: Dialect,
    endpoint: str,
    headers: Mapping[str, str],
    gateway: Gateway,
    exchange: Exchange,
) -> Request:
    """The client's request; one that cannot be read is recorded as refused."""
    try:
        raw = await read_body(request, headers, gateway.limits)
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


def _aiohttp_response(status: int, headers: Mapping[str, str], body: bytes | None) -> web.StreamResponse:
    return (
        _Events(status=status, headers=headers)
        if body is None
        else web.Response(status=status, headers=headers, body=body)
    )


class _Events(web.StreamResponse):
    """A stream whose head goes out with its first events, which are there when it begins: one packet less."""

    _send_headers_immediately = False


async def _whole(
    reply: Reply, gateway: Gateway, exchange: Exchange, dialect: Dialect, respond: Respond, *, debug: bool
) -> Response:
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
    headers["Content-Type"] = JSON_TYPE
    return respond(reply.status, headers, body)


async def _stream(
    request: web.BaseRequest,
    reply: Reply,
    gateway: Gateway,
    exchange: Exchange,
    dialect: Dialect,
    respond: Respond,
    *,
    debug: bool,
) -> Response:
    """Passes events on as they come: each write waits until the client has taken enough of those before it."""
    headers = answer_headers(reply, dialect, debug=debug)
    headers |= _EVENTS
    response = respond(reply.status, headers, None)
    assert not isinstance(response, Whole)
    await response.prepare(request)
    exchange.response = response
    write = response.write
    try:
        async for chunk in reply.chunks():
            await write(chunk)
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
