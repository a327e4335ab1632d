"""Records one by one: filtered, newest first, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from pointsman.errors import BadRequest
from pointsman.vocabulary import JSONObject

from .json_form import summary_json
from .rows import clean, time_text
from .tables import feedback, records

MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which records; None means any. `since` is included, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None
    model: str | None = None
    tier: str | None = None
    policy: str | None = None
    status: str | None = None
    key: str | None = None
    session: str | None = None
    tag: str | None = None
    simulated: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        out: list[ColumnElement[bool]] = []
        if self.since is not None:
            out.append(records.c.created_at >= time_text(self.since))
        if self.until is not None:
            out.append(records.c.created_at < time_text(self.until))
        for column, wanted in (
            (records.c.model, self.model),
            (records.c.tier, self.tier),
            (records.c.policy, self.policy),
            (records.c.status, self.status),
            (records.c.key_id, self.key),
            (records.c.session_id, self.session),
        ):
            if wanted is not None:
                out.append(column == wanted)
        if self.tag is not None:
            # Tags are stored as a JSON array of strings, so a whole tag stands between quotes.
            out.append(records.c.tags.contains(orjson.dumps(clean(self.tag)).decode(), autoescape=True))
        if self.simulated is not None:
            out.append(records.c.simulated.is_(self.simulated))
        return out


@dataclass(frozen=True, slots=True)
class LogPage:
    """Records as plain JSON with their latest feedback, and the cursor of the next page, None on the last."""

    records: tuple[JSONObject, ...]
    next_cursor: str | None


def read_logs(connection: Connection, chosen: LogFilter, *, limit: int, cursor: str | None) -> LogPage:
    """At most `limit` (1 to 1000) records, newest first, that come after the cursor's page.

    New records do not shift the pages: a cursor names the last record seen.

    Raises:
        BadRequest: the limit or the cursor is not one.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"limit is {limit}; expected 1 to {MAX_LIMIT}", param="limit")
    conditions = chosen.conditions()
    if cursor is not None:
        created_at, id_ = _parse(cursor)
        r = records.c
        conditions.append(or_(r.created_at < created_at, and_(r.created_at == created_at, r.id < id_)))
    query = select(records).where(*conditions).order_by(records.c.created_at.desc(), records.c.id.desc())
    rows = connection.execute(query.limit(limit + 1)).mappings().all()
    page = rows[:limit]
    ids = [row["request_id"] for row in page]
    said = select(feedback).where(feedback.c.request_id.in_(ids)).order_by(feedback.c.created_at, feedback.c.id)
    latest = {row["request_id"]: row for row in connection.execute(said).mappings()}
    out: list[JSONObject] = []
    for row in page:
        opinion = latest.get(row["request_id"])
        entry = summary_json(row)
        entry["feedback_score"] = None if opinion is None else opinion["score"]
        entry["feedback_label"] = None if opinion is None else opinion["label"]
        out.append(entry)
    more = len(rows) > limit
    return LogPage(tuple(out), f"{page[-1]['created_at']}_{page[-1]['id']}" if more else None)


def _parse(cursor: str) -> tuple[str, int]:
    created_at, _, id_ = cursor.partition("_")
    if len(created_at) != 27 or not (id_.isascii() and id_.isdigit()) or len(id_) > 18:
        raise BadRequest("the cursor is not one that a page gave", param="cursor")
    return created_at, int(id_)
