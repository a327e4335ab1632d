"""Where the words of UTF-8 bytes stand, and a 64-bit hash of each, by arithmetic on whole arrays.

A word's hash is a polynomial in its bytes modulo 2^64: a difference of two prefix sums, moved to the word's start by
an inverse power. So the same word has the same hash wherever it stands, and 200 words take about 20 µs. Several stages
read the words of a text; a `PlainText` holds them for all.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_BYTES: Final = 16_384
"""Longer inputs are refused: there is a power for each byte."""

_MASK: Final = (1 << 64) - 1
_BASE: Final = 0x5851F42D4C957F2D
"""An odd multiplier, so that it has an inverse modulo 2^64 (Knuth's MMIX generator uses it)."""
MIX: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: Fibonacci hashing (Knuth, TAOCP volume 3, section 6.4) spreads by its upper bits."""
_ONE: Final = np.uint64(1)
_FOLD: Final = np.uint64(29)
_IS_WORD: Final = bytes(byte >= 128 or chr(byte).isalnum() for byte in range(256))
_IS_WORD_OR_UNDERSCORE: Final = bytes(inside or byte == ord("_") for byte, inside in enumerate(_IS_WORD))
_FOLDED: Final = bytes(32 if chr(byte).isspace() else ord(chr(byte).lower()) for byte in range(128)) + bytes(128)
"""ASCII in lower case, white space as spaces."""


def _powers(base: int, first: int) -> NDArray[np.uint64]:
    """Modulo 2^64, from `first` on, for each byte and for a space at each end."""
    out, power = np.empty(MAX_BYTES + 2, dtype=np.uint64), first
    for i in range(MAX_BYTES + 2):
        out[i] = power
        power = power * base & _MASK
    return out


_INVERSE: Final = pow(_BASE, -1, 1 << 64)
_POWERS: Final = _powers(_BASE, _INVERSE)
"""From the power of -1, where the space before a text stands."""
_INVERSES: Final = _powers(_INVERSE, 1)


class PlainText:
    """A text with its words, and the same in lower case with single spaces for white space.

    Attributes:
        as_it_was: the text in UTF-8.
        raw: the text in lower case, in UTF-8, without a space at either end.
        padded: `raw` with one space at each end.
        histogram: how often each of the 256 bytes occurs in `as_it_was`.
        starts: where each word begins in `raw`, in order.
        ends: where it ends.
        hashes: of each word, as `word_hashes`.
        n_distinct: words that differ.
    """

    __slots__ = ("as_it_was", "ends", "hashes", "histogram", "n_distinct", "padded", "raw", "starts")

    def __init__(self, as_it_was: bytes, raw: bytes) -> None:
        """Takes what `plain_bytes` gave."""
        self.as_it_was = as_it_was
        self.raw = raw
        self.histogram = np.bincount(np.frombuffer(as_it_was, dtype=np.uint8), minlength=256)
        self.padded = b" %b " % raw
        self.starts, self.ends, self.hashes = _found(self.padded, _IS_WORD)
        self.n_distinct = n_distinct(self.hashes)

    def with_underscores(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
        """Starts, ends and hashes of the words when underscores belong to them."""
        return _found(self.padded, _IS_WORD_OR_UNDERSCORE)


def plain_text(text: str) -> PlainText | None:
    """The text with its words; None for one beyond `MAX_BYTES` or with a lone surrogate."""
    found = plain_bytes(text)
    return None if found is None else PlainText(*found)


def plain_bytes(text: str) -> tuple[bytes, bytes] | None:
    """`as_it_was` and `raw` of a `PlainText`; None for a text that has none."""
    if text.isascii():
        as_it_was = text.encode("ascii")
        return (as_it_was, _folded(as_it_was)) if len(as_it_was) <= MAX_BYTES else None
    if len(text) > MAX_BYTES:
        return None
    try:
        as_it_was = text.encode("utf-8")
    except UnicodeEncodeError:
        return None
    raw = " ".join(text.lower().split()).encode("utf-8")
    return (as_it_was, raw) if len(raw) <= MAX_BYTES else None


def folded(text: str) -> bytes:
    """An ASCII text in lower case, with single spaces for white space and none at the ends.

    Raises:
        UnicodeEncodeError: it is not ASCII.
    """
    return _folded(text.encode("ascii"))


def _folded(as_it_was: bytes) -> bytes:
    raw = as_it_was.translate(_FOLDED).strip()
    while b"  " in raw:
        raw = raw.replace(b"  ", b" ")
    return raw


def word_hashes(
    raw: bytes, *, underscores: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
    """Starts, ends and hashes of the words: the longest runs of ASCII letters, digits and bytes beyond ASCII.

    With `underscores` these belong to words too. To spread by a hash, multiply it by `MIX` and take the upper bits.

    Raises:
        ValueError: more than `MAX_BYTES` bytes.
    """
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{len(raw)} bytes to hash the words of, expected at most {MAX_BYTES}")
    return _found(b" %b " % raw, _IS_WORD_OR_UNDERSCORE if underscores else _IS_WORD)


def _found(padded: bytes, inside: bytes) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
    """`word_hashes` of bytes with a space added at each end, so that no word touches an end.

    Words are runs of the bytes that `inside` has a 1 for.
    """
    sums = np.frombuffer(padded, dtype=np.uint8) + _ONE
    # Σ (byte + 1) · base^position over the bytes up to each position, the first at -1.
    sums *= _POWERS[: len(padded)]
    np.add.accumulate(sums, out=sums)
    flags = np.frombuffer(padded.translate(inside), dtype=np.bool_)
    edges = (flags[1:] != flags[:-1]).nonzero()[0]
    sums_at = sums.take(edges)
    starts = edges[::2]
    hashes = sums_at[1::2] - sums_at[::2]
    hashes *= _INVERSES.take(starts)
    hashes ^= hashes >> _FOLD
    return starts, edges[1::2], hashes


def n_distinct(hashes: NDArray[np.uint64]) -> int:
    """How many of the hashes differ."""
    rising = np.sort(hashes)
    return int(np.count_nonzero(rising[1:] != rising[:-1])) + (len(rising) > 0)
