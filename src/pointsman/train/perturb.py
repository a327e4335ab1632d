"""The same prompt, written a little differently: what should not change a decision."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

TYPO_RATE: Final = 0.03
"""Share of words that get one typo."""

_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_SYNONYMS: Final = {
    "what is": "what's",
    "do not": "don't",
    "which of the following": "which of these",
    "find": "determine",
    "compute": "calculate",
    "explain": "describe",
    "write": "compose",
    "give": "provide",
    "show": "demonstrate",
    "large": "big",
    "begin": "start",
    "but": "however",
    "also": "additionally",
    "use": "employ",
    "answer": "reply",
}
_PHRASES: Final = re.compile(r"\b(" + "|".join(map(re.escape, _SYNONYMS)) + r")\b", re.IGNORECASE)
_OPENINGS: Final = ("Please help with this: ", "Hi! ", "Question: ", "")
_CLOSINGS: Final = (" Thanks!", "", "\nThank you.")

Perturbation = Callable[[str, np.random.Generator], str]


def typos(text: str, generator: np.random.Generator) -> str:
    """Some words of four letters or more with two inner letters exchanged."""

    def swapped(match: re.Match[str]) -> str:
        word = match.group()
        if generator.random() >= TYPO_RATE:
            return word
        i = int(generator.integers(1, len(word) - 2))
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]

    return _WORD.sub(swapped, text)


def case(text: str, generator: np.random.Generator) -> str:
    """All in lower case, or all in upper case."""
    return text.lower() if generator.random() < 0.7 else text.upper()


def white_space(text: str, generator: np.random.Generator) -> str:
    """Some spaces doubled, and a blank line at the end."""
    return re.sub(" ", lambda _: "  " if generator.random() < 0.2 else " ", text) + "\n\n"


def paraphrase(text: str, generator: np.random.Generator) -> str:
    """Stock phrases exchanged for their like, with a polite opening or closing; numbers and names stay."""

    def exchanged(match: re.Match[str]) -> str:
        phrase = match.group()
        other = _SYNONYMS[phrase.lower()]
        return other.capitalize() if phrase[:1].isupper() else other

    opening = _OPENINGS[int(generator.integers(len(_OPENINGS)))]
    closing = _CLOSINGS[int(generator.integers(len(_CLOSINGS)))]
    return opening + _PHRASES.sub(exchanged, text) + closing


PERTURBATIONS: Final[Mapping[str, Perturbation]] = {
    "typos": typos,
    "case": case,
    "white space": white_space,
    "paraphrase": paraphrase,
}
