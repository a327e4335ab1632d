"""Where the words of UTF-8 bytes stand, and a 64-bit hash of each, by arithmetic on whole arrays.

A word's hash is a polynomial in its bytes modulo 2^64: a difference of two prefix sums, moved to the word's start by
an inverse power. So the same word has the same hash wherever it stands, and 200 words take about 20 µs. Several stages
read the words of a prompt; for nearly all prompts `plain_text` finds them once for all.
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
_IS_WORD_OR_APOSTROPHE: Final = bytes(inside or byte == ord("'") for byte, inside in enumerate(_IS_WORD))
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
    """An ASCII text with its words, and the same in lower case with single spaces for white space.

    Attributes:
        raw: the text in lower case, without a space at either end.
        padded: `raw` with one space at each end.
        histogram: how often each of the 256 bytes occurs in the text as it was.
        starts: where each word begins in `raw`, in order.
        ends: where it ends.
        hashes: of each word, as `word_hashes`.
        rising: the same hashes in rising order.
        n_distinct: words that differ.
    """

    __slots__ = ("_sums", "ends", "hashes", "histogram", "n_distinct", "padded", "raw", "rising", "starts")

    def __init__(self, text: str) -> None:
        """Reads a text that `plain_text` takes."""
        as_it_was = text.encode("ascii")
        self.histogram = np.bincount(np.frombuffer(as_it_was, dtype=np.uint8), minlength=256)
        self.raw = _folded(as_it_was)
        self.padded = b"".join((b" ", self.raw, b" "))
        self._sums = _sums_of(self.padded)
        self.starts, self.ends, self.hashes = _found(self.padded, _IS_WORD, self._sums)
        self.rising = self.hashes.copy()
        self.rising.sort()
        self.n_distinct = _n_distinct(self.rising)

    def with_apostrophes(self) -> tuple[NDArray[np.uint64], int, int]:
        """The words when apostrophes belong to them: their hashes, rising, how many differ, and all their bytes."""
        if b"'" not in self.raw:
            starts, ends, rising, n_distinct = self.starts, self.ends, self.rising, self.n_distinct
        else:
            starts, ends, rising = _found(self.padded, _IS_WORD_OR_APOSTROPHE, self._sums)
            rising.sort()
            n_distinct = _n_distinct(rising)
        return rising, n_distinct, int(np.add.reduce(ends) - np.add.reduce(starts))


def plain_text(text: str) -> PlainText | None:
    """An ASCII text of at most `MAX_BYTES` characters with its words; None for any other."""
    return PlainText(text) if len(text) <= MAX_BYTES and text.isascii() else None


def folded(text: str) -> bytes:
    """An ASCII text in lower case, with single spaces for white space and none at the ends.

    Raises:
        UnicodeEncodeError: it is not ASCII.
    """
    return _folded(text.encode("ascii"))


def _folded(as_it_was: bytes) -> bytes:
    raw, n_bytes = as_it_was.translate(_FOLDED).strip(), 0
    while len(raw) != n_bytes:
        n_bytes, raw = len(raw), raw.replace(b"  ", b" ")
    return raw


def word_hashes(raw: bytes) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
    """Starts, ends and hashes of the words: the longest runs of ASCII letters, digits and bytes beyond ASCII.

    To spread by a hash, multiply it by `MIX` and take the upper bits.

    Raises:
        ValueError: more than `MAX_BYTES` bytes.
    """
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{len(raw)} bytes to hash the words of, expected at most {MAX_BYTES}")
    padded = b"".join((b" ", raw, b" "))
    return _found(padded, _IS_WORD, _sums_of(padded))


def _sums_of(padded: bytes) -> NDArray[np.uint64]:
    """Σ (byte + 1) · base^position over the bytes up to each position, the first at -1, shape (bytes,)."""
    sums = np.frombuffer(padded, dtype=np.uint8) + _ONE
    sums *= _POWERS[: len(padded)]
    np.add.accumulate(sums, out=sums)
    return sums


def _found(
    padded: bytes, inside: bytes, sums: NDArray[np.uint64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
    """Starts, ends and hashes of the longest runs of bytes that `inside` has a 1 for; no run touches the padding."""
    flags = np.frombuffer(padded.translate(inside), dtype=np.bool_)
    edges = (flags[1:] != flags[:-1]).nonzero()[0]
    sums_at = sums.take(edges)
    starts = edges[::2]
    hashes = sums_at[1::2] - sums_at[::2]
    hashes *= _INVERSES.take(starts)
    hashes ^= hashes >> _FOLD
    return starts, edges[1::2], hashes


def _n_distinct(rising: NDArray[np.uint64]) -> int:
    return int(np.count_nonzero(rising[1:] != rising[:-1])) + (len(rising) > 0)
