"""What is on record of a policy that is watched: its events, its comparisons, and who served its requests."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select

from pointsman.vocabulary import ShadowStatus, WatchEvent, WatchKind

from .rows import time_text
from .tables import records, shadows, watch_events


def read_events(connection: Connection, policy: str) -> list[WatchEvent]:
    """The events of a policy, whatever its fingerprint, oldest first."""
    query = select(watch_events).where(watch_events.c.policy == policy).order_by(watch_events.c.id)
    return [
        WatchEvent(
            policy=row.policy,
            fingerprint=row.fingerprint,
            kind=WatchKind(row.kind),
            created_at=datetime.fromisoformat(row.created_at),
            what=row.what,
            text=row.text,
            detail=row.detail,
        )
        for row in connection.execute(query)
    ]


def read_scores(connection: Connection, fingerprint: str, *, since: datetime, not_for: Collection[str]) -> list[float]:
    """The scores of a policy's compared answers, in the order in which they were judged.

    Args:
        not_for: reasons of decisions that were not the policy's own.
    """
    query = (
        select(shadows.c.score)
        .where(
            shadows.c.fingerprint == fingerprint,
            shadows.c.status == ShadowStatus.JUDGED.value,
            shadows.c.created_at >= time_text(since),
            shadows.c.reason_code.not_in(sorted(not_for)),
        )
        .order_by(shadows.c.id)
    )
    return [float(score) for score in connection.execute(query).scalars()]


def read_served(
    connection: Connection, policy: str, *, since: datetime, not_for: Collection[str]
) -> dict[str | None, int]:
    """How many of a policy's requests each tier has served well."""
    query = (
        select(records.c.tier, func.count())
        .where(
            records.c.policy == policy,
            records.c.created_at >= time_text(since),
            records.c.status == "ok",
            records.c.reason_code.not_in(sorted(not_for)),
        )
        .group_by(records.c.tier)
    )
    return {row[0]: row[1] for row in connection.execute(query)}
