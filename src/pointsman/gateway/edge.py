"""Around every request: an id, the key, the metrics, and the one place where errors become answers."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import structlog
from aiohttp import web

from pointsman.errors import InternalError, MethodNotAllowed, NotFound, PointsmanError, Stopping
from pointsman.wire import dialect_of

from .access import OTHER, Access, access_to
from .connection import Connection
from .errors import error_event, error_response
from .headers import SERVER, lower_cased
from .identify import identify
from .rate_headers import rate_headers
from .state import EXCHANGE, GATEWAY, Exchange, Gateway
from .written import Response

_log = structlog.get_logger("pointsman.gateway")


_Request = TypeVar("_Request", bound=web.BaseRequest)


@web.middleware
async def edge(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answers a request, whatever happens to it.

    A `PointsmanError` becomes an error of the caller's dialect, an unexpected one a 500 and one log line with the
    request's id. When the answer has begun, an error event ends it.
    """
    gateway = request.app[GATEWAY]
    exchange = Exchange(
        gateway.new_id(), dialect_of(request.path), _endpoint(request), headers=lower_cased(request.headers)
    )
    request[EXCHANGE] = exchange
    response = await around(request, handler, gateway, exchange)
    assert isinstance(response, web.StreamResponse), "handlers of the application give aiohttp's"
    return response


async def around(
    request: _Request, handler: Callable[[_Request], Awaitable[Response]], gateway: Gateway, exchange: Exchange
) -> Response:
    """The same, once it is known where the request goes."""
    started_s = gateway.clock()
    task = asyncio.current_task()
    if task is not None:
        gateway.under_way.add(task)
    connection = request.protocol
    if isinstance(connection, Connection):
        connection.begun()
    gateway.metrics.n_under_way += 1
    try:
        response = await _answer(request, handler, gateway, exchange)
        if gateway.draining:
            response.force_close()
        gateway.metrics.answered(exchange.endpoint, response.status, gateway.clock() - started_s)
        return response
    except (asyncio.CancelledError, ConnectionError):
        gateway.metrics.clients_left.labels(exchange.endpoint).inc()
        raise
    finally:
        gateway.metrics.n_under_way -= 1
        if isinstance(connection, Connection):
            connection.ended()
        if task is not None:
            gateway.under_way.discard(task)


async def _answer(
    request: _Request,
    answer: Callable[[_Request], Awaitable[Response]],
    gateway: Gateway,
    exchange: Exchange,
) -> Response:
    try:
        identify(request, gateway, exchange)
        return await answer(request)
    except PointsmanError as error:
        return await _failed(error, gateway, exchange)
    except web.HTTPMethodNotAllowed as error:
        allowed = tuple(sorted(error.allowed_methods))
        message = f"{request.method} is not allowed here; use {', '.join(allowed)}"
        return await _failed(MethodNotAllowed(message, allowed=allowed), gateway, exchange)
    except web.HTTPException as error:
        if error.status != 404:
            raise
        return await _failed(NotFound("there is nothing at this path"), gateway, exchange)
    except asyncio.CancelledError:
        if not gateway.draining or request.transport is None or request.transport.is_closing():
            raise
        return await _failed(Stopping("the gateway is being stopped; try again"), gateway, exchange)
    except ConnectionError:
        # The client left while we wrote to it.
        raise
    except Exception as error:  # noqa: BLE001 - the edge: nothing below it catches broadly
        # The message of an unexpected error may quote a prompt; its type and place do not.
        _log.error(
            "request failed",
            request_id=exchange.request_id,
            endpoint=exchange.endpoint,
            error=type(error).__name__,
            frames=[f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)],
        )
        message = f"the gateway failed; its log has the reason under {exchange.request_id}"
        return await _failed(InternalError(message), gateway, exchange)


async def _failed(error: PointsmanError, gateway: Gateway, exchange: Exchange) -> Response:
    gateway.metrics.errors.labels(error.code).inc()
    begun = exchange.response
    if begun is None:
        return error_response(error, exchange)
    await begun.write(error_event(error, exchange))
    await begun.write_eof()
    return begun


def _endpoint(request: web.Request) -> str:
    """The route's pattern, which comes from a closed set, where the path does not."""
    resource = request.match_info.route.resource
    return OTHER if resource is None else resource.canonical


async def add_rate_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Tells the caller how its key stands, in place of how ours stands with the provider."""
    exchange, gateway = request.get(EXCHANGE), request.app[GATEWAY]
    # In place of aiohttp's, which tells its own version and Python's.
    response.headers["Server"] = SERVER
    if exchange is not None:
        response.headers.update(rate_headers_of(exchange, gateway))


def rate_headers_of(exchange: Exchange, gateway: Gateway) -> Mapping[str, str]:
    """How the caller's key stands with its limits per minute, for routes of clients."""
    limits = gateway.router.limits
    if limits is None or access_to(exchange.endpoint) is not Access.CLIENT:
        return {}
    standing = limits.standing(exchange.key_id)
    if standing.requests is None and standing.tokens is None:
        return {}
    return rate_headers(standing, exchange.dialect, gateway.now())
