"""One pass over a text: everything the features count, in time linear in the window and with one regex at most.

Words are found in one go and looked up in one table whose entries add up (`cues`); characters are counted in
one histogram of the text's UTF-8 bytes, where lead bytes tell the script; lines are told apart by their first two
characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from math import log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import cues
from .window import window

_WORD: Final = re.compile(r"\w+")
_ASCII_WORDS: Final = bytes(
    ord(chr(byte).lower()) if byte < 0x80 and (chr(byte).isalnum() or byte == 0x5F) else 0x20 for byte in range(256)
)
"""Maps what `_WORD` finds in ASCII text to lower case and the rest to spaces, for twice the speed of the regex."""

LINE_KINDS: Final = ("bullet", "numbered", "option", "heading", "quote", "table")
_LINE_BITS: Final = 16


def _line_starts() -> dict[str, int]:
    starts = {f"{mark} ": "bullet" for mark in "-*•+–·"}
    starts |= {f"{digit}{mark}": "numbered" for digit in "123456789" for mark in ".)、"}
    starts |= {f"{letter}{mark}": "option" for letter in "ABCDEFGHIJabcdefghij" for mark in ".):"}
    starts |= {f"({letter}": "option" for letter in "ABCDEFGHIJabcdefghij"}
    starts |= {"# ": "heading", "##": "heading", "==": "heading", "> ": "quote", ">>": "quote"}
    starts |= {"| ": "table", "|-": "table", "+-": "table", "||": "table"}
    return {start: 1 << _LINE_BITS * LINE_KINDS.index(kind) for start, kind in starts.items()}


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
    words: list[str]
    """Maximal runs of letters, digits and underscores, in lower case and in order."""
    distinct: set[str]
    cues: list[int]
    """How often each section of `cues.txt` and then each rank band was met."""
    bytes_by_class: list[float]
    """One count for each of `BYTE_CLASSES`."""
    entropy_bits: float
    """Of the bytes' distribution, 0 to 8."""
    lines: list[int]
    """How many lines begin as each of bullet, numbered, option, heading, quote and table."""


def scan(text: str) -> Scan:
    """Everything counted in `text`; of a long one its window only. Any str will do, lone surrogates included."""
    read = window(text)
    lower = read.lower()
    raw = read.encode("utf-8", "surrogatepass")
    words = raw.translate(_ASCII_WORDS).decode("ascii").split() if read.isascii() else _WORD.findall(lower)
    distinct = set(words)
    histogram = np.bincount(np.frombuffer(raw, dtype=np.uint8), minlength=256).astype(np.float64)
    by_class = (histogram @ _MEMBERSHIP).tolist()
    return Scan(
        n_chars=len(text),
        n_read=len(read),
        raw=raw,
        lower=lower,
        words=words,
        distinct=distinct,
        cues=_count_cues(lower, words, distinct, has_cjk=by_class[_CJK] > 0),
        bytes_by_class=by_class,
        entropy_bits=_entropy_bits(histogram, len(raw)),
        lines=_count_lines(read),
    )


_CJK: Final = BYTE_CLASSES.index("cjk")


def _count_cues(lower: str, words: list[str], distinct: set[str], *, has_cjk: bool) -> list[int]:
    table = cues.load()
    total = sum(map(table.words.get, words, repeat(0)))
    for start in table.phrases.keys() & distinct:
        for phrase, fields in table.phrases[start]:
            n = lower.count(phrase)
            if n:
                total += n * fields
    if has_cjk:
        for cue, fields in table.unspaced:
            n = lower.count(cue)
            if n:
                total += n * fields
    return _fields(total, table.n_fields)


def _count_lines(read: str) -> list[int]:
    if "\n" not in read:
        starts: Iterable[str] = (read.lstrip()[:2],)
    else:
        starts = [line.lstrip()[:2] for line in read.split("\n")]
    return _fields(sum(map(_LINE_STARTS.get, starts, repeat(0))), len(LINE_KINDS))


def _fields(total: int, n: int) -> list[int]:
    """The n counts of 16 bits in a sum."""
    counts: list[int] = np.frombuffer(total.to_bytes(2 * n, "little"), dtype="<u2").tolist()
    return counts


def _entropy_bits(histogram: NDArray[np.float64], n_bytes: int) -> float:
    if n_bytes == 0:
        return 0.0
    n_log_n = float(histogram @ np.log2(np.maximum(histogram, 1.0)))
    # Rounding can leave a negative zero-and-a-bit for a text of one byte repeated.
    return max(log2(n_bytes) - n_log_n / n_bytes, 0.0)
