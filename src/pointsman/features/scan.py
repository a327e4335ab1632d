"""One pass over a text: everything the features count, in time linear in the window and with one regex at most.

Words are found in one go and looked up in one table whose entries add up (`cues`); characters are counted in
one histogram of the text's UTF-8 bytes, where lead bytes tell the script; lines are told apart by their first two
characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from math import log2
from operator import add
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.word_hashes import PlainText

from . import cues
from .tokens import Found, Others, Tokens
from .window import window

LINE_KINDS: Final = ("bullet", "numbered", "option", "heading", "quote", "table")


def _line_starts() -> dict[str, int]:
    starts = {f"{mark} ": "bullet" for mark in "-*•+–·"}
    starts |= {f"{digit}{mark}": "numbered" for digit in "123456789" for mark in ".)、"}
    starts |= {f"{letter}{mark}": "option" for letter in "ABCDEFGHIJabcdefghij" for mark in ".):"}
    starts |= {f"({letter}": "option" for letter in "ABCDEFGHIJabcdefghij"}
    starts |= {"# ": "heading", "##": "heading", "==": "heading", "> ": "quote", ">>": "quote"}
    starts |= {"| ": "table", "|-": "table", "+-": "table", "||": "table"}
    return {start: 1 << cues.FIELD_BITS * LINE_KINDS.index(kind) for start, kind in starts.items()}


_LINE_STARTS: Final = _line_starts()

_BYTE_CLASSES: Final[dict[str, bytes]] = {
    "letters": b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "upper": b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "digits": b"0123456789",
    "spaces": b" \t\n\r\v\f",
    "punctuation": b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "code": b"{}[]();=<>_\\`|&#",
    "operators": b"+=*/^<>-",
    "newlines": b"\n",
    "question_marks": b"?",
    "exclamations": b"!",
    "commas": b",;:",
    "quotes": b"\"",
    "dollars": b"$",
    "percents": b"%",
    "backslashes": b"\\",
    "underscores": b"_",
    "equals": b"=",
    "controls": bytes(range(9)) + bytes(range(14, 32)) + b"\x7f",
    # Lead bytes of UTF-8: one for each character beyond ASCII, telling its block.
    "non_ascii": bytes(range(0xC0, 0x100)),
    "accented": bytes(range(0xC3, 0xCA)),
    "greek": b"\xcd\xce\xcf",
    "cyrillic": b"\xd0\xd1\xd2\xd3",
    "arabic": b"\xd8\xd9\xda\xdb",
    "cjk": bytes(range(0xE3, 0xEE)),
    "signs": b"\xe2",
    "astral": bytes(range(0xF0, 0x100)),
}  # fmt: skip
BYTE_CLASSES: Final = tuple(_BYTE_CLASSES)

_MEMBERSHIP: Final = np.zeros((256, len(_BYTE_CLASSES)))
for _column, _members in enumerate(_BYTE_CLASSES.values()):
    _MEMBERSHIP[list(_members), _column] = 1.0


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass found in a text's window. Counts are of the window, `n_chars` is of the whole text."""

    n_chars: int
    n_read: int
    """Characters in the window."""
    raw: bytes
    """The window in UTF-8, lone surrogates passed through."""
    lower: str
    """The window in lower case."""
    n_words: int
    """Maximal runs of letters, digits and underscores."""
    n_distinct: int
    """Distinct words, case aside."""
    opening: Sequence[str]
    """The first words, in lower case."""
    n_numbers: int
    """Words of digits alone."""
    max_number_digits: int
    """Digits of the longest of them, at most `cues.MAX_DIGITS`."""
    asks_length: bool
    """Whether one of `cues.LENGTH_WORDS` is among the words."""
    cues: list[float]
    """How often each section of `cues.txt` and then each rank band was met."""
    bytes_by_class: list[float]
    """One count for each of `BYTE_CLASSES`."""
    entropy_bits: float
    """Of the bytes' distribution, 0 to 8."""
    lines: list[int]
    """How many lines begin as each of bullet, numbered, option, heading, quote and table."""
    ids: NDArray[np.integer] | None
    """The ids of the window's word pieces, by the table that was given, in no particular order; None when the text must
    be cut otherwise."""


