"""GET /, /healthz, /readyz and /metrics."""

from __future__ import annotations

import orjson
from aiohttp import web

from .errors import JSON_TYPE
from .metrics import CONTENT_TYPE
from .state import GATEWAY


async def root(_: web.Request) -> web.Response:
    """Claude Code begins with HEAD /; people with a browser."""
    return web.Response(body=orjson.dumps({"name": "pointsman"}), content_type=JSON_TYPE)


async def healthz(_: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(body=b'{"status":"ok"}', content_type=JSON_TYPE)


async def readyz(request: web.Request) -> web.Response:
    """200 when requests can be served, 503 with the reason when not."""
    gateway = request.app[GATEWAY]
    ready, reason = (False, "stopping") if gateway.draining else gateway.router.ready
    body = orjson.dumps({"ready": ready, "reason": reason})
    return web.Response(status=200 if ready else 503, body=body, content_type=JSON_TYPE)


async def metrics(request: web.Request) -> web.Response:
    """For Prometheus."""
    gateway = request.app[GATEWAY]
    return web.Response(body=gateway.metrics.text(), headers={"Content-Type": CONTENT_TYPE})
