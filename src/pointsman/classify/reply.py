"""What a classifier's reply says: one of the tiers, or nothing. There is no third reading."""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

MAX_REPLY_CHARS = 400
"""A longer reply is no one-word answer, whatever stands in it."""
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
_AROUND = " \t\r\n\"'`*.:"


def read_tier(reply: str, tiers: Sequence[str]) -> str | None:
    """The tier that the whole reply names, as a word or as `{"tier": "…"}`; None for everything else.

    Case, quotes, a full stop, bold marks and a code fence around the word do not matter. A sentence that holds a
    tier's name is no answer: "not cheap" names it too.
    """
    if len(reply) > MAX_REPLY_CHARS:
        return None
    text = reply.strip()
    fenced = _FENCE.fullmatch(text)
    if fenced is not None:
        text = fenced.group(1)
    if text.startswith("{"):
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        word = said.get("tier")
        return _named(word, tiers) if isinstance(word, str) else None
    return _named(text, tiers)


def _named(word: str, tiers: Sequence[str]) -> str | None:
    plain = word.strip(_AROUND)
    if plain in tiers:
        return plain
    found = [tier for tier in tiers if tier.casefold() == plain.casefold()]
    # Names that differ by case only: which one was meant cannot be told.
    return found[0] if len(found) == 1 else None
