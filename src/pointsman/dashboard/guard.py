"""Around every page: who may see it, where its forms come from, and the headers that keep it to itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from aiohttp import web

from pointsman.errors import PermissionDenied, PointsmanError
from pointsman.gateway.access import PAGES
from pointsman.gateway.state import EXCHANGE, GATEWAY, Gateway

from .desk import Desk
from .form import read_form
from .sessions import COOKIE

SECURITY_HEADERS = {
    # Everything comes from this origin: no inline script or style, no frame, no other site's form.
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": browsers then send `Origin: null` with our own forms (fetch.spec.whatwg.org, section 3.2).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Rule(StrEnum):
    """Who may see a page."""

    OPEN = "open"
    """Everybody: the sign-in and the style sheet."""
    SIGNED_IN = "signed in"
    """Whoever gave the admin key; where not even metrics ask for one, whoever is on this machine."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser."""

    request: web.Request
    desk: Desk
    gateway: Gateway
    signed_in: bool
    """A session holds; False also where none is needed."""
    form_token: str
    fields: dict[str, str]
    """Of the form that was sent; empty for other requests."""

    def now_s(self) -> float:
        """Seconds since 1970."""
        return self.gateway.now().timestamp()


Page: TypeAlias = Callable[[Visit], Awaitable[web.Response]]


def guarded(page: Page, rule: Rule, desk: Desk) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The page as aiohttp calls it."""

    async def handler(request: web.Request) -> web.StreamResponse:
        gateway = request.app[GATEWAY]
        request[EXCHANGE].key_id = None
        cookie = request.cookies.get(COOKIE)
        signing = gateway.keys.admin_secret
        holds = signing is not None and cookie is not None and desk.sessions.holds(cookie, signing, _now_s(gateway))
        token = desk.sessions.form_token(cookie if holds else None, signing)
        visit = Visit(request, desk, gateway, holds, token, {})
        try:
            response = await _answer(visit, page, rule)
        except PointsmanError as error:
            from .render import respond

            gateway.metrics.errors.labels(error.code).inc()
            response = respond(visit, "error.html.j2", status=error.status, message=error.message, title="Not done")
        for name, value in SECURITY_HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return handler


async def _answer(visit: Visit, page: Page, rule: Rule) -> web.Response:
    request, gateway = visit.request, visit.gateway
    allowed = rule is Rule.OPEN or visit.signed_in or gateway.keys.open_to_all
    if not allowed and request.method in ("GET", "HEAD"):
        return _to_sign_in(request)
    if request.method == "POST":
        # Before the form is read: who may not send one shall not keep us reading.
        _check_origin(request)
        if not allowed:
            raise PermissionDenied("sign in first")
        visit.fields.update(await read_form(request))
        cookie = request.cookies.get(COOKIE) if visit.signed_in else None
        token = visit.fields.pop("form_token", "")
        if rule is not Rule.OPEN and not visit.desk.sessions.is_form_token(token, cookie, gateway.keys.admin_secret):
            raise PermissionDenied("this form is out of date; load the page again and repeat what you did")
    return await page(visit)


def _to_sign_in(request: web.Request) -> web.Response:
    wanted = request.path_qs if request.path_qs.startswith(PAGES) else PAGES
    # Not raised: the edge takes an exception of aiohttp for an error.
    return web.Response(status=303, headers={"Location": f"{PAGES}/sign-in?next={quote(wanted, safe='')}"})


def _check_origin(request: web.Request) -> None:
    """Refuses a form that another site's page sent; browsers tell, whichever way they are asked to.

    Raises:
        PermissionDenied: it comes from another origin, or no browser of the last years sent it.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    try:
        same = origin is not None and urlsplit(origin).netloc == request.headers.get("Host")
    except ValueError:
        same = False
    if not same or site not in (None, "same-origin"):
        raise PermissionDenied("forms of other sites are not taken")


def _now_s(gateway: Gateway) -> float:
    return gateway.now().timestamp()
