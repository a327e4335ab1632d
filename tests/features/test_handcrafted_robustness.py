"""Any text gives finite values within the documented ranges, the same every time."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.features import FEATURES, cues, extract, extract_text
from pointsman.features.scan import Scan, scan
from pointsman.features.tokens import N_OPENING
from pointsman.features.window import EDGE_CHARS
from pointsman.vocabulary import Dialect, Request, Role, Turn

_LOW = np.array([feature.low for feature in FEATURES], dtype=np.float32)
_HIGH = np.array([feature.high for feature in FEATURES], dtype=np.float32)
_FLAGS = [i for i, feature in enumerate(FEATURES) if feature.unit == "flag"]

_ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
"""Lone surrogates and unassigned code points included."""

_TURNS = st.lists(st.tuples(st.sampled_from(Role), _ANY_TEXT), max_size=5)


def assert_in_range(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    assert values.shape == (len(FEATURES),)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    out = [feature.name for feature, bad in zip(FEATURES, (values < _LOW) | (values > _HIGH), strict=True) if bad]
    assert out == []
    assert set(values[_FLAGS].tolist()) <= {0.0, 1.0}


@given(_ANY_TEXT)
def test_any_text_is_in_range(text: str) -> None:
    assert_in_range(extract_text(text))


@given(_TURNS, st.lists(_ANY_TEXT, max_size=3), st.one_of(st.none(), st.integers(0, 2**63)), st.integers(0, 10_000))
def test_any_request_is_in_range(
    turns: Sequence[tuple[Role, str]], tools: list[str], max_output_tokens: int | None, n_images: int
) -> None:
    request = Request(
        dialect=Dialect.ANTHROPIC_MESSAGES,
        endpoint="/v1/messages",
        model="auto",
        raw=b"",
        body={},
        turns=tuple(Turn(role, text, tool_calls=tuple(tools)) for role, text in turns),
        tools=tuple(tools),
        max_output_tokens=max_output_tokens,
        n_images=n_images,
    )
    values = extract(request)
    assert_in_range(values)
    np.testing.assert_array_equal(values, extract(request))


@pytest.mark.parametrize(
    "text",
    [
        "\ud800",
        "\udfff broken \ud800",
        "\x00",
        "a\x00b",
        "\u202eright to left\u202c",
        "שלום עולם",
        "e\u0301" * 50,
        "\u0301" * 20_000,
        "👩‍👩‍👧‍👦" * 100,
        "İ" * 20_000,
        "ﬃ",
        "\ufeffBOM",
        "\r\n\r\n",
        " " * 20_000,
        "\n" * 20_000,
        "?" * 20_000,
        "```" * 10_000,
        "9" * 20_000,
        "1 words " * 3_000,
        "a" * 100_000,
        "你" * 100_000,
        "\U0010ffff" * 20_000,
    ],
)
def test_odd_texts_are_in_range(text: str) -> None:
    assert_in_range(extract_text(text))


def test_no_cue_overflows_its_field() -> None:
    """The most of each cue that a window holds is counted exactly, so nothing spills into the next field."""
    table = cues.load()
    entries = [*table.words, *(phrase for phrases in table.phrases.values() for phrase, _ in phrases)]
    entries = [entry for entry in entries if len(entry) <= 2] + [cue for cue, _ in table.unspaced]
    for entry in entries:
        n_read = 2 * EDGE_CHARS // (len(entry) + 1)
        seen = scan(f"{entry} " * n_read)
        assert max(seen.cues) <= 3 * n_read < 2**cues.FIELD_BITS


def test_ascii_words_are_those_of_the_regex() -> None:
    """ASCII text takes a faster way to its words; every pair of its characters is split alike on both."""
    every = [chr(i) for i in range(128)]
    text = " ".join(f"x{a}{b}y" for a, b in itertools.product(every, every))
    for start in range(0, len(text), EDGE_CHARS):
        part = text[start : start + EDGE_CHARS]
        # A sign beyond ASCII that is no word sends the same text the other way.
        assert _words_of(scan(part)) == _words_of(scan(f"{part} …"))


@given(st.text(string.printable.replace("_", "")))
def test_words_found_as_arrays_are_those_of_the_regex(text: str) -> None:
    seen, words = scan(text), re.findall(r"\w+", text.lower())
    numbers = [word for word in words if word.isdigit()]
    assert list(seen.opening) == words[:N_OPENING]
    assert (seen.n_words, seen.n_distinct, seen.n_numbers) == (len(words), len(set(words)), len(numbers))
    assert seen.max_number_digits == min(max(map(len, numbers), default=0), cues.MAX_DIGITS)


def _words_of(seen: Scan) -> tuple[object, ...]:
    return seen.n_words, seen.n_distinct, list(seen.opening), seen.n_numbers, seen.max_number_digits, seen.cues


@given(st.text(string.printable))
def test_case_does_not_change_cues(text: str) -> None:
    assert scan(text).cues == scan(text.upper()).cues


@given(st.lists(st.sampled_from(["prove", "why", "不", "no", "- ", "\n", "x", "?", "1."]), max_size=30))
def test_the_same_text_gives_the_same_values(parts: list[str]) -> None:
    text = " ".join(parts)
    assert extract_text(text).tobytes() == extract_text(text).tobytes()
