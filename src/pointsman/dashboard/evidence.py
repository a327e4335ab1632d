"""How good the router is, as far as is known: the current eval set, and the dial on recorded traffic."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from pointsman.catalog import cost_of
from pointsman.decide.policies import lowest_threshold_within
from pointsman.errors import DataError
from pointsman.vocabulary import Cost, Model, Usage

from .evidence_file import current, evaluation
from .guard import Visit
from .preview import LIMITS, Preview, preview
from .render import respond
from .spans import CHOICES, span_of

if TYPE_CHECKING:
    from pointsman.report.figures import PageFigure
    from pointsman.report.reading import Evidence

MAX_PREVIEWED = 1_000
"""Of the newest records of the span; enough for shares within three points."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An evaluation ready to be shown."""

    evidence: Evidence
    figures: tuple[PageFigure, ...]
    written_at: datetime


async def evidence(visit: Visit) -> web.Response:
    """The page."""
    desk, router, now = visit.desk, visit.gateway.router, visit.gateway.now()
    span = span_of({"span": "7d", **visit.request.query}, now)
    quality = await asyncio.to_thread(current, desk.evidence, now)
    shown: Shown | None = None
    fault = None if quality is None else quality.fault
    if desk.evidence is not None and fault is None:
        try:
            shown = await asyncio.to_thread(_shown, desk.evidence)
        except DataError as error:
            fault = error.message
    dialled: Preview | None = None
    if desk.dial:
        records = await asyncio.to_thread(desk.reader.scored, since=span.since, limit=MAX_PREVIEWED)
        dialled = await asyncio.to_thread(
            preview,
            records,
            dial=desk.dial,
            tiers=router.tiers,
            models=router.models,
            cost_of=_cost,
            point_at=lowest_threshold_within,
        )
    return respond(
        visit,
        "evidence.html.j2",
        title="Evidence",
        quality=quality,
        shown=shown,
        fault=fault,
        configured=desk.evidence is not None,
        dial=dialled,
        has_dial=bool(desk.dial),
        limit_now=desk.default_limits.get(router.default_policy),
        limits=LIMITS,
        default_policy=router.default_policy,
        max_previewed=MAX_PREVIEWED,
        span=span,
        given=span.fields,
        choices=CHOICES,
    )


def _shown(path: Path) -> Shown:
    """The evaluation with its figures, drawn once for each version of the file.

    Raises:
        DataError: it is no evaluation, or the libraries that draw are not installed.
    """
    state = path.stat()
    return _drawn(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _drawn(path: Path, _changed_ns: int, _n_bytes: int) -> Shown:
    try:
        from pointsman.report.figures import page_figures
        from pointsman.report.reading import read
    except ModuleNotFoundError as error:
        raise DataError(f"charts need the extra with {error.name}: pip install 'pointsman[report]'") from error
    content: dict[str, Any]
    content, written_at = evaluation(path)
    found = read(content)
    return Shown(found, page_figures(found), written_at)


def _cost(model: Model, usage: Usage | None) -> Cost:
    return cost_of(model.price, model.price_missing, usage)
