"""Every page in one table, with who may see it; a test holds each to its rule."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from pointsman.gateway.access import PAGES

from . import decisions, evidence, keys, models, one_decision, overview, routers, sign_in, static
from .desk import Desk
from .guard import Page, Rule, guarded


@dataclass(frozen=True, slots=True)
class Entry:
    """One route."""

    method: str
    path: str
    page: Page
    rule: Rule = Rule.SIGNED_IN


TABLE = (
    Entry("GET", f"{PAGES}/sign-in", sign_in.form, Rule.OPEN),
    Entry("POST", f"{PAGES}/sign-in", sign_in.sign_in, Rule.OPEN),
    Entry("GET", f"{PAGES}/static/{{name}}", static.static, Rule.OPEN),
    Entry("POST", f"{PAGES}/sign-out", sign_in.sign_out),
    Entry("GET", PAGES, overview.overview),
    Entry("GET", f"{PAGES}/decisions", decisions.decisions),
    Entry("GET", f"{PAGES}/decisions/{{request_id}}", one_decision.one_decision),
    Entry("POST", f"{PAGES}/decisions/{{request_id}}/label", one_decision.label),
    Entry("GET", f"{PAGES}/evidence", evidence.evidence),
    Entry("GET", f"{PAGES}/routers", routers.routers),
    Entry("POST", f"{PAGES}/routers/promote", routers.promote),
    Entry("POST", f"{PAGES}/routers/undo", routers.undo),
    Entry("GET", f"{PAGES}/models", models.models),
    Entry("GET", f"{PAGES}/keys", keys.keys),
    Entry("POST", f"{PAGES}/keys/create", keys.create),
    Entry("POST", f"{PAGES}/keys/revoke", keys.revoke),
)


def routes(desk: Desk) -> list[web.RouteDef]:
    """The table as aiohttp takes it."""
    return [web.route(each.method, each.path, guarded(each.page, each.rule, desk)) for each in TABLE]
