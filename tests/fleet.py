"""Replicas in one process over one real Redis: each with a connection, limits and clock readings of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pointsman.call.health import Health
from pointsman.errors import LedgerError
from pointsman.limit import MemoryLimits, Window
from pointsman.shared import open_store
from pointsman.sharing import SharedLimits, Sharing
from pointsman.vocabulary import KeyTerms

TIMEOUT_S = 0.25
"""The default of `redis.timeout_ms`; where nobody looks at how long a request waits, a busy machine gets more."""
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass
class Fleet:
    """What the replicas of a test have in common."""

    terms: dict[str | None, KeyTerms] = field(default_factory=dict)
    budget: KeyTerms = field(default_factory=KeyTerms)
    ledger: dict[Window, dict[str | None, float]] | None = None
    """What the ledger knows; None while it cannot be read."""
    closed: bool = False
    timeout_s: float = 5.0
    alive_for_s: float = 30.0

    def spending(self) -> Mapping[Window, Mapping[str | None, float]]:
        if self.ledger is None:
            raise LedgerError("the ledger is away")
        return self.ledger

    @asynccontextmanager
    async def replica(
        self, url: str, *, health: Health | None = None, start: bool = True, beat_s: float = 0.05
    ) -> AsyncIterator[Sharing]:
        """A replica that has joined, or has tried to."""
        store = open_store(url, timeout_s=self.timeout_s, prefix="test", clock=time.perf_counter, random=lambda: 0.0)
        local = MemoryLimits(
            lambda key: self.terms.get(key, KeyTerms()), budget=self.budget, clock=time.perf_counter, now=lambda: NOW
        )
        limits = SharedLimits(
            store,
            local,
            closed=self.closed,
            spending=self.spending,
            clock=time.perf_counter,
            now=lambda: NOW,
            alive_for_s=self.alive_for_s,
        )
        known = Health() if health is None else health
        sharing = Sharing(store, limits, health=known, closed=self.closed, clock=time.perf_counter, beat_s=beat_s)
        if start:
            await sharing.start()
        try:
            yield sharing
        finally:
            await sharing.aclose()

    @asynccontextmanager
    async def replicas(self, url: str, n: int = 2) -> AsyncIterator[list[Sharing]]:
        """So many, joined one after another."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.replica(url)) for _ in range(n)]


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    """Returns when this is true."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is looked at are figures, which wake nobody
            await asyncio.sleep(0.005)


async def told(*replicas: Sharing) -> None:
    """Returns when all that happened on these has been told to the store."""
    await until(lambda: all(each.limits.n_unsettled == 0 and not each.limits.changes for each in replicas))
    # What was sent is confirmed once something sent later is.
    for each in replicas:
        await each.beat()
