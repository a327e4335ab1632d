"""`pointsman db`: look after the ledger's database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .ledger_address import ConfigOption, JsonOption, LedgerOption, ledger_url, moment

app = typer.Typer(no_args_is_help=True)


@app.command("path")
def path(config: ConfigOption = None, ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Print where the ledger is: its file, or its server's address without the password.

    Example: pointsman db path
    """
    from pointsman.record import database_of

    found = database_of(ledger_url(config, ledger))
    name = found.name if found.on_server else str(Path(found.name).absolute())
    typer.echo(json.dumps({"path": name, "exists": found.exists}) if as_json else name)


@app.command("upgrade")
def upgrade(config: ConfigOption = None, ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Bring the ledger to this version's schema; made when it is not there. `pointsman serve` does the same.

    Example: pointsman db upgrade
    """
    from pointsman.record.ledger import prepare
    from pointsman.record.migrations import HEAD

    database, before = prepare(ledger_url(config, ledger))
    name = database.name
    if as_json:
        typer.echo(json.dumps({"path": name, "from": before, "to": HEAD}))
    elif before == HEAD:
        typer.echo(f"{name} is at schema {HEAD} already")
    else:
        typer.echo(f"{name} is at schema {HEAD} now" + ("" if before is None else f", was at {before}"))


@app.command("check")
def check(config: ConfigOption = None, ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Check that the ledger is sound and of this version's schema. Exits 1 when it is not.

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
        if health.months:
            typer.echo(f"months: {', '.join(health.months)}")
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
    database = existing(ledger_url(config, ledger))
    if not yes:
        n_old = count_older(database, before)
        typer.confirm(f"Delete {n_old:,} records made before {before:%Y-%m-%d %H:%M} UTC?", abort=True, err=True)
    n = delete(database, before)
    if as_json:
        typer.echo(json.dumps({"path": database.name, "n_deleted": n, "before": before.isoformat()}))
    else:
        typer.echo(f"{n:,} records deleted")
