"""What routing saved, at what quality, and whether it runs well."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from aiohttp import web

from pointsman.limit import Window
from pointsman.record import Reader
from pointsman.record.sums import Sums
from pointsman.vocabulary import Tier

from .bars import Bars, bars
from .evidence_file import current
from .guard import Visit
from .render import respond
from .spans import CHOICES, Span, span_of


@dataclass(frozen=True, slots=True)
class TierShare:
    """One tier's part of the requests."""

    name: str
    sums: Sums
    share: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums of one span; those of simulated models never mix with real ones."""

    total: Sums
    tiers: tuple[TierShare, ...]
    bars: Bars
    n_other: int
    """Requests of the other kind, simulated or real, which are left out."""
    shadow_usd: float
    """What comparing served answers with the strong tier's cost, in the same time."""

    @property
    def saved_usd(self) -> float:
        """Net of everything."""
        return self.total.saved_usd - self.shadow_usd

    @property
    def saved_share(self) -> float | None:
        """The same as a part of the baseline; None when nothing can be compared or the baseline is free."""
        return self.saved_usd / self.total.baseline_usd if self.total.baseline_usd > 0 else None


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A budget of all keys together."""

    window: Window
    spent_usd: float
    limit_usd: float

    @property
    def share(self) -> float:
        """Spent, at most 1."""
        return min(1.0, self.spent_usd / self.limit_usd) if self.limit_usd > 0 else 1.0


@runtime_checkable
class Budgeted(Protocol):
    """Limits that tell how the budget of all keys stands."""

    def overall(self) -> Mapping[Window, tuple[float, float]]:
        """(spent, limit) in USD by window; empty without a budget."""


async def overview(visit: Visit) -> web.Response:
    """The page; the script loads it anew every few seconds while it is looked at."""
    gateway, now = visit.gateway, visit.gateway.now()
    span = span_of(visit.request.query, now)
    router = gateway.router
    asked = {"real": False, "simulated": True}.get(visit.request.query.get("of", ""))
    figures, simulated = await asyncio.to_thread(_figures, visit.desk.reader, span, asked, router.tiers)
    limits = router.limits
    budgets: Mapping[Window, tuple[float, float]] = limits.overall() if isinstance(limits, Budgeted) else {}
    return respond(
        visit,
        "overview.html.j2",
        title="Overview",
        span=span,
        choices=CHOICES,
        given={**span.fields, **({} if asked is None else {"of": "simulated" if simulated else "real"})},
        figures=figures,
        simulated=simulated,
        total=figures.total,
        baseline=None if router.baseline is None else router.baseline.name,
        budgets=[BudgetLine(window, *amounts) for window, amounts in budgets.items()],
        troubled=router.health.troubled(router.models.values()),
        quality=await asyncio.to_thread(current, visit.desk.evidence, now),
        now=now,
    )


def _figures(reader: Reader, span: Span, asked: bool | None, tiers: tuple[Tier, ...]) -> tuple[Figures, bool]:
    step = "hour" if span.by_hour else "day"
    found = reader.sums_by_hour(("simulated", "tier", step), since=span.since, until=span.until)
    by_kind: dict[bool, list[tuple[str, str, Sums]]] = {False: [], True: []}
    for (simulated, tier, at), sums in found.items():
        by_kind[bool(simulated)].append((tier, at, sums))
    chosen = bool(by_kind[True] and not by_kind[False]) if asked is None else asked
    rows = by_kind[chosen]
    n = sum(sums.n_requests for _, _, sums in rows)
    order = {tier.name: place for place, tier in enumerate(tiers)}
    names = sorted({tier for tier, _, _ in rows} | set(order), key=lambda name: (order.get(name, len(order)), name))
    shares = []
    for name in names:
        sums = Sums.of(each for tier, _, each in rows if tier == name)
        shares.append(TierShare(name, sums, sums.n_requests / n if n else 0.0))
    steps: dict[str, list[Sums]] = {}
    for _, at, sums in rows:
        steps.setdefault(at, []).append(sums)
    return (
        Figures(
            total=Sums.of(sums for _, _, sums in rows),
            tiers=tuple(shares),
            bars=bars(span.steps(), {step: Sums.of(each) for step, each in steps.items()}),
            n_other=sum(sums.n_requests for _, _, sums in by_kind[not chosen]),
            shadow_usd=reader.shadow_usd(simulated=chosen, since=span.since, until=span.until),
        ),
        chosen,
    )


def month_start(now: datetime) -> datetime:
    """The first moment of the month."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
