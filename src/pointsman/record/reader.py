"""Reading a ledger, from the process that writes it or from another, while it is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from pointsman.errors import LedgerError
from pointsman.vocabulary import JSONObject, WatchEvent

from .database import Database, database_of
from .export import BLOCK, read_blocks
from .json_form import feedback_json, record_json
from .logs import LogFilter, LogPage, read_logs
from .migrate import check_readable
from .rows import time_text
from .savings import Savings, SavingsBy, read_savings
from .scored import Scored, read_scored
from .spending import read_shadow_spending, read_shadow_usd, read_spending
from .sums import Sums, read_sums
from .tables import attempts, feedback, hours, key_days, prompts, records, shadows, verdicts
from .watched import read_events, read_scores, read_served


class Reader:
    """Every method reads one state of the database and raises `LedgerError` when it cannot.

    Args:
        database: for messages.
        engine: connections that only read; disposed of by `close`.
    """

    def __init__(self, database: Database, engine: Engine) -> None:
        self.database = database
        self._engine = engine

    def decision(self, request_id: str) -> JSONObject | None:
        """One record with its decision, attempts, verdicts and feedback, None when there is none."""
        with self.database.faults("read"), self._engine.begin() as connection:
            row = connection.execute(select(records).where(records.c.request_id == request_id)).mappings().one_or_none()
            if row is None:
                return None
            tried = connection.execute(
                select(attempts).where(attempts.c.request_id == request_id).order_by(attempts.c.position)
            ).mappings()
            said = connection.execute(
                select(feedback).where(feedback.c.request_id == request_id).order_by(feedback.c.id)
            ).mappings()
            judged = connection.execute(
                select(verdicts)
                .where(verdicts.c.request_id == request_id)
                .order_by(verdicts.c.attempt, verdicts.c.position)
            ).mappings()
            compared = connection.execute(select(shadows).where(shadows.c.request_id == request_id)).mappings()
            return record_json(row, tried.all(), judged.all(), said.all(), compared.one_or_none())

    def feedback(self, request_id: str) -> list[JSONObject]:
        """What was said of a request, oldest first."""
        query = select(feedback).where(feedback.c.request_id == request_id).order_by(feedback.c.id)
        with self.database.faults("read"), self._engine.begin() as connection:
            return [feedback_json(row) for row in connection.execute(query).mappings()]

    def savings(
        self, *, since: datetime | None = None, until: datetime | None = None, by: SavingsBy | None = None
    ) -> Savings:
        """What was saved by the records made at `since` or later and before `until`."""
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_savings(connection, since=since, until=until, by=by)

    def logs(
        self,
        chosen: LogFilter = LogFilter(),  # noqa: B008 - frozen
        *,
        limit: int = 50,
        cursor: str | None = None,
        max_scanned: int | None = None,
    ) -> LogPage:
        """A page of records, newest first.

        Args:
            max_scanned: how many records to look through at most, see `read_logs`.

        Raises:
            BadRequest: the limit or the cursor is not one.
        """
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_logs(connection, chosen, limit=limit, cursor=cursor, max_scanned=max_scanned)

    def export(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        with_prompts: bool = False,
        block: int = BLOCK,
    ) -> Iterator[list[JSONObject]]:
        """Blocks of records, oldest first, in bounded memory; what is written meanwhile is left out."""
        with self.database.faults("read"):
            yield from read_blocks(self._engine, since=since, until=until, with_prompts=with_prompts, block=block)

    def spending(
        self, since: datetime, *, lately: datetime, until: datetime | None = None
    ) -> tuple[dict[str | None, float], dict[str | None, float]]:
        """What each key spent by the records made at `since` or later, and at `lately` or later, before `until`, USD.

        None is the key of requests without one.
        """
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_spending(connection, since, lately=lately, until=until)

    def shadow_spending(self, since: datetime) -> float:
        """What comparisons with the strong tier cost that were made at `since` or later, USD."""
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_shadow_spending(connection, since)

    def watch_events(self, policy: str) -> list[WatchEvent]:
        """The events of a policy that is watched, whatever its fingerprint, oldest first."""
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_events(connection, policy)

    def shadow_scores(self, fingerprint: str, *, since: datetime, not_for: Collection[str]) -> list[float]:
        """The scores of a policy's compared answers, oldest first; `not_for` are reasons that were not its own."""
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_scores(connection, fingerprint, since=since, not_for=not_for)

    def served(self, policy: str, *, since: datetime, not_for: Collection[str]) -> dict[str | None, int]:
        """How many of a policy's requests each tier has served; `not_for` as in `shadow_scores`."""
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_served(connection, policy, since=since, not_for=not_for)

    def sums_by_hour(
        self, by: Sequence[str], *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[tuple[Any, ...], Sums]:
        """Sums of the records from the hour of `since` on and before that of `until`.

        Args:
            by: some of "hour" ("2026-11-23T21"), "day", "simulated", "tier", "model", "policy"; "" stands for none.
        """
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_sums(connection, hours, by, since=_prefix(since, HOUR_CHARS), until=_prefix(until, HOUR_CHARS))

    def shadow_usd(self, *, simulated: bool, since: datetime, until: datetime | None = None) -> float:
        """What comparing served answers with the strong tier's cost in a span of time, for real or simulated ones."""
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_shadow_usd(connection, simulated=simulated, since=since, until=until)

    def sums_by_key(
        self, by: Sequence[str], *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[tuple[Any, ...], Sums]:
        """Sums of the records from the day of `since` on and before that of `until`.

        Args:
            by: some of "day" ("2026-11-23"), "simulated", "key_id"; "" stands for requests without a key.
        """
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_sums(connection, key_days, by, since=_prefix(since, DAY_CHARS), until=_prefix(until, DAY_CHARS))

    def scored(self, *, since: datetime | None = None, limit: int) -> tuple[Scored, ...]:
        """The newest records that were decided by a policy, at most `limit`, newest first."""
        with self.database.faults("read"), self._engine.begin() as connection:
            return read_scored(connection, since=since, limit=limit)

    def stored_prompt(self, request_id: str) -> tuple[bytes | None, str | None] | None:
        """The body and the answer of a request, None when the ledger was told to keep neither."""
        query = select(prompts.c.body, prompts.c.answer).where(prompts.c.request_id == request_id)
        with self.database.faults("read"), self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else (row.body, row.answer)

    def close(self) -> None:
        """Closes its connections."""
        self._engine.dispose()


HOUR_CHARS = 13
DAY_CHARS = 10


def _prefix(moment: datetime | None, n_chars: int) -> str | None:
    return None if moment is None else time_text(moment)[:n_chars]


def open_reader(url: str) -> Reader:
    """A reader of the ledger at an address; it makes and migrates nothing.

    Raises:
        LedgerError: there is none, it is of another version, or it cannot be read.
    """
    database = existing(url)
    engine = database.reading()
    try:
        check_readable(engine, database)
    except LedgerError:
        engine.dispose()
        raise
    return Reader(database, engine)


def existing(url: str) -> Database:
    """The database of an address.

    Raises:
        LedgerError: there is none.
    """
    database = database_of(url)
    if not database.exists:
        raise LedgerError(f"there is no ledger at {database.name}; `pointsman serve` makes it, --ledger names another")
    return database
