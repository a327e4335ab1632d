"""Pages from templates: every text escaped, no markup but the templates' own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pointsman.gateway.access import PAGES

from . import words

if TYPE_CHECKING:
    from .guard import Visit

NAVIGATION = (
    ("", "Overview"),
    ("/decisions", "Decisions"),
    ("/evidence", "Evidence"),
    ("/routers", "Routers"),
    ("/models", "Models"),
    ("/keys", "Keys"),
)


def respond(visit: Visit, template: str, *, status: int = 200, title: str, **context: Any) -> web.Response:
    """The page of a template, with what every page has."""
    html = (
        environment()
        .get_template(template)
        .render(
            title=title,
            base=PAGES,
            navigation=NAVIGATION,
            here=visit.request.path,
            may_see=visit.signed_in or visit.gateway.keys.open_to_all,
            signed_in=visit.signed_in,
            form_token=visit.form_token,
            **context,
        )
    )
    return web.Response(status=status, text=html, content_type="text/html", charset="utf-8")


def redirect(path: str) -> web.Response:
    """To another page, after a form has done its work."""
    return web.Response(status=303, headers={"Location": f"{PAGES}{path}"})


@cache
def environment() -> Environment:
    """The templates, with the words of `words` as filters."""
    made = Environment(
        loader=PackageLoader("pointsman.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("usd", "percent", "points", "lost", "count", "ms", "probability", "ago", "moment", "plain"):
        made.filters[name] = getattr(words, name)
    # Drawings, rebuilt from an allow-list in `pointsman.report.svg`: the only markup beside the templates' own.
    made.filters["drawing"] = Markup
    made.globals["query"] = query
    return made


def query(given: dict[str, Any], **changes: Any) -> str:
    """A query string of what is given with changes; None takes a field out."""
    fields = {**given, **changes}
    return "?" + urlencode({name: value for name, value in fields.items() if value is not None})
