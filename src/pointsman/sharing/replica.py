"""One replica among several: what it asks before a request, what it tells after, and what it hears in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import orjson
import structlog

from pointsman.call.health import Health
from pointsman.call.held import HeldResponses
from pointsman.errors import SharedStateAway
from pointsman.session import Sessions
from pointsman.shared import Absence
from pointsman.vocabulary import Clock, Request

from .breakers import SharedBreakers
from .conversations import SharedConversations
from .limits import SharedLimits

if TYPE_CHECKING:
    from pointsman.shared.store import SharedStore

BEAT_S = 0.5
"""How often a replica says that it lives, and hears of breakers, reloads and keys."""

Changed: TypeAlias = Callable[[str], Awaitable[object]]
"""Told what another replica has announced."""
_log = structlog.get_logger("pointsman.sharing")


class Sharing:
    """What a router shares with the routers of other replicas. It starts with the first request, or by `start`.

    Attributes:
        limits: the router's `Limits`.
        sessions, held: the router's own; they are kept up to those of others.
        on_config: called when another replica has loaded another configuration.
        on_keys: called when another replica has read other keys.
    """

    def __init__(
        self,
        store: SharedStore,
        limits: SharedLimits,
        *,
        health: Health,
        closed: bool,
        clock: Clock,
        beat_s: float = BEAT_S,
    ) -> None:
        self.limits = limits
        self.sessions = Sessions()
        self.held = HeldResponses()
        self.on_config: Changed | None = None
        self.on_keys: Changed | None = None
        self._store = store
        self._closed = closed
        self._beat_s = beat_s
        self._conversations = SharedConversations(self.sessions, self.held, key=store.key, put=self._put, clock=clock)
        self._breakers = SharedBreakers(health, replica=limits.replica, clock=clock)
        self._generation: dict[str, int] = {}
        self._announcing: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()
        store.join, store.left = limits.join, limits.left

    # ------------------------------------------------------------ how it stands

    @property
    def present(self) -> bool:
        """True while the store answers."""
        return self._store.present

    @property
    def told(self) -> Absence:
        """What became of the store so far."""
        return self._store.told

    @property
    def n_live(self) -> int:
        """Replicas that live, as of the last beat."""
        return self.limits.n_live

    @property
    def refusing(self) -> bool:
        """True while requests that have a budget are refused, because the store is away."""
        return self._closed and not self._store.present

    async def start(self) -> None:
        """Begins to connect, and returns after the first try, whatever came of it; the second time it does nothing."""
        async with self._starting:
            if self._tasks:
                return
            self._tasks = [asyncio.create_task(self.limits.keep_telling()), asyncio.create_task(self._keep_beating())]
            await self._store.start()

    async def aclose(self) -> None:
        """Tells what waits, and leaves."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self.limits.flush()
        await self._store.aclose()

    # ------------------------------------------------------------ requests

    async def admit(self, request: Request, request_id: str, *, tokens: int, most_usd: float | None) -> None:
        """Takes a request in as `Limits.enter` does, and learns what others know of its conversation: one round trip.

        Raises:
            RateLimited, BudgetSpent, SharedStateAway: as `SharedLimits.take_in`.
        """
        if not self._tasks:
            await self.start()
        names = self._conversations.names(request)
        told = await self.limits.take_in(request_id, request.key_id, tokens=tokens, most_usd=most_usd, read=names)
        if told is not None and names:
            self._conversations.adopt(request, *told)

    async def look_up_response(self, response_id: str) -> None:
        """Learns which upstream holds a response, where this replica does not know it."""
        if self.held.get(response_id) is not None:
            return
        with suppress(SharedStateAway):
            name = self._conversations.held_name(response_id)
            self._conversations.adopt_held(response_id, await self._store.ask("read", [name], []))

    # ------------------------------------------------------------ what is announced

    async def announce_config(self, digest: str) -> None:
        """Tells the others that a configuration was loaded; `digest` names its content."""
        await self._announce("config", digest)

    async def announce_keys(self, revision: int) -> None:
        """Tells the others that keys were read; `revision` is their table's."""
        await self._announce("keys", str(revision))

    async def _announce(self, what: str, value: str) -> None:
        """Tells it now, or with a beat to come when the store is away."""
        self._announcing[what] = value
        with suppress(SharedStateAway):
            await self._tell_announcements()

    async def _tell_announcements(self) -> None:
        for what, value in tuple(self._announcing.items()):
            n = await self._store.ask("announce", [self._store.key("generation")], [what, value])
            self._generation[what] = n
            if self._announcing.get(what) == value:
                del self._announcing[what]

    # ------------------------------------------------------------ beats

    def _put(self, key: str, value: tuple[str, int] | None) -> None:
        if value is None:
            self.limits.changes.forget(key)
        else:
            self.limits.changes.put(key, *value)
        self.limits.tell()

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            with suppress(SharedStateAway):
                await self.beat()

    async def beat(self) -> None:
        """Says that this replica lives, and hears what others say.

        Raises:
            SharedStateAway: the store is away, or has taken this replica for dead.
        """
        store, limits = self._store, self.limits
        await self._tell_announcements()
        keys = [*limits.common_keys(), store.key("breakers"), store.key("generation")]
        said = orjson.dumps(self._breakers.changed()) if store.present else b"{}"
        told = await store.ask("beat", keys, [limits.me, limits.epoch, limits.alive_for_ms, said])
        if told[0] != b"ok":
            store.gone("lost")
            raise store.away()
        limits.n_live = int(told[2])
        self._breakers.hear({name.decode(): value for name, value in _pairs(told[3])}, float(told[1]))
        generation = {name.decode(): value for name, value in _pairs(told[4])}
        await self._heard(generation, "config", self.on_config)
        await self._heard(generation, "keys", self.on_keys)

    async def _heard(self, generation: dict[str, bytes], what: str, changed: Changed | None) -> None:
        n = int(generation.get(f"{what}_n", b"0"))
        before = self._generation.setdefault(what, n)
        if n == before:
            return
        self._generation[what] = n
        _log.info("another replica has changed something", what=what)
        if changed is not None:
            await changed(generation.get(what, b"").decode())


def _pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
