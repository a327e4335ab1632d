"""The report as one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from . import palette
from .page import Page

_COLOURS = (
    ("paper", palette.PAPER),
    ("ink", palette.INK),
    ("muted", palette.MUTED),
    ("line", palette.LINE),
    ("grid", palette.GRID),
    ("accent", palette.ACCENT),
    ("good", palette.GOOD),
    ("bad", palette.BAD),
)


def html(page: Page) -> str:
    """The page as HTML: every text escaped, styles allowed by their hash, scripts and requests by nothing."""
    styles = _style()
    return _environment().get_template("report.html.j2").render(page=page, style=styles, style_hash=style_hash(styles))


def named(text: str, names: Sequence[str]) -> Markup:
    """The text escaped, with each of the names (and a sign after it) on one line as far as it fits."""
    known = sorted((each for each in names if each), key=len, reverse=True)
    if not known:
        return escape(text)
    found = re.compile(rf"(?<![\w-])({'|'.join(re.escape(each) for each in known)})(?![\w-])([,.;:)]*)")
    out, end = Markup(""), 0
    for match in found.finditer(text):
        out += escape(text[end : match.start()])
        out += Markup('<span class="name"><bdi>{}</bdi>{}</span>').format(*match.groups())
        end = match.end()
    return out + escape(text[end:])


def style_hash(styles: str) -> str:
    """The Content-Security-Policy source that allows exactly this style sheet (CSP Level 3, section 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pointsman.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The only markup beside the templates': drawings, rebuilt from an allow-list in `svg`, and the style sheet, which
    # has no data in it.
    environment.filters["own_markup"] = Markup
    environment.filters["named"] = named
    return environment


@cache
def _style() -> str:
    # The style sheet has no data in it; the font's quotes are its own.
    template = _environment().overlay(autoescape=False).get_template("report.css.j2")
    return template.render(colours=_COLOURS, font=palette.FONT)
