"""Gathers what the doctor looks at. A check whose facts cannot be had is left out; what is in its way is a finding."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pointsman import assembly, score
from pointsman import config as configuration
from pointsman.asking import call_of, hurried, short_request
from pointsman.catalog import blended_usd_per_mtok, cost_of
from pointsman.catalog.prices import RELEASED
from pointsman.decide.policies import lowest_threshold_within
from pointsman.doctor import (
    Address,
    Called,
    ClockReading,
    Finding,
    LabelFacts,
    LedgerFacts,
    RouterFacts,
    State,
    bind_findings,
    called_findings,
    clock_findings,
    connect_all,
    connection_findings,
    date_findings,
    label_findings,
    ledger_findings,
    permission_findings,
    price_findings,
    router_findings,
    tier_findings,
    window_findings,
)
from pointsman.doctor.artifact import is_for
from pointsman.errors import ArtifactError, ConfigError, DataError, EncoderError, LedgerError, UpstreamError
from pointsman.tune.sample_size import least_prompts
from pointsman.vocabulary import Tier
from pointsman.wire import CODECS, UnreadableAnswer, estimate_usage

from .config_commands import build_all, read

if TYPE_CHECKING:
    from pointsman.assembly import Parts
    from pointsman.config import LoadedSettings
    from pointsman.vocabulary import DialPoint, Model, Transport

CONFIDENCE = 0.95
SMALL_ANSWER_TOKENS = 16
"""OpenAI's Responses API takes no lower limit (platform.openai.com/docs/api-reference/responses, read 2026-11)."""
QUIET_FOR_S = 2.0
"""What takes longer gets a progress bar."""


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
            found += price_findings(models, today=datetime.now(UTC).date())
            found += tier_findings(tiers, models, blended=blended_usd_per_mtok)
            found += window_findings(models.values())
            found += _providers(settings, models, dates, live=live, offline=offline, timeout_s=timeout_s, quiet=quiet)
            parts = _parts(config, found)
            if parts is not None:
                found += _router(parts, labels)
        found += _ledger(settings.ledger.url.get_secret_value() if ledger is None else ledger)
    elif ledger is not None:
        found += _ledger(ledger)
    made = max(date.fromisoformat(day) for day in RELEASED.values())
    return [*found, *clock_findings(began, _clocks(), not_before=made), *date_findings(dates)]


# ---------------------------------------------------------------- configuration


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
    from pointsman.gateway.server import is_loopback

    file = Path(settings.source)
    mode = file.stat().st_mode if os.name == "posix" and file.is_file() else None
    yield from permission_findings(str(file), mode, configuration.written_secrets(settings))
    server, keys = settings.server, settings.keys
    yield from bind_findings(
        server.host,
        server.port,
        loopback=is_loopback(server.host),
        n_clients=len(keys.clients),
        has_admin_key=keys.admin_key is not None,
    )


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


# ---------------------------------------------------------------- providers


def _providers(
    settings: LoadedSettings,
    models: Mapping[str, Model],
    dates: list[tuple[str, datetime, datetime]],
    *,
    live: bool,
    offline: bool,
    timeout_s: float,
    quiet: bool,
) -> list[Finding]:
    simulated = [model.name for model in models.values() if model.simulated]
    real = [model for model in models.values() if not model.simulated]
    found: list[Finding] = []
    if simulated:
        found.append(
            Finding(
                "providers",
                State.WARNING,
                f"{', '.join(simulated)}: simulated; the answers are not real",
                "set a provider's key and run `pointsman init --force`, or edit `models`",
            )
        )
    if offline or not real:
        return found
    if not live:
        behind: dict[Address, list[str]] = {}
        for model in real:
            behind.setdefault(_address(model), []).append(model.name)
        with _progress("connecting", len(behind), quiet) as step:
            outcome = connect_all(behind, within_s=timeout_s, done=step)
        return found + connection_findings(behind, outcome)
    with _progress("calling models", len(real), quiet) as step:
        calls = asyncio.run(_call_all(settings, real, timeout_s, step))
    for call, ours in calls:
        if call.date is not None:
            dates.append((call.model, call.date, ours))
    return found + called_findings(call for call, _ in calls)


