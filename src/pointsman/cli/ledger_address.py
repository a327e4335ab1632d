"""Which ledger a command means, and which span of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="pointsman.yaml, whose ledger is read; without one, POINTSMAN_CONFIG or here."),
]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        help="Ledger instead of the configured one: a file's path, sqlite:///path/to/file.db or postgresql://…",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Start: an age (90m, 12h, 7d, 4w) or a UTC date or time in ISO 8601.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="End, not included; written like --since.")]

_AGE = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def ledger_url(config: Path | None, ledger: str | None) -> str:
    """The address given, else the configured one.

    Raises:
        ConfigError: neither is given, or the configuration is wrong.
    """
    if ledger is not None:
        return ledger
    from pointsman import config as configuration

    return configuration.load(config).ledger.url.get_secret_value()


def moment(text: str | None, *, option: str, now: datetime | None = None) -> datetime | None:
    """The time that "7d" (before now), "2026-11-23" or "2026-11-23T10:00:00+01:00" stands for; without a zone, UTC.

    Raises:
        BadRequest: it is none of these.
    """
    if text is None:
        return None
    from pointsman.errors import BadRequest

    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            span = timedelta(**{_UNITS[age[2]]: int(age[1])})
            return (datetime.now(UTC) if now is None else now) - span
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{option} is {text[:40]!r}; expected an age such as 90m, 12h, 7d or 4w, or a time such as 2026-11-23"
        ) from None
