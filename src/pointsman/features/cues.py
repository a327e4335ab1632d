"""Cue words, phrases and word ranks from the package's data files, as one table for the scan.

Each section of `cues.txt` has a field of 16 bits in one integer. A word's entry has a 1 in the field of every section
that names it, so that adding up the entries of a text's words counts all sections at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

FIELD_BITS: Final = 16
"""Holds the 16,001 words that a window can have at the very most."""

RANK_BANDS: Final = (("rank_1000", 1_000), ("rank_4000", 4_000), ("rank_12000", 12_000))
"""Fields that follow the sections: how common a word is in English, each band from the one before up to its rank."""

MAX_DIGITS: Final = 20
"""Longer numbers count as this long."""

LENGTH_WORDS: Final = frozenset(
    ("words", "word", "palabras", "mots", "wörter", "wörtern", "parole", "palavras", "woorden", "ord", "szó", "слов")
)
"""What a length is asked for in, "in 50 words"."""

_CUES_FILE: Final = Path(__file__).with_name("cues.txt")
_RANKS_FILE: Final = Path(__file__).with_name("ranks.txt")
_UNSPACED_FROM: Final = 0x2E80
"""From here on, Unicode has the scripts of China, Japan and Korea; their cues are found without word boundaries."""


@dataclass(frozen=True, slots=True, eq=False)
class WordClasses:
    """Words by what a scan wants of them, so that a text's words are counted as numbers below some 500.

    A word that begins a phrase, or asks for a length, has a class to itself. Class 0 has the words that are nothing.
    """

    by_word: Mapping[str, int]
    by_digits: tuple[int, ...]
    """The class of a number that is no cue, by its digits, from 0 to `MAX_DIGITS`."""
    fields: NDArray[np.float32]
    """Shape (fields + 2, classes): what one word of a class counts in each field, then 1 for a number, and 1 for one of
    `LENGTH_WORDS`. Counts of words are small enough for float32 to be exact."""
    special: NDArray[np.intp]
    """Classes of numbers, and of words that phrases begin with."""
    n_digits: Mapping[int, int]
    """Digits of a number, at most `MAX_DIGITS`, by its class."""
    phrases: Mapping[int, tuple[tuple[str, int], ...]]
    """Phrases and their fields, by the class of the word that they begin with."""

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.fields[0])

    def of(self, word: str) -> int:
        """The class of a word in lower case."""
        found = self.by_word.get(word)
        if found is not None:
            return found
        return self.by_digits[min(len(word), MAX_DIGITS)] if word.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Cues:
    """The table of the scan. Every integer is a sum of fields."""

    sections: tuple[str, ...]
    """Names of the sections, in the order of their fields."""
    words: dict[str, int]
    """A word in lower case and its fields, rank bands included."""
    phrases: dict[str, tuple[tuple[str, int], ...]]
    """The first word of phrases, and each phrase with its fields."""
    unspaced: tuple[tuple[str, int], ...]
    """Cues in scripts without spaces, with their fields."""
    classes: WordClasses
    """Words that count the same."""

    @property
    def n_fields(self) -> int:
        """Sections and rank bands."""
        return len(self.sections) + len(RANK_BANDS)


@cache
def load() -> Cues:
    """The table, read once from the data files (some 10 ms)."""
    sections = _read_sections(_CUES_FILE.read_text(encoding="utf-8"))
    words: dict[str, int] = {}
    phrases: dict[str, int] = {}
    unspaced: dict[str, int] = {}
    for i, entries in enumerate(sections.values()):
        for entry in entries:
            if " " in entry or "-" in entry:
                target = phrases
            elif ord(entry[0]) >= _UNSPACED_FROM:
                target = unspaced
            else:
                target = words
            target[entry] = target.get(entry, 0) | 1 << FIELD_BITS * i
    for rank, word in enumerate(_entries(_RANKS_FILE.read_text(encoding="utf-8"), " ")):
        band = next(i for i, (_, last) in enumerate(RANK_BANDS) if rank < last)
        words[word] = words.get(word, 0) | 1 << FIELD_BITS * (len(sections) + band)
    by_start: dict[str, list[tuple[str, int]]] = {}
    for phrase, fields in phrases.items():
        by_start.setdefault(phrase.replace("-", " ").split()[0], []).append((phrase, fields))
    by_word = {start: tuple(found) for start, found in by_start.items()}
    n_fields = len(sections) + len(RANK_BANDS)
    return Cues(
        sections=tuple(sections),
        words=words,
        phrases=by_word,
        unspaced=tuple(unspaced.items()),
        classes=_classes(words, by_word, n_fields),
    )


def _classes(
    words: Mapping[str, int], phrases: Mapping[str, tuple[tuple[str, int], ...]], n_fields: int
) -> WordClasses:
    # Fields, digits, and the word itself where it is special.
    keys: dict[tuple[int, int, str], int] = {(0, 0, ""): 0}
    by_word: dict[str, int] = {}
    for word in (*words, *phrases, *LENGTH_WORDS):
        own = word if word in phrases or word in LENGTH_WORDS else ""
        n_digits = min(len(word), MAX_DIGITS) if word.isdigit() else 0
        by_word[word] = keys.setdefault((words.get(word, 0), n_digits, own), len(keys))
    by_digits = [0] + [keys.setdefault((0, n, ""), len(keys)) for n in range(1, MAX_DIGITS + 1)]
    rows = [(*counts_of(fields, n_fields), n_digits > 0, own in LENGTH_WORDS) for fields, n_digits, own in keys]
    digits = {each: n_digits for each, (_, n_digits, _) in enumerate(keys) if n_digits > 0}
    begun = {each: phrases[own] for each, (_, _, own) in enumerate(keys) if own in phrases}
    return WordClasses(
        by_word=by_word,
        by_digits=tuple(by_digits),
        fields=np.ascontiguousarray(np.array(rows, dtype=np.float32).T),
        special=np.array(sorted(digits.keys() | begun.keys()), dtype=np.intp),
        n_digits=digits,
        phrases=begun,
    )


def counts_of(total: int, n_fields: int) -> list[int]:
    """The counts in a sum of fields."""
    n_bytes = n_fields * FIELD_BITS // 8
    counts: list[int] = np.frombuffer(total.to_bytes(n_bytes, "little"), dtype="<u2").tolist()
    return counts


def _read_sections(text: str) -> dict[str, list[str]]:
    """Section names and their entries, each entry once per section.

    Raises:
        ValueError: an entry stands before the first section.
    """
    sections: dict[str, list[str]] = {}
    entries: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("["):
            entries = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            if entries is None:
                raise ValueError("cues.txt begins without a section")
            entries += [entry for entry in _entries(line, ",") if entry not in entries]
    return sections


def _entries(text: str, separator: str) -> list[str]:
    """The entries of a file's text, its comment lines left out."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [entry.strip() for line in lines for entry in line.split(separator) if entry.strip()]
