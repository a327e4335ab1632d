"""The models: what they cost, how they are, what part of the traffic they serve."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from pointsman.record.sums import Sums
from pointsman.vocabulary import Model

from .guard import Visit
from .render import respond
from .spans import CHOICES, span_of


@dataclass(frozen=True, slots=True)
class Row:
    """One model; `model` is None for one that records know and the configuration does not."""

    name: str
    tiers: tuple[str, ...]
    model: Model | None
    state: str | None
    sums: Sums
    share: float
    n_calls: int
    n_failed: int


async def models(visit: Visit) -> web.Response:
    """The page."""
    router, gateway = visit.gateway.router, visit.gateway
    span = span_of(visit.request.query, gateway.now())
    found = await asyncio.to_thread(
        visit.desk.reader.sums_by_hour, ("model", "simulated"), since=span.since, until=span.until
    )
    sums = {name: Sums.of(each for (of, _), each in found.items() if of == name) for name, _ in found}
    states = router.health.states(router.models.values(), gateway.clock())
    n = sum(each.n_requests for each in sums.values())
    counts = router.health.counts.attempts
    rows = []
    for name in [*router.models, *sorted(name for name in sums if name not in router.models)]:
        own = sums.get(name, Sums())
        rows.append(
            Row(
                name=name,
                tiers=tuple(tier.name for tier in router.tiers if name in tier.models),
                model=router.models.get(name),
                state=states.get(name),
                sums=own,
                share=own.n_requests / n if n else 0.0,
                n_calls=sum(count for (model, _), count in counts.items() if model == name),
                n_failed=sum(
                    count
                    for (model, how), count in counts.items()
                    if model == name and how not in ("ok", "cancelled", "refused")
                ),
            )
        )
    return respond(
        visit,
        "models.html.j2",
        title="Models",
        rows=rows,
        span=span,
        given=span.fields,
        choices=CHOICES,
        now=gateway.now(),
    )