@cache
def _without_ids() -> Tokens:
    return Tokens()


def look(text: str) -> PlainText | None:
    """What `scan` finds of a text's words, for use in several places; None for a text that is not read so."""
    return _without_ids().plain(text)


def scan(text: str, tokens: Tokens | None = None, plain: PlainText | None = None) -> Scan:
    """Everything counted in `text`; of a long one its window only. Any str will do, lone surrogates included.

    Words are looked up in `tokens`; None means a table without ids. `plain` is what `Tokens.plain` found in the text,
    where it was asked before; any other is read anew.
    """
    if tokens is None:
        tokens = _without_ids()
    read = window(text)
    lower = read.lower()
    found: Found | Others | None = plain if isinstance(plain, Found) and read is text else tokens.plain(read)
    if isinstance(found, Found):
        raw, histogram = found.as_it_was, found.histogram
    else:
        raw = read.encode("utf-8", "surrogatepass")
        histogram = np.bincount(np.frombuffer(raw, dtype=np.uint8), minlength=256)
        found = tokens.other(read, lower)
    floats = histogram.astype(np.float64)
    by_class: list[float] = floats.dot(_MEMBERSHIP).tolist()
    controls = by_class[_CONTROLS] > 0
    classes = cues.load().classes
    of_class = np.bincount(found.classes, minlength=classes.n_classes)
    special = classes.special[of_class.take(classes.special) > 0].tolist()
    counts = np.vecdot(classes.fields, of_class.astype(np.float32)).tolist()
    asks_length, n_numbers = counts.pop() > 0, int(counts.pop())
    _count_phrases(counts, special, lower, has_cjk=by_class[_CJK] > 0)
    return Scan(
        n_chars=len(text),
        n_read=len(read),
        raw=raw,
        lower=lower,
        n_words=found.n_words,
        n_distinct=found.n_different,
        opening=found.opening,
        n_numbers=n_numbers,
        max_number_digits=max(map(classes.n_digits.get, special, repeat(0)), default=0),
        asks_length=asks_length,
        cues=counts,
        bytes_by_class=by_class,
        entropy_bits=_entropy_bits(histogram, floats, len(raw)),
        lines=_count_lines(read),
        ids=None if controls or any(map(read.__contains__, _JOINING)) else found.ids,
    )


_LOG2: Final = np.log2(np.maximum(np.arange(16_384.0), 1.0))
"""Of the counts of a text of fewer bytes; 0 for none."""
_CJK: Final = BYTE_CLASSES.index("cjk")
_CONTROLS: Final = BYTE_CLASSES.index("controls")
_JOINING: Final = "\v\f\x85"
"""White space that is no control character of ours; in a tokenizer's eyes it and control characters join what is on
either side of them."""


def _count_phrases(counts: list[float], special: list[int], lower: str, *, has_cjk: bool) -> None:
    """Adds, to the counts of the fields, phrases that begin with words of the classes met, and unspaced cues."""
    table = cues.load()
    total = 0
    for word_class in special:
        for phrase, fields in table.classes.phrases.get(word_class, ()):
            n = lower.count(phrase)
            if n:
                total += n * fields
    if has_cjk:
        for cue, fields in table.unspaced:
            n = lower.count(cue)
            if n:
                total += n * fields
    if total:
        counts[:] = map(add, counts, cues.counts_of(total, table.n_fields))


def _count_lines(read: str) -> list[int]:
    if "\n" not in read:
        starts: Iterable[str] = (read.lstrip()[:2],)
    else:
        starts = [line.lstrip()[:2] for line in read.split("\n")]
    return cues.counts_of(sum(map(_LINE_STARTS.get, starts, repeat(0))), len(LINE_KINDS))


def _entropy_bits(histogram: NDArray[np.intp], floats: NDArray[np.float64], n_bytes: int) -> float:
    if n_bytes == 0:
        return 0.0
    logs = _LOG2.take(histogram) if n_bytes < len(_LOG2) else np.log2(np.maximum(floats, 1.0))
    # Rounding can leave a negative zero-and-a-bit for a text of one byte repeated.
    return max(log2(n_bytes) - float(floats.dot(logs)) / n_bytes, 0.0)
