"""How a row of the comparison is judged, and that no router sees what it is measured on."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.compare_routers import OURS, embedding_regression, standing
from benchmarks.tie_averaged import Ranked

from .worlds import outcomes_of


def around(value: float, half: float, noise: int) -> Ranked:
    return Ranked(value, value + half * np.random.default_rng(noise).uniform(-1, 1, 2_000))


@pytest.mark.parametrize(
    ("ours", "other", "half", "word"),
    [(0.65, 0.60, 0.01, "best"), (0.60, 0.61, 0.05, "within"), (0.55, 0.65, 0.01, "behind")],
)
def test_standing(ours: float, other: float, half: float, word: str) -> None:
    found = {OURS: around(ours, half, 0), "a": around(other, half, 1), "random": around(0.5, 0.0, 2)}
    best, ahead, ci, told = standing(found)
    assert (best, told) == ("a", word)
    assert ahead == pytest.approx(ours - other)
    assert ci is not None and ci[0] < ahead < ci[1]


def test_a_difference_is_taken_replicate_by_replicate() -> None:
    other = around(0.6, 0.2, 0)
    found = {OURS: Ranked(0.59, other.drawn - 0.01), "a": other}
    assert standing(found)[2] == pytest.approx((-0.01, -0.01))
    assert standing(found)[3] == "behind"


def test_the_regression_on_the_embedding_learns_the_topic_and_not_the_prompt() -> None:
    generator = np.random.default_rng(0)
    topics = np.tile(["the recipe of a cake with butter", "the integral of a rational function"], 100)
    prompts = tuple(f"{topic} number {i}" for i, topic in enumerate(topics))
    hard = np.tile([False, True], 100)
    cheap = generator.random(200) < np.where(hard, 0.2, 0.9)
    outcomes = outcomes_of(np.column_stack((cheap, np.ones(200))), prompts)
    fold = np.arange(200, dtype=np.int64) // 40
    need = embedding_regression(outcomes, fold)
    assert need[hard].min() > need[~hard].max()
    # A prompt's own outcome does not reach its own score.
    turned = outcomes.score.copy()
    turned[fold == 0, 0] = 1 - turned[fold == 0, 0]
    again = embedding_regression(outcomes_of(turned, prompts), fold)
    assert again[fold == 0] == pytest.approx(need[fold == 0])
    assert again[fold == 1] != pytest.approx(need[fold == 1], rel=1e-3)
