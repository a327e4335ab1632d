"""Forgetting what is older than it shall be kept, and making the months to come; in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pointsman.errors import LedgerError
from pointsman.vocabulary import WallClock

from .database import Database
from .upkeep import drop_months, prune

logger = logging.getLogger("pointsman.record")

FIRST_S = 30.0
"""Not while the gateway is busy with starting."""
EVERY_S = 3_600.0


class Keeper:
    """Looks after one ledger. Several replicas may have one each.

    Args:
        keep_days: how old records become; None keeps all. On a server, whole months go, so that some become a month
            older.
    """

    def __init__(
        self, database: Database, *, keep_days: int | None, now: WallClock = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._keep_days = keep_days
        self._now = now

    def step(self) -> int:
        """Does what is due; returns how many records were forgotten.

        Raises:
            LedgerError: the database cannot be written now.
        """
        now = self._now()
        on_server = self._database.on_server
        if on_server:
            self._make_months(now)
        if self._keep_days is None:
            return 0
        before = now - timedelta(days=self._keep_days)
        n = drop_months(self._database, before) if on_server else prune(self._database, before)
        if n:
            logger.info("%d records older than %d days were deleted", n, self._keep_days)
        return n

    def run(self, *, wait: Callable[[float], bool]) -> None:
        """Steps until `wait`, given the seconds to wait, says that it is over."""
        pause_s = FIRST_S
        while not wait(pause_s):
            pause_s = EVERY_S
            try:
                self.step()
            except LedgerError as error:
                pause_s = FIRST_S
                logger.warning("the ledger could not be looked after and will be later: %s", error.message)

    def _make_months(self, now: datetime) -> None:
        from .months import MONTHS_WAIT_S, ahead, make

        engine = self._database.writing(wait_s=MONTHS_WAIT_S)
        try:
            with self._database.faults("make the months of"):
                make(engine, ahead(now))
        finally:
            engine.dispose()
