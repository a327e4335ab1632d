"""Virtual keys in the ledger's database: made, listed, revoked, and read anew when one has changed."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, or_, select, update
from sqlalchemy.engine import RowMapping

from pointsman.errors import BadRequest, LedgerError
from pointsman.vocabulary import KEY_PREFIX, KeyTerms, VirtualKey

from .database import Database
from .rows import clean, time_text
from .tables import keys

ID_BYTES = 6
SECRET_BYTES = 32
"""256 bits: nobody guesses that, so that one round of SHA-256 keeps it."""
MAX_KEYS = 100_000
READ_BUSY_S = 0.25
"""How long a running gateway waits for the database when it looks for changes; it looks again soon."""
READ_WITHIN_S = 5.0
"""How long a server may take to tell all keys; nothing waits for it but the next look."""


def digest_of(key: str) -> bytes:
    """SHA-256 of a whole key, which is all that is kept of it."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class KeyStore:
    """The table of keys. Every method opens a connection of its own, so that commands and gateways share the file.

    Args:
        database: a ledger of this version's schema.
        make_secret: gives so many random bytes; for tests.
    """

    def __init__(self, database: Database, *, make_secret: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._database = database
        self._make_secret = make_secret
        self._engine: Engine | None = None

    def create(
        self, name: str, terms: KeyTerms, *, now: datetime, expires_at: datetime | None = None
    ) -> tuple[str, VirtualKey]:
        """A new key, and what is kept of it. The key itself cannot be had again.

        Raises:
            BadRequest: the name is taken; a revoked key's name too, since records bear it.
            LedgerError: the database cannot be written.
        """
        key_id = self._make_secret(ID_BYTES).hex()
        secret = f"{KEY_PREFIX}{key_id}-{self._make_secret(SECRET_BYTES).hex()}"
        made = VirtualKey(key_id, name, digest_of(secret), terms, now, expires_at)

        def insert(connection: Connection) -> None:
            if connection.execute(select(keys.c.name).where(keys.c.name == name)).first() is not None:
                raise BadRequest(f"there is a key named {name!r} already; names are not used twice, revoked or not")
            if connection.execute(select(func.count()).select_from(keys)).scalar_one() >= MAX_KEYS:
                raise LedgerError(f"there are {MAX_KEYS:,} keys already, which is the most there may be")
            connection.execute(
                keys.insert().values(
                    key_id=key_id,
                    name=name,
                    digest=made.digest,
                    terms=_terms_text(terms),
                    created_at=time_text(now),
                    expires_at=None if expires_at is None else time_text(expires_at),
                    revision=_next_revision(connection),
                )
            )

        self._write(insert)
        return secret, made

    def revoke(self, name: str, *, now: datetime) -> VirtualKey:
        """The key of that name or id, revoked; once revoked it keeps its time.

        Raises:
            BadRequest: there is none.
            LedgerError: the database cannot be written.
        """
        found: list[VirtualKey] = []

        def revoke(connection: Connection) -> None:
            named = clean(name)
            bare = named.removeprefix(KEY_PREFIX)
            row = (
                connection.execute(select(keys).where(or_(keys.c.name == named, keys.c.key_id == bare)))
                .mappings()
                .first()
            )
            if row is None:
                raise BadRequest(f"there is no key named {name[:100]!r}; `pointsman keys list` shows them")
            if row["revoked_at"] is None:
                changed = {"revoked_at": time_text(now), "revision": _next_revision(connection)}
                connection.execute(update(keys).where(keys.c.key_id == row["key_id"]).values(**changed))
                row = connection.execute(select(keys).where(keys.c.key_id == row["key_id"])).mappings().one()
            found.append(_key_of(row))

        self._write(revoke)
        return found[0]

    def all(self) -> tuple[VirtualKey, ...]:
        """Every key, revoked ones too, oldest first.

        Raises:
            LedgerError: the database cannot be read.
        """
        query = select(keys).order_by(keys.c.created_at, keys.c.key_id)
        with self._database.faults("read"), self._reading().begin() as connection:
            return tuple(_key_of(row) for row in connection.execute(query).mappings())

    def revision(self) -> int:
        """A number that grows whenever a key is made or revoked; 0 when there has never been one.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._database.faults("read"), self._reading().begin() as connection:
            found: int | None = connection.execute(select(func.max(keys.c.revision))).scalar_one()
            return 0 if found is None else found

    def close(self) -> None:
        """Closes the connections that read."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _reading(self) -> Engine:
        if self._engine is None:
            self._engine = self._database.reading(wait_s=READ_BUSY_S, within_s=READ_WITHIN_S)
        return self._engine

    def _write(self, step: Callable[[Connection], None]) -> None:
        engine = self._database.writing()
        try:
            with self._database.faults("write"), engine.begin() as connection:
                step(connection)
        finally:
            engine.dispose()


def _next_revision(connection: Connection) -> int:
    return 1 + int(connection.execute(select(func.coalesce(func.max(keys.c.revision), 0))).scalar_one())


def _terms_text(terms: KeyTerms) -> str:
    return json.dumps({name: value for name, value in asdict(terms).items() if value is not None})


def _key_of(row: RowMapping) -> VirtualKey:
    known = {each.name for each in fields(KeyTerms)}
    terms: dict[str, Any] = {name: value for name, value in json.loads(row["terms"]).items() if name in known}
    for name in ("models", "policies"):
        if terms.get(name) is not None:
            terms[name] = tuple(terms[name])
    return VirtualKey(
        key_id=row["key_id"],
        name=row["name"],
        digest=row["digest"],
        terms=KeyTerms(**terms),
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=None if row["expires_at"] is None else datetime.fromisoformat(row["expires_at"]),
        revoked_at=None if row["revoked_at"] is None else datetime.fromisoformat(row["revoked_at"]),
    )
