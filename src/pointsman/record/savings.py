"""What routing saved: sums over records, unknown costs left out and counted, simulated answers kept apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal, select

from .rows import time_text
from .tables import records, shadows


class SavingsBy(StrEnum):
    """What savings can be broken down by."""

    DAY = "day"
    TIER = "tier"
    MODEL = "model"
    POLICY = "policy"
    KEY = "key"
    ENDPOINT = "endpoint"
    REASON = "reason"


_COLUMNS: dict[SavingsBy, ColumnElement[str]] = {
    SavingsBy.DAY: func.substr(records.c.created_at, 1, 10),
    SavingsBy.TIER: records.c.tier,
    SavingsBy.MODEL: records.c.model,
    SavingsBy.POLICY: records.c.policy,
    SavingsBy.KEY: records.c.key_id,
    SavingsBy.ENDPOINT: records.c.endpoint,
    SavingsBy.REASON: records.c.reason_code,
}


@dataclass(frozen=True, slots=True)
class SavingsLine:
    """Figures of one group of records.

    Spent, baseline and saved cover the same records, those of which both sides are known, so that they may be
    compared; the others are counted in `n_unknown_cost` and `n_unknown_baseline`.

    Attributes:
        name: the model, tier or other value; None for records without one, and for the total.
        n_requests: all records.
        n_ok: those with status "ok".
        n_compared: those of which cost and baseline are known.
        n_unknown_cost: those of which the cost is not known.
        n_unknown_baseline: those of which the cost is known and the baseline is not.
        spent_usd: attempts, router, judge and shadows together, over the compared records.
        router_and_judge_usd: the part of it that went into deciding.
        shadow_usd: the part of it that went into comparing served answers with the strong tier's.
        baseline_usd: what the baseline model would have cost, over the compared records.
        saved_usd: the difference; below 0 when routing cost more.
        uncompared_usd: known costs of records without a known baseline.
        share: this group's part of its section's requests, 0 to 1.
    """

    name: str | None
    n_requests: int
    n_ok: int
    n_compared: int
    n_unknown_cost: int
    n_unknown_baseline: int
    spent_usd: float
    router_and_judge_usd: float
    shadow_usd: float
    baseline_usd: float
    saved_usd: float
    uncompared_usd: float
    share: float = 1.0

    @property
    def saved_share(self) -> float | None:
        """Saved as a part of the baseline; None when nothing can be compared or the baseline is free."""
        return self.saved_usd / self.baseline_usd if self.baseline_usd > 0 else None


@dataclass(frozen=True, slots=True)
class SavingsSection:
    """The total and, when it was asked for, its groups: days in order, all others by requests."""

    total: SavingsLine
    groups: tuple[SavingsLine, ...]


@dataclass(frozen=True, slots=True)
class Savings:
    """Savings of a span of time; records of simulated models never mix with real ones."""

    since: datetime | None
    until: datetime | None
    by: SavingsBy | None
    real: SavingsSection
    simulated: SavingsSection


def read_savings(
    connection: Connection, *, since: datetime | None, until: datetime | None, by: SavingsBy | None
) -> Savings:
    """Savings of the records made at `since` or later and before `until`; None means without that end."""
    r = records.c
    compared = r.saved_usd.is_not(None)
    deciding = r.router_cost_usd + r.judge_cost_usd
    name: ColumnElement[Any] = literal(None) if by is None else _COLUMNS[by]

    def total_of(condition: ColumnElement[bool], value: ColumnElement[float]) -> ColumnElement[float]:
        return func.coalesce(func.sum(case((condition, value), else_=0.0)), 0.0)

    def count_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    query = select(
        r.simulated,
        name.label("name"),
        func.count().label("n_requests"),
        count_of(r.status == "ok").label("n_ok"),
        count_of(compared).label("n_compared"),
        count_of(r.cost_usd.is_(None)).label("n_unknown_cost"),
        count_of(r.cost_usd.is_not(None) & ~compared).label("n_unknown_baseline"),
        total_of(compared, r.cost_usd + deciding).label("spent_usd"),
        total_of(compared, deciding).label("router_and_judge_usd"),
        literal(0.0).label("shadow_usd"),
        total_of(compared, r.baseline_cost_usd).label("baseline_usd"),
        total_of(compared, r.saved_usd).label("saved_usd"),
        total_of(r.cost_usd.is_not(None) & ~compared, r.cost_usd + deciding).label("uncompared_usd"),
    ).group_by(r.simulated, *([] if by is None else [name]))
    # Comparisons are few: joined to the large query, they would be looked up for every record.
    cost = shadows.c.strong_cost_usd + shadows.c.judge_cost_usd
    shadowed = (
        select(
            r.simulated,
            name.label("name"),
            total_of(compared, cost).label("compared"),
            total_of(~compared, cost).label("other"),
        )
        .select_from(shadows.join(records, r.request_id == shadows.c.request_id))
        .group_by(r.simulated, *([] if by is None else [name]))
    )
    if since is not None:
        query, shadowed = (each.where(r.created_at >= time_text(since)) for each in (query, shadowed))
    if until is not None:
        query, shadowed = (each.where(r.created_at < time_text(until)) for each in (query, shadowed))
    spent = {(bool(row.simulated), row.name): (row.compared, row.other) for row in connection.execute(shadowed)}
    lines: dict[bool, list[SavingsLine]] = {False: [], True: []}
    for row in connection.execute(query).mappings():
        figures = dict(row)
        simulated = bool(figures.pop("simulated"))
        line = _net_of(SavingsLine(**figures), *spent.get((simulated, row["name"]), (0.0, 0.0)))
        lines[simulated].append(line)
    return Savings(since, until, by, _section(lines[False], by), _section(lines[True], by))


def _net_of(line: SavingsLine, compared_usd: float, other_usd: float) -> SavingsLine:
    """The line with what its records' shadows cost: those of records that can be compared, and of the others."""
    return replace(
        line,
        spent_usd=line.spent_usd + compared_usd,
        shadow_usd=compared_usd,
        saved_usd=line.saved_usd - compared_usd,
        uncompared_usd=line.uncompared_usd + other_usd,
    )


def _section(lines: list[SavingsLine], by: SavingsBy | None) -> SavingsSection:
    total = _total(lines)
    if by is None:
        return SavingsSection(total, ())
    if by is SavingsBy.DAY:
        lines.sort(key=lambda line: line.name or "")
    else:
        lines.sort(key=lambda line: (-line.n_requests, line.name or ""))
    return SavingsSection(total, tuple(_shared(line, total.n_requests) for line in lines))


def _shared(line: SavingsLine, n_requests: int) -> SavingsLine:
    return replace(line, share=line.n_requests / n_requests)


def _total(lines: Iterable[SavingsLine]) -> SavingsLine:
    rows = tuple(lines)
    return SavingsLine(
        name=None,
        n_requests=sum(line.n_requests for line in rows),
        n_ok=sum(line.n_ok for line in rows),
        n_compared=sum(line.n_compared for line in rows),
        n_unknown_cost=sum(line.n_unknown_cost for line in rows),
        n_unknown_baseline=sum(line.n_unknown_baseline for line in rows),
        spent_usd=math.fsum(line.spent_usd for line in rows),
        router_and_judge_usd=math.fsum(line.router_and_judge_usd for line in rows),
        shadow_usd=math.fsum(line.shadow_usd for line in rows),
        baseline_usd=math.fsum(line.baseline_usd for line in rows),
        saved_usd=math.fsum(line.saved_usd for line in rows),
        uncompared_usd=math.fsum(line.uncompared_usd for line in rows),
    )
