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


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What was seen of a ledger on a server."""

    name: str
    """Its address, without the password."""
    schema: str | None
    """None when `pointsman serve` is yet to make the tables."""
    expected_schema: str
    faults: tuple[str, ...]
    n_records: int | None
    cannot_write: str | None
    missing_months: tuple[str, ...]
    """Months that should have a partition and have none."""
    spool: str | None
    """The folder for what the server does not take; None when it is not known."""
    spool_writable: bool
    free_bytes: int | None
    """On the spool's disk."""


def server_findings(facts: ServerFacts) -> list[Finding]:
    """Findings about a ledger on a server, and its spool on this machine."""
    found = [_server(facts)]
    if not facts.spool_writable:
        found.append(
            Finding(
                "spool",
                State.FAULT,
                f"records cannot be kept in {facts.spool} while the server is away",
                "make the folder, give it to the user that runs the gateway, or set `ledger: {spool: …}`",
            )
        )
    if facts.free_bytes is not None:
        found.append(_room(facts.free_bytes))
    return found


def _server(facts: ServerFacts) -> Finding:
    if facts.schema is None:
        return Finding("ledger", State.OK, f"{facts.name} holds no ledger yet; `pointsman serve` makes it")
    if facts.schema != facts.expected_schema:
        return _other_schema(facts.name, facts.schema, facts.expected_schema)
    if facts.faults:
        return Finding("ledger", State.FAULT, f"{facts.name}: {facts.faults[0]}", "run REINDEX on it")
    if facts.cannot_write is not None:
        return Finding("ledger", State.FAULT, facts.cannot_write, "grant its user INSERT, UPDATE, DELETE and TEMPORARY")
    if facts.missing_months:
        return Finding(
            "ledger",
            State.WARNING,
            f"{facts.name} has no partition for {', '.join(facts.missing_months)}; records go to the one for the rest",
            "run `pointsman db upgrade` as the tables' owner; a gateway that is the owner does it by itself",
        )
    n_records = 0 if facts.n_records is None else facts.n_records
    return Finding("ledger", State.OK, f"{facts.name}: schema {facts.schema}, writable, {n_records:,} records")


def ledger_findings(facts: LedgerFacts) -> list[Finding]:
    """Findings about the file and the disk under it."""
    return [*_file(facts), *_privacy(facts), _room(facts.free_bytes)]


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
        return [_other_schema(facts.path, facts.schema, facts.expected_schema)]
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


def _other_schema(name: str, schema: str | None, expected: str) -> Finding:
    what = "holds no ledger" if schema is None else f"is at schema {schema}"
    return Finding("ledger", State.FAULT, f"{name} {what}, expected {expected}", "run `pointsman db upgrade`")


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


def _room(free_bytes: int) -> Finding:
    free = f"{free_bytes / (1 << 30):,.1f} GiB free on its disk"
    if free_bytes < TOO_LITTLE_BYTES:
        return Finding("disk", State.FAULT, free, "make room, or prune old records with `pointsman db prune`")
    if free_bytes < LITTLE_BYTES:
        return Finding("disk", State.WARNING, free, "make room, or prune old records with `pointsman db prune`")
    return Finding("disk", State.OK, free)
