"""Running the gateway: where it listens, how it stops, and `pointsman serve`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

import structlog
from aiohttp import web

from pointsman.config.load import find_file
from pointsman.errors import ConfigError, LedgerAway

from .absence import Absence
from .app import create_app
from .auth import Keys
from .connection import Connection
from .loopback import is_loopback
from .reload import Load, Reloader, Served
from .state import GATEWAY, GatewayLimits
from .virtual_keys import VirtualKeys

if TYPE_CHECKING:
    from pointsman.assembly import Parts
    from pointsman.config import LoadedSettings
    from pointsman.record import KeyStore, SqlLedger
    from pointsman.router import Router

    Pages: TypeAlias = Callable[[Parts, SqlLedger, KeyStore], Iterable[web.RouteDef]]

GRACE_S = 30.0
"""How long answers under way may go on after the first signal to stop."""
BACKLOG = 1_024
"""Connections that wait in the kernel to be taken."""
CLOSE_S = 1.0
"""How long connections may take to close once all answers have ended."""
KEEPALIVE_S = 75.0
"""How long an idle connection stays open; longer than the 60 s after which common load balancers drop theirs."""

COLLECT_EVERY_OBJECTS = 10_000
"""How many more objects than at the last collection start the next one; Python's own 700 are for small programs."""

_log = structlog.get_logger("pointsman.gateway")


class GatewayServer:
    """Runs an application until it is drained.

        async with GatewayServer(create_app(router)) as server:
            ... server.url ...

    Args:
        app: made by `create_app`.
        host: the address to listen on.
        port: 0 takes a free one.
    """

    def __init__(self, app: web.Application, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._gateway = app[GATEWAY]
        self._host = host
        self._port = port
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            # Without it, a client that leaves would go unnoticed until the next write, and its call would go on.
            handler_cancellation=True,
            shutdown_timeout=CLOSE_S,
        )
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens, such as "http://127.0.0.1:8484"."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        await self._runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._connection, self._host, self._port, backlog=BACKLOG, reuse_address=True
            )
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"cannot listen on {self._host} port {self._port}: {error.strerror}; choose another with --port"
            ) from error
        self._port = self._listener.sockets[0].getsockname()[1]

    def _connection(self) -> Connection:
        limits = self._gateway.limits
        return Connection(
            self._runner.server,
            head_within_s=limits.header_within_s,
            write_within_s=limits.write_within_s,
            loop=asyncio.get_running_loop(),
            access_log=None,
            logger=_HTTP_LOGGER,
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_S,
            max_field_size=limits.max_header_bytes,
        )

    async def drain(self, *, grace_s: float = GRACE_S, now: asyncio.Event | None = None) -> None:
        """Stops: no new connections at once; answers under way end, or get an error when the grace time is over.

        Args:
            grace_s: seconds for the answers under way.
            now: ends the grace time early when it is set.
        """
        gateway = self._gateway
        gateway.draining = True
        if gateway.router.shadow is not None:
            gateway.router.shadow.stop()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await _until_done(gateway.under_way, grace_s, now)
        for task in tuple(gateway.under_way):
            task.cancel()
        await _until_done(gateway.under_way, CLOSE_S, None)
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain(grace_s=GRACE_S if error is None else 0.0)


async def _until_done(tasks: set[asyncio.Task[object]], within_s: float, now: asyncio.Event | None) -> None:
    """Returns when all these tasks have ended, the time is over, or `now` is set."""
    waiting = {asyncio.ensure_future(asyncio.wait(set(tasks)))} if tasks else set()
    if not waiting:
        return
    if now is not None:
        waiting.add(asyncio.ensure_future(now.wait()))  # type: ignore[arg-type]
    _, left = await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()


def check_bind(host: str, *, has_keys: bool) -> None:
    """Refuses to serve strangers without keys.

    Raises:
        ConfigError: the address can be reached from other machines and no keys are configured.
    """
    if has_keys or is_loopback(host):
        return
    raise ConfigError(
        f"host {host!r} can be reached from other machines, and no keys are configured: anybody could spend your "
        "money; run `pointsman keys create`, add `keys: {clients: [{name: …, key: ${VARIABLE}}]}`, or serve on "
        "127.0.0.1"
    )


