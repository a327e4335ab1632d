"""Hashed n-grams of a text: words, pairs of words, and runs of four bytes.

Every n-gram falls into one bucket of its kind, by arithmetic on whole arrays, so that 300 tokens take some tens of
microseconds. Buckets are part of a trained router: changing anything here means changing `NGRAM_VERSION`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.word_hashes import MIX, PlainText, folded, word_hashes

NGRAM_VERSION: Final = 3
BUCKET_BITS: Final = 16
N_BUCKETS: Final = 1 << BUCKET_BITS
"""Of each kind."""
NO_BUCKET: Final = 2 * N_BUCKETS
_WORDS_FROM: Final = np.uint32(N_BUCKETS)
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


def ngram_buckets(text: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The buckets of a text's words and word pairs, and of its byte runs, each in [0, `N_BUCKETS`), rising.

    A bucket is there once, however often it is met: that a word occurs says more than how often, and common byte runs
    would drown the rest. Case and kinds of white space do not matter; runs of white space count as one space. An empty
    text has none.
    """
    buckets, n_runs = joined_buckets(text)
    words = buckets[n_runs:]
    words -= N_BUCKETS
    return words, buckets[:n_runs]


def joined_buckets(text: str) -> tuple[NDArray[np.intp], int]:
    """The buckets of byte runs, then those of words with `N_BUCKETS` added, and how many are of runs: for one table.

    They rise.
    """
    buckets, n_runs = padded_buckets(text)
    is_first = buckets != NO_BUCKET
    return buckets[is_first].astype(np.intp), int(np.count_nonzero(is_first[:n_runs]))


def padded_buckets(text: str, plain: PlainText | None = None) -> tuple[NDArray[np.uint32], int]:
    """The same with `NO_BUCKET` for each n-gram whose bucket is there already, which is faster.

    `plain` is the `plain_text` of the text where that is known.
    """
    if plain is None or len(plain.raw) > MAX_BYTES:
        raw = _folded(text)
        padded, words = b" %b " % raw, word_hashes(raw)[2]
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
    buckets = hashes.astype(np.uint32)
    buckets[n_runs:] += _WORDS_FROM
    # In rising order a table is read from front to back, which spares the processor's cache.
    buckets.sort()
    n_runs = int(buckets.searchsorted(_WORDS_FROM))
    np.putmask(buckets[1:], buckets[1:] == buckets[:-1], NO_BUCKET)
    return buckets, n_runs


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
