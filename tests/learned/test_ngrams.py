"""Hashed n-grams: counts by hand, and what must not matter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.learned import N_BUCKETS, ngram_buckets
from pointsman.learned.ngrams import MAX_BYTES, NO_BUCKET, padded_buckets
from pointsman.word_hashes import plain_text


def test_counts_by_hand() -> None:
    words, runs = ngram_buckets("to be or not")
    # Four words and three pairs; 12 bytes and a space at each end: 11 runs of four bytes.
    assert len(words) == 4 + 3
    assert len(runs) == 11


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
    assert [len(found) for found in ngram_buckets("?")] == [0, 0]
    assert [len(found) for found in ngram_buckets("ab")] == [1, 1]


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
    words, _ = ngram_buckets(" ".join(f"w{i}" for i in range(700)))
    # 700 words and 699 pairs in 65,536 buckets: by the birthday problem about 15 are shared.
    assert 1_399 - len(set(words.tolist())) < 40


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_ascii_text_is_folded_as_any_other(text: str) -> None:
    # Beyond ASCII a text is folded another way; its n-grams before the sign that sends it there are the same.
    words, _ = ngram_buckets(text)
    beyond, _ = ngram_buckets(f"{text} \u0101")
    assert set(words.tolist()) <= set(beyond.tolist())
    assert len(beyond) <= len(words) + 2  # the sign itself, and the pair that it makes


@given(st.text(max_size=200))
def test_buckets_rise(text: str) -> None:
    assert all((np.diff(found) > 0).all() for found in ngram_buckets(text))


def test_threads_do_not_disturb_each_other() -> None:
    texts = [" ".join(f"word{i * j}" for i in range(200)) for j in range(40)]
    expected = [ngram_buckets(text)[1].tolist() for text in texts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: ngram_buckets(text)[1].tolist(), texts * 5))
    assert found == expected * 5


@pytest.mark.parametrize("text", ["a", "ab", "ab c", "a" * MAX_BYTES, "a b " * MAX_BYTES, "\u4f60" * MAX_BYTES])
def test_the_runs_of_the_shortest_and_the_longest_texts(text: str) -> None:
    words, runs = ngram_buckets(text)
    half = MAX_BYTES // 2
    raw = " ".join(text.split()).encode()
    padded = b" " + (raw if len(raw) <= MAX_BYTES else raw[:half] + raw[-half:]) + b" "
    distinct = {padded[i : i + 4] for i in range(len(padded) - 3)}
    assert len(runs) == len(distinct)
    assert len(words) >= 1


def assert_same_when_words_are_known(text: str) -> None:
    (known, n_known), (found, n_found) = padded_buckets(text, plain_text(text)), padded_buckets(text)
    assert known.tolist() == found.tolist()
    assert n_known == n_found


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_text_whose_words_are_known_has_the_same_buckets(text: str) -> None:
    assert_same_when_words_are_known(text)


@pytest.mark.parametrize("word", ["word", "\u4f60\u597d"])
def test_a_text_that_is_cut_has_the_same_buckets_though_its_words_are_known(word: str) -> None:
    text = " ".join(f"{word}{i}" for i in range(MAX_BYTES // 7))
    assert len(text.encode()) > MAX_BYTES
    assert_same_when_words_are_known(text)


@given(st.text(st.sampled_from("ab -"), max_size=60))
def test_a_bucket_that_is_there_already_is_no_bucket(text: str) -> None:
    words, runs = ngram_buckets(text)
    padded, n_runs = padded_buckets(text)
    assert [each for each in padded[:n_runs].tolist() if each != NO_BUCKET] == runs.tolist()
    assert [each - N_BUCKETS for each in padded[n_runs:].tolist() if each != NO_BUCKET] == words.tolist()
