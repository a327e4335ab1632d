"""Signing in with the admin key, and out again."""

from __future__ import annotations

from aiohttp import web

from pointsman.errors import RateLimited
from pointsman.gateway.access import PAGES

from .guard import Visit
from .render import redirect, respond
from .sessions import COOKIE, LIFETIME_S


async def form(visit: Visit) -> web.Response:
    """The form, or on to where the visitor was going."""
    if visit.signed_in or visit.gateway.keys.open_to_all:
        return redirect(_inside(visit.request.query.get("next", "")))
    return _form(visit, wrong=False)


async def sign_in(visit: Visit) -> web.Response:
    """A session for whoever gives the admin key.

    Raises:
        RateLimited: the address has sent too many wrong keys.
    """
    gateway, remote = visit.gateway, visit.request.remote
    wait_s = gateway.failures.wait_s(remote, gateway.clock())
    if wait_s > 0:
        raise RateLimited(
            f"too many wrong keys came from this address; try again in {wait_s:.0f} s", retry_after_s=wait_s
        )
    signing = gateway.keys.admin_secret
    if signing is None or not gateway.keys.is_admin(visit.fields.get("key", "")):
        gateway.failures.failed(remote, gateway.clock())
        return _form(visit, wrong=True)
    response = redirect(_inside(visit.fields.get("next", "")))
    response.set_cookie(
        COOKIE,
        visit.desk.sessions.begin(signing, visit.now_s()),
        max_age=LIFETIME_S,
        path=PAGES,
        httponly=True,
        samesite="Strict",
        secure=_over_tls(visit.request),
    )
    return response


async def sign_out(visit: Visit) -> web.Response:
    """Ends the session."""
    cookie = visit.request.cookies.get(COOKIE)
    if cookie is not None:
        visit.desk.sessions.end(cookie)
    response = redirect("/sign-in")
    response.del_cookie(COOKIE, path=PAGES, httponly=True, samesite="Strict")
    return response


def _form(visit: Visit, *, wrong: bool) -> web.Response:
    wanted = visit.fields.get("next") or visit.request.query.get("next", "")
    return respond(
        visit,
        "sign_in.html.j2",
        status=401 if wrong else 200,
        title="Sign in",
        wrong=wrong,
        has_admin=visit.gateway.keys.has_admin,
        wanted=PAGES + _inside(wanted),
    )


def _inside(path: str) -> str:
    """The rest of a path under the dashboard; of any other, the overview: nobody is led to another site."""
    rest = path.removeprefix(PAGES)
    good = path.startswith(PAGES) and rest[:1] in ("", "/", "?") and "\\" not in rest and rest.isprintable()
    return rest if good and not rest.startswith(("//", "/sign-")) else ""


def _over_tls(request: web.Request) -> bool:
    """True when the browser speaks TLS, to us or to a proxy in front that says so."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
