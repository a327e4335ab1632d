"""The report as Markdown (GitHub's), for pull requests and wikis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from . import numbers
from .page import Page
from .plain_text import visible
from .tables import Table

FIGURES_FOLDER: Final = "figures"

_MEANING = re.compile(r"([\\`*_{}\[\]<>|~#$&!])")
_BLOCK_START = re.compile(r"^(\s*)([-+=]|\d{1,9}[.)](?=\s|$))")
_SCHEME = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])")


def markdown(page: Page) -> str:
    """The page as Markdown; its figures are looked for in `FIGURES_FOLDER` beside it."""
    return "\n\n".join(block for block in _blocks(page) if block) + "\n"


def inline(text: str) -> str:
    """The text with every character that Markdown gives a meaning set apart, on one line, to stand within a line.

    Addresses get a zero-width space, so that GitHub does not turn a model's name into a link.
    """
    one = " ".join(visible(text).split("\n")).strip()
    return _SCHEME.sub("\\1\u200b\\2", _MEANING.sub(r"\\\1", one))


def paragraph(text: str) -> str:
    """The text set apart to stand at the beginning of a line: neither a list nor an underline of the line before."""

    def apart(match: re.Match[str]) -> str:
        space, sign = match.groups()
        # A number's own sign is its point; a backslash before a digit would be shown.
        return f"{space}{sign[:-1]}\\{sign[-1]}"

    return _BLOCK_START.sub(apart, inline(text))


def fenced(text: str) -> str:
    """The text as a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _blocks(page: Page) -> Iterator[str]:
    yield f"# {inline(page.verdict)}"
    yield f"{paragraph(page.title)}, {page.date_words}"
    yield paragraph(page.reason)
    yield from _headlines(page)
    if page.cautions:
        yield "## Before you rely on this"
        yield _bullets(paragraph(each) for each in page.cautions)
    yield f"## {inline(page.curve_title)}"
    yield _figure(page, "cost-quality")
    yield paragraph(page.curve_caption)
    yield _table(page.lines)
    if page.savings_at is not None:
        yield "### Savings at a given quality, read from the curve"
        yield _table(page.savings_at)
        yield (
            "Read from the curve on the same prompts, as the field does: optimistic. "
            "The table above is the one to plan with."
        )
    if page.tasks is not None:
        yield "## Task by task"
        yield _figure(page, "by-task")
        yield _table(page.tasks)
        yield paragraph(page.tasks_note)
    if page.calibration:
        yield "## Can its probabilities be trusted?"
        for name, caption in page.calibration:
            yield _figure(page, name)
            yield paragraph(caption)
    if page.confusion is not None:
        yield "## Decisions against the ideal"
        yield paragraph(page.agreement_words)
        yield _table(page.confusion)
    if page.moved:
        yield "## What moved decisions"
        yield _figure(page, "what-moved")
        yield _bullets(f"{paragraph(each.text)}: {numbers.score(each.effect, 2)}" for each in page.moved)
    yield from _misroutes(page)
    yield "## How this was measured"
    yield _bullets(
        f"**{inline(each.name)}.** {inline(each.text)}" + (f" ({inline(each.source)})" if each.source else "")
        for each in page.method
    )
    yield "## Where the numbers come from"
    yield _bullets(f"{inline(name)}: {inline(value)}" for name, value in page.facts)


def _headlines(page: Page) -> Iterator[str]:
    yield paragraph(page.headline_of)
    yield _bullets(
        f"**{inline(each.label)}: {inline(each.value)}**"
        + (f" ({inline(each.interval)})" if each.interval else "")
        + f"; {inline(each.note)}"
        for each in page.headlines
    )


def _misroutes(page: Page) -> Iterator[str]:
    if not page.misroutes:
        return
    yield "## Worst misroutes"
    yield paragraph(page.misroutes_words)
    for each in page.misroutes:
        yield f"### {inline(each.dataset)} {inline(each.prompt_id)}"
        yield paragraph(each.words)
        if each.prompt:
            yield fenced(each.prompt)
        yield paragraph(each.scores)


def _figure(page: Page, name: str) -> str:
    figure = page.figure(name)
    return "" if figure is None else f"![{inline(figure.alt)}]({FIGURES_FOLDER}/{figure.name}.png)"


def _bullets(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(table: Table) -> str:
    numbers_right = ["---:"] * (len(table.head) - 1)
    rows = [_row(inline(each) for each in table.head), _row(iter(["---", *numbers_right]))]
    for row in table.rows:
        cells = [inline(cell.text) + (f" ({inline(cell.interval)})" if cell.interval else "") for cell in row.cells]
        if row.kind == "chosen":
            cells[0] = f"**{cells[0]}**"
        rows.append(_row(iter(cells)))
    return "\n".join(rows)


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
