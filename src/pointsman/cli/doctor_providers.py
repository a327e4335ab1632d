"""Connects to the providers, or calls each model once, for `pointsman doctor`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pointsman.asking import call_of, hurried, short_request
from pointsman.catalog import cost_of
from pointsman.doctor import (
    Address,
    Called,
    Finding,
    called_findings,
    connect_all,
    connection_findings,
)
from pointsman.errors import UpstreamError
from pointsman.wire import CODECS, UnreadableAnswer, estimate_usage

if TYPE_CHECKING:
    from pointsman.config import LoadedSettings
    from pointsman.vocabulary import Model, Transport

SMALL_ANSWER_TOKENS = 16
"""OpenAI's Responses API takes no lower limit (platform.openai.com/docs/api-reference/responses, read 2026-11)."""
QUIET_FOR_S = 2.0
"""What takes longer gets a progress bar."""


def look_at_providers(
    settings: LoadedSettings,
    models: Mapping[str, Model],
    *,
    live: bool,
    timeout_s: float,
    quiet: bool,
) -> tuple[list[Finding], list[tuple[str, datetime, datetime]]]:
    """Findings about the providers of real models, and their clocks beside ours, as `date_findings` takes them.

    Args:
        live: call each model once; otherwise each address is connected to, and no clock is seen.
        timeout_s: for each connection or call; all are made at once.
        quiet: no progress bar.
    """
    real = [model for model in models.values() if not model.simulated]
    if not real:
        return [], []
    if not live:
        behind: dict[Address, list[str]] = {}
        for model in real:
            behind.setdefault(_address(model), []).append(model.name)
        with _progress("connecting", len(behind), quiet) as step:
            outcome = connect_all(behind, within_s=timeout_s, done=step)
        return connection_findings(behind, outcome), []
    with _progress("calling models", len(real), quiet) as step:
        calls = asyncio.run(_call_all(settings, real, timeout_s, step))
    dates = [(call.model, call.date, ours) for call, ours in calls if call.date is not None]
    return called_findings(call for call, _ in calls), dates


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
