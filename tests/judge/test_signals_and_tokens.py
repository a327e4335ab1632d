"""Signals and token signals: what they say by hand, and that they are finite whatever comes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.judge import (
    SIGNALS,
    TOKEN_SIGNALS,
    TokenReading,
    answer_signals,
    read_confidences,
    read_logprobs,
    read_signals,
    token_signals,
)

PROMPT = "How far does it roll?\nA. 12 m\nB. 15 m\nC. 18 m\n"


def signal(name: str, prompt: str, answer: str, finish_reason: str | None = None) -> float:
    return float(answer_signals(prompt, answer, finish_reason)[SIGNALS.index(name)])


def test_an_option_that_the_answer_computed_shows() -> None:
    found = "Speed times time gives 15 m. The answer is (B)."
    guessed = "It comes to about 13 m, which matches none of the options; closest is A. The answer is (A)."
    for name, here, there in (
        ("option_in_answer", 1, 0),
        ("option_number_in_answer", 1, 0),
        ("result_marked", 1, 1),
        ("result_is_letter", 1, 1),
        ("letter_place", 0.1, 0),
        ("n_options", 0.3, 0.3),
        ("contradictions", 0, math.log1p(3)),
    ):
        assert signal(name, PROMPT, found) == pytest.approx(here), name
        assert signal(name, PROMPT, guessed) == pytest.approx(there), name
    assert signal("letter_not_offered", PROMPT, "The answer is (D).") == 1


def test_shares_of_numbers_by_hand() -> None:
    answer = "12 and 15 and 99"
    assert signal("share_numbers_from_prompt", PROMPT, answer) == pytest.approx(2 / 3)
    assert signal("share_prompt_numbers_used", PROMPT, answer) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("reason", "length", "other"),
    [("length", 1, 0), ("max_tokens", 1, 0), ("stop", 0, 0), (None, 0, 0), ("content_filter", 0, 1)],
)
def test_finish_reasons(reason: str | None, length: float, other: float) -> None:
    assert signal("finish_length", "p", "a", reason) == length
    assert signal("finish_other", "p", "a", reason) == other


@settings(max_examples=80, deadline=None)
@given(prompt=st.text(max_size=200), answer=st.text(max_size=400))
def test_signals_are_finite_and_repeatable(prompt: str, answer: str) -> None:
    found = answer_signals(prompt, answer)
    assert found.shape == (len(SIGNALS),)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.array_equal(found, answer_signals(prompt, answer))


def test_rows_are_the_same_one_by_one() -> None:
    rows = read_signals([PROMPT, "x"], ["B", ""])
    assert np.array_equal(rows[0], answer_signals(PROMPT, "B"))
    assert read_signals([], []).shape == (0, len(SIGNALS))


def test_what_is_not_known_is_all_zero() -> None:
    assert not token_signals(None, 5).any()
    assert not read_confidences(np.array([math.nan]), ["x"]).any()


def test_near_certainty_is_told_apart() -> None:
    place = TOKEN_SIGNALS.index("surety")
    rows = read_confidences(np.array([0.5, 0.99, 0.9999, 1.0]), ["x"] * 4)
    assert np.all(np.diff(rows[:, place]) > 0.5)
    assert rows[0, place] == pytest.approx(math.log(2) / 5)


def test_logprobs_by_hand() -> None:
    reading = read_logprobs([math.log(0.5), math.log(0.8)], [{}, {"a": math.log(0.8), "b": math.log(0.2)}])
    assert reading is not None
    assert reading.confidence == pytest.approx(0.4)
    assert reading.mean == pytest.approx(math.sqrt(0.4))
    assert reading.minimum == pytest.approx(0.5)
    assert reading.entropy == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))
    assert read_logprobs([]) is None
    assert read_logprobs([-math.inf]) is None


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=40), st.integers(0, 500))
def test_token_signals_are_finite(logprobs: list[float], n_chars: int) -> None:
    assert np.isfinite(token_signals(read_logprobs(logprobs), n_chars)).all()


def test_long_answers_are_read_at_their_end() -> None:
    reading = read_logprobs([math.log(0.01)] * 50 + [0.0] * 12)
    assert reading == TokenReading(1.0, reading.mean if reading else None, 1.0, None)
