"""`pointsman db`: look after the ledger's database."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .ledger_address import ConfigOption, JsonOption, LedgerOption, ledger_url, moment

app = typer.Typer(no_args_is_help=True)


@app.command("path")
def path(config: ConfigOption = None, ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Print where the ledger's file is.

    Example: pointsman db path
    """
    from pointsman.record.database import sqlite_path

    found = sqlite_path(ledger_url(config, ledger)).absolute()
    typer.echo(json.dumps({"path": str(found), "exists": found.is_file()}) if as_json else str(found))


@app.command("upgrade")
def upgrade(config: ConfigOption = None, ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Bring the ledger to this version's schema; made when it is not there. `pointsman serve` does the same.

    Example: pointsman db upgrade
    """
    from pointsman.record.ledger import prepare
    from pointsman.record.migrations import HEAD

    file, before = prepare(ledger_url(config, ledger))
    if as_json:
        typer.echo(json.dumps({"path": str(file), "from": before, "to": HEAD}))
    elif before == HEAD:
        typer.echo(f"{file} is at schema {HEAD} already")
    else:
        typer.echo(f"{file} is at schema {HEAD} now" + ("" if before is None else f", was at {before}"))


@app.command("check")
def check(config: ConfigOption = None, ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Check that the ledger's file is sound and of this version's schema. Exits 1 when it is not.

    Example: pointsman db check --json
    """
    from dataclasses import asdict

    from pointsman.record.reader import existing
    from pointsman.record.upkeep import check as examine

    health = examine(existing(ledger_url(config, ledger)))
    if as_json:
        typer.echo(json.dumps({"ok": health.ok, **asdict(health)}, indent=2))
    else:
        typer.echo(f"{health.path}: {health.n_bytes:,} bytes")
        schema = "no ledger" if health.schema is None else health.schema
        typer.echo(f"schema {schema}, expected {health.expected_schema}")
        typer.echo("integrity: " + ("ok" if not health.faults else "; ".join(health.faults)))
        if health.n_records is not None:
            span = "" if health.oldest is None else f", from {health.oldest} to {health.newest}"
            typer.echo(f"{health.n_records:,} records{span}")
    if not health.ok:
        raise typer.Exit(1)


@app.command("prune")
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", help="Delete what is older: an age (90d, 4w, 12h) or a UTC date.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete old records with their attempts, feedback and prompts. A gateway may go on serving meanwhile.

    Example: pointsman db prune --older-than 90d --yes
    """
    from pointsman.record.reader import existing
    from pointsman.record.upkeep import count_older
    from pointsman.record.upkeep import prune as delete

    before = moment(older_than, option="--older-than")
    assert before is not None, "the option is required"
    file = existing(ledger_url(config, ledger))
    if not yes:
        n_old = count_older(file, before)
        typer.confirm(f"Delete {n_old:,} records made before {before:%Y-%m-%d %H:%M} UTC?", abort=True, err=True)
    n = delete(file, before)
    if as_json:
        typer.echo(json.dumps({"path": str(file), "n_deleted": n, "before": before.isoformat()}))
    else:
        typer.echo(f"{n:,} records deleted")
