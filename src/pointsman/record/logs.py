"""Records one by one: filtered, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from sqlalchemy import Boolean, ColumnElement, Connection, and_, literal_column, or_, select

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
    text: str | None = None
    """Stands in the reason or the requested model, begins the request's id, or is its session, key or one of its
    tags."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        return [*self.times(), *self.indexed(), *self.others()]

    def times(self) -> list[ColumnElement[bool]]:
        """The span of time as SQL."""
        out: list[ColumnElement[bool]] = []
        if self.since is not None:
            out.append(records.c.created_at >= time_text(self.since))
        if self.until is not None:
            out.append(records.c.created_at < time_text(self.until))
        return out

    def indexed(self) -> list[ColumnElement[bool]]:
        """The most selective of the conditions that an index leads to by time, as SQL; empty when there is none."""
        if self.session is not None:
            return [records.c.session_id == self.session]
        if self.status is not None and self.status != "ok":
            # The index of what went wrong is used only where its own condition stands in the query.
            return [records.c.status == self.status, literal_column("records.status <> 'ok'", Boolean)]
        for column, wanted in (
            (records.c.key_id, self.key),
            (records.c.model, self.model),
            (records.c.policy, self.policy),
        ):
            if wanted is not None:
                return [column == wanted]
        return []

    def others(self) -> list[ColumnElement[bool]]:
        """The other conditions as SQL; for them, every record that the rest leaves is looked at."""
        out: list[ColumnElement[bool]] = []
        for column, wanted in (
            (records.c.tier, self.tier),
            (records.c.policy, self.policy),
            (records.c.model, self.model),
            (records.c.key_id, self.key),
            (records.c.status, self.status),
        ):
            if wanted is not None:
                out.append(column == wanted)
        if self.tag is not None:
            out.append(_tagged(self.tag))
        if self.simulated is not None:
            out.append(records.c.simulated.is_(self.simulated))
        if self.text is not None:
            out.append(_holding(self.text))
        return out

    @property
    def is_light(self) -> bool:
        """True when every record that an index leads to is wanted."""
        given = (self.session, self.status, self.key, self.model, self.policy)
        looked_at = (self.tier, self.tag, self.simulated, self.text)
        return sum(each is not None for each in given) <= 1 and all(each is None for each in looked_at)


def _tagged(tag: str) -> ColumnElement[bool]:
    # Tags are stored as a JSON array of strings, so a whole tag stands between quotes.
    return records.c.tags.contains(orjson.dumps(clean(tag)).decode(), autoescape=True)


def _holding(wanted: str) -> ColumnElement[bool]:
    r = records.c
    return or_(
        r.reason.contains(wanted, autoescape=True),
        r.requested_model.contains(wanted, autoescape=True),
        r.request_id.startswith(wanted, autoescape=True),
        r.session_id == wanted,
        r.key_id == wanted,
        _tagged(wanted),
    )


@dataclass(frozen=True, slots=True)
class LogPage:
    """Records as plain JSON with their latest feedback, and the cursor of the next page, None on the last."""

    records: tuple[JSONObject, ...]
    next_cursor: str | None
    scanned_to: str | None = None
    """The time down to which was looked, where the page ends because of that; None otherwise."""


def read_logs(
    connection: Connection, chosen: LogFilter, *, limit: int, cursor: str | None, max_scanned: int | None = None
) -> LogPage:
    """At most `limit` (1 to 1000) records, newest first, that come after the cursor's page.

    New records do not shift the pages: a cursor names the last record seen.

    Args:
        max_scanned: how many records to look through at most; where that ends the page, its cursor leads on from there
            and `scanned_to` says so. None looks through all.

    Raises:
        BadRequest: the limit or the cursor is not one.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"limit is {limit}; expected 1 to {MAX_LIMIT}", param="limit")
    from_here = []
    if cursor is not None:
        created_at, id_ = _parse(cursor)
        r = records.c
        # Redundant, but an index leads to the first condition and not to the second.
        from_here = [
            r.created_at <= created_at,
            or_(r.created_at < created_at, and_(r.created_at == created_at, r.id < id_)),
        ]
    floor = None if max_scanned is None or chosen.is_light else _floor(connection, chosen, from_here, max_scanned)
    conditions = [*chosen.conditions(), *from_here]
    if floor is not None:
        # In place of `since`, which is earlier: of two lower bounds SQLite takes the first to the index.
        later = replace(chosen, since=None)
        conditions = [records.c.created_at >= floor, *later.conditions(), *from_here]
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
    if more:
        return LogPage(tuple(out), f"{page[-1]['created_at']}_{page[-1]['id']}")
    return LogPage(tuple(out), None if floor is None else f"{floor}_0", floor)


def _floor(
    connection: Connection, chosen: LogFilter, from_here: Sequence[ColumnElement[bool]], max_scanned: int
) -> str | None:
    """The time down to which so many records are looked through; None when there are no more than that.

    It is found on the index that the conditions lead to, without a look at the records.
    """
    found: str | None = connection.execute(
        select(records.c.created_at)
        .where(*chosen.times(), *chosen.indexed(), *from_here[:1])
        .order_by(records.c.created_at.desc())
        .offset(max_scanned)
        .limit(1)
    ).scalar_one_or_none()
    return found


def _parse(cursor: str) -> tuple[str, int]:
    created_at, _, id_ = cursor.partition("_")
    if len(created_at) != 27 or not (id_.isascii() and id_.isdigit()) or len(id_) > 18:
        raise BadRequest("the cursor is not one that a page gave", param="cursor")
    return created_at, int(id_)
