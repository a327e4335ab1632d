"""Hashes of words: the same wherever a word stands, and spread."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.word_hashes import MAX_BYTES, MIX, folded, n_distinct, plain_text, word_hashes


def test_words_and_their_places_by_hand() -> None:
    starts, ends, hashes = word_hashes(b"to be, or not to be")
    assert starts.tolist() == [0, 3, 7, 10, 14, 17]
    assert ends.tolist() == [2, 5, 9, 13, 16, 19]
    assert hashes[0] == hashes[4] and hashes[1] == hashes[5]
    assert len(set(hashes.tolist())) == 4


@pytest.mark.parametrize("raw", [b"", b" ", b"?!", b"\0\0"])
def test_without_a_word_nothing_is_found(raw: bytes) -> None:
    assert [len(found) for found in word_hashes(raw)] == [0, 0, 0]


@given(st.text(max_size=300))
def test_a_word_has_its_hash_wherever_it_stands(text: str) -> None:
    raw = text.encode("utf-8", "replace")
    starts, ends, hashes = word_hashes(raw)
    words = [raw[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    assert words == re.findall(rb"[0-9A-Za-z\x80-\xff]+", raw)
    for word, found in zip(words, hashes.tolist(), strict=True):
        assert word_hashes(word)[2].tolist() == [found]


def test_upper_and_lower_bits_are_spread_evenly() -> None:
    raw = " ".join(f"w{i}" for i in range(2_000)).encode()
    hashes = word_hashes(raw)[2] * MIX
    assert len(np.unique(hashes)) == 2_000
    # 2,000 in 65,536: by the birthday problem about 30 are shared.
    assert len(np.unique(hashes >> np.uint64(48))) > 1_940
    assert len(np.unique(hashes & np.uint64(0xFFFF))) > 1_940


def test_what_is_too_long_is_refused() -> None:
    assert word_hashes(b"a" * MAX_BYTES)[1].tolist() == [MAX_BYTES]
    with pytest.raises(ValueError, match="16385 bytes"):
        word_hashes(b"a" * (MAX_BYTES + 1))


_ASCII = st.text(st.one_of(st.characters(max_codepoint=127), st.sampled_from("ab 'B\n\t")), max_size=120)


@given(_ASCII)
def test_a_plain_text_has_the_words_of_its_folded_bytes(text: str) -> None:
    plain = plain_text(text)
    assert plain is not None
    assert plain.raw == folded(text) == " ".join(text.lower().split()).encode()
    assert plain.padded == b" " + plain.raw + b" "
    for found, expected in zip((plain.starts, plain.ends, plain.hashes), word_hashes(plain.raw), strict=True):
        assert found.tolist() == expected.tolist()
    assert plain.n_distinct == len(set(re.findall(rb"[0-9a-z]+", plain.raw)))
    assert plain.histogram.tolist() == [text.count(chr(byte)) for byte in range(128)] + [0] * 128


@given(
    st.text(
        st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aB_ '\u201c\u00c9\u00a0")), max_size=60
    )
)
def test_beyond_ascii_the_bytes_of_letters_and_signs_belong_to_words(text: str) -> None:
    plain = plain_text(text)
    assert plain is not None
    assert plain.as_it_was == text.encode()
    assert plain.raw == " ".join(text.lower().split()).encode()
    words = re.findall(rb"[0-9a-z\x80-\xff]+", plain.raw)
    assert [plain.raw[start:end] for start, end in zip(plain.starts, plain.ends, strict=True)] == words
    assert plain.n_distinct == len(set(words))
    starts, ends, hashes = plain.with_underscores()
    assert [plain.raw[start:end] for start, end in zip(starts, ends, strict=True)] == re.findall(
        rb"[0-9a-z_\x80-\xff]+", plain.raw
    )
    assert n_distinct(hashes) == len(set(re.findall(rb"[0-9a-z_\x80-\xff]+", plain.raw)))


def test_long_and_broken_texts_are_not_plain() -> None:
    assert plain_text("a\ud800") is None
    assert plain_text("a" * (MAX_BYTES + 1)) is None
    assert plain_text("\u4f60" * MAX_BYTES) is None
    longest = plain_text("a" * MAX_BYTES)
    assert longest is not None and longest.ends.tolist() == [MAX_BYTES]
