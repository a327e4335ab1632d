"""Hashed n-grams of a text: words, pairs of words, and runs of four bytes.

Every n-gram falls into one bucket of its kind, by arithmetic on whole arrays, so that 300 tokens take some tens of
microseconds. Buckets are part of a trained router: changing anything here means changing `NGRAM_VERSION`.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.word_hashes import MIX, PlainText, folded, word_hashes

NGRAM_VERSION: Final = 3
BUCKET_BITS: Final = 16
N_BUCKETS: Final = 1 << BUCKET_BITS
"""Of each kind."""
MAX_BYTES: Final = 4_000
"""Of a longer text the first and the last half of this many UTF-8 bytes are read."""

_MARGIN_BYTES: Final = 100
"""Around a cut, where a letter's lower case may depend on what was cut off."""
_SHIFT: Final = np.uint64(64 - BUCKET_BITS)
_PAIR: Final = (np.uint64(0x2545F4914F6CDD1D), np.uint64(0xD1342543DE82EF95))
"""For a pair's first and second word."""
RUN_BYTES: Final = 4
"""One length is enough: runs of three and of five beside it cost twice as much again and ranked no better."""
_RUN_SALT: Final = np.uint64(0xD1342543DE82EF95)
_RUN_FOLD: Final = np.uint64(32)
_PAIR_FOLD: Final = np.uint64(31)
_RUN_DTYPE: Final = np.dtype(">u4")


class _Scratch(threading.local):
    """Memory of one thread, used anew for each text; what it holds between texts means nothing."""

    def __init__(self) -> None:
        self.last = np.empty(2 * N_BUCKETS, dtype=np.uint16)
        """By bucket, those of words after those of runs: where it was met last."""


_SCRATCH: Final = _Scratch()
_POSITIONS: Final = np.arange(2 * MAX_BYTES + 16, dtype=np.uint16)
"""A text has at most one run for each of its bytes, and a word and a pair for every second one."""


def ngram_buckets(text: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The buckets of a text's words and word pairs, and of its byte runs, each in [0, `N_BUCKETS`), rising.

    A bucket is there once, however often it is met: that a word occurs says more than how often, and common byte runs
    would drown the rest. Case and kinds of white space do not matter; runs of white space count as one space. An empty
    text has none.
    """
    words, runs = unordered_buckets(text)
    return np.sort(words), np.sort(runs)


def unordered_buckets(text: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The same in no particular order, which is faster."""
    buckets, n_runs = joined_buckets(text)
    words = buckets[n_runs:]
    words -= N_BUCKETS
    return words, buckets[:n_runs]


def joined_buckets(text: str, plain: PlainText | None = None) -> tuple[NDArray[np.intp], int]:
    """The buckets of byte runs, then those of words with `N_BUCKETS` added, and how many are of runs: for one table.

    In no particular order otherwise. `plain` is the `plain_text` of the text where that is known.
    """
    if plain is None or len(text) > MAX_BYTES:
        raw = _folded(text)
        padded, words = b"".join((b" ", raw, b" ")), word_hashes(raw)[2]
    else:
        padded, words = plain.padded, plain.hashes
    n_words = len(words)
    # Up to eight bytes fit in 64 bits, so the runs themselves are compared before they are spread.
    n_runs = max(len(padded) + 1 - RUN_BYTES, 0)
    hashes = np.empty(n_runs + max(2 * n_words - 1, 0), dtype=np.uint64)
    if n_runs > 0:
        runs = hashes[:n_runs]
        runs[:] = np.ndarray((n_runs,), _RUN_DTYPE, padded, strides=(1,))
        runs *= _RUN_SALT
        runs ^= runs >> _RUN_FOLD
    if n_words:
        hashes[-n_words:] = words
        if n_words > 1:
            pairs = hashes[n_runs:-n_words]
            np.multiply(words[:-1], _PAIR[0], out=pairs)
            pairs += words[1:] * _PAIR[1]
            pairs ^= pairs >> _PAIR_FOLD
    hashes *= MIX
    hashes >>= _SHIFT
    buckets = hashes.view(np.intp)
    buckets[n_runs:] += N_BUCKETS
    # Each n-gram leaves its position in its bucket; those that find their own there were the last to do so, one for
    # each bucket. No sorting, and nothing to clear for the next text.
    positions, last = _POSITIONS[: len(buckets)], _SCRATCH.last
    last[buckets] = positions
    is_last = last.take(buckets) == positions
    return buckets[is_last], int(np.count_nonzero(is_last[:n_runs]))


def _folded(text: str) -> bytes:
    """Lower-cased UTF-8 with single spaces and none at the ends, at most `MAX_BYTES`."""
    half = MAX_BYTES // 2
    if len(text) > 4 * MAX_BYTES:
        # Far more than will be read: the ends are enough, unless they are nearly all white space.
        head, tail = _spaced(text[:MAX_BYTES]), _spaced(text[-MAX_BYTES:])
        if min(len(head), len(tail)) > half + _MARGIN_BYTES:
            return head[:half] + tail[-half:]
    raw = _spaced(text)
    return raw if len(raw) <= MAX_BYTES else raw[:half] + raw[-half:]


def _spaced(text: str) -> bytes:
    if not text.isascii():
        return " ".join(text.lower().split()).encode("utf-8", "replace")
    return folded(text)
