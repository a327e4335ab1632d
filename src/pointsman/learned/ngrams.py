"""Hashed n-grams of a text: words, pairs of words, and runs of three to five bytes.

Every n-gram falls into one bucket of its kind, by arithmetic on whole arrays, so that 300 tokens take some tens of
microseconds. Buckets are part of a trained router: changing anything here means changing `NGRAM_VERSION`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

NGRAM_VERSION: Final = 1
BUCKET_BITS: Final = 16
N_BUCKETS: Final = 1 << BUCKET_BITS
"""Of each kind."""
MAX_BYTES: Final = 12_000
"""Of a longer text the first and the last half of this many UTF-8 bytes are read."""

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: Fibonacci hashing (Knuth, TAOCP volume 3, section 6.4) spreads by its upper bits."""
_SHIFT: Final = np.uint64(64 - BUCKET_BITS)
_BASE: Final = 0x5851F42D4C957F2D
"""An odd multiplier, so that it has an inverse modulo 2^64 (Knuth's MMIX generator uses it)."""
_MASK: Final = (1 << 64) - 1
_SPACE: Final = 32


def _powers(base: int, n: int) -> NDArray[np.uint64]:
    out, power = np.empty(n, dtype=np.uint64), 1
    for i in range(n):
        out[i] = power
        power = power * base & _MASK
    return out


_POWERS: Final = _powers(_BASE, MAX_BYTES + 2)
_INVERSES: Final = _powers(pow(_BASE, -1, 1 << 64), MAX_BYTES + 2)
_IS_WORD: Final = np.array([byte >= 128 or chr(byte).isalnum() for byte in range(256)], dtype=np.bool_)
_SALTS: Final = tuple(np.uint64(salt) for salt in (0x2545F4914F6CDD1D, 0xD1342543DE82EF95, 0xAF251AF3B0F025B5))
"""One per length of byte run, so that runs of different lengths do not fall together."""


def ngram_buckets(text: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The buckets of a text's words and word pairs, and of its byte runs, each in [0, `N_BUCKETS`), rising.

    A bucket is there once, however often it is met: that a word occurs says more than how often, and common byte runs
    would drown the rest. Case and kinds of white space do not matter; runs of white space count as one space. An empty
    text has none.
    """
    raw = " ".join(text.lower().split()).encode("utf-8", "replace")
    if len(raw) > MAX_BYTES:
        half = MAX_BYTES // 2
        raw = raw[:half] + raw[-half:]
    codes = np.frombuffer(raw, dtype=np.uint8)
    return _words(codes), _runs(codes)


def _buckets(hashes: NDArray[np.uint64]) -> NDArray[np.intp]:
    met = np.zeros(N_BUCKETS, dtype=np.bool_)
    hashes *= _MIX
    hashes >>= _SHIFT
    met[hashes.view(np.int64)] = True
    return np.flatnonzero(met)


def _words(codes: NDArray[np.uint8]) -> NDArray[np.intp]:
    inside = np.zeros(len(codes) + 2, dtype=np.bool_)
    _IS_WORD.take(codes, out=inside[1:-1])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return np.empty(0, dtype=np.intp)
    # A word's hash is a difference of prefix sums, moved to its start; all of it modulo 2^64.
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum((codes + np.uint64(1)) * _POWERS[: len(codes)], out=sums[1:])
    words = (sums[ends] - sums[starts]) * _INVERSES[starts]
    words ^= words >> np.uint64(29)
    pairs = words[:-1] * _SALTS[0] + words[1:] * _SALTS[1]
    pairs ^= pairs >> np.uint64(31)
    return _buckets(np.concatenate((words, pairs)))


def _runs(codes: NDArray[np.uint8]) -> NDArray[np.intp]:
    padded = np.empty(len(codes) + 2, dtype=np.uint64)
    padded[0] = padded[-1] = _SPACE
    padded[1:-1] = codes
    if len(codes) < 1:
        return np.empty(0, dtype=np.intp)
    # Up to eight bytes fit in 64 bits, so the runs themselves are compared before they are spread.
    runs, found = padded[:-1] << np.uint64(8) | padded[1:], []
    for length, salt in zip((3, 4, 5), _SALTS, strict=True):
        if len(padded) < length:
            break
        runs = runs[:-1] << np.uint64(8) | padded[length - 1 :]
        found.append(runs * salt)
    hashes = np.concatenate(found)
    hashes ^= hashes >> np.uint64(32)
    return _buckets(hashes)
