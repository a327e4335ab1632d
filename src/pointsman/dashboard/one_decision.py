"""One decision: what it was made of, what came of it, and what a person says of it."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from pointsman.errors import BadRequest, NotFound
from pointsman.vocabulary import Feedback, FeedbackLabel

from .guard import Visit
from .render import redirect, respond

MAX_COMMENT_CHARS = 2_000
SHOWN_CHARS = 50_000
"""Of a prompt or an answer; the rest is left out and said."""
LABELS = {
    FeedbackLabel.RIGHT_TIER: "Right tier",
    FeedbackLabel.TOO_CHEAP: "Too cheap",
    FeedbackLabel.TOO_STRONG: "Too strong",
}


async def one_decision(visit: Visit) -> web.Response:
    """The page.

    Raises:
        NotFound: there is no such record.
    """
    request_id = visit.request.match_info["request_id"]
    record = await visit.gateway.router.decision_record(request_id)
    if record is None:
        raise NotFound("no request of this id is on record")
    stored = await asyncio.to_thread(visit.desk.reader.stored_prompt, request_id)
    body, answer = (None, None) if stored is None else stored
    decision = record["decision"]
    return respond(
        visit,
        "one_decision.html.j2",
        title="Decision",
        record=record,
        decision=decision,
        prompt=None if body is None else _shown(_indented(body)),
        answer=None if answer is None else _shown(answer),
        stores_prompts=visit.desk.stores_prompts,
        labels=LABELS,
        has_sum=record["cost_usd"] is not None and record["baseline_cost_usd"] is not None,
        largest_effect=max((abs(each["effect"]) for each in decision["moved"]), default=1.0) if decision else 1.0,
    )


async def label(visit: Visit) -> web.Response:
    """Takes a label as feedback, from which `pointsman import` makes triples.

    Raises:
        NotFound: there is no such record.
        BadRequest: it is not one of the labels.
    """
    request_id = visit.request.match_info["request_id"]
    try:
        said = FeedbackLabel(visit.fields.get("label", ""))
    except ValueError:
        raise BadRequest(f"the label is one of {', '.join(FeedbackLabel)}") from None
    comment = visit.fields.get("comment")
    if comment is not None and len(comment) > MAX_COMMENT_CHARS:
        raise BadRequest(f"the comment is longer than {MAX_COMMENT_CHARS} characters")
    if await visit.gateway.router.decision_record(request_id) is None:
        raise NotFound("no request of this id is on record")
    visit.desk.say(Feedback(request_id, visit.gateway.now(), label=said.value, comment=comment))
    return redirect(f"/decisions/{request_id}#labels")


def _shown(text: str) -> tuple[str, int]:
    """The beginning of a text, and how many characters are left out."""
    return text[:SHOWN_CHARS], max(0, len(text) - SHOWN_CHARS)


def _indented(body: bytes) -> str:
    """JSON laid out to be read; anything else as it is."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
