"""GET /, /healthz, /readyz and /metrics."""

from __future__ import annotations

import orjson
from aiohttp import web

from .errors import JSON_TYPE
from .figures import ledger_stats
from .metrics import CONTENT_TYPE
from .state import GATEWAY, Gateway


async def root(_: web.Request) -> web.Response:
    """Claude Code begins with HEAD /; people with a browser."""
    return web.Response(body=orjson.dumps({"name": "pointsman"}), content_type=JSON_TYPE)


async def healthz(_: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(body=b'{"status":"ok"}', content_type=JSON_TYPE)


async def readyz(request: web.Request) -> web.Response:
    """200 when requests can be served, 503 with the reason when not.

    `degraded` names what works less well than it should, in words from a closed set: "models" (a circuit is open),
    "ledger" (records are not written), "config" (the last reload was refused), "load" (requests are turned away),
    "guarantee" (a policy's answers are worse than it promises), "redis" (what replicas share is away).
    A gateway with only this against it stays ready: another replica would see the same providers. With
    `redis.on_failure: closed` it is not ready while Redis is away, because it refuses requests then.
    """
    gateway = request.app[GATEWAY]
    ready, reason = (False, "stopping") if gateway.draining else gateway.router.ready
    if ready and gateway.router.sharing is not None and gateway.router.sharing.refusing:
        ready, reason = False, "redis is away, and redis.on_failure is closed"
    if ready and gateway.absence is not None and gateway.absence.refusing:
        ready, reason = False, "ledger"
    body = orjson.dumps({"ready": ready, "reason": reason, "degraded": degraded(gateway)})
    return web.Response(status=200 if ready else 503, body=body, content_type=JSON_TYPE)


def degraded(gateway: Gateway) -> list[str]:
    """What works less well than it should; see `readyz`."""
    router, ledger = gateway.router, ledger_stats(gateway)
    found = {
        "models": bool(router.health.troubled(router.models.values())),
        "ledger": ledger is not None and ledger.degraded,
        "config": gateway.refused_config is not None,
        "redis": router.sharing is not None and not router.sharing.present,
        "guarantee": router.watch is not None and router.watch.alarmed,
        "load": gateway.turnstile.n_waiting > 0 or gateway.turnstile.lag.is_late(gateway.limits.max_lag_s),
    }
    return [name for name, true in found.items() if true]


async def metrics(request: web.Request) -> web.Response:
    """For Prometheus: of all workers together."""
    gateway = request.app[GATEWAY]
    text = gateway.metrics.text() if gateway.fellows is None else await gateway.fellows.text()
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})
