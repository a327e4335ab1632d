"""Loading the configuration again while the gateway serves: at SIGHUP, and when one of its files changes.

What is loaded is a whole new router around the same transport, ledger and health; it takes over between two requests.
Requests under way go on with the router they began with. A configuration that cannot be loaded changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import structlog

from pointsman.errors import PointsmanError
from pointsman.router import Router

from .auth import Keys
from .state import Gateway, GatewayLimits

WATCH_EVERY_S = 2.0
_log = structlog.get_logger("pointsman.gateway")

Fingerprint: TypeAlias = tuple[tuple[str, int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """What requests to come are served with.

    Attributes:
        files: what it was made of; a change of one of them is a reason to load again.
        take_over: called on the event loop when the router takes over, for what it shares with the old one.
        at_restart: settings that differ from those in force and need a restart, such as "server".
    """

    router: Router
    keys: Keys
    limits: GatewayLimits
    files: tuple[Path, ...]
    take_over: Callable[[], None]
    at_restart: tuple[str, ...] = ()


Load: TypeAlias = Callable[[Router], Served]
"""Reads the configuration and makes a router beside the one given; called in a thread."""


class Reloader:
    """Loads again for one gateway.

    Args:
        gateway: gets what was loaded.
        load: see `Load`; raises what is wrong.
        files: what the configuration in force was made of.
    """

    def __init__(self, gateway: Gateway, load: Load, files: Sequence[Path]) -> None:
        self._gateway = gateway
        self._load = load
        self._files = tuple(files)
        self._lock = asyncio.Lock()
        self._in_force = ""
        self.announce: Callable[[str], Awaitable[object]] | None = None
        """Tells other replicas what was loaded, by `content_digest`."""

    async def reload(self) -> bool:
        """True when the configuration was loaded and is in force; False when it was refused and the old one stays."""
        done = await self._reload()
        if done and self.announce is not None:
            self._in_force = await asyncio.to_thread(content_digest, self._files)
            await self.announce(self._in_force)
        return done

    async def follow(self, announced: str) -> None:
        """Loads again because another replica has, unless the files here are the very ones that it has loaded, and in
        force already."""
        if announced != self._in_force:
            await self._reload()
            self._in_force = await asyncio.to_thread(content_digest, self._files)
            if self._in_force != announced:
                _log.warning("another replica has loaded other files than lie here")

    async def _reload(self) -> bool:
        gateway = self._gateway
        async with self._lock:
            try:
                served = await asyncio.to_thread(self._load, gateway.router)
            except PointsmanError as error:
                return self._refused(error.message)
            except Exception as error:  # noqa: BLE001 - the edge of a background task: the old router must stay
                return self._refused(f"{type(error).__name__} while it was loaded")
            self._files = served.files
            served.take_over()
            gateway.follow(served.router, served.keys, served.limits)
            gateway.refused_config = None
        gateway.metrics.reloads.labels("done").inc()
        _log.info("configuration loaded", models=list(served.router.models), at_restart=list(served.at_restart))
        return True

    async def watch(self, *, every_s: float = WATCH_EVERY_S) -> None:
        """Loads again whenever a file has changed; goes on until it is cancelled.

        A file that is half written is refused, and loaded once it is whole: each further write is another change.
        """
        seen = await asyncio.to_thread(fingerprint, self._files)
        while True:
            await asyncio.sleep(every_s)
            files = self._files
            now = await asyncio.to_thread(fingerprint, files)
            if now != seen:
                seen = now
                if await self.reload() and self._files != files:
                    seen = await asyncio.to_thread(fingerprint, self._files)

    def _refused(self, why: str) -> bool:
        self._gateway.refused_config = why
        self._gateway.metrics.reloads.labels("refused").inc()
        _log.error("configuration refused, the old one stays", error=why)
        return False


def fingerprint(files: Iterable[Path]) -> Fingerprint:
    """Changes when one of the files does: its time, size and number on the disk."""
    found: list[tuple[str, int, int, int] | None] = []
    for file in files:
        try:
            state = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((str(file), state.st_mtime_ns, state.st_size, state.st_ino))
    return tuple(found)


def content_digest(files: Iterable[Path]) -> str:
    """Changes when the content of one of the files does: the same on every machine that has the same files."""
    digest = hashlib.sha256()
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:
            content = b""
        digest.update(f"{file.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
