"""How a question is built: numbers by hand, and what must not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.learned import QUESTION_NAMES, QUESTION_SHARES, divided, question_shape, question_shapes
from pointsman.learned.ngrams import MAX_BYTES
from pointsman.learned.offered import OFFERED_NAMES
from pointsman.word_hashes import plain_text

QUESTION = (
    "How many legs do 3 cats have? Do not count tails.\nA. 12 legs\nB. 24 legs\nC. 36 legs\nD. none of these\nAnswer:"
)


def shape(text: str) -> dict[str, float]:
    return dict(zip(QUESTION_NAMES, question_shape(text).tolist(), strict=True))


@pytest.mark.parametrize(
    "marks", ["A. |B. |C. ", "A) |B) |C) ", "(A) |(B) |(C) ", "A: |B: |C: ", "a) |b) |c) ", " A.| B.| C."]
)
def test_options_are_found_under_usual_marks(marks: str) -> None:
    lines = [mark + word for mark, word in zip(marks.split("|"), ("red", "green", "blue"), strict=True)]
    assert divided("Which colour?\n" + "\n".join(lines) + "\nAnswer:") == ("Which colour?", ["red", "green", "blue"])


@pytest.mark.parametrize(
    "text",
    ["", "No options here.", "A. Smith wrote it.\nIt was long.", "B. one\nC. two", "We had vitamin A. B. was absent."],
)
def test_what_has_no_two_options_in_order_is_all_stem(text: str) -> None:
    assert divided(text) == (text, [])


def test_in_small_letters_it_is_built_the_same_but_for_its_capitals() -> None:
    one, other = shape(QUESTION), shape(QUESTION.lower())
    assert [name for name in QUESTION_NAMES if one[name] != other[name]] == ["stem capitals"]


def test_numbers_by_hand() -> None:
    found = shape(QUESTION)
    stem = "How many legs do 3 cats have? Do not count tails."
    words = 11
    assert found["options"] == pytest.approx(math.log(1 + 4))
    assert found["stem words"] == pytest.approx(math.log(1 + words))
    assert found["stem characters"] == pytest.approx(math.log(1 + len(stem)))
    assert found["sentences"] == pytest.approx(math.log(1 + 2))
    assert found["stem numbers"] == pytest.approx(math.log(1 + 1))
    assert found["stem digits"] == pytest.approx(1 / len(stem))
    # "do" comes twice.
    assert found["stem distinct words"] == pytest.approx(10 / 11)
    assert found["stem asks to work out"] == 1
    # Three of four options have two digits in seven characters, and the last has none, so they are not all numbers.
    assert found["option digits"] == pytest.approx(3 / 4 * 2 / 7)
    assert found["fewest option digits"] == found["options are numbers"] == 0
    # Each pair of the first three shares one of three words, and none with the last.
    assert found["options alike"] == pytest.approx(3 / 6 / 3)
    assert found["options most alike"] == pytest.approx(1 / 3)
    # "legs" stands in the stem: half of the words of three options.
    assert found["option words in stem"] == pytest.approx(3 / 4 / 2)


@pytest.mark.parametrize(
    ("options", "rise", "fall"),
    [
        (("2.5 t", "1,000 kg", "-3 g"), 0, 0),
        (("-3", "2.5", "1,000"), 1, 0),
        (("9", "8", "7"), 0, 1),
        (("9", "8", "many"), 0, 0),
    ],
)
def test_options_that_are_numbers_may_rise_or_fall(options: tuple[str, ...], rise: float, fall: float) -> None:
    text = "How much?\n" + "\n".join(f"{mark}. {option}" for mark, option in zip("ABC", options, strict=True))
    found = shape(text)
    assert (found["options rise"], found["options fall"]) == (rise, fall)
    assert found["options are numbers"] == float("many" not in options)


def test_without_options_nothing_is_said_of_them() -> None:
    found = shape("Write a poem about rain.")
    assert all(value == 0 for name, value in found.items() if "option" in name)
    assert found["stem words"] > 0


def test_an_empty_text_gives_zeros() -> None:
    assert not question_shape(" \n").any()


def test_shares_sum_to_one_functions_count_as_much_and_figuring_has_half() -> None:
    assert len(QUESTION_SHARES) == len(QUESTION_NAMES) == len(set(QUESTION_NAMES))
    assert QUESTION_SHARES[: -len(OFFERED_NAMES)].sum() == pytest.approx(1)
    assert QUESTION_SHARES[-len(OFFERED_NAMES) :].sum() == pytest.approx(1)
    figuring = [share for share, name in zip(QUESTION_SHARES, QUESTION_NAMES, strict=True) if "digits" in name]
    assert figuring == pytest.approx([0.5 / 13] * 4)


def test_of_a_huge_text_both_ends_are_read() -> None:
    middle = "word " * MAX_BYTES
    assert np.array_equal(question_shape("12 " + middle + " end"), question_shape("12 " + middle + middle + " end"))


@given(st.text(max_size=300) | st.text(alphabet="\nABC.) 12,.−?x", max_size=80))
def test_any_text_gives_finite_numbers_and_the_same_again(text: str) -> None:
    found = question_shape(text)
    assert found.shape == (len(QUESTION_NAMES),)
    assert np.isfinite(found).all()
    assert np.array_equal(question_shapes([text, text])[1], found)


@given(
    st.text(st.characters(max_codepoint=127), max_size=200)
    | st.text(alphabet="ab\u00a0\u2003\u0130\u4f60 \u201c?1", max_size=80)
    | st.text(alphabet="\nABC.) 12,.'?!x", max_size=80)
    | st.lists(
        st.sampled_from(["don't", "'", "solve", "solve's", "What", "1,999.5", "Find", "(a)", "x = 2^3;", "\n\n", "."])
    ).map(" ".join)
)
def test_a_text_whose_words_are_known_has_the_same_shape(text: str) -> None:
    assert question_shape(text, plain_text(text)).tobytes() == question_shape(text).tobytes()


@pytest.mark.parametrize("text", ["which one? " * MAX_BYTES, "Solve it.\n" * 500, "Pick\nA. one\nB. two", "", "'"])
def test_long_short_and_divided_texts_whose_words_are_known_have_the_same_shape(text: str) -> None:
    assert question_shape(text, plain_text(text)).tobytes() == question_shape(text).tobytes()
