r"""The number that an answer gives, out of its words.

Where an answer gives its result in a marked place, that place counts: `\boxed{…}` (MATH, Hendrycks et al. 2021), "####"
(GSM8K, Cobbe et al. 2021), "answer is …" or "answer: …". Elsewhere the last number counts, since models reason first.
"""

from __future__ import annotations

import math
import re

MAX_CHARS = 100_000
"""Longer answers are read at their end only, where results stand."""

_GROUPED = r"\d{1,3}(?:[,\u202f\u00a0 ]\d{3})+(?!\d)"
_PLAIN = r"\d+"
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>[-+\u2212]\s?)?[$€£¥]?(?P<whole>{_GROUPED}|{_PLAIN})?(?P<part>\.\d+)?"
    r"(?P<power>[eE][-+]?\d{1,3}(?!\w))?"
    r"(?:\s?/\s?(?P<below>\d+(?:\.\d+)?))?"
)
_FRACTION = re.compile(r"(?P<sign>[-\u2212])?\s*\\[dt]?frac\s*\{(?P<above>[^{}]{1,40})\}\s*\{(?P<below>[^{}]{1,40})\}")
_MARKED = re.compile(r"(?:####|(?:final\s+)?answer(?:\s+is|\s*[:=]))[\s*:=$]*", re.IGNORECASE)


def number_in(text: str) -> float | None:
    """The number that an answer gives as its result; None when there is none."""
    text = text[-MAX_CHARS:]
    boxed = _last_boxed(text)
    if boxed is not None:
        found = last_number(boxed)
        if found is not None:
            return found
    marks = list(_MARKED.finditer(text))
    if marks:
        found = first_number(text[marks[-1].end() :].split("\n", 1)[0])
        if found is not None:
            return found
    return last_number(text)


def last_number(text: str) -> float | None:
    """The last number in a text; None when there is none."""
    numbers = _numbers(text)
    return numbers[-1] if numbers else None


def first_number(text: str) -> float | None:
    """The first number in a text; None when there is none."""
    numbers = _numbers(text)
    return numbers[0] if numbers else None


def _numbers(text: str) -> list[float]:
    found: list[tuple[int, float]] = []

    def fraction(match: re.Match[str]) -> str:
        above, below = last_number(match["above"]), last_number(match["below"])
        if above is None or below is None or below == 0:
            return match.group()
        found.append((match.start(), -above / below if match["sign"] else above / below))
        return " " * len(match.group())

    text = _FRACTION.sub(fraction, text.replace("\\!", "").replace("{,}", ","))
    for match in _NUMBER.finditer(text):
        value = _value(match)
        if value is not None:
            found.append((match.start(), value))
    return [value for _, value in sorted(found, key=lambda pair: pair[0])]


def _value(match: re.Match[str]) -> float | None:
    whole, part = match["whole"], match["part"]
    if whole is None and part is None:
        return None
    digits = re.sub(r"[^\d]", "", "0" if whole is None else whole)
    try:
        value = float(digits + ("" if part is None else part) + ("" if match["power"] is None else match["power"]))
    except (ValueError, OverflowError):
        return None
    if match["below"] is not None and float(match["below"]) != 0:
        value /= float(match["below"])
    if not math.isfinite(value):
        return None
    return -value if match["sign"] is not None and match["sign"][0] in "-\u2212" else value


def _last_boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{…}`, nested braces included."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, at = 1, start + len("\\boxed{")
    for position in range(at, len(text)):
        if text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return text[at:position]
    return text[at:]
