"""Looks into the ledger for `pointsman doctor`; changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.doctor import (
    Finding,
    LedgerFacts,
    ServerFacts,
    State,
    ledger_findings,
    server_findings,
)
from pointsman.errors import LedgerError

if TYPE_CHECKING:
    from pointsman.record.database import Database
    from pointsman.record.sqlite import SqliteFile


def look_at_ledger(url: str, spool: Path | None = None) -> list[Finding]:
    """Findings about the ledger at an address, and the disk under it or under its spool."""
    from pointsman.record.database import database_of
    from pointsman.record.sqlite import SqliteFile

    try:
        database = database_of(url)
        if isinstance(database, SqliteFile):
            return ledger_findings(_facts_of_file(database))
        return server_findings(_facts_of_server(database, spool))
    except LedgerError as error:
        return [
            Finding(
                "ledger",
                State.FAULT,
                error.message,
                "correct `ledger: {url: …}`, start its server, or move the file away so that a new ledger is made",
            )
        ]


def _facts_of_file(database: SqliteFile) -> LedgerFacts:
    path = database.path
    folder = path.absolute().parent
    facts: dict[str, Any] = {}
    if database.exists:
        facts = _examined(database) | {"mode": path.stat().st_mode if os.name == "posix" else None}
    return LedgerFacts(
        path=str(path),
        exists=database.exists,
        folder_writable=folder.is_dir() and os.access(folder, os.W_OK),
        free_bytes=shutil.disk_usage(_existing(folder)).free,
        **facts,
    )


def _facts_of_server(database: Database, spool: Path | None) -> ServerFacts:
    from pointsman.record.months import ahead

    folder = None if spool is None else _existing(spool.absolute())
    examined = _examined(database)
    there = examined.pop("months")
    return ServerFacts(
        name=database.name,
        missing_months=tuple(month for month in ahead(datetime.now(UTC)) if month not in there),
        spool=None if spool is None else str(spool),
        spool_writable=folder is None or (folder.is_dir() and os.access(folder, os.W_OK)),
        free_bytes=None if folder is None else shutil.disk_usage(folder).free,
        **examined,
    )


def _examined(database: Database) -> dict[str, Any]:
    from pointsman.record.upkeep import check, try_writing

    health = check(database, quick=True)
    return {
        "schema": health.schema,
        "expected_schema": health.expected_schema,
        "faults": health.faults,
        "n_records": health.n_records,
        "cannot_write": _why_not(try_writing, database),
    } | ({"months": health.months} if database.on_server else {})


def _why_not(attempt: Callable[[Database], None], database: Database) -> str | None:
    try:
        attempt(database)
    except LedgerError as error:
        return error.message
    return None


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
