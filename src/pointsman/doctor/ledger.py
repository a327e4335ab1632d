"""Whether the ledger is there, sound, of this version's schema, writable, private, and has room."""

from __future__ import annotations

import stat
from dataclasses import dataclass

from .exposure import OTHERS
from .finding import Finding, State

LITTLE_BYTES = 1 << 30
TOO_LITTLE_BYTES = 100 << 20
"""The write-ahead log alone may take 64 MiB (`record.database.WAL_LIMIT_BYTES`)."""


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """What was seen of a ledger's file."""

    path: str
    exists: bool
    """False when `pointsman serve` is yet to make it."""
    folder_writable: bool
    free_bytes: int
    schema: str | None = None
    expected_schema: str = ""
    faults: tuple[str, ...] = ()
    """What the integrity check complains of."""
    n_records: int | None = None
    mode: int | None = None
    """Permissions; None where they mean nothing."""
    cannot_write: str | None = None
    """Why it cannot be written; None when it can."""


def ledger_findings(facts: LedgerFacts) -> list[Finding]:
    """Findings about the file and the disk under it."""
    return [*_file(facts), *_privacy(facts), _room(facts)]


def _file(facts: LedgerFacts) -> list[Finding]:
    if not facts.exists:
        if facts.folder_writable:
            return [Finding("ledger", State.OK, f"{facts.path} is not there yet; `pointsman serve` makes it")]
        return [
            Finding(
                "ledger",
                State.FAULT,
                f"{facts.path} is not there and cannot be made: its folder is missing or cannot be written",
                "make the folder, give it to the user that runs the gateway, or set `ledger: {url: …}`",
            )
        ]
    if facts.faults:
        return [
            Finding(
                "ledger",
                State.FAULT,
                f"{facts.path} is damaged: {facts.faults[0]}",
                "restore it from a backup, or move it away to start anew; `pointsman db check` tells more",
            )
        ]
    if facts.schema != facts.expected_schema:
        what = "holds no ledger" if facts.schema is None else f"is at schema {facts.schema}"
        return [
            Finding(
                "ledger",
                State.FAULT,
                f"{facts.path} {what}, expected {facts.expected_schema}",
                "run `pointsman db upgrade`",
            )
        ]
    if facts.cannot_write is not None:
        return [
            Finding(
                "ledger",
                State.FAULT,
                facts.cannot_write,
                "give the file and its folder to the user that runs the gateway, or end what holds the lock",
            )
        ]
    n_records = 0 if facts.n_records is None else facts.n_records
    return [Finding("ledger", State.OK, f"{facts.path}: sound, schema {facts.schema}, writable, {n_records:,} records")]


def _privacy(facts: LedgerFacts) -> list[Finding]:
    if facts.mode is None or not facts.mode & OTHERS:
        return []
    return [
        Finding(
            "ledger",
            State.WARNING,
            f"other users of this machine may read {facts.path} (mode {stat.S_IMODE(facts.mode):o}); it says who asked "
            "what model when, and prompts may be among it",
            f"run `chmod 600 {facts.path}`",
        )
    ]


def _room(facts: LedgerFacts) -> Finding:
    free = f"{facts.free_bytes / (1 << 30):,.1f} GiB free on its disk"
    if facts.free_bytes < TOO_LITTLE_BYTES:
        return Finding("disk", State.FAULT, free, "make room, or prune old records with `pointsman db prune`")
    if facts.free_bytes < LITTLE_BYTES:
        return Finding("disk", State.WARNING, free, "make room, or prune old records with `pointsman db prune`")
    return Finding("disk", State.OK, free)
