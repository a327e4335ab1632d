"""Hashed n-grams: counts by hand, and what must not matter."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pointsman.learned import N_BUCKETS, ngram_buckets
from pointsman.learned.ngrams import MAX_BYTES


def test_counts_by_hand() -> None:
    words, runs = ngram_buckets("to be or not")
    # Four words and three pairs; 12 bytes and a space at each end: 12 + 11 + 10 runs of three, four and five bytes.
    assert len(words) == 4 + 3
    assert len(runs) == 12 + 11 + 10


def test_what_occurs_twice_is_there_once() -> None:
    words, _ = ngram_buckets("apple, apple apple")
    assert len(words) == 2  # the word, and the pair of it with itself
    assert set(words.tolist()) < set(ngram_buckets("one apple apple two")[0].tolist())


def test_the_order_of_a_pair_matters() -> None:
    assert set(ngram_buckets("dog bites man")[0].tolist()) != set(ngram_buckets("bites dog man")[0].tolist())


def test_case_and_white_space_do_not_matter() -> None:
    for one, other in zip(ngram_buckets("What  IS\n\tthis?"), ngram_buckets("what is this?"), strict=True):
        assert np.array_equal(one, other)


def test_an_empty_text_has_none_and_a_sign_has_no_word() -> None:
    assert [len(found) for found in ngram_buckets(" \n")] == [0, 0]
    assert [len(found) for found in ngram_buckets("?")] == [0, 1]


def test_of_a_huge_text_both_ends_are_read() -> None:
    middle = "x" * MAX_BYTES
    one, other = ngram_buckets("start " + middle + " end"), ngram_buckets("start " + middle * 3 + " end")
    assert np.array_equal(one[1], other[1])


@given(st.text(max_size=200))
def test_any_text_gives_buckets_in_range_and_the_same_again(text: str) -> None:
    found, again = ngram_buckets(text), ngram_buckets(text)
    for buckets, same in zip(found, again, strict=True):
        assert np.array_equal(buckets, same)
        assert ((buckets >= 0) & (buckets < N_BUCKETS)).all()


def test_buckets_are_spread_evenly() -> None:
    words, _ = ngram_buckets(" ".join(f"w{i}" for i in range(2_000)))
    # 2,000 words and 1,999 pairs in 65,536 buckets: by the birthday problem about 120 are shared.
    assert 3_999 - len(set(words.tolist())) < 250
