"""Running the gateway: where it listens, how it stops, and `pointsman serve`."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import structlog
from aiohttp import web

from pointsman.config.load import find_file
from pointsman.errors import ConfigError, LedgerAway, PointsmanError
from pointsman.vocabulary import KeyTerms

from .absence import Absence
from .app import create_app
from .auth import Keys
from .connection import Connection
from .fellows import Fellows
from .lane import lane
from .listening import BACKLOG, Sockets, listen, raise_file_limit, url_of
from .loopback import is_loopback
from .reload import Load, Reloader, Served
from .state import GATEWAY, GatewayLimits
from .virtual_keys import VirtualKeys, is_limited
from .workers import MAX_WORKERS, Place, Workers

if TYPE_CHECKING:
    from pointsman.assembly import Parts
    from pointsman.config import LoadedSettings
    from pointsman.config.settings import AdminSettings
    from pointsman.record import KeyStore, SqlLedger
    from pointsman.router import Router
    from pointsman.sharing import Sharing

    Pages: TypeAlias = Callable[[Parts, SqlLedger, KeyStore], Iterable[web.RouteDef]]

GRACE_S = 30.0
"""How long answers under way may go on after the first signal to stop."""
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
        sockets: listening already, in place of host and port; closed when it is drained.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        sockets: Sockets | None = None,
    ) -> None:
        self._gateway = app[GATEWAY]
        self._sockets = sockets
        self._host = host
        self._port = port
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            # Without it, a client that leaves would go unnoticed until the next write, and its call would go on.
            handler_cancellation=True,
            shutdown_timeout=CLOSE_S,
        )
        self._listeners: list[asyncio.Server] = []

    @property
    def url(self) -> str:
        """Where it listens, such as "http://127.0.0.1:8484"."""
        return url_of(self._host, self._port)

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        sockets = Sockets(listen(self._host, self._port)) if self._sockets is None else self._sockets
        self._port = sockets.port
        self._gateway.admin_apart = bool(sockets.admin)
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        server.request_handler = lane(self._gateway, server.request_handler)  # type: ignore[assignment]
        loop = asyncio.get_running_loop()
        for for_admin, several in ((False, sockets.clients), (True, sockets.admin)):
            made = partial(self._connection, for_admin)
            self._listeners += [await loop.create_server(made, sock=each, backlog=BACKLOG) for each in several]

    def _connection(self, for_admin: bool) -> Connection:
        limits = self._gateway.limits
        return Connection(
            self._runner.server,
            door=self._gateway.door,
            turned_away=self._gateway.turnstile.no_room,
            for_admin=for_admin,
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
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
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
    workers: int | None = None,
    pages: Pages | None = None,
) -> int:
    """Serves until SIGTERM or SIGINT; then answers under way may end, and the ledger is written out.

    Args:
        config: `pointsman.yaml`; None looks for it here.
        host, port, ledger_url, workers: replace the configured ones.
        pages: gives the dashboard's routes; None serves none.

    Returns:
        The exit code: 0, unless one of several workers had to be killed.

    Raises:
        ConfigError, ArtifactError, LedgerError: it cannot start; nothing is listening then.
    """
    from pointsman import assembly
    from pointsman.router import Router

    file = find_file(None if config is None else Path(config), os.environ)
    parts = assembly.from_config(file)
    raise_file_limit()
    settings = parts.settings
    store = assembly.open_keys(parts, url=ledger_url)
    virtual = VirtualKeys(store)
    virtual.begin()
    keys = configured_keys(settings, virtual)
    chosen_host = settings.server.host if host is None else host
    chosen_port = settings.server.port if port is None else port
    n_workers = settings.server.workers if workers is None else workers
    check_bind(chosen_host, has_keys=keys.asked)
    if settings.admin.port is not None and not (keys.has_admin or is_loopback(settings.admin.host)):
        raise ConfigError(
            f"admin.host {settings.admin.host!r} can be reached from other machines: set keys.admin_key, or 127.0.0.1"
        )
    check_workers(n_workers, settings, virtual)

    # What a parent has logged with, its workers would log with too.
    log_as_json_lines(keep=n_workers == 1)

    async def run(place: Place | None) -> None:
        ledger = assembly.open_ledger(parts, url=ledger_url)
        transport, health = assembly.open_transport(parts), assembly.health(parts)
        watch = assembly.open_watch(parts, ledger=ledger)
        budgets = virtual.any_budget
        begun = datetime.now(UTC)
        absence = Absence(away=lambda: ledger.stats.away, refuses=settings.ledger.when_away == "refuse")
        absence.caught_up = not ledger.stats.away
        limit = partial(assembly.open_limits, parts, virtual=virtual.terms, virtual_budgets=budgets)
        try:
            limits = limit(ledger=ledger if absence.caught_up else None)
        except LedgerAway:
            limits = limit(ledger=None)
            absence.caught_up = False
        spending = assembly.spending(parts, ledger, virtual_budgets=budgets)
        sharing = assembly.open_sharing(parts, limits, health=health, spending=spending)
        router = Router(
            **parts.for_router(),
            transport=transport,
            health=health,
            ledger=ledger,
            shadow=assembly.open_shadow(parts, transport=transport, ledger=ledger, health=health, watch=watch),
            watch=watch,
            limits=limits,
            sharing=sharing,
            traces=assembly.open_traces(parts),
        )
        # A reload replaces the router, and not what this one holds open.
        async with router, AsyncExitStack() as beside:
            app = create_app(
                router,
                keys=keys,
                limits=GatewayLimits.of(settings.limits),
                pages=() if pages is None else pages(parts, ledger, store),
                absence=absence,
            )
            if place is not None:
                fellows = Fellows(place.folder, place.number, place.n_workers, app[GATEWAY].metrics)
                await fellows.start()
                beside.push_async_callback(fellows.stop)
                app[GATEWAY].fellows = fellows
            sockets = opened() if place is None else place.sockets
            server = GatewayServer(app, host=chosen_host, sockets=sockets)
            if sharing is not None:
                # Before anybody is served, so that nothing is let in that others have used up.
                await sharing.start()
            await server.start()
            _spare_the_collector()
            files = (file, *assembly.watched_files(settings))
            reloader = Reloader(app[GATEWAY], loader(file, settings, chosen_host, virtual), files)
            if sharing is not None:
                follow_others(sharing, reloader, virtual)
            told = partial(_tell_listening, urls(sockets), parts) if place is None else place.ready
            read = partial(assembly.on_record, parts, ledger, limits=limits, watch=watch, before=begun)
            catching_up = asyncio.create_task(absence.catch_up(read))
            await _until_signalled(
                server, reloader, told, watch=settings.server.watch, grace_s=settings.server.grace_s, place=place
            )
            catching_up.cancel()
        _log.info("stopped")

    def run_until_stopped(place: Place | None = None) -> None:
        if place is not None:
            log_as_json_lines(worker=place.number)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run(place))

    def refresh() -> None:
        nonlocal parts, settings, keys
        try:
            parts = assembly.from_config(file)
            virtual.load()
        except PointsmanError as error:
            _log.error("configuration refused, the worker begins with the old one", error=error.message)
        store.close()
        settings = parts.settings
        keys = configured_keys(settings, virtual)

    urls = partial(_urls, host=chosen_host, admin_host=settings.admin.host)
    opened = partial(_open_sockets, chosen_host, chosen_port, settings.admin, shared=n_workers > 1)
    if n_workers == 1:
        run_until_stopped()
        return 0
    first = opened()
    again = partial(_open_again, first, chosen_host, settings.admin.host)
    # Neither connections to a database nor garbage to collect are shared with a child.
    store.close()
    _spare_the_collector()
    return Workers(
        n_workers=n_workers,
        listen=again,
        serve=run_until_stopped,
        refresh=refresh,
        told=partial(_tell_listening, urls(first), parts, workers=n_workers),
        grace_s=settings.server.grace_s,
    ).run(first)


def _open_sockets(host: str, port: int, admin: AdminSettings, *, shared: bool) -> Sockets:
    clients = listen(host, port, shared=shared)
    return Sockets(clients, () if admin.port is None else listen(admin.host, admin.port, shared=shared))


def _open_again(first: Sockets, host: str, admin_host: str) -> Sockets:
    """Sockets of another worker, at the ports that the first one has."""
    clients = listen(host, first.port, shared=True)
    return Sockets(clients, () if first.admin_port is None else listen(admin_host, first.admin_port, shared=True))


def _urls(sockets: Sockets, host: str, admin_host: str) -> dict[str, str]:
    urls = {"url": url_of(host, sockets.port)}
    return urls if sockets.admin_port is None else urls | {"admin_url": url_of(admin_host, sockets.admin_port)}


def _tell_listening(urls: Mapping[str, str], parts: Parts, **more: int) -> None:
    _log.info("listening", **urls, models=list(parts.models), policy=parts.settings.default_policy, **more)


def check_workers(n_workers: int, settings: LoadedSettings, virtual: VirtualKeys) -> None:
    """Refuses several workers where each would count for itself what is to hold for all of them together.

    Raises:
        ConfigError: there are budgets or limits of keys, or this system cannot have several workers.
    """
    if n_workers == 1:
        return
    if not 1 <= n_workers <= MAX_WORKERS:
        raise ConfigError(f"{n_workers} workers: expected 1 to {MAX_WORKERS}")
    if not hasattr(os, "fork") or not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigError("several workers need an operating system with fork and SO_REUSEPORT; serve with one")
    if settings.redis.url is not None:
        return
    counted = [f"budgets.{name}" for name, amount in settings.budgets.model_dump().items() if amount is not None]
    counted += [name for name in _OF_KEYS if getattr(settings.limits, name.removeprefix("limits.")) is not None]
    counted += [
        f"the terms of {client.name}" for client in settings.keys.clients if is_limited(KeyTerms(**client.terms()))
    ]
    counted += [f"the terms of {name}" for name in virtual.limited]
    if counted:
        raise ConfigError(
            f"with {n_workers} workers each would count budgets and limits for itself, so that {n_workers} times as "
            f"much could be spent: {', '.join(counted[:5])}{', …' if counted[5:] else ''}; serve with one worker, "
            "or let them share over Redis (redis.url)"
        )


_OF_KEYS = ("limits.key_requests_per_min", "limits.key_tokens_per_min", "limits.key_max_concurrent")


def follow_others(sharing: Sharing, reloader: Reloader, virtual: VirtualKeys) -> None:
    """A reload, a promotion or a key that one replica has seen is looked for by the others at once."""
    sharing.on_config, sharing.on_keys = reloader.follow, virtual.follow
    reloader.announce, virtual.announce = sharing.announce_config, sharing.announce_keys


def _spare_the_collector() -> None:
    """Leaves what was loaded at the start out of garbage collection, and collects less often.

    Most of what a request makes goes when it is over; a gateway that never collected took a tenth less processor time
    for each (docs/log.md, 2026-11-25). What loading left behind is under 1 MB, not worth the tenth of a second that it
    takes to find it.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(COLLECT_EVERY_OBJECTS)
    if sys.platform == "linux":
        # What reading the artifact took for a moment goes back to the system: 4 MB (malloc_trim(3), glibc only).
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


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
        "admin": begun.admin != new.admin,
        "ledger": begun.ledger != new.ledger,
        "redis": begun.redis != new.redis,
        "otel": begun.otel != new.otel,
        "dashboard": begun.dashboard != new.dashboard,
        "limits.max_answer_bytes": begun.limits.max_answer_bytes != new.limits.max_answer_bytes,
    }
    return tuple(name for name, true in differs.items() if true)


