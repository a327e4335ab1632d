"""A bound on how much of a text is embedded, so that the time for a huge one is bounded too."""

from __future__ import annotations

from typing import Final

MAX_CHARS: Final = 4_000
"""About 1,000 tokens of English; half is taken from the beginning and half from the end."""


def capped(text: str) -> str:
    """The text itself, or the first and the last `MAX_CHARS` / 2 characters of a longer one, with a space between.

    Both ends are kept because the instruction stands at one of them and the material between.
    """
    if len(text) <= MAX_CHARS:
        return text
    half = MAX_CHARS // 2
    return f"{text[:half]} {text[-half:]}"
