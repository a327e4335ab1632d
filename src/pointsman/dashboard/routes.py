"""Every page in one table, with who may see it; a test holds each to its rule."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module

from aiohttp import web

from pointsman.gateway.access import PAGES

from .desk import Desk
from .guard import Page, Rule, Visit, guarded


@dataclass(frozen=True, slots=True)
class Later:
    """A page that is loaded at its first visit: a gateway whose dashboard nobody opens has none in memory."""

    module: str
    function: str

    async def __call__(self, visit: Visit) -> web.Response:
        """What the page answers."""
        module = await asyncio.to_thread(import_module, f".{self.module}", __package__)
        page: Page = getattr(module, self.function)
        return await page(visit)


@dataclass(frozen=True, slots=True)
class Entry:
    """One route."""

    method: str
    path: str
    page: Page
    rule: Rule = Rule.SIGNED_IN


TABLE = (
    Entry("GET", f"{PAGES}/sign-in", Later("sign_in", "form"), Rule.OPEN),
    Entry("POST", f"{PAGES}/sign-in", Later("sign_in", "sign_in"), Rule.OPEN),
    Entry("GET", f"{PAGES}/static/{{name}}", Later("static", "static"), Rule.OPEN),
    Entry("POST", f"{PAGES}/sign-out", Later("sign_in", "sign_out")),
    Entry("GET", PAGES, Later("overview", "overview")),
    Entry("GET", f"{PAGES}/decisions", Later("decisions", "decisions")),
    Entry("GET", f"{PAGES}/decisions/{{request_id}}", Later("one_decision", "one_decision")),
    Entry("POST", f"{PAGES}/decisions/{{request_id}}/label", Later("one_decision", "label")),
    Entry("GET", f"{PAGES}/evidence", Later("evidence", "evidence")),
    Entry("GET", f"{PAGES}/routers", Later("routers", "routers")),
    Entry("POST", f"{PAGES}/routers/promote", Later("routers", "promote")),
    Entry("POST", f"{PAGES}/routers/undo", Later("routers", "undo")),
    Entry("GET", f"{PAGES}/models", Later("models", "models")),
    Entry("GET", f"{PAGES}/keys", Later("keys", "keys")),
    Entry("POST", f"{PAGES}/keys/create", Later("keys", "create")),
    Entry("POST", f"{PAGES}/keys/revoke", Later("keys", "revoke")),
)


def routes(desk: Desk) -> list[web.RouteDef]:
    """The table as aiohttp takes it."""
    return [web.route(each.method, each.path, guarded(each.page, each.rule, desk)) for each in TABLE]
