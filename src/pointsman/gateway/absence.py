"""What holds while the ledger's server is away: whether requests are served, and what is caught up with afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from pointsman.errors import LedgerAway

LOOK_S = 1.0
"""How often is looked whether the server is back, and how long clients are told to wait."""

_log = structlog.get_logger("pointsman.gateway")


@dataclass(slots=True)
class Absence:
    """The configured answer to a ledger that is away.

    Attributes:
        away: True while it is.
        refuses: requests for answers are refused meanwhile.
        caught_up: False from a start without the ledger until what is on record has been read: what was spent of each
            budget, and which policy's promise was broken.
    """

    away: Callable[[], bool]
    refuses: bool
    caught_up: bool = True

    @property
    def refusing(self) -> bool:
        """True while requests for answers are refused."""
        return self.refuses and (not self.caught_up or self.away())

    def check(self) -> None:
        """Nothing, when requests are served.

        Raises:
            LedgerAway: they are not.
        """
        if self.refusing:
            raise LedgerAway(
                "the ledger is away, and this gateway serves nothing that it cannot account for "
                "(ledger.when_away: refuse)",
                retry_after_s=LOOK_S,
            )

    async def catch_up(
        self, read: Callable[[], Callable[[], None]], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Reads what is on record as soon as it can be read, and ends.

        Args:
            read: reads, in a thread of its own, and returns what puts it to use on the event loop.
        """
        while not self.caught_up:
            await sleep(LOOK_S)
            if self.away():
                continue
            try:
                use = await asyncio.to_thread(read)
            except LedgerAway:
                continue
            use()
            self.caught_up = True
            _log.info("what the ledger knows has been read")