def _address(model: Model) -> Address:
    parts = urlsplit(next(iter(model.endpoints.values())).url)
    assert parts.hostname is not None, "the catalog checks every address"
    return Address(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


async def _call_all(
    settings: LoadedSettings, models: list[Model], timeout_s: float, step: Callable[[], None]
) -> list[tuple[Called, datetime]]:
    from pointsman.call.http import HttpTransport

    places = {model.name: place for place, model in enumerate(settings.models)}
    transport = HttpTransport()

    async def one(model: Model) -> tuple[Called, datetime]:
        origin = settings.origin_of(("models", places[model.name], "api_key"))
        called = await _call(transport, model, timeout_s, None if origin == "default" else origin)
        step()
        return called, datetime.now(UTC)

    try:
        return await asyncio.gather(*(one(model) for model in models))
    finally:
        await transport.aclose()


async def _call(transport: Transport, model: Model, timeout_s: float, key_from: str | None) -> Called:
    request = short_request(model, "Reply with OK.", max_output_tokens=SMALL_ANSWER_TOKENS)
    started_s = time.monotonic()

    def called(status: int | None, failure: str | None, **more: Any) -> Called:
        total_ms = (time.monotonic() - started_s) * 1e3
        return Called(model.name, status, failure, total_ms, more.pop("cost_usd", None), key_from=key_from, **more)

    try:
        async with asyncio.timeout(timeout_s):
            answer = await transport.send(call_of(hurried(model, timeout_s), request))
            try:
                raw, at = await answer.read(), _date(answer.headers)
            finally:
                await answer.aclose()
    except TimeoutError:
        return called(None, f"no answer within {timeout_s:g} s")
    except UpstreamError as error:
        return called(None, error.message)
    if not 200 <= answer.status < 300:
        return called(answer.status, None, date=at)
    try:
        read = CODECS[request.dialect].read_answer(raw)
    except UnreadableAnswer as error:
        return called(answer.status, str(error), date=at)
    usage = estimate_usage(request, read) if read.usage is None else read.usage
    return called(answer.status, None, cost_usd=cost_of(model.price, model.price_missing, usage).usd, date=at)


def _date(headers: Mapping[str, str]) -> datetime | None:
    """The `Date` header (RFC 9110 section 6.6.1); None when it is missing or no date."""
    try:
        at = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


@contextmanager
def _progress(what: str, total: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """A function to call after each of `total` steps; a bar appears on a terminal once it takes longer than 2 s."""
    import threading

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    progress = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    task = progress.add_task(what, total=total)
    timer = threading.Timer(QUIET_FOR_S, progress.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda: progress.advance(task)
    finally:
        timer.cancel()
        if progress.live.is_started:
            progress.stop()


# ---------------------------------------------------------------- the router and its labels


def _router(parts: Parts, labels: Sequence[Path]) -> list[Finding]:
    if parts.scorer is None:
        return [Finding("router", State.OK, "no policy uses the trained router")]
    ends = [(tier.models[0], parts.models[tier.models[0]].provider_model) for tier in parts.tiers]
    train_with = f"pointsman train DIR --models {','.join(name for name, _ in ends)} --to ART"
    card = _card(parts.settings)
    facts = _router_facts(parts.scorer.router, card)
    found = router_findings(facts, ends, train_with=train_with)
    name = parts.settings.default_policy
    policy = parts.settings.policies[name]
    if not isinstance(policy, configuration.ThresholdPolicy | configuration.LlmClassifierPolicy):
        return found
    if policy.max_quality_loss is not None and labels:
        found.append(_tuned(parts, [ours for ours, _ in ends], labels, policy.max_quality_loss))
    elif policy.max_quality_loss is not None:
        own = facts.n_prompts if is_for(facts, ends) else 0
        found += label_findings(_labels(name, policy.max_quality_loss, parts.scorer.dial, own, parts))
    return found


def _tuned(parts: Parts, models: list[str], labels: Sequence[Path], limit: float) -> Finding:
    """What `pointsman tune` says of these labels, with the number that is missing."""
    from pointsman import outcomes
    from pointsman.tune import QualityLimit, TuneSettings, tune_threshold

    from .router_scores import router_scores

    spec = parts.settings.router.artifact
    try:
        read, _ = outcomes.read(labels, models=models)
        scores = router_scores(spec if spec == score.BUILTIN else str(parts.settings.file_path(spec)), read)
        tuned = tune_threshold(
            read,
            scores.p_good,
            TuneSettings(QualityLimit(limit, "relative"), confidence=CONFIDENCE),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            trained_prompts=scores.trained_prompts,
        )
    except DataError as error:
        return Finding(
            "labels", State.FAULT, error.message, f"give outcomes with scores of {' and '.join(models)} to --labels"
        )
    if tuned.promise.kept:
        return Finding("labels", State.OK, tuned.reason)
    return Finding(
        "labels",
        State.WARNING,
        tuned.reason,
        "label more prompts with `pointsman collect` and `pointsman label`, then run `pointsman tune`",
    )


def _labels(name: str, limit: float, dial: tuple[DialPoint, ...], n_labels: int, parts: Parts) -> LabelFacts:
    point = lowest_threshold_within(dial, limit)
    return LabelFacts(
        policy=name,
        max_quality_loss=limit,
        confidence=CONFIDENCE,
        strong_tier=parts.tiers[-1].name,
        # A strong model that is always right gives the most room; one that is not needs more labels.
        n_least=least_prompts(limit, 1.0, relative=True, confidence=CONFIDENCE),
        n_labels=n_labels,
        strong_share=None if point is None else point.strong_share,
    )


def _card(settings: LoadedSettings) -> dict[str, Any]:
    """The card of the artifact, which the scorer has read and checked before."""
    import json

    spec = settings.router.artifact
    folder = Path(score.__file__).parent / score.BUILTIN if spec == score.BUILTIN else settings.file_path(spec)
    card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return card


def _router_facts(name: str, card: Mapping[str, Any]) -> RouterFacts:
    sources = card.get("training", {}).get("sources", [])
    return RouterFacts(
        name=name,
        sources=tuple(source["name"] for source in sources),
        n_prompts=sum(source["n_prompts"] for source in sources),
        models=frozenset(model for source in sources for pair in source["pairs"] for model in pair),
    )


# ---------------------------------------------------------------- the ledger


def _ledger(url: str) -> list[Finding]:
    from pointsman.record.database import sqlite_path
    from pointsman.record.upkeep import check, try_writing

    try:
        path = sqlite_path(url)
        folder = path.absolute().parent
        exists = path.is_file()
        facts: dict[str, Any] = {}
        if exists:
            health = check(path, quick=True)
            facts = {
                "schema": health.schema,
                "expected_schema": health.expected_schema,
                "faults": health.faults,
                "n_records": health.n_records,
                "mode": path.stat().st_mode if os.name == "posix" else None,
                "cannot_write": _why_not(try_writing, path),
            }
        return ledger_findings(
            LedgerFacts(
                path=str(path),
                exists=exists,
                folder_writable=folder.is_dir() and os.access(folder, os.W_OK),
                free_bytes=shutil.disk_usage(_existing(folder)).free,
                **facts,
            )
        )
    except LedgerError as error:
        return [
            Finding(
                "ledger",
                State.FAULT,
                error.message,
                "correct `ledger: {url: …}`, or move the file away so that a new ledger is made",
            )
        ]


def _why_not(attempt: Callable[[Path], None], path: Path) -> str | None:
    try:
        attempt(path)
    except LedgerError as error:
        return error.message
    return None


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _clocks() -> ClockReading:
    return ClockReading(datetime.now(UTC), time.monotonic())