def serve(
    config: Path | str | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    ledger_url: str | None = None,
    pages: Pages | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; then answers under way may end, and the ledger is written out.

    Args:
        config: `pointsman.yaml`; None looks for it here.
        host, port, ledger_url: replace the configured ones.
        pages: gives the dashboard's routes; None serves none.

    Raises:
        ConfigError, ArtifactError, LedgerError: it cannot start; nothing is listening then.
    """
    from pointsman import assembly
    from pointsman.router import Router

    file = find_file(None if config is None else Path(config), os.environ)
    parts = assembly.from_config(file)
    settings = parts.settings
    store = assembly.open_keys(parts, url=ledger_url)
    virtual = VirtualKeys(store)
    virtual.begin()
    keys = configured_keys(settings, virtual)
    chosen_host = settings.server.host if host is None else host
    check_bind(chosen_host, has_keys=keys.asked)

    _log_as_json_lines()

    async def run() -> None:
        ledger = assembly.open_ledger(parts, url=ledger_url)
        transport, health = assembly.open_transport(parts), assembly.health(parts)
        watch = assembly.open_watch(parts, ledger=ledger)
        begun = datetime.now(UTC)
        absence = Absence(away=lambda: ledger.stats.away, refuses=settings.ledger.when_away == "refuse")
        absence.caught_up = not ledger.stats.away
        limit = partial(assembly.open_limits, parts, virtual=virtual.terms, virtual_budgets=virtual.any_budget)
        try:
            limits = limit(ledger=ledger if absence.caught_up else None)
        except LedgerAway:
            limits = limit(ledger=None)
            absence.caught_up = False
        router = Router(
            **parts.for_router(),
            transport=transport,
            health=health,
            ledger=ledger,
            shadow=assembly.open_shadow(parts, transport=transport, ledger=ledger, health=health, watch=watch),
            watch=watch,
            limits=limits,
            traces=assembly.open_traces(parts),
        )
        # A reload replaces the router, and not what this one holds open.
        async with router:
            app = create_app(
                router,
                keys=keys,
                limits=GatewayLimits.of(settings.limits),
                pages=() if pages is None else pages(parts, ledger, store),
                absence=absence,
            )
            server = GatewayServer(app, host=chosen_host, port=settings.server.port if port is None else port)
            await server.start()
            _spare_the_collector()
            files = (file, *assembly.watched_files(settings))
            reloader = Reloader(app[GATEWAY], loader(file, settings, chosen_host, virtual), files)
            told = partial(
                _log.info, "listening", url=server.url, models=list(router.models), policy=router.default_policy
            )
            read = partial(assembly.on_record, parts, ledger, limits=limits, watch=watch, before=begun)
            catching_up = asyncio.create_task(absence.catch_up(read))
            await _until_signalled(server, reloader, told, watch=settings.server.watch, grace_s=settings.server.grace_s)
            catching_up.cancel()
        _log.info("stopped")

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run())


def _spare_the_collector() -> None:
    """Leaves what was loaded at the start out of garbage collection, and collects less often.

    Most of what a request makes goes when it is over; a gateway that never collected took a tenth less processor time
    for each (docs/log.md, 2026-11-25).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY_OBJECTS)


def loader(file: Path, begun: LoadedSettings, host: str, virtual: VirtualKeys) -> Load:
    """Reads the configuration as it is on disk, around the transport, ledger and health of a running router.

    Args:
        begun: the settings that the process began with; what they alone decide is named in `Served.at_restart`.
        host: where the gateway listens; a configuration without keys is refused where others reach it.
        virtual: the keys made by `pointsman keys`, followed since the process began.
    """

    def load(running: Router) -> Served:
        from pointsman import assembly

        parts = assembly.from_config(file)
        settings = parts.settings
        keys = configured_keys(settings, virtual)
        check_bind(host, has_keys=keys.asked)
        plan = assembly.shadow_plan(parts)
        watches = {} if running.watch is None else running.watch.prepare(assembly.watch_plans(parts))

        def take_over() -> None:
            running.health.follow(
                assembly.retry_policy(settings), assembly.breaker_policy(settings), parts.models.values()
            )
            if running.limits is not None:
                running.limits.configure(
                    assembly.key_terms(settings, virtual.terms), budget=assembly.total_budget(settings)
                )
            if running.shadow is not None:
                running.shadow.configure(plan)
            if running.watch is not None:
                running.watch.take_over(watches)

        return Served(
            router=running.replaced_by(parts),
            keys=keys,
            limits=GatewayLimits.of(settings.limits),
            files=(file, *assembly.watched_files(settings)),
            take_over=take_over,
            at_restart=_at_restart(begun, settings),
        )

    return load


def configured_keys(settings: LoadedSettings, virtual: VirtualKeys) -> Keys:
    """The keys of the configuration, beside those made by `pointsman keys`."""
    admin = settings.keys.admin_key
    return Keys(
        {client.name: client.key.get_secret_value() for client in settings.keys.clients},
        admin=None if admin is None else admin.get_secret_value(),
        virtual=virtual,
        required=settings.keys.required,
    )


def _at_restart(begun: LoadedSettings, new: LoadedSettings) -> tuple[str, ...]:
    """Settings that are read at the start only, and differ from what they were then."""
    differs = {
        "server": begun.server != new.server,
        "ledger": begun.ledger != new.ledger,
        "otel": begun.otel != new.otel,
        "dashboard": begun.dashboard != new.dashboard,
        "limits.max_answer_bytes": begun.limits.max_answer_bytes != new.limits.max_answer_bytes,
    }
    return tuple(name for name, true in differs.items() if true)


async def _until_signalled(
    server: GatewayServer, reloader: Reloader, ready: Callable[[], object], *, watch: bool, grace_s: float
) -> None:
    """Reloads at SIGHUP; drains at the first SIGTERM or SIGINT; the second ends the grace time.

    `ready` is called once signals are heard: whoever sends one as soon as it is told of that must not kill the process.
    """
    stop, now = asyncio.Event(), asyncio.Event()
    background: set[asyncio.Task[object]] = set()

    def signalled() -> None:
        (now if stop.is_set() else stop).set()

    def reload() -> None:
        task = asyncio.get_running_loop().create_task(reloader.reload())
        background.add(task)
        task.add_done_callback(background.discard)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, reload)
    ready()
    if watch:
        background.add(loop.create_task(reloader.watch()))
    await stop.wait()
    for task in background:
        task.cancel()
    _log.info("stopping", grace_s=grace_s)
    await server.drain(grace_s=grace_s, now=now)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _log_as_json_lines() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _http_logger() -> logging.Logger:
    """Where aiohttp reports bytes that are no HTTP. Whoever scans ports would fill the log with tracebacks; what goes
    wrong with a request is logged by the edge."""
    logger = logging.getLogger("pointsman.gateway.http")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


_HTTP_LOGGER = _http_logger()
