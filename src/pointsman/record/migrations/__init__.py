"""How the ledger's schema came about: one file per change under `versions`, in order, never edited once released."""

HEAD = "0008"
"""The newest revision; a test holds it to the files."""

VERSION_TABLE = "ledger_version"
"""Where a database says which revision it is at; not Alembic's default name, so that another application's own
migrations in the same database are not taken for ours."""
