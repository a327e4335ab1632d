"""Bounded views of texts of any size: what a rule looks at has a documented end.

Every limit is in characters of Python text (code points).
"""

from __future__ import annotations

TASK_EDGE_CHARS = 2_000
"""The task kind and the language are read from this many characters at each end of a text."""

SCAN_CHARS = 20_000
"""Keywords, code, formulas and patterns of bounded width look at most at this many characters."""

WIDE_SCAN_CHARS = 4_000
"""A pattern with a repeat such as `.*` looks at most at this many: its time may grow with the square."""


def edges(text: str, edge_chars: int) -> str:
    """The first and the last `edge_chars` characters, joined by a newline; the text itself when it is no longer."""
    if len(text) <= 2 * edge_chars:
        return text
    return f"{text[:edge_chars]}\n{text[-edge_chars:]}"
