"""What an application holds, and what is known of one request under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from pointsman.limit import FailureLimit
from pointsman.vocabulary import Clock, Dialect, WallClock

from .auth import Keys
from .metrics import Metrics

if TYPE_CHECKING:
    from pointsman.router import Router


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Bounds on what a client may send."""

    max_body_bytes: int = 32 * 2**20
    """Images in base64 need 20 to 32 MB; Anthropic takes 32 MB (docs.claude.com/en/api/overview, read 2026-11)."""
    body_within_s: float = 60.0
    """How long a body may take to arrive, in seconds."""
    max_header_bytes: int = 16_384
    """The longest header line."""
    failed_auth_per_min: int = 60
    """Requests a minute with a wrong key or none that one address may send; 0 means any number."""


@dataclass(slots=True)
class Gateway:
    """One application's parts. Two applications in one process share nothing."""

    router: Router
    keys: Keys
    limits: GatewayLimits
    failures: FailureLimit
    metrics: Metrics
    clock: Clock
    now: WallClock
    new_id: Callable[[], str]
    draining: bool = False
    """True once the server is stopping: not ready any more, and connections are closed after their answer."""
    under_way: set[asyncio.Task[object]] = field(default_factory=set)


@dataclass(slots=True)
class Exchange:
    """One request under way."""

    request_id: str
    dialect: Dialect | None
    """The dialect of the path, None elsewhere; errors there have OpenAI's form."""
    endpoint: str
    """The route, from the closed set of routes; "other" for an unknown path. Safe as a metric label."""
    key_id: str | None = None
    is_admin: bool = False
    response: web.StreamResponse | None = None
    """The response once its head has been sent: from then on an error is another error."""
    n_events: int = 0
    """Events sent so far."""


GATEWAY: web.AppKey[Gateway] = web.AppKey("pointsman_gateway", Gateway)
EXCHANGE: web.RequestKey[Exchange] = web.RequestKey("pointsman_exchange", Exchange)
