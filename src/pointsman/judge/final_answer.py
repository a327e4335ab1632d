r"""The result an answer comes to, as a short comparable text, and the choices a prompt offers under letters.

A marked place counts first: `####` (GSM8K, Cobbe et al. 2021), a JSON field called "answer", `\boxed{…}` (MATH,
Hendrycks et al. 2021), "the answer is …". An answer of a few words is its own result. Elsewhere the last number counts.
"""

from __future__ import annotations

import re
from typing import Final

MAX_CHARS: Final = 12_000
"""Longer answers are read at their end, where results stand."""
MAX_RESULT_CHARS: Final = 200
SHORT_CHARS: Final = 40
"""An answer up to this long is a result, not an argument."""

_MARKS: Final = (
    ("####", re.compile(r"####[ \t]*([^\n]+)")),
    ('"answer"', re.compile(r'"answer"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,}\n][^,}\n]*))', re.IGNORECASE)),
    ("\\boxed", re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")),
    ("answer is", re.compile(r"answer is\s*:?\s*\**\s*([^\n]+)", re.IGNORECASE)),
    ("answer:", re.compile(r"answer:\s*\**\s*([^\n]+)", re.IGNORECASE)),
)
"""What to look for, in lower case, and how to read what stands at its last place."""
_NUMBER: Final = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")
_OPTION: Final = re.compile(r"^[ \t]*\(?([A-Z])[).:][ \t]+(.+)$", re.MULTILINE)
_LETTER: Final = re.compile(r"^\W*([A-Z])(?:\W|$)")
_DROPPED: Final = re.compile(r"[\s$*`'\"\\{}()\[\],;:]+")


def final_answer(text: str) -> tuple[str, bool]:
    """The result of an answer and whether it stood in a marked place; an empty text when there is none."""
    tail = text[-MAX_CHARS:].strip()
    lowered = tail.lower()
    if len(lowered) == len(tail):  # else a letter grew in lower case and places would not fit
        for mark, reading in _MARKS:
            place = lowered.rfind(mark)
            match = reading.match(tail, place) if place >= 0 else None
            if match is not None:
                result = next((group for group in match.groups() if group is not None), "")
                return result.strip().strip("*.").strip()[:MAX_RESULT_CHARS], True
    if len(tail) <= SHORT_CHARS:
        return tail, False
    numbers = _NUMBER.findall(tail[-MAX_RESULT_CHARS:])
    return (numbers[-1] if numbers else "", False)


def compared(result: str) -> str:
    """A result without what does not change its meaning: case, spaces, quotes, brackets, a closing full stop."""
    plain = _DROPPED.sub("", result).replace("−", "-").rstrip(".").lower()
    return plain.removeprefix("+") if plain[1:2].isdigit() else plain


def options_of(prompt: str) -> dict[str, str]:
    """The lettered choices a prompt offers, by letter; empty when there are fewer than two."""
    found = {letter: text.strip() for letter, text in _OPTION.findall(prompt)}
    return found if len(found) >= 2 else {}


def letter_of(result: str) -> str | None:
    """The letter that a result names, as in "B", "(B)" or "B. The second"; None for anything else.

    A capital followed by a space alone, as in "A dog", is a word.
    """
    match = _LETTER.match(result)
    if match is None or (len(result.strip()) > 3 and result[match.end(1) : match.end(1) + 1] not in (")", ".", ":")):
        return None
    return match.group(1)
