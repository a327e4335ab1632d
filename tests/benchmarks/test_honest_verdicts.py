"""Shuffles keep what each model scored and lose which prompt it was; worlds side by side stay apart."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from benchmarks.honest_verdicts import Shuffles, cheap_never_right, learned_from, shuffled, side_by_side, verdict_of

from pointsman.study import learner_for
from pointsman.train import Inputs

from .worlds import drawn, outcomes_of


def test_a_shuffle_moves_both_models_outcomes_together() -> None:
    outcomes = outcomes_of(np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]))
    moved = shuffled(outcomes, np.array([2, 0, 1]))
    assert moved.score.tolist() == pytest.approx(outcomes.score[[2, 0, 1]])
    assert moved.prompts == outcomes.prompts


def test_worlds_side_by_side_learned_in_one_fit_are_each_their_own() -> None:
    generator = np.random.default_rng(0)
    topics = np.tile(["the recipe of a cake with butter", "the integral of a rational function"], 100)
    prompts = tuple(f"{topic} number {i}" for i, topic in enumerate(topics))
    hard = np.tile([False, True], 100)
    cheap = generator.random(200) < np.where(hard, 0.1, 0.9)
    one = outcomes_of(np.column_stack((cheap, np.ones(200))), prompts)
    # The other world has the topics the other way round.
    other = outcomes_of(np.column_stack((cheap[::-1], np.ones(200))), prompts)
    learner = learner_for(one.models)
    inputs = Inputs.read(prompts, extract=learner.extract, encode=learner.encode)
    p = learned_from([one, other, one], inputs, seed=0)
    assert p[hard, 0].mean() < 0.4 < 0.6 < p[~hard, 0].mean()
    assert p[~hard, 1].mean() < 0.4 < 0.6 < p[hard, 1].mean()
    assert p[:, 2] == pytest.approx(p[:, 0], abs=1e-4)


def test_models_of_worlds_are_numbered_and_stand_in_pairs() -> None:
    joined = side_by_side([drawn(5, 0), drawn(5, 1)])
    assert joined.models == ("cheap 0", "strong 0", "cheap 1", "strong 1")
    assert joined.score[:, 2:].tolist() == drawn(5, 1).score.tolist()


def test_cheap_never_right_is_always_strong_even_for_a_router_that_knows() -> None:
    outcomes = cheap_never_right(drawn(500))
    assert verdict_of(outcomes, 1.0 - 0.9 * outcomes.score[:, 1], 0) == "always:strong"


@pytest.mark.parametrize(("helps", "before", "kept"), [(10, 10, True), (11, 0, False), (0, 11, False)])
def test_at_most_one_in_twenty(helps: int, before: int, kept: bool) -> None:
    assert Shuffles("x", 100, helps, before, 200, Counter()).kept is kept
