"""What an answer comes to, and whether two answers agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.judge import agreement, agreement_matrix
from pointsman.judge.final_answer import compared, final_answer, letter_of, options_of


@pytest.mark.parametrize(
    ("answer", "result", "marked"),
    [
        ("B", "B", False),
        ("Two and two.\n#### 1,234", "1,234", True),
        ('{"reasoning": "…", "answer": "42"}', "42", True),
        ('{"answer": 42, "sure": true}', "42", True),
        (r"So we get \boxed{\frac{1}{2}}.", r"\frac{1}{2}", True),
        ("Let us see. The answer is (H).", "(H)", True),
        ("First 3 apples, then 4 pears, so there are 7 of them altogether.", "7", False),
        ("There is nothing here that would be a number or a mark, only words.", "", False),
        ("", "", False),
    ],
)
def test_results_by_hand(answer: str, result: str, marked: bool) -> None:
    assert final_answer(answer) == (result, marked)


@pytest.mark.parametrize(
    ("one", "two"), [("1,234", "1234"), ("(B)", "b"), ("$12.", "12"), ("'True'", "true"), ("−3", "-3"), ("+5", "5")]
)
def test_the_same_result_written_otherwise(one: str, two: str) -> None:
    assert compared(one) == compared(two)


@pytest.mark.parametrize(("one", "two"), [("3.5", "35"), ("-3", "3"), ("1/2", "12"), ("a", "b")])
def test_different_results_stay_different(one: str, two: str) -> None:
    assert compared(one) != compared(two)


@pytest.mark.parametrize(
    ("text", "letter"),
    [("B", "B"), ("(B)", "B"), (" B.", "B"), ("B. The second", "B"), ("A dog", None), ("Because", None), ("b", None)],
)
def test_letters(text: str, letter: str | None) -> None:
    assert letter_of(text) == letter


def test_options_by_letter() -> None:
    assert options_of("Which?\nA. one\nB) two \n(C) three\n") == {"A": "one", "B": "two", "C": "three"}
    assert options_of("A. Smith wrote this.") == {}


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("B", "The answer is (B).", 1.0),
        ("B", "C", 0.0),
        ("First I add.\n#### 12", "12", 1.0),
        ("the cat sat on the mat in the long dark hall", "the cat sat on the mat in the long dark hall", 1.0),
        ("one two three four five six seven eight nine", "one two three ten eleven twelve thirteen fourteen", 3 / 14),
    ],
)
def test_agreement_by_hand(one: str, two: str, expected: float) -> None:
    assert agreement(one, two) == pytest.approx(expected)


@given(st.text(max_size=80), st.text(max_size=80))
def test_agreement_is_symmetric_and_a_share(one: str, two: str) -> None:
    assert agreement(one, two) == agreement(two, one)
    assert 0 <= agreement(one, two) <= 1
    assert agreement(one, one) == 1


def test_the_matrix_is_the_same_pair_by_pair() -> None:
    answers = [["B", "7", "x y z"], ["(B)", "8", "x y w"], ["C", "7.", "a"]]
    found = agreement_matrix(answers)
    assert found.shape == (3, 3, 3)
    assert np.array_equal(found, found.transpose(0, 2, 1))
    for i in range(3):
        for a in range(3):
            for b in range(3):
                expected = 1.0 if a == b else agreement(answers[a][i], answers[b][i])
                assert found[i, a, b] == pytest.approx(expected)
