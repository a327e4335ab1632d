"""The documentation's pages as the tests see them: fenced code blocks, links, headings and the site's menu."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RUN = "<!-- run -->"
"""Stands above a block whose code is run by the tests."""

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_GENERATED_BY_MKDOCS = re.compile(r"[^\w\s-]")


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Attributes:
        line: where its fence stands, counted from 1.
        language: the first word after the fence, empty when there is none.
    """

    page: Path
    line: int
    language: str
    text: str
    runs: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Link:
    """A link or a picture, as it is written."""

    page: Path
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {self.target}"


def pages() -> list[Path]:
    """Every page that people read: the site's, and those beside the code."""
    beside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*beside, *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, top to bottom."""
    tokens = _parsed(page)
    for place, token in enumerate(tokens):
        if token.type == "fence":
            before = tokens[place - 1] if place else None
            language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
            runs = before is not None and before.type == "html_block" and before.content.strip() == RUN
            yield Block(page, _line(token), language, token.content, runs)


def inline_code(page: Path) -> Iterator[tuple[int, str]]:
    """The code spans of a page's running text and tables, each with the line of its paragraph."""
    for token in _parsed(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield _line(token), child.content


def links(page: Path) -> Iterator[Link]:
    """The links and pictures of a page."""
    for token in _parsed(page):
        for child in token.children or ():
            target = child.attrGet("href") if child.type == "link_open" else child.attrGet("src")
            if child.type in ("link_open", "image") and target is not None:
                yield Link(page, _line(token), str(target))


def anchors(page: Path) -> set[str]:
    """What `#…` may name on a page: its headings as Python-Markdown's `toc` writes them; equal ones get `_1`, `_2`."""
    found: set[str] = set()
    tokens = _parsed(page)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            name = slug(_text(tokens[place + 1]))
            candidate, n = name, 0
            while candidate in found:
                n += 1
                candidate = f"{name}_{n}"
            found.add(candidate)
    return found


def slug(heading: str) -> str:
    """The anchor of a heading, as `markdown.extensions.toc.slugify` makes it."""
    ascii_only = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", _GENERATED_BY_MKDOCS.sub("", ascii_only).strip().lower())


def navigation() -> list[str]:
    """The pages that the site's menu names, relative to `docs/`, in order."""
    return list(_leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))


def _leaves(menu: object) -> Iterator[str]:
    if isinstance(menu, str):
        yield menu
    elif isinstance(menu, dict):
        for below in menu.values():
            yield from _leaves(below)
    elif isinstance(menu, list):
        for entry in menu:
            yield from _leaves(entry)


def _parsed(page: Path) -> list[Token]:
    return _MARKDOWN.parse(page.read_text(encoding="utf-8"))


def _line(token: Token) -> int:
    return 0 if token.map is None else token.map[0] + 1


def _text(inline: Token) -> str:
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))
