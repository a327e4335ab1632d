"""What each key has spent, for budgets that outlive a restart."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, case, func, select

from .rows import time_text
from .tables import records, shadows


def read_spending(
    connection: Connection, since: datetime, *, lately: datetime, until: datetime | None = None
) -> tuple[dict[str | None, float], dict[str | None, float]]:
    """USD by key of the records made at `since` or later and before `until`, and of those made at `lately` or later.

    Attempts, router and judge together; unknown costs are left out.
    """
    spent = func.coalesce(records.c.cost_usd, 0.0) + records.c.router_cost_usd + records.c.judge_cost_usd
    late = case((records.c.created_at >= time_text(lately), spent), else_=0.0)
    query = (
        select(records.c.key_id, func.sum(spent), func.sum(late))
        .where(records.c.created_at >= time_text(since))
        .group_by(records.c.key_id)
    )
    if until is not None:
        query = query.where(records.c.created_at < time_text(until))
    rows = connection.execute(query).all()
    return {key: float(usd) for key, usd, _ in rows}, {key: float(usd) for key, _, usd in rows}


def read_shadow_spending(connection: Connection, since: datetime) -> float:
    """USD of the comparisons made at `since` or later: strong calls and judges together."""
    spent = func.sum(shadows.c.strong_cost_usd + shadows.c.judge_cost_usd)
    found = connection.execute(select(spent).where(shadows.c.created_at >= time_text(since))).scalar_one()
    return 0.0 if found is None else float(found)


def read_shadow_usd(connection: Connection, *, simulated: bool, since: datetime, until: datetime | None) -> float:
    """USD of the comparisons made in a span of time of real answers, or of simulated ones."""
    spent = func.sum(shadows.c.strong_cost_usd + shadows.c.judge_cost_usd)
    query = (
        select(spent)
        .select_from(shadows.join(records, records.c.request_id == shadows.c.request_id))
        .where(shadows.c.created_at >= time_text(since), records.c.simulated.is_(simulated))
    )
    if until is not None:
        query = query.where(shadows.c.created_at < time_text(until))
    found = connection.execute(query).scalar_one()
    return 0.0 if found is None else float(found)
