"""Virtual keys: list, make, revoke."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from pointsman.errors import BadRequest
from pointsman.limit import checked_name, expiry
from pointsman.record.sums import Sums
from pointsman.vocabulary import ADMIN_NAME, KeyTerms, VirtualKey

from .desk import KeyCupboard
from .guard import Visit
from .overview import month_start
from .render import respond

NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One key, and what it spent this month."""

    name: str
    key: VirtualKey | None
    state: str
    """"live", "expired", "revoked", or "configured" for those of the configuration."""
    sums: Sums


async def keys(visit: Visit) -> web.Response:
    """The page."""
    return await _page(visit)


async def create(visit: Visit) -> web.Response:
    """Makes a key and shows it, this once.

    Raises:
        BadRequest: a field will not do, or the name is taken.
    """
    fields, now = visit.fields, visit.gateway.now()
    cupboard = _cupboard(visit)
    name = checked_name(fields.get("name", ""), what="the name")
    if name == ADMIN_NAME or name in visit.desk.clients:
        raise BadRequest(f"{name} is the name of another key; choose another")
    terms = KeyTerms(
        models=_names(fields.get("models"), tuple(visit.gateway.router.models), "model"),
        policies=_names(fields.get("policies"), tuple(visit.gateway.router.policies), "policy"),
        usd_per_day=_amount(fields.get("usd_per_day"), "USD a day"),
        usd_per_month=_amount(fields.get("usd_per_month"), "USD a month"),
        requests_per_min=_count(fields.get("requests_per_min"), "requests a minute"),
        tokens_per_min=_count(fields.get("tokens_per_min"), "tokens a minute"),
        max_concurrent=_count(fields.get("max_concurrent"), "requests at once"),
    )
    end = fields.get("expires")
    expires_at = None if end is None else expiry(end, now, what="the end")
    secret, made = await asyncio.to_thread(cupboard.create, name, terms, now=now, expires_at=expires_at)
    await visit.gateway.keys.virtual.refresh()
    return await _page(visit, secret=secret, made=made.name)


async def revoke(visit: Visit) -> web.Response:
    """Revokes a key for good.

    Raises:
        BadRequest: there is none of that name, or the box that confirms it is not ticked.
    """
    if visit.fields.get("sure") != "yes":
        raise BadRequest("tick the box that says so: a key that is revoked stays revoked")
    gone = await asyncio.to_thread(_cupboard(visit).revoke, visit.fields.get("name", ""), now=visit.gateway.now())
    await visit.gateway.keys.virtual.refresh()
    return await _page(visit, revoked=gone.name)


async def _page(
    visit: Visit, *, secret: str | None = None, made: str | None = None, revoked: str | None = None
) -> web.Response:
    now, desk = visit.gateway.now(), visit.desk
    found = () if desk.keys is None else await asyncio.to_thread(desk.keys.all)
    spent = await asyncio.to_thread(desk.reader.sums_by_key, ("key_id",), since=month_start(now))
    sums = {name: each for (name,), each in spent.items()}
    rows = [Row(name, None, "configured", sums.get(name, Sums())) for name in desk.clients]
    rows += [Row(key.name, key, _state(key, now), sums.get(key.name, Sums())) for key in reversed(found)]
    return respond(
        visit,
        "keys.html.j2",
        title="Keys",
        rows=rows,
        keyless=sums.get("", Sums()),
        can_make=desk.keys is not None,
        asked=visit.gateway.keys.asked,
        secret=secret,
        made=made,
        revoked=revoked,
        models=sorted(visit.gateway.router.models),
        policies=sorted(visit.gateway.router.policies),
    )


def _state(key: VirtualKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "live"


def _cupboard(visit: Visit) -> KeyCupboard:
    if visit.desk.keys is None:
        raise BadRequest("this gateway has no ledger that keys could be kept in")
    return visit.desk.keys


def _names(text: str | None, known: tuple[str, ...], what: str) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = sorted(set(names) - set(known))
    if unknown or not names:
        raise BadRequest(f"there is no {what} named {', '.join(unknown)[:80]}; expected some of {', '.join(known)}")
    return names


def _amount(text: str | None, what: str) -> float | None:
    if text is None:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e12:
        raise BadRequest(f"{what} is {text[:20]!r}; expected an amount such as 5 or 0.50")
    return amount


def _count(text: str | None, what: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0):
        raise BadRequest(f"{what} is {text[:20]!r}; expected a whole number above 0")
    return int(text)
