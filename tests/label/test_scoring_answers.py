"""Scorers by hand, then properties: right answers in many forms, wrong ones that look alike, nothing to score by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import DataError
from pointsman.label import (
    AnswerScorer,
    ContainsScorer,
    ExactScorer,
    JsonScorer,
    NumericScorer,
    RegexScorer,
    Share,
    Task,
    references_of,
    score_similarity,
)
from pointsman.label.numbers import number_in


def task(*references: str, **more: Any) -> Task:
    return Task("d", "p", "prompt", references, **more)


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("Paris", "paris", 1.0),
        ("  The answer is **Paris**. ", "Paris", 1.0),
        ("“Paris”", "Paris", 1.0),
        ("ﬁne", "fine", 1.0),
        ("Answer: B", "(B)", 1.0),
        ("Paris, France", "Paris", 0.0),
        ("", "Paris", 0.0),
        ("co-op", "coop", 0.0),
    ],
)
def test_exact(answer: str, reference: str, score: float) -> None:
    assert ExactScorer().score(answer, task(reference)) == score


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("I think it is Paris, since …", "Paris", 1.0),
        ("a comparison", "Paris", 0.0),
        ("parish", "paris", 0.0),
        ("the parish of paris", "paris", 1.0),
        ("它是北京市", "北京", 1.0),
        ("cost: 5", "5", 1.0),
        ("cost: 15", "5", 0.0),
    ],
)
def test_contains_whole_words(answer: str, reference: str, score: float) -> None:
    assert ContainsScorer().score(answer, task(reference)) == score


def test_any_of_several_references_will_do() -> None:
    assert ExactScorer().score("no", task("yes", "no")) == 1.0
    assert ContainsScorer().score("surely no", task("yes", "no")) == 1.0
    assert NumericScorer().score("4", task("three", "4")) == 1.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("So 3 + 4 = 7.", 7.0),
        ("First 12, then 5", 5.0),
        ("#### 1,234", 1234.0),
        ("The answer is 42. It took 3 steps.", 42.0),
        ("Final answer: **-8**", -8.0),
        (r"Thus \boxed{\frac{3}{4}} by step 2", 0.75),
        (r"\boxed{x = {12}}", 12.0),
        (r"-\frac{1}{2}", -0.5),
        ("3/4", 0.75),
        ("1e-3", 0.001),
        ("$1,000,000.50", 1000000.5),
        ("about .5", 0.5),
        ("−3", -3.0),
        ("between 2 and 10%", 10.0),
        ("12\u00a0345", 12345.0),
        ("no number", None),
        ("", None),
        ("gpt4 says nothing", None),
        ("1/0", 1.0),
        ("9" * 400, None),
    ],
)
def test_the_number_of_an_answer(text: str, number: float | None) -> None:
    assert number_in(text) == number


def test_tolerance_is_relative_to_the_reference() -> None:
    scorer = NumericScorer(relative=0.01)
    assert scorer.score("101", task("100")) == 1.0
    assert scorer.score("102", task("100")) == 0.0
    assert scorer.score("none", task("100")) == 0.0
    assert NumericScorer().score("0.1", task("0.1000001")) == 1.0


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_number_written_out_is_read_back(number: float) -> None:
    assert number_in(f"It is {number!r}") == pytest.approx(number)


@given(st.text(max_size=300))
def test_any_text_has_a_finite_number_or_none(text: str) -> None:
    number = number_in(text)
    assert number is None or math.isfinite(number)


def test_regex_of_the_task_wins_and_a_bad_one_is_named() -> None:
    assert RegexScorer(r"^\d+$").score("12", task()) == 1.0
    assert RegexScorer(r"^\d+$").score("12", task(pattern="[a-z]")) == 0.0
    assert math.isnan(RegexScorer().score("12", task()))
    with pytest.raises(DataError, match="prompt 'p'"):
        RegexScorer().score("12", task(pattern="("))
    with pytest.raises(DataError, match="not a regular expression"):
        RegexScorer("(")


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"n": 1}', 1.0),
        ('Here:\n```json\n{"n": 1}\n```\nDone.', 1.0),
        ('{"n": "1"}', 0.0),
        ('{"n": 1', 0.0),
        ("NaN", 0.0),
        ("", 0.0),
    ],
)
def test_json_by_schema(answer: str, score: float) -> None:
    assert JsonScorer(SCHEMA).score(answer, task()) == score
    assert JsonScorer().score(answer, task(schema=SCHEMA)) == score


def test_json_without_a_schema_is_about_being_json() -> None:
    assert JsonScorer().score('{"n": "1"}', task()) == 1.0
    assert JsonScorer().score("n: 1", task()) == 0.0


def test_a_schema_that_is_none_is_refused_and_one_elsewhere_is_not_fetched() -> None:
    from referencing.exceptions import Unresolvable

    with pytest.raises(DataError, match="not valid"):
        JsonScorer({"type": 3})
    with pytest.raises(Exception) as raised:
        JsonScorer({"$ref": "http://127.0.0.1:9/schema"}).score("{}", task())
    assert isinstance(raised.value, DataError | Unresolvable)


@pytest.mark.parametrize("scorer", [ExactScorer(), ContainsScorer(), NumericScorer(), RegexScorer()])
@given(st.text(max_size=50))
def test_nothing_to_score_against_is_nan_and_never_zero(scorer: AnswerScorer, answer: str) -> None:
    assert math.isnan(scorer.score(answer, task()))


@pytest.mark.parametrize("scorer", [ExactScorer(), ContainsScorer(), NumericScorer(), JsonScorer()])
@given(st.text(max_size=50), st.text(max_size=50))
def test_scores_are_zero_one_or_nan_for_any_text(scorer: AnswerScorer, answer: str, reference: str) -> None:
    score = scorer.score(answer, task(reference))
    assert score in (0.0, 1.0) or math.isnan(score)


@given(st.text(min_size=1, max_size=50))
def test_an_answer_equal_to_its_reference_is_exact(text: str) -> None:
    assert ExactScorer().score(text, task(text)) == 1.0


def test_references_come_from_texts_numbers_and_lists() -> None:
    assert references_of("a") == ("a",)
    assert references_of(4) == ("4",)
    assert references_of(True) == ("true",)
    assert references_of(["a", 2, None]) == ("a", "2")
    assert references_of(None) == references_of(math.nan) == references_of({}) == ()


class Letters:
    """Encodes a text by its letters a and b."""

    id = "letters"
    dim = 2

    def encode(self, texts: Any) -> Any:
        counts = np.array([[text.count("a"), text.count("b")] for text in texts], dtype=np.float32)
        norms = np.linalg.norm(counts, axis=1, keepdims=True)
        return np.divide(counts, norms, out=np.zeros_like(counts), where=norms > 0)


def test_similarity_takes_the_nearest_reference_and_leaves_unknown_words_unscored() -> None:
    tasks = [task("aaa"), task("b", "ab"), task(), task("zzz")]
    scores = score_similarity(["aa", "ab", "a", "a"], tasks, Letters())
    assert scores[:2] == pytest.approx([1.0, 1.0])
    assert all(math.isnan(score) for score in scores[2:])
    assert score_similarity(["a"], [task("b")], Letters()) == [0.0]
    assert score_similarity(["b"], [task("aab")], Letters()) == pytest.approx([1 / 5**0.5])


def test_wilson_interval_by_hand() -> None:
    # 8 of 10: (0.8 + 0.19207 ± 1.96 √(0.016 + 0.009604)) / 1.38415
    low, high = Share(8, 10).interval
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share(0, 20).interval[0] == 0.0
    assert str(Share(0, 0)) == "none"
