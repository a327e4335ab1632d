"""Functions that a text offers as JSON, and how what is asked fits them.

Which model calls functions well depends less on the topic than on how question and functions fit: whether any of them
answers it at all, how many calls it takes, how many arguments each wants. Read are the names, descriptions and
parameters of definitions as OpenAI and Anthropic have them (`parameters` or `input_schema`), by their marks and not as
JSON, for the text may be cut. Words are compared by their first letters, so that "converting" is like "conversion".
Part of a trained router: changing what a number here means changes `QUESTION_VERSION`.
"""

from __future__ import annotations

import re
from math import log1p
from typing import Final, NamedTuple

OFFERED_NAMES: Final = (
    "functions",
    "function characters",
    "parameters a function",
    "required a function",
    "numeric parameters",
    "nested parameters a function",
    "choices and defaults a function",
    "name words asked for",
    "most name words asked for",
    "described words asked for",
    "most described words asked for",
    "functions asked for",
    "asked words described",
    "ands asked",
    "values asked",
    "values asked over required",
)
"""What each number of `offered_shape` is."""
NOTHING_OFFERED: Final = [0.0] * len(OFFERED_NAMES)

MAX_FUNCTIONS: Final = 32
"""The first ones are read."""
_STEM_BYTES: Final = 4
"""Words are alike when they are in so many first bytes; shorter ones do not count."""
_FITS: Final = 0.25
"""A function is asked for when this share of the words that describe it stands in what is asked."""
_BEFORE_NAME: Final = 200
"""So many characters before the first name the list may open."""
_MARKS: Final = ('"parameters"', '"input_schema"')
_NAME: Final = re.compile(r'"name"\s*:\s*"([^"]{1,200})"')
_DESCRIPTION: Final = re.compile(r'"description"\s*:\s*"([^"\\]*)')
_REQUIRED: Final = re.compile(r'"required"\s*:\s*\[([^\]]*)')
_TO_NUMBERS: Final = bytes(b if b in b"0123456789" else 32 for b in range(256))
_INSIDE_NUMBERS: Final = b",.:/-"
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SEVERAL: Final = frozenset(b"and both each respectively then also".split())
_WORD_BYTES: Final = frozenset(b for b in range(256) if b >= 128 or chr(b).isalnum())
_TO_WORDS: Final = bytes(b if b in _WORD_BYTES else 32 for b in range(256))


class Offered(NamedTuple):
    """A text with its functions apart."""

    asked: str
    """What stands before and after them."""
    names: list[str]
    definitions: list[str]
    """From each name to the next one; at least one."""


def offered(text: str) -> Offered | None:
    """The functions that a text defines; None when there are none."""
    if not any(mark in text for mark in _MARKS):
        return None
    names = list(_NAME.finditer(text))[:MAX_FUNCTIONS]
    if not names:
        return None
    first = names[0].start()
    opening = text.rfind("[", max(first - _BEFORE_NAME, 0), first)
    start = opening if opening >= 0 else max(text.rfind("{", 0, first), 0)
    end = max(text.rfind("]"), text.rfind("}"), names[-1].end()) + 1
    stops = [name.start() for name in names[1:]] + [end]
    return Offered(
        text[:start] + text[end:],
        [name[1] for name in names],
        [text[name.end() : stop] for name, stop in zip(names, stops, strict=True)],
    )


def offered_shape(found: Offered) -> list[float]:
    """The numbers that `OFFERED_NAMES` names: logarithms of 1 + counts, and shares from 0 to 1."""
    n, all_asked = len(found.names), _words(found.asked)
    asked = _beginnings(all_asked)
    by_name, by_description, required = [], [], []
    described_anywhere: set[bytes] = set()
    for name, definition in zip(found.names, found.definitions, strict=True):
        named = _beginnings(_words(_HUMP.sub(" ", name)))
        description = _DESCRIPTION.search(definition)
        described = named if description is None else named | _beginnings(_words(description[1]))
        described_anywhere |= described
        by_name.append(len(named & asked) / max(len(named), 1))
        by_description.append(len(described & asked) / max(len(described), 1))
        listed = _REQUIRED.search(definition)
        required.append(0 if listed is None else listed[1].count('"') // 2)
    best = max(by_description)
    whole = "".join(found.definitions)
    n_nested = whole.count('"items"') + max(whole.count('"properties"') - n, 0)
    n_parameters = max(whole.count('"type"') - n - n_nested, 0)
    n_numeric = whole.count('"integer"') + whole.count('"number"') + whole.count('"float"')
    values = log1p(_n_values(found.asked))
    return [
        log1p(n),
        log1p(len(whole)),
        log1p(n_parameters / n),
        log1p(sum(required) / n),
        min(n_numeric / max(n_parameters, 1), 1.0),
        log1p(n_nested / n),
        log1p((whole.count('"enum"') + whole.count('"default"')) / n),
        sum(by_name) / n,
        max(by_name),
        sum(by_description) / n,
        best,
        log1p(sum(share >= _FITS for share in by_description)),
        len(asked & described_anywhere) / max(len(asked), 1),
        log1p(sum(word in _SEVERAL for word in all_asked) + found.asked.count(";")),
        values,
        values - log1p(required[by_description.index(best)]),
    ]


def _n_values(asked: str) -> int:
    """Numbers, names (capitals that open no sentence) and what stands in double quotes."""
    numbers = asked.encode("utf-8", "replace").translate(_TO_NUMBERS, _INSIDE_NUMBERS).split()
    capitals = sum(word[0].isupper() for word in asked.split())
    sentences = 1 + asked.count(". ") + asked.count("? ") + asked.count("! ")
    return len(numbers) + max(capitals - sentences, 0) + asked.count('"') // 2


def _words(text: str) -> list[bytes]:
    return text.lower().encode("utf-8", "replace").translate(_TO_WORDS).split()


def _beginnings(words: list[bytes]) -> set[bytes]:
    """The first bytes of each word that is long enough."""
    return {word[:_STEM_BYTES] for word in words if len(word) >= _STEM_BYTES}
