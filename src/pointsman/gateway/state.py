"""What an application holds, and what is known of one request under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from aiohttp import web

from pointsman.limit import FailureLimit
from pointsman.vocabulary import Clock, Dialect, WallClock

from .absence import Absence
from .auth import Keys
from .connection import Door
from .listening import max_connections
from .metrics import Metrics
from .turnstile import Turnstile
from .written import Events

if TYPE_CHECKING:
    from pointsman.config.settings import LimitsSettings
    from pointsman.router import Router

    from .fellows import Fellows


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Bounds on what clients may send, and on how many are served."""

    max_body_bytes: int = 32 * 2**20
    """Images in base64 need 20 to 32 MB; Anthropic takes 32 MB (docs.claude.com/en/api/overview, read 2026-11)."""
    max_json_values: int = 100_000
    """JSON values in one body above 128 KiB: objects, lists and what stands in them."""
    body_idle_s: float = 60.0
    """How long the next piece of a body may take to arrive, in seconds."""
    body_within_s: float = 600.0
    """How long a whole body may take, however steadily it comes."""
    max_header_bytes: int = 16_384
    """The longest header line."""
    header_within_s: float = 30.0
    """How long a request's head may take to arrive."""
    write_within_s: float = 60.0
    """How long a client may leave its answer unread."""
    max_connections: int | None = None
    """Clients connected at once; None takes half of what the process may open."""
    max_requests: int = 10_000
    """Requests for answers that are served at once."""
    max_queued_requests: int = 1_000
    """Of them, how many more may wait for their turn."""
    queue_wait_s: float = 5.0
    """How long each may wait."""
    max_lag_s: float = 0.5
    """How late the event loop may be, time and again, before new requests are turned away."""
    failed_auth_per_min: int = 60
    """Requests a minute with a wrong key or none that one address may send; 0 means any number."""

    @classmethod
    def of(cls, settings: LimitsSettings) -> Self:
        """The bounds that the configuration sets."""
        return cls(
            max_body_bytes=settings.max_body_bytes,
            max_json_values=settings.max_json_values,
            body_idle_s=settings.body_idle_s,
            header_within_s=settings.header_within_s,
            write_within_s=settings.write_within_s,
            max_connections=settings.max_connections,
            max_requests=settings.max_requests,
            max_queued_requests=settings.max_queued_requests,
            queue_wait_s=settings.queue_wait_s,
            max_lag_s=settings.max_lag_ms / 1e3,
            failed_auth_per_min=settings.failed_auth_per_min,
        )


@dataclass(slots=True)
class Gateway:
    """One application's parts. Two applications in one process share nothing.

    A reload replaces router, keys and limits; requests under way go on with the router they began with.
    """

    router: Router
    keys: Keys
    limits: GatewayLimits
    turnstile: Turnstile
    failures: FailureLimit
    metrics: Metrics
    clock: Clock
    now: WallClock
    new_id: Callable[[], str]
    door: Door
    admin_apart: bool = False
    """Metrics and pages have a port of their own, and are not there on the clients'."""
    fellows: Fellows | None = None
    """The other workers; None for a process that serves alone."""
    draining: bool = False
    """True once the server is stopping: not ready any more, and connections are closed after their answer."""
    absence: Absence | None = None
    """What holds while the ledger's server is away; None for a ledger that cannot be."""
    refused_config: str | None = None
    """Why the last reload was refused, None when it went well or there was none."""
    under_way: set[asyncio.Task[object]] = field(default_factory=set)

    def follow(self, router: Router, keys: Keys, limits: GatewayLimits) -> None:
        """Serves requests to come with these."""
        self.router, self.keys, self.limits = router, keys, limits
        self.door.limit = max_connections(limits.max_connections)
        self.turnstile.configure(limits.max_requests, limits.max_queued_requests, limits.queue_wait_s, limits.max_lag_s)


@dataclass(slots=True)
class Exchange:
    """One request under way."""

    request_id: str
    dialect: Dialect | None
    """The dialect of the path, None elsewhere; errors there have OpenAI's form."""
    endpoint: str
    """The route, from the closed set of routes; "other" for an unknown path. Safe as a metric label."""
    headers: Mapping[str, str]
    """The client's, names in lower case."""
    key_id: str | None = None
    is_admin: bool = False
    response: web.StreamResponse | Events | None = None
    """The response once its head has been sent: from then on an error is another error."""
    n_events: int = 0
    """Events sent so far."""


GATEWAY: web.AppKey[Gateway] = web.AppKey("pointsman_gateway", Gateway)
EXCHANGE: web.RequestKey[Exchange] = web.RequestKey("pointsman_exchange", Exchange)
