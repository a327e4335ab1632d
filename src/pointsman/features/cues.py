"""Cue words, phrases and word ranks from the package's data files, as one table for the scan.

Each section of `cues.txt` has a field of 16 bits in one integer. A word's entry has a 1 in the field of every section
that names it, so that adding up the entries of a text's words counts all sections at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FIELD_BITS: Final = 16
"""Holds the 16,001 words that a window can have at the very most."""

RANK_BANDS: Final = (("rank_1000", 1_000), ("rank_4000", 4_000), ("rank_12000", 12_000))
"""Fields that follow the sections: how common a word is in English, each band from the one before up to its rank."""

_CUES_FILE: Final = Path(__file__).with_name("cues.txt")
_RANKS_FILE: Final = Path(__file__).with_name("ranks.txt")
_UNSPACED_FROM: Final = 0x2E80
"""From here on, Unicode has the scripts of China, Japan and Korea; their cues are found without word boundaries."""


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
    # Most words share a handful of entries: one object for each keeps the table in the processor's cache.
    shared: dict[int, int] = {}
    words = {word: shared.setdefault(fields, fields) for word, fields in words.items()}
    by_start: dict[str, list[tuple[str, int]]] = {}
    for phrase, fields in phrases.items():
        by_start.setdefault(phrase.replace("-", " ").split()[0], []).append((phrase, fields))
    return Cues(
        sections=tuple(sections),
        words=words,
        phrases={start: tuple(found) for start, found in by_start.items()},
        unspaced=tuple(unspaced.items()),
    )


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
