"""Splits and folds: groups stay together, datasets are spread evenly, a seed decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import DataError
from pointsman.outcomes import complete, contamination, fold_of, folds, split, take, without
from pointsman.prompt_identity import prompt_hash, prompt_hashes
from pointsman.vocabulary import Outcomes


def outcomes_of(
    prompts: list[str], datasets: list[str] | None = None, score: list[list[float]] | None = None
) -> Outcomes:
    n = len(prompts)
    return Outcomes(
        models=("small", "large"),
        prompt_ids=tuple(str(i) for i in range(n)),
        datasets=tuple(datasets or ["d"] * n),
        prompts=tuple(prompts),
        groups=prompt_hashes(prompts).view(np.int64),
        score=np.array(score if score is not None else [[0.0, 1.0]] * n, dtype=np.float32),
        cost_usd=np.ones((n, 2), dtype=np.float32),
        confidence=np.full((n, 2), np.nan, dtype=np.float32),
    )


def test_the_hash_of_a_prompt_is_known() -> None:
    # sha256("abc") begins with ba7816bf 8f01cfea (FIPS 180-2, appendix B.1).
    assert prompt_hash(" ABC\n") == 0xBA7816BF8F01CFEA


def test_a_split_takes_the_share_of_every_dataset() -> None:
    outcomes = outcomes_of([f"p{i}" for i in range(400)], ["a"] * 300 + ["b"] * 100)
    learn, test = split(outcomes, 0.25, seed=7)
    assert sorted([*learn, *test]) == list(range(400))
    assert (test < 300).sum() == pytest.approx(75, abs=1)
    assert (test >= 300).sum() == pytest.approx(25, abs=1)
    again = split(outcomes, 0.25, seed=7)
    assert np.array_equal(test, again[1])
    assert not np.array_equal(test, split(outcomes, 0.25, seed=8)[1])


@settings(deadline=None, max_examples=60)
@given(
    names=st.lists(st.tuples(st.integers(0, 30), st.sampled_from("xyz")), min_size=8, max_size=120),
    k=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_folds_cover_all_rows_once_and_never_split_a_group(names: list[tuple[int, str]], k: int, seed: int) -> None:
    outcomes = outcomes_of([f"p{i}" for i, _ in names], [d for _, d in names])
    if np.unique(outcomes.groups).size < k:
        with pytest.raises(DataError, match="cannot fill"):
            fold_of(outcomes, k, seed)
        return
    fold = fold_of(outcomes, k, seed)
    for group in np.unique(outcomes.groups):
        assert np.unique(fold[outcomes.groups == group]).size == 1
    _, first = np.unique(outcomes.groups, return_index=True)
    sizes = np.bincount(fold[first], minlength=k)
    assert sizes.max() - sizes.min() <= 1
    for dataset in set(outcomes.datasets):
        of = np.array([outcomes.datasets[i] == dataset for i in first])
        within = np.bincount(fold[first][of], minlength=k)
        assert within.max() - within.min() <= 1
    measured = np.concatenate([test for _, test in folds(outcomes, k, seed)])
    assert sorted(measured.tolist()) == list(range(len(names)))


def test_impossible_divisions_are_refused() -> None:
    outcomes = outcomes_of(["a", "b", "c"])
    with pytest.raises(DataError, match="not between 0 and 1"):
        split(outcomes, 1.0, seed=0)
    with pytest.raises(DataError, match="too few"):
        split(outcomes_of(["a", "A "]), 0.5, seed=0)
    with pytest.raises(DataError, match="at least two"):
        fold_of(outcomes, 1, seed=0)


def test_contamination_sees_through_case_and_spaces() -> None:
    found = contamination(outcomes_of(["Hello  World", "new", "other"]), outcomes_of(["hello world", "else"]))
    assert found.n_shared == 1
    assert found.share == pytest.approx(1 / 3)
    assert found.rows.tolist() == [0]


def test_prompts_seen_in_training_are_left_out_by_hash() -> None:
    outcomes = outcomes_of(["a", "b", "c"])
    rest, n = without(outcomes, prompt_hashes(["B", "z"]))
    assert (rest.prompts, n) == (("a", "c"), 1)


def test_complete_rows_are_those_with_every_score() -> None:
    outcomes = outcomes_of(["a", "b"], score=[[1.0, float("nan")], [0.0, 1.0]])
    assert complete(outcomes).prompts == ("b",)
    assert take(outcomes, np.array([1, 0])).prompts == ("b", "a")
