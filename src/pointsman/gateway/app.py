"""The application: every route in one table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from pointsman.limit import FailureLimit
from pointsman.vocabulary import Clock, Dialect, WallClock
from pointsman.wire import endpoint_of
from pointsman.wire.side import COMPACT, COMPLETIONS, EMBEDDINGS, MODERATIONS

from .absence import Absence
from .auth import Keys
from .completions import completion, refuse_websocket
from .connection import Door
from .decisions import decision
from .edge import add_rate_headers, edge
from .feedback import feedback
from .figures import RouterFigures
from .health import healthz, metrics, readyz, root
from .listening import max_connections
from .metrics import Metrics
from .models import list_models, one_model
from .route import route
from .side import held_response, passed, token_count
from .state import GATEWAY, Gateway, GatewayLimits
from .turnstile import Turnstile

if TYPE_CHECKING:
    from pointsman.router import Router


def create_app(
    router: Router,
    *,
    keys: Keys | None = None,
    limits: GatewayLimits | None = None,
    clock: Clock = time.perf_counter,
    now: WallClock | None = None,
    new_id: Callable[[], str] | None = None,
    pages: Iterable[web.RouteDef] = (),
    absence: Absence | None = None,
) -> web.Application:
    """An application that serves with this router, and does not close it.

    Args:
        keys: which keys clients must send; None asks for none.
        limits: bounds on what clients may send; None takes the default ones.
        clock: for the metrics.
        now: dates feedback; None takes the time of day.
        new_id: makes request ids; None makes random ones.
        pages: the dashboard's routes, all of them under `access.PAGES`; they look after who may see them by themselves.
        absence: what holds while the ledger's server is away.
    """
    from pointsman.router import new_request_id, utc_now

    bounds = GatewayLimits() if limits is None else limits
    # `read_body` bounds bodies, by limits that a reload can change.
    app = web.Application(middlewares=[edge], client_max_size=0)
    app[GATEWAY] = gateway = Gateway(
        router=router,
        keys=Keys() if keys is None else keys,
        limits=bounds,
        turnstile=Turnstile(bounds.max_requests, bounds.max_queued_requests, bounds.queue_wait_s, bounds.max_lag_s),
        failures=FailureLimit(bounds.failed_auth_per_min),
        metrics=Metrics(),
        clock=clock,
        now=utc_now if now is None else now,
        new_id=new_request_id if new_id is None else new_id,
        door=Door(max_connections(bounds.max_connections)),
        absence=absence,
    )
    gateway.metrics.register(RouterFigures(gateway))
    app.on_startup.append(_begin)
    app.on_cleanup.append(_end)
    app.on_response_prepare.append(add_rate_headers)
    app.cleanup_ctx.append(_watching_keys)
    app.cleanup_ctx.append(_watching_policies)
    app.add_routes(
        [
            *(web.post(endpoint_of(dialect), completion(dialect)) for dialect in Dialect),
            web.get(endpoint_of(Dialect.OPENAI_RESPONSES), refuse_websocket),
            web.post("/v1/messages/count_tokens", token_count(Dialect.ANTHROPIC_MESSAGES, "/v1/messages/count_tokens")),
            web.post("/v1/responses/input_tokens", token_count(Dialect.OPENAI_RESPONSES, "/v1/responses/input_tokens")),
            *(web.post(endpoint, passed(endpoint)) for endpoint in (EMBEDDINGS, MODERATIONS, COMPLETIONS)),
            web.post(COMPACT, passed(COMPACT, Dialect.OPENAI_RESPONSES)),
            web.get("/v1/responses/{id}", held_response),
            web.delete("/v1/responses/{id}", held_response),
            web.get("/v1/responses/{id}{rest:/input_items}", held_response),
            web.post("/v1/responses/{id}{rest:/cancel}", held_response),
            web.get("/v1/models", list_models),
            web.get("/v1/models/{id:.+}", one_model),
            web.post("/v1/route", route),
            web.post("/v1/feedback", feedback),
            web.get("/v1/decisions/{request_id}", decision),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", metrics),
            web.get("/", root),
            *pages,
        ]
    )
    return app


async def _begin(app: web.Application) -> None:
    app[GATEWAY].turnstile.lag.start()


async def _end(app: web.Application) -> None:
    app[GATEWAY].turnstile.lag.stop()


async def _watching_keys(app: web.Application) -> AsyncIterator[None]:
    """Follows the table of virtual keys while the application runs."""
    task = asyncio.create_task(app[GATEWAY].keys.virtual.watch())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _watching_policies(app: web.Application) -> AsyncIterator[None]:
    """Looks for acknowledged alarms while the application runs."""
    watch = app[GATEWAY].router.watch
    if watch is None:
        yield
        return
    task = asyncio.create_task(watch.follow())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
