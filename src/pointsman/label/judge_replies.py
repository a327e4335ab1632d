"""What a judge's reply says, however it says it; None when it cannot be told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

import orjson

MAX_CHARS = 20_000
"""Longer replies are read at their end only, where verdicts stand."""


class Preference(Enum):
    """Which of the two answers shown is better."""

    FIRST = "A"
    SECOND = "B"
    TIE = "tie"


_WORDS = {
    **dict.fromkeys(("a", "answer a", "answer_a", "assistant a", "first"), Preference.FIRST),
    **dict.fromkeys(("b", "answer b", "answer_b", "assistant b", "second"), Preference.SECOND),
    **dict.fromkeys(("tie", "c", "draw", "equal", "both", "neither", "same", "none"), Preference.TIE),
}
_OBJECT = re.compile(r"\{[^{}]*\}")
_BRACKETED = re.compile(r"\[\[\s*([^\[\]]{1,20}?)\s*\]\]")
_VERDICT = re.compile(r"(?:verdict|winner|better)\W{0,6}(?:is\W{0,4})?(?:answer[ _])?(a|b|tie)\b", re.IGNORECASE)
_SCORE = re.compile(r"(?:score|rating|mark)\W{0,6}(?:is\W{0,4})?(\d+(?:\.\d+)?)(?!\d)", re.IGNORECASE)


def read_preference(reply: str) -> Preference | None:
    """The verdict: in the last JSON object that has one, in [[brackets]], after "verdict:", or all there is."""
    reply = reply[-MAX_CHARS:]
    for said in _objects(reply):
        for key in ("verdict", "winner", "better"):
            if key in said:
                word = said[key]
                return _WORDS.get(_plain(word)) if isinstance(word, str) else None
    for pattern in (_BRACKETED, _VERDICT):
        found = [_WORDS.get(_plain(match.group(1))) for match in pattern.finditer(reply)]
        known = [preference for preference in found if preference is not None]
        if known:
            # A reply that names both is only clear when it ends on its verdict, and that cannot be known.
            return known[-1] if len(set(known)) == 1 else None
    return _WORDS.get(_plain(reply)) if len(reply) <= 40 else None


def read_mark(reply: str) -> float | None:
    """The mark from 1 to 5: in the last JSON object that has one, in [[brackets]], after "score:", or all there is."""
    reply = reply[-MAX_CHARS:]
    for said in _objects(reply):
        for key in ("score", "rating", "mark"):
            if key in said:
                return _mark(said[key])
    for pattern in (_BRACKETED, _SCORE):
        found = [match.group(1) for match in pattern.finditer(reply)]
        if found:
            return _mark(found[-1]) if len(set(found)) == 1 else None
    return _mark(reply) if len(reply) <= 40 else None


def _mark(value: object) -> float | None:
    if isinstance(value, str):
        text = value.strip().removesuffix(".").removesuffix("/5").strip()
        try:
            value = float(text)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 1 <= value <= 5 else None


def _plain(text: str) -> str:
    return " ".join(text.strip().strip("\"'*`.[]() ").casefold().split())


def _objects(reply: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a reply without nested ones, last first; the whole reply, where it is one, before them."""
    for text in (reply, *(match.group() for match in reversed(list(_OBJECT.finditer(reply))))):
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        if isinstance(said, dict):
            yield said
