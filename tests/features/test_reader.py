"""One look at a text gives what features and embedding give apart, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.features import Reader, extract, extract_batch, open_encoder, text_of, tokens
from pointsman.features.encoders.capped import MAX_CHARS
from pointsman.features.window import EDGE_CHARS
from pointsman.vocabulary import Dialect, FloatArray, Request, Role, Turn

_ENCODER = open_encoder("static")
_READER = Reader(_ENCODER)

_SIGMAS = st.sampled_from(
    ["ΑΣ.Β", "ΟΔΥΣΣΕΥΣ", "Σ", "aΣ,b", "naïve", "e\u0301f", "İstanbul", "снег", "你好。", "snake_case", "²"]
)
_WORDS = st.sampled_from(
    ["How", "many", "words", "in", "1,999", "zyzzyva", "don't", "(the", "cat).", "\n-", "7" * 25, "?"]
)
_ANY_TEXT = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=())),
    st.text(st.characters(max_codepoint=127)),
    st.lists(st.one_of(_WORDS, _SIGMAS, st.text(max_size=6)), max_size=40).map(" ".join),
)
"""Lone surrogates and unassigned code points included."""


def asking(text: str) -> Request:
    return Request(
        dialect=Dialect.OPENAI_CHAT,
        endpoint="/v1/chat/completions",
        model="auto",
        raw=b"",
        body={},
        turns=(Turn(Role.USER, text),),
    )


def read(reader: Reader, text: str) -> tuple[FloatArray, FloatArray]:
    return reader.extract(asking(text)), reader.encode([text])[0]


def assert_same(reader: Reader, text: str) -> None:
    features, vector = read(reader, text)
    known = reader.look(text) if len(text) <= MAX_CHARS else None
    assert reader.extract(asking(text), known).tobytes() == extract(asking(text), known).tobytes() == features.tobytes()
    assert reader.encode([text])[0].tobytes() == vector.tobytes()
    assert features.tobytes() == extract(asking(text)).tobytes()
    assert vector.tobytes() == _ENCODER.encode([text])[0].tobytes()


@settings(max_examples=500, deadline=None)
@given(_ANY_TEXT)
def test_any_text_is_read_as_by_both_apart(text: str) -> None:
    assert_same(_READER, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "a\x0bb \x01c\x7fd \x1ce",
        "a\x85b",
        "x" * 200,
        "ab " * (MAX_CHARS // 3),
        "ab " * (MAX_CHARS // 3 + 1),
        "Prove it, please. " * EDGE_CHARS,
        "не " * EDGE_CHARS,
    ],
    ids=[
        "empty",
        "space",
        "controls",
        "next line",
        "a long word",
        "as long as is shared",
        "longer",
        "huge",
        "huge Russian",
    ],
)
def test_odd_and_long_texts_are_read_as_by_both_apart(text: str) -> None:
    assert_same(_READER, text)


def test_every_pair_of_ascii_characters_is_read_as_by_both_apart() -> None:
    every = [chr(i) for i in range(128)]
    for a in every:
        assert_same(_READER, " ".join(f"x{a}{b}y {a}{b}" for b in every))


@given(st.lists(_ANY_TEXT, max_size=4))
def test_a_batch_is_read_as_one_by_one(texts: Sequence[str]) -> None:
    requests = [asking(text) for text in texts]
    rows, vectors = _READER.extract_batch(requests), _READER.encode(texts)
    assert rows.tobytes() == extract_batch(requests).tobytes()
    assert vectors.tobytes() == _ENCODER.encode(texts).tobytes()


def test_another_text_than_the_one_read_last_is_encoded_itself() -> None:
    _READER.extract(asking("one text"))
    assert _READER.encode(["another"]).tobytes() == _ENCODER.encode(["another"]).tobytes()
    _READER.extract(asking("one text"))
    assert _READER.encode(["one text", "one text"]).tobytes() == _ENCODER.encode(["one text"] * 2).tobytes()


def test_a_request_of_several_turns_is_encoded_by_the_text_that_asks() -> None:
    request = Request(
        dialect=Dialect.OPENAI_CHAT,
        endpoint="/v1/chat/completions",
        model="auto",
        raw=b"",
        body={},
        turns=(Turn(Role.SYSTEM, "Be brief."), Turn(Role.USER, "Find it."), Turn(Role.USER, "yes, do it")),
    )
    assert _READER.extract(request).tobytes() == extract(request).tobytes()
    text = text_of(request)
    assert _READER.encode([text]).tobytes() == _ENCODER.encode([text]).tobytes()


def test_an_encoder_of_another_kind_encodes_itself() -> None:
    class Ones:
        id, dim = "ones", 3

        def encode(self, texts: Sequence[str]) -> FloatArray:
            return np.ones((len(texts), self.dim), dtype=np.float32)

    reader = Reader(Ones())
    features, vector = read(reader, "What is it?")
    assert features.tobytes() == extract(asking("What is it?")).tobytes()
    assert vector.tolist() == [1.0, 1.0, 1.0]
    assert (reader.id, reader.dim) == ("ones", 3)


def test_threads_do_not_take_each_others_texts() -> None:
    texts = [f"Explain {word} in {n} words." for n, word in enumerate(["rain", "snow", "hail", "zyzzyva", "été"] * 20)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: read(_READER, text)[1].tobytes(), texts))
    assert found == [_ENCODER.encode([text])[0].tobytes() for text in texts]


def test_values_stay_the_same_when_the_memory_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 7)
    reader = Reader(_ENCODER)
    text = " ".join(f"zyzzyva{i % 30} naïveté{i % 20}" for i in range(100))
    for _ in range(2):
        assert_same(reader, text)


@settings(deadline=None)
@given(st.lists(_ANY_TEXT, min_size=1, max_size=3))
def test_texts_are_read_as_requests_of_them_whether_one_was_looked_at_or_not(texts: Sequence[str]) -> None:
    expected = extract_batch([asking(text) for text in texts]).tobytes()
    assert _READER.extract_texts(texts).tobytes() == expected
    _READER.look(texts[0])
    assert _READER.extract_texts(texts).tobytes() == expected
    assert _READER.encode(texts).tobytes() == _ENCODER.encode(texts).tobytes()
