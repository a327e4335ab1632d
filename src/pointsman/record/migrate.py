"""Bringing a database to this version's schema, all in one transaction: killed midway, it is as it was."""

from __future__ import annotations

from importlib import resources

from sqlalchemy import Connection, Engine, inspect, text

from pointsman.errors import LedgerError

from .database import Database
from .migrations import HEAD, VERSION_TABLE


def schema_version(engine: Engine, database: Database) -> str | None:
    """The revision that the database is at; None for one without our tables.

    Raises:
        LedgerError: it cannot be read.
    """
    with database.faults("read"), engine.connect() as connection:
        return _version(connection)


def check_readable(engine: Engine, database: Database) -> None:
    """Nothing, when the database is at this version's schema.

    Raises:
        LedgerError: it is older, newer, or no ledger.
    """
    found = schema_version(engine, database)
    if found == HEAD:
        return
    if found is None:
        raise LedgerError(f"{database.name} holds no Pointsman ledger; the first `pointsman serve` makes one")
    _refuse_unknown(found, database)
    raise LedgerError(f"the ledger {database.name} is at schema {found}, expected {HEAD}; run `pointsman db upgrade`")


def upgrade(engine: Engine, database: Database, *, to: str = HEAD) -> str | None:
    """Migrates to revision `to`; returns the revision found. Does nothing when the database is there already.

    Raises:
        LedgerError: a newer version of Pointsman made the database, or it cannot be written.
    """
    found = schema_version(engine, database)
    if found == to:
        return found
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.files("pointsman.record").joinpath("migrations")))
    with database.faults("migrate"), engine.begin() as connection:
        # Read once more under the write lock: another worker may have migrated meanwhile.
        database.lock_schema(connection)
        found = _version(connection)
        if found == to:
            return found
        if found is not None:
            _refuse_unknown(found, database)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    return found


def known_versions() -> tuple[str, ...]:
    """Every revision this version of Pointsman ships, oldest first."""
    files = resources.files("pointsman.record").joinpath("migrations", "versions").iterdir()
    return tuple(sorted(file.name.partition("_")[0] for file in files if file.name.endswith(".py")))


def _refuse_unknown(found: str, database: Database) -> None:
    if found not in known_versions():
        raise LedgerError(
            f"the ledger {database.name} is at schema {found[:40]}, which this version of Pointsman does not know "
            f"(it knows up to {HEAD}); a newer version made it: upgrade Pointsman, or use another ledger"
        )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608 - a constant
    return found
