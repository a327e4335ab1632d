"""What routing saved: sums over records, unknown costs left out and counted, simulated answers kept apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, select

from .rows import time_text
from .sums import NAMES, NONE, Sums, grouped, read_grouped, read_sums
from .tables import hours, key_days, records, shadows


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
    """Savings of the records made at `since` or later and before `until`; None means without that end.

    By endpoint and by reason every record is looked at. Everything else comes from the sums, and what a span of time
    cuts off an hour or a day from the records.
    """
    found = (
        _of_records(connection, _COLUMNS[by], since, until)
        if by in {SavingsBy.ENDPOINT, SavingsBy.REASON}
        else _of_sums(connection, by, since, until)
    )
    shadowed = _shadowed(connection, by, since, until)
    lines: dict[bool, list[SavingsLine]] = {False: [], True: []}
    for (simulated, name), sums in found.items():
        line = SavingsLine(
            name=name,
            n_requests=sums.n_requests,
            n_ok=sums.n_ok,
            n_compared=sums.n_compared,
            n_unknown_cost=sums.n_unknown_cost,
            n_unknown_baseline=sums.n_unknown_baseline,
            spent_usd=sums.spent_usd,
            router_and_judge_usd=sums.router_usd + sums.judge_usd,
            shadow_usd=0.0,
            baseline_usd=sums.baseline_usd,
            saved_usd=sums.saved_usd,
            uncompared_usd=sums.uncompared_usd,
        )
        lines[simulated].append(_net_of(line, *shadowed.get((simulated, name), (0.0, 0.0))))
    return Savings(since, until, by, _section(lines[False], by), _section(lines[True], by))


_Groups: TypeAlias = dict[tuple[bool, str | None], Sums]
"""By whether answers were simulated, and the group's name."""


def _of_sums(connection: Connection, by: SavingsBy | None, since: datetime | None, until: datetime | None) -> _Groups:
    table, n_chars = (key_days, 10) if by is SavingsBy.KEY else (hours, 13)
    names = ("simulated",) if by is None else ("simulated", "key_id" if by is SavingsBy.KEY else by.value)
    unit = timedelta(days=1) if n_chars == 10 else timedelta(hours=1)
    first = None if since is None else time_text(since)
    last = None if until is None else time_text(until)
    # The first unit that begins within the span, and the one that the span ends in.
    begin = None if since is None else time_text(since + unit - timedelta(microseconds=1))[:n_chars]
    end = None if last is None else last[:n_chars]
    parts: dict[tuple[Any, ...], list[Sums]] = {}

    def of_records(first: str | None, last: str | None) -> None:
        query = grouped(records, names)
        if first is not None:
            query = query.where(records.c.created_at >= first)
        if last is not None:
            query = query.where(records.c.created_at < last)
        for key, sums in read_grouped(connection, query, names):
            parts.setdefault(key, []).append(sums)

    if begin is not None and end is not None and begin >= end:
        of_records(first, last)
    else:
        for key, sums in read_sums(connection, table, names, since=begin, until=end).items():
            parts.setdefault(key, []).append(sums)
        if first is not None:
            of_records(first, begin)
        if last is not None:
            of_records(end, last)
    return {
        (bool(key[0]), None if by is None or key[1] == NONE else key[1]): Sums.of(each) for key, each in parts.items()
    }


def _of_records(
    connection: Connection, column: ColumnElement[str], since: datetime | None, until: datetime | None
) -> _Groups:
    query = grouped(records, ("simulated",)).add_columns(column.label("name")).group_by(column)
    rows = connection.execute(_within(query, since, until)).mappings()
    return {
        (bool(row["simulated"]), row["name"]): Sums(**{name: row[name] for name in NAMES})
        for row in rows
        if row["n_requests"]
    }


def _shadowed(
    connection: Connection, by: SavingsBy | None, since: datetime | None, until: datetime | None
) -> dict[tuple[bool, str | None], tuple[float, float]]:
    """What comparisons cost, by group: those of records that can be compared, and those of the others."""
    r = records.c
    compared = r.saved_usd.is_not(None)
    name: ColumnElement[Any] = literal(None) if by is None else _COLUMNS[by]
    cost = shadows.c.strong_cost_usd + shadows.c.judge_cost_usd

    def total_of(condition: ColumnElement[bool]) -> ColumnElement[float]:
        return func.coalesce(func.sum(case((condition, cost), else_=0.0)), 0.0)

    # Comparisons are few: joined to the large query, they would be looked up for every record.
    costs = (total_of(compared).label("compared"), total_of(~compared).label("other"))
    query = (
        select(r.simulated, name.label("name"), *costs)
        .select_from(shadows.join(records, r.request_id == shadows.c.request_id))
        .group_by(r.simulated, *([] if by is None else [name]))
    )
    rows = connection.execute(_within(query, since, until))
    return {(bool(row.simulated), row.name): (row.compared, row.other) for row in rows}


def _within(query: Select[Any], since: datetime | None, until: datetime | None) -> Select[Any]:
    if since is not None:
        query = query.where(records.c.created_at >= time_text(since))
    return query if until is None else query.where(records.c.created_at < time_text(until))


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
