"""The report as Markdown (GitHub's), for pull requests and wikis."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from . import numbers
from .page import Page
from .plain_text import visible

FIGURES_FOLDER: Final = "figures"

_MEANING = re.compile(r"([\\`*_{}\[\]<>|~#$&!])")
_LINE_START = re.compile(r"^(\s*\d*)([-+=.)])")
_SCHEME = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])")
_MANY_LINES = re.compile(r"\n{3,}")


def markdown(page: Page) -> str:
    """The page as Markdown; its figures are looked for in `FIGURES_FOLDER` beside it."""
    text = _environment().get_template("report.md.j2").render(page=page, folder=FIGURES_FOLDER)
    return _MANY_LINES.sub("\n\n", text).strip() + "\n"


def escaped(text: str) -> str:
    """The text with every character that Markdown gives a meaning set apart, on one line.

    Addresses get a zero-width space, so that GitHub does not turn a model's name into a link.
    """
    one = " ".join(visible(text).split("\n"))
    return _SCHEME.sub("\\1\u200b\\2", _LINE_START.sub(r"\1\\\2", _MEANING.sub(r"\\\1", one)))


def fenced(text: str) -> str:
    """The text as a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


@cache
def _environment() -> Environment:
    # Escaping is Markdown's own here, by the `md` filter; what is written is not HTML.
    environment = Environment(
        loader=PackageLoader("pointsman.report"),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = escaped
    environment.filters["fenced"] = fenced
    environment.filters["score"] = numbers.score
    return environment
