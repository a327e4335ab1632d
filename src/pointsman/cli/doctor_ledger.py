"""Looks into the ledger for `pointsman doctor`; changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pointsman.doctor import (
    Finding,
    LedgerFacts,
    State,
    ledger_findings,
)
from pointsman.errors import LedgerError


def look_at_ledger(url: str) -> list[Finding]:
    """Findings about the ledger at an address and the disk under it."""
    from pointsman.record.database import sqlite_path
    from pointsman.record.upkeep import check, try_writing

    try:
        path = sqlite_path(url)
        folder = path.absolute().parent
        exists = path.is_file()
        facts: dict[str, Any] = {}
        if exists:
            health = check(path, quick=True)
            facts = {
                "schema": health.schema,
                "expected_schema": health.expected_schema,
                "faults": health.faults,
                "n_records": health.n_records,
                "mode": path.stat().st_mode if os.name == "posix" else None,
                "cannot_write": _why_not(try_writing, path),
            }
        return ledger_findings(
            LedgerFacts(
                path=str(path),
                exists=exists,
                folder_writable=folder.is_dir() and os.access(folder, os.W_OK),
                free_bytes=shutil.disk_usage(_existing(folder)).free,
                **facts,
            )
        )
    except LedgerError as error:
        return [
            Finding(
                "ledger",
                State.FAULT,
                error.message,
                "correct `ledger: {url: …}`, or move the file away so that a new ledger is made",
            )
        ]


def _why_not(attempt: Callable[[Path], None], path: Path) -> str | None:
    try:
        attempt(path)
    except LedgerError as error:
        return error.message
    return None


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
