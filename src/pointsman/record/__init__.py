"""The ledger: what happened to every request, with its cost, on disk.

`open_ledger` opens one for writing, `open_reader` one for reading. Both are loaded on first use: a process that only
decides never pays for importing SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .database import database_of
    from .keys import KeyStore, digest_of
    from .ledger import SqlLedger, open_ledger, prepare, prepare_database
    from .queue import LedgerStats
    from .reader import Reader, open_reader

__all__ = [
    "KeyStore",
    "LedgerStats",
    "Reader",
    "SqlLedger",
    "database_of",
    "digest_of",
    "open_ledger",
    "open_reader",
    "prepare",
    "prepare_database",
]

_HOME = {
    "KeyStore": "keys",
    "database_of": "database",
    "digest_of": "keys",
    "LedgerStats": "queue",
    "Reader": "reader",
    "SqlLedger": "ledger",
    "open_ledger": "ledger",
    "open_reader": "reader",
    "prepare": "ledger",
    "prepare_database": "ledger",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
