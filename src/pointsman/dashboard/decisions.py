"""Records one by one, searched and filtered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from pointsman.record.logs import LogFilter

from .guard import Visit
from .render import redirect, respond
from .spans import CHOICES, span_of

ROWS = 50
MAX_SCANNED = 20_000
"""Records that one page looks through: a search that finds little ends here, and goes on where the reader says so."""
MAX_TEXT_CHARS = 200
STATUSES = ("ok", "error", "cancelled", "incomplete")
FIELDS = ("q", "model", "tier", "policy", "status", "key", "session", "tag")
_ID_CHARS = 36


async def decisions(visit: Visit) -> web.Response:
    """The table; the id of a request leads straight to it."""
    query = visit.request.query
    given = {name: query[name].strip()[:MAX_TEXT_CHARS] for name in FIELDS if query.get(name, "").strip()}
    text = given.get("q")
    reader = visit.desk.reader
    is_id = text is not None and text.startswith("req_") and len(text) == _ID_CHARS
    if text is not None and is_id and await visit.gateway.router.decision_record(text) is not None:
        return redirect(f"/decisions/{text}")
    chosen = LogFilter(
        model=given.get("model"),
        tier=given.get("tier"),
        policy=given.get("policy"),
        status=given.get("status"),
        key=given.get("key"),
        session=given.get("session"),
        tag=given.get("tag"),
        text=text,
    )
    span_name = None
    if query.get("span") or query.get("from") or query.get("to"):
        span = span_of(query, visit.gateway.now())
        chosen = replace(chosen, since=span.since, until=span.until)
        given |= span.fields
        span_name = span.name
    cursor = query.get("after")
    page = await asyncio.to_thread(reader.logs, chosen, limit=ROWS, cursor=cursor, max_scanned=MAX_SCANNED)
    router = visit.gateway.router
    return respond(
        visit,
        "decisions.html.j2",
        title="Decisions",
        page=page,
        given=given,
        span_name=span_name,
        choices=CHOICES,
        is_first=cursor is None,
        models=sorted(router.models),
        tiers=[tier.name for tier in router.tiers],
        policies=sorted(router.policies),
        statuses=STATUSES,
        max_scanned=MAX_SCANNED,
    )
