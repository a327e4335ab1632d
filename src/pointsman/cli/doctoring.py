"""Gathers what the doctor looks at. A check whose facts cannot be had is left out; what is in its way is a finding."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman import assembly
from pointsman import config as configuration
from pointsman.catalog import blended_usd_per_mtok
from pointsman.catalog.prices import RELEASED
from pointsman.doctor import (
    ClockReading,
    Finding,
    State,
    bind_findings,
    clock_findings,
    date_findings,
    permission_findings,
    price_findings,
    simulated_findings,
    tier_findings,
    window_findings,
)
from pointsman.errors import ArtifactError, ConfigError, EncoderError, LedgerError
from pointsman.vocabulary import Tier

from .config_commands import build_all, read
from .doctor_cascades import look_at_cascades
from .doctor_ledger import look_at_ledger
from .doctor_providers import look_at_providers
from .doctor_router import look_at_router
from .doctor_watch import look_at_policies

if TYPE_CHECKING:
    from pointsman.assembly import Parts
    from pointsman.config import LoadedSettings
    from pointsman.vocabulary import Model


def examine(
    config: Path | None,
    *,
    ledger: str | None = None,
    labels: Sequence[Path] = (),
    live: bool = False,
    offline: bool = False,
    timeout_s: float = 10.0,
    quiet: bool = False,
) -> list[Finding]:
    """Everything found, in the order in which things build on each other.

    Args:
        ledger: an address in place of the configured one.
        labels: labelled outcomes of the configured models.
        live: call each model once.
        offline: open no connection.
        timeout_s: for each connection or call; all are made at once.
        quiet: no progress bar.
    """
    began = _clocks()
    found = [Finding("version", State.OK, f"pointsman {version('pointsman')}, Python {sys.version.split()[0]}")]
    dates: list[tuple[str, datetime, datetime]] = []
    settings = _settings(config, found)
    if settings is not None:
        found += _exposure(settings)
        models = _models(settings, found)
        if models is not None:
            tiers = tuple(Tier(tier.name, tier.models) for tier in settings.tiers)
            found += simulated_findings(models.values())
            found += price_findings(models, today=datetime.now(UTC).date())
            found += tier_findings(tiers, models, blended=blended_usd_per_mtok)
            found += window_findings(models.values())
            if not offline:
                reached, dates = look_at_providers(settings, models, live=live, timeout_s=timeout_s, quiet=quiet)
                found += reached
            parts = _parts(config, found)
            if parts is not None:
                found += look_at_router(parts, labels)
                found += look_at_cascades(parts)
                found += look_at_policies(parts, settings.ledger.url.get_secret_value() if ledger is None else ledger)
        url = settings.ledger.url.get_secret_value() if ledger is None else ledger
        found += look_at_ledger(url, Path(settings.ledger.spool).expanduser())
    elif ledger is not None:
        found += look_at_ledger(ledger)
    made = max(date.fromisoformat(day) for day in RELEASED.values())
    return [*found, *clock_findings(began, _clocks(), not_before=made), *date_findings(dates)]


def _settings(config: Path | None, found: list[Finding]) -> LoadedSettings | None:
    try:
        settings = read(config)
    except ConfigError as error:
        found += _faults_of(error, "configuration")
        return None
    found.append(Finding("configuration", State.OK, f"{settings.source} is valid"))
    variables = configuration.used_variables(settings)
    used = "none is used" if not variables else f"all set: {', '.join(variables)}"
    found.append(Finding("variables", State.OK, used))
    return settings


def _faults_of(error: ConfigError, check: str) -> Iterator[Finding]:
    """One finding per line of the error; what to do stands behind its last semicolon."""
    for line in error.message.splitlines():
        said, _, advice = line.rpartition("; ")
        kind = "variables" if "the environment variable" in line else check
        yield Finding(kind, State.FAULT, said or line, advice if said else None)


def _exposure(settings: LoadedSettings) -> Iterator[Finding]:
    from pointsman.gateway.loopback import is_loopback

    file = Path(settings.source)
    mode = file.stat().st_mode if os.name == "posix" and file.is_file() else None
    yield from permission_findings(str(file), mode, configuration.written_secrets(settings))
    server, keys = settings.server, settings.keys
    yield from bind_findings(
        server.host,
        server.port,
        loopback=is_loopback(server.host),
        n_clients=len(keys.clients) + _n_virtual_keys(settings),
        has_admin_key=keys.admin_key is not None,
    )


def _n_virtual_keys(settings: LoadedSettings) -> int:
    """Keys made with `pointsman keys`; 0 when the ledger cannot be read, which has a finding of its own."""
    from pointsman.record import KeyStore
    from pointsman.record.reader import existing

    try:
        store = KeyStore(existing(settings.ledger.url.get_secret_value()))
    except LedgerError:
        return 0
    try:
        return len(store.all())
    except LedgerError:
        return 0
    finally:
        store.close()


def _models(settings: LoadedSettings, found: list[Finding]) -> dict[str, Model] | None:
    try:
        return build_all(settings)
    except ConfigError as error:
        found += _faults_of(error, "models")
        return None


def _parts(config: Path | None, found: list[Finding]) -> Parts | None:
    try:
        return assembly.from_config(config)
    except ConfigError as error:
        found += _faults_of(error, "configuration")
    except (ArtifactError, EncoderError) as error:
        found.append(
            Finding(
                "router",
                State.FAULT,
                error.message,
                "set `router: {artifact: builtin}`, or train the router again for this version and encoder",
            )
        )
    return None


def _clocks() -> ClockReading:
    return ClockReading(datetime.now(UTC), time.monotonic())
