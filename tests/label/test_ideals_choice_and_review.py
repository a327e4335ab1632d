"""Ideal tiers by hand, which prompts to label, and the review's keys, undo and journal."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import DataError
from pointsman.label import (
    Ideal,
    Review,
    ReviewItem,
    ideal_of,
    knn_p_cheap,
    select_active,
    select_random,
)
from pointsman.label.plain_text import plain

M = ("small", "middle", "large")
ANSWERS = {"small": "s", "middle": "m", "large": "l"}
NAN = math.nan


@pytest.mark.parametrize(
    ("scores", "ideal"),
    [
        ((1.0, 1.0, 1.0), Ideal("small", "s")),
        ((0.0, 1.0, 1.0), Ideal("middle", "m")),
        ((0.5, 0.0, 0.9), Ideal("small", "l")),
        ((0.0, 0.2, 0.1), Ideal(None, "m", ("no-good-answer",))),
        ((NAN, 1.0, 1.0), Ideal(None, "m", known=False)),
        ((1.0, NAN, 1.0), Ideal("small", "s")),
        ((0.0, 1.0, NAN), Ideal("middle", "m")),
        ((NAN, NAN, NAN), Ideal(None, None, known=False)),
    ],
)
def test_the_cheapest_good_answer(scores: tuple[float, ...], ideal: Ideal) -> None:
    assert ideal_of(M, dict(zip(M, scores, strict=True)), ANSWERS, ()) == ideal


def test_the_reference_is_the_ideal_output() -> None:
    assert ideal_of(M, dict.fromkeys(M, 0.0), ANSWERS, ("right",)).output == "right"


def test_as_good_as_the_strong_one() -> None:
    scores = {"small": 0.2, "middle": 0.7, "large": 0.8}
    assert ideal_of(M, scores, ANSWERS, (), margin=0.0).model == "large"
    assert ideal_of(M, scores, ANSWERS, (), margin=0.1).model == "middle"
    assert ideal_of(M, {**scores, "large": 0.2}, ANSWERS, (), margin=0.0).model == "small"
    assert not ideal_of(M, {**scores, "large": NAN}, ANSWERS, (), margin=0.0).known


@given(st.lists(st.one_of(st.floats(0, 1), st.just(NAN)), min_size=3, max_size=3), st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_threshold_never_makes_the_ideal_cheaper(scores: list[float], one: float, two: float) -> None:
    held = dict(zip(M, scores, strict=True))
    loose, strict = (ideal_of(M, held, ANSWERS, (), threshold=t) for t in sorted((one, two)))
    if loose.model is not None and strict.model is not None:
        assert M.index(loose.model) <= M.index(strict.model)


# ---------------------------------------------------------------- choosing


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


NONE = np.empty(0, dtype=np.int64)


def test_certain_prompts_are_left_for_last() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(40, 8)))
    p = np.where(np.arange(40) < 10, 0.5, 0.0).astype(np.float32)
    for seed in range(20):
        chosen = select_active(vectors, p, NONE, 10, np.random.default_rng(seed))
        assert sorted(chosen) == list(range(10))


def test_one_of_each_cluster_comes_before_a_second_of_any() -> None:
    vectors = np.repeat(np.eye(5, dtype=np.float32), 8, axis=0)
    p = np.full(40, 0.5, dtype=np.float32)
    for seed in range(20):
        chosen = select_active(vectors, p, NONE, 5, np.random.default_rng(seed))
        assert sorted(index // 8 for index in chosen) == [0, 1, 2, 3, 4]


def test_what_is_like_a_labelled_prompt_waits() -> None:
    vectors = np.repeat(np.eye(2, dtype=np.float32), 5, axis=0)
    p = np.full(10, 0.5, dtype=np.float32)
    labelled = np.array([0], dtype=np.int64)
    for seed in range(10):
        assert select_active(vectors, p, labelled, 1, np.random.default_rng(seed))[0] >= 5


@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 5), st.integers(0, 99))
def test_the_choice_is_new_distinct_bounded_and_repeatable(n: int, want: int, n_labelled: int, seed: int) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(n, 4)) + 0.1)
    p = np.random.default_rng(seed + 1).random(n).astype(np.float32)
    labelled = np.arange(min(n_labelled, n), dtype=np.int64)
    one = select_active(vectors, p, labelled, want, np.random.default_rng(seed))
    two = select_active(vectors, p, labelled, want, np.random.default_rng(seed))
    assert list(one) == list(two)
    assert len(set(one)) == len(one) == min(want, n - len(labelled))
    assert not set(one) & set(labelled)
    drawn = select_random(n, labelled, want, np.random.default_rng(seed))
    assert len(set(drawn)) == len(drawn) == min(want, n - len(labelled))
    assert not set(drawn) & set(labelled)


def test_neighbours_with_labels_move_the_prior_by_hand() -> None:
    vectors = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    prior = np.full(6, 0.5, dtype=np.float32)
    p = knn_p_cheap(vectors, prior, np.array([0, 1]), np.ones(2, dtype=np.float32), k=2, prior_weight=2.0)
    assert p[2] == pytest.approx((2 * 0.5 + 2) / 4)
    assert list(knn_p_cheap(vectors, prior, NONE, np.empty(0, dtype=np.float32))) == list(prior)


# ---------------------------------------------------------------- reviewing


def items() -> list[ReviewItem]:
    return [
        ReviewItem("d", f"p{n}", model, f"Question {n}", f"{model} says {n}", "ref")
        for n in range(2)
        for model in ("cheap", "strong")
    ]


class Terminal:
    """Plays keys and keeps what was shown."""

    def __init__(self, keys: str) -> None:
        self.keys = list(keys)
        self.shown: list[str] = []

    def read(self) -> str:
        return self.keys.pop(0) if self.keys else ""

    def on(self, review: Review) -> Terminal:
        review.run(self.shown.append, self.read)
        return self


def test_keys_give_scores_and_names_are_not_shown(tmp_path: Path) -> None:
    review = Review(items(), tmp_path / "review.jsonl")
    screen = Terminal("gbhs").on(review)
    assert sorted(review.scores.values()) == [0.0, 0.5, 1.0]
    assert review.n_left == 0
    assert "PROMPT\nQuestion 0" in screen.shown[0]
    assert "1 of 4" in screen.shown[0]
    assert "REFERENCE\nref" in screen.shown[0]


def test_undo_takes_back_one_key_and_is_remembered(tmp_path: Path) -> None:
    journal = tmp_path / "review.jsonl"
    screen = Terminal("ugguubq").on(Review(items(), journal))
    assert screen.shown[1] == "nothing to undo"
    again = Review(items(), journal)
    assert list(again.scores.values()) == [0.0]
    assert again.n_left == 3
    Terminal("ggg").on(again)
    assert Review(items(), journal).n_left == 0


def test_what_was_taken_back_and_what_was_broken_off_are_known(tmp_path: Path) -> None:
    journal = tmp_path / "review.jsonl"
    Terminal("ggguq").on(Review(items(), journal))
    review = Review(items(), journal)
    assert review.unfinished == []
    assert len(review.undone) == 1
    Terminal("gq").on(review)
    assert review.undone == set()
    assert review.unfinished == [("d", "p1")]


def test_a_key_that_means_nothing_shows_the_keys(tmp_path: Path) -> None:
    screen = Terminal("xgq").on(Review(items(), tmp_path / "review.jsonl"))
    assert screen.shown[1].startswith("g good")


def test_a_torn_line_is_dropped_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    journal = tmp_path / "review.jsonl"
    Terminal("gg").on(Review(items(), journal))
    with journal.open("ab") as file:
        file.write(b'{"dataset": "d"')
    assert len(Review(items(), journal).scores) == 2
    journal.write_bytes(b"nonsense\n")
    with pytest.raises(DataError, match="line 1"):
        Review(items(), journal)


def test_the_order_is_the_same_in_every_run_and_hides_the_model(tmp_path: Path) -> None:
    def first_shown(n: int, seed: int) -> str:
        one = [ReviewItem("d", f"p{n}", model, "q", model) for model in ("cheap", "strong")]
        return Terminal("q").on(Review(one, tmp_path / f"{n}-{seed}", seed=seed)).shown[0].split("ANSWER\n")[1][:5]

    order = [first_shown(n, 0) for n in range(40)]
    assert order == [first_shown(n, 0) for n in range(40)]
    assert 8 < sum(name == "cheap" for name in order) < 32


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 👩‍💻\n\ttext", "plain ünïcode 👩‍💻\n\ttext"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("a\x9b2Jb", "ab"),
        ("a\x00\x08\x7fb", "ab"),
        ("over\rwritten\r\n", "over\nwritten\n"),
        ("safe\u202etxt.exe\u2066", "safetxt.exe"),
        ("\x1bPdevice control\x1b\\x", "x"),
    ],
)
def test_a_terminal_is_told_nothing_but_text(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_no_control_character_is_ever_left(text: str) -> None:
    shown = plain(text)
    assert not any((ord(letter) < 32 and letter not in "\n\t") or 127 <= ord(letter) < 160 for letter in shown)
    shown.encode("utf-8")