async def _until_signalled(
    server: GatewayServer,
    reloader: Reloader,
    ready: Callable[[], object],
    *,
    watch: bool,
    grace_s: float,
    place: Place | None,
) -> None:
    """Reloads at SIGHUP; drains at the first SIGTERM or SIGINT; the second ends the grace time.

    `ready` is called once signals are heard: whoever sends one as soon as it is told of that must not kill the process.
    One of several workers hears of the second from its parent only: see `workers`.
    """
    stop, now = asyncio.Event(), asyncio.Event()
    background: set[asyncio.Task[object]] = set()

    def signalled() -> None:
        (now if stop.is_set() and place is None else stop).set()

    def reload() -> None:
        task = asyncio.get_running_loop().create_task(reloader.reload())
        background.add(task)
        task.add_done_callback(background.discard)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, reload)
    if place is not None:
        place.heed(stop=stop.set, now=now.set, reload=reload)
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


class _Lines:
    """Standard error; a line that it does not take is lost, and the request that it was about is not."""

    def write(self, line: str) -> None:
        with suppress(OSError, ValueError):  # the disk is full, whoever read it has ended, or it is closed
            sys.stderr.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def log_as_json_lines(*, keep: bool = True, **always: int) -> None:
    """Configures the log: one JSON object a line, in one write each, so that lines of several workers do not mix.

    Args:
        keep: loggers that have been used are not configured again.
        always: stands in every line.
    """

    def add(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.update(always)
        return event

    structlog.configure(
        processors=[
            add,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(_Lines()),  # type: ignore[arg-type]
        cache_logger_on_first_use=keep,
    )


def _http_logger() -> logging.Logger:
    """Where aiohttp reports bytes that are no HTTP. Whoever scans ports would fill the log with tracebacks; what goes
    wrong with a request is logged by the edge."""
    logger = logging.getLogger("pointsman.gateway.http")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


_HTTP_LOGGER = _http_logger()
