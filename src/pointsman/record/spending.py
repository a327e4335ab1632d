"""What each key has spent, for budgets that outlive a restart."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from .rows import time_text
from .tables import records


def read_spending(connection: Connection, since: datetime) -> dict[str | None, float]:
    """USD by key of the records made at `since` or later: attempts, router and judge; unknown costs are left out."""
    spent = func.coalesce(records.c.cost_usd, 0.0) + records.c.router_cost_usd + records.c.judge_cost_usd
    query = (
        select(records.c.key_id, func.sum(spent))
        .where(records.c.created_at >= time_text(since))
        .group_by(records.c.key_id)
    )
    return {key: float(usd) for key, usd in connection.execute(query)}
