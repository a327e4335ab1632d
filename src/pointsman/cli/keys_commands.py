"""`pointsman keys`: keys for the gateway's clients."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .ledger_address import ConfigOption, JsonOption, LedgerOption, ledger_url

if TYPE_CHECKING:
    from pointsman.record import KeyStore
    from pointsman.vocabulary import KeyTerms, VirtualKey

app = typer.Typer(no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Option("--name", help="Stands in records: letters, digits and . _ -, at most 64.")],
    models: Annotated[
        str | None, typer.Option("--models", help="Models that may serve it, joined by commas; else all.")
    ] = None,
    policies: Annotated[
        str | None, typer.Option("--policies", help="Policies that may decide for it, joined by commas; else all.")
    ] = None,
    usd_per_day: Annotated[float | None, typer.Option("--usd-per-day", min=0, help="Budget of a day, UTC.")] = None,
    usd_per_month: Annotated[
        float | None, typer.Option("--usd-per-month", min=0, help="Budget of a calendar month, UTC.")
    ] = None,
    requests_per_min: Annotated[
        int | None, typer.Option("--requests-per-min", min=1, help="Requests a minute.")
    ] = None,
    tokens_per_min: Annotated[
        int | None, typer.Option("--tokens-per-min", min=1, help="Tokens a minute, input and output together.")
    ] = None,
    max_concurrent: Annotated[
        int | None, typer.Option("--max-concurrent", min=1, help="Requests under way at once.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="Until when it is valid: 12h, 30d, 8w, or a UTC date or time.")
    ] = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once, here; only its SHA-256 is kept. A running gateway knows it within seconds.

    Example: pointsman keys create --name alice --usd-per-day 5 --requests-per-min 60 --expires 90d
    """
    from pointsman.limit import expiry
    from pointsman.vocabulary import KeyTerms

    now = datetime.now(UTC)
    terms = KeyTerms(
        _names(models, "--models"),
        _names(policies, "--policies"),
        usd_per_day,
        usd_per_month,
        requests_per_min,
        tokens_per_min,
        max_concurrent,
    )
    url = _checked_url(config, ledger, name, terms)
    until = None if expires is None else expiry(expires, now, what="--expires")
    with closing(_store(url, make=True)) as store:
        secret, made = store.create(name, terms, now=now, expires_at=until)
    if as_json:
        typer.echo(json.dumps({"key": secret} | _shown(made, now)))
        return
    typer.echo(secret)
    typer.secho(f"This is the only time that the key of {name} is shown; only its hash is kept.", err=True)


@app.command("list")
def list_(config: ConfigOption = None, ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """List the keys, revoked and expired ones too, by their public beginnings. No key can be shown again.

    Example: pointsman keys list --json
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    now = datetime.now(UTC)
    with closing(_store(ledger_url(config, ledger))) as store:
        found = [_shown(key, now) for key in store.all()]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    if not found:
        typer.echo("no keys; `pointsman keys create --name NAME` makes one")
        return
    table = Table()
    for column in ("name", "key", "state", "made", "expires"):
        table.add_column(column, no_wrap=True)
    table.add_column("may")
    for key in found:
        end = "never" if key["expires_at"] is None else key["expires_at"][:10]
        table.add_row(
            escape(key["name"]), f"{key['prefix']}…", key["state"], key["created_at"][:10], end, escape(_words(key))
        )
    Console().print(table)


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="The key's name, or its public beginning as `list` shows it.")],
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a key for good. Running gateways refuse it within 3 seconds; requests under way may end.

    Example: pointsman keys revoke alice
    """
    now = datetime.now(UTC)
    with closing(_store(ledger_url(config, ledger))) as store:
        gone = store.revoke(name.rstrip("…"), now=now)
    typer.echo(json.dumps(_shown(gone, now)) if as_json else f"{gone.name} ({gone.prefix}…) is revoked")


def _checked_url(config: Path | None, ledger: str | None, name: str, terms: KeyTerms) -> str:
    """The ledger's address, once name and terms fit the configuration; with --ledger alone there is none to fit."""
    from pointsman import config as configuration
    from pointsman.errors import BadRequest
    from pointsman.limit import checked_name
    from pointsman.vocabulary import ADMIN_NAME

    checked_name(name, what="--name")
    if name == ADMIN_NAME:
        raise BadRequest(f"--name is {name!r}, which stands in records for the admin key; choose another")
    if ledger is not None and config is None:
        return ledger
    settings = configuration.load(config)
    if any(client.name == name for client in settings.keys.clients):
        raise BadRequest(f"--name is {name!r}, which is a client in {settings.source}; choose another")
    known_models = {model.name for model in settings.models}
    for what, given, known in (
        ("model", terms.models, known_models),
        ("policy", terms.policies, set(settings.policies)),
    ):
        unknown = sorted(set(given or ()) - known)
        if unknown:
            raise BadRequest(
                f"there is no {what} named {', '.join(unknown)}; expected one of {', '.join(sorted(known))}"
            )
    return settings.ledger.url.get_secret_value() if ledger is None else ledger


def _names(text: str | None, option: str) -> tuple[str, ...] | None:
    from pointsman.errors import BadRequest

    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise BadRequest(f"{option} names nothing; leave it out to allow all")
    return names


def _store(url: str, *, make: bool = False) -> KeyStore:
    from pointsman.record import KeyStore, prepare
    from pointsman.record.reader import existing

    if not make:
        existing(url)
    return KeyStore(prepare(url)[0])


def _shown(key: VirtualKey, now: datetime) -> dict[str, Any]:
    """All there is to see of a key: neither itself nor its hash."""
    from dataclasses import asdict

    def text(moment: datetime | None) -> str | None:
        return None if moment is None else moment.isoformat()

    state = "valid"
    if key.revoked_at is not None:
        state = "revoked"
    elif key.expires_at is not None and key.expires_at <= now:
        state = "expired"
    return {
        "name": key.name,
        "prefix": key.prefix,
        "state": state,
        "created_at": text(key.created_at),
        "expires_at": text(key.expires_at),
        "revoked_at": text(key.revoked_at),
        **asdict(key.terms),
    }


def _words(key: dict[str, Any]) -> str:
    """A key's terms in one line."""
    parts = [f"{what} {', '.join(key[what])}" for what in ("models", "policies") if key[what] is not None]
    units = {
        "usd_per_day": "{:g} USD a day",
        "usd_per_month": "{:g} USD a month",
        "requests_per_min": "{} requests a minute",
        "tokens_per_min": "{} tokens a minute",
        "max_concurrent": "{} at once",
    }
    parts += [form.format(key[name]) for name, form in units.items() if key[name] is not None]
    return "; ".join(parts) if parts else "everything"
