"""Text from data made safe to show: no control characters, no hidden direction changes, no more than fits.

Escaping is the writer's task (HTML by Jinja2, Markdown by `markdown`); what is taken out here has no visible form and
could mislead a reader or break a file.
"""

from __future__ import annotations

import re
import unicodedata

NAME_MAX_CHARS = 60
PROMPT_MAX_CHARS = 700
MARKS_MAX_CHARS = 4
"""Combining marks kept in a row; Vietnamese and Hebrew need up to three, stacks of dozens paint over the page."""

_JOINERS = frozenset("\u200c\u200d")
"""Zero-width (non-)joiners: Persian, Indic scripts and emoji need them."""
_GONE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"\s+")


def one_line(text: str, max_chars: int = NAME_MAX_CHARS) -> str:
    """The text on one line, for names, labels and table cells; cut with an ellipsis past `max_chars`."""
    shown = _SPACES.sub(" ", visible(text)).strip()
    return shown if len(shown) <= max_chars else shown[: max_chars - 1].rstrip() + "…"


def excerpt(text: str, max_chars: int = PROMPT_MAX_CHARS) -> str:
    """The beginning of the text with its line breaks, and how much was left out."""
    shown = _BLANK_LINES.sub("\n\n", visible(text)).strip()
    if len(shown) <= max_chars:
        return shown
    n_more = len(shown) - max_chars
    return f"{shown[:max_chars].rstrip()} … ({n_more:,} more characters)"


def visible(text: str) -> str:
    """The text without characters that have no visible form: controls, direction overrides, private use, surrogates.

    Line breaks stay, tabs become spaces, and at most `MARKS_MAX_CHARS` combining marks follow one another.
    """
    out: list[str] = []
    n_marks = 0
    for char in text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "):
        kind = unicodedata.category(char)
        n_marks = n_marks + 1 if kind in {"Mn", "Me"} else 0
        if n_marks > MARKS_MAX_CHARS:
            continue
        if char == "\n" or char in _JOINERS or kind not in _GONE:
            out.append(char)
        elif kind in {"Cs", "Co", "Cn"}:
            out.append("\ufffd")
    return "".join(out)
