"""Learning from answers: it finds what the answer says, serves it alike, and refuses what does not fit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.evaluate.calibration import auc
from pointsman.judge import (
    SIGNAL_VERSION,
    TOKEN_VERSION,
    AnswerScorer,
    Asked,
    Given,
    TokenReading,
    read_confidences,
    read_signals,
)
from pointsman.learned import AnswerSkill
from pointsman.train import AnswerInputs, AnswerLearner, AnswerReaders, predicted
from pointsman.train.calibrate import N_KNOTS
from pointsman.vocabulary import Outcomes

from .worlds import encode, extract, world

READERS = AnswerReaders(extract, encode, read_signals, read_confidences, SIGNAL_VERSION, TOKEN_VERSION)
HALF = 250


def answered(n: int, *, seed: int, told_by: str) -> Outcomes:
    """A world whose prompts say nothing: right answers are short and sure, wrong ones hedge."""
    outcomes = world(n, seed=seed, signal=False)
    right = outcomes.score
    texts = tuple(
        tuple("It is seven." if good else "It might perhaps be eight, however I am not sure." for good in row)
        if told_by == "text"
        else ("seven", "seven")
        for row in right
    )
    confidence = np.where(right > 0, 0.95, 0.6).astype(np.float32)
    if told_by != "tokens":
        confidence = np.full_like(confidence, np.nan)
    cost = np.tile([1.0, 10.0], (n, 1)) * (1 + np.array([len(p) for p in outcomes.prompts]))[:, None] / 50
    return replace(outcomes, responses=texts, confidence=confidence, cost_usd=cost.astype(np.float32))


def learned(outcomes: Outcomes) -> tuple[AnswerLearner, AnswerInputs]:
    inputs = AnswerInputs.read(outcomes, READERS)
    train = np.arange(HALF)
    return AnswerLearner(readers=READERS).fit(outcomes.at(train), inputs[train]), inputs


@cache
def sound_arrays() -> dict[str, NDArray[np.float32]]:
    learner, _ = learned(answered(HALF, seed=3, told_by="text"))
    return learner.answer_skill_.arrays()


@pytest.mark.parametrize("told_by", ["text", "tokens", "nothing"])
def test_it_finds_what_tells_right_from_wrong(told_by: str) -> None:
    outcomes = answered(2 * HALF, seed=0, told_by=told_by)
    learner, inputs = learned(outcomes)
    rest = np.arange(HALF, 2 * HALF)
    _, p = predicted(learner.answer_skill_, inputs[rest])
    found = auc(p[:, 0].astype(np.float64), outcomes.score[rest, 0] > 0.5)
    assert found is not None
    if told_by == "nothing":
        assert found == pytest.approx(0.5, abs=0.12)
        assert p[:, 0].mean() == pytest.approx(outcomes.score[rest, 0].mean(), abs=0.1)
    else:
        assert found > 0.97


def test_it_is_served_from_its_arrays_alike_one_answer_at_a_time() -> None:
    outcomes = answered(HALF, seed=1, told_by="text")
    learner, inputs = learned(outcomes)
    arrays = learner.answer_skill_.arrays()
    assert all(array.dtype == np.float32 for array in arrays.values())
    skill = AnswerSkill.from_arrays(
        arrays, models=outcomes.models, signal_version=SIGNAL_VERSION, token_version=TOKEN_VERSION
    )
    ahead, p = predicted(learner.answer_skill_, inputs)
    scorer = AnswerScorer(skill, extract=extract, encode=encode)
    assert outcomes.responses is not None
    for i in (0, 1, 2):
        before = scorer.ahead(outcomes.prompts[i])
        assert before.p_good[0] == pytest.approx(ahead.p_good[i], abs=1e-5)
        assert before.log_cost[0] == pytest.approx(ahead.log_cost[i], abs=1e-4)
        text = outcomes.responses[i][0]
        assert text is not None
        scored = scorer.score("cheap", Asked(outcomes.prompts[i]), Given(text), ahead=before)
        assert scored.p_good == pytest.approx(float(p[i, 0]), abs=1e-5)


def test_a_plain_fault_settles_it_and_an_unknown_model_is_refused() -> None:
    learner, _ = learned(answered(HALF, seed=1, told_by="text"))
    scorer = AnswerScorer(learner.answer_skill_, extract=extract, encode=encode)
    ahead = scorer.ahead("tree milk sun")
    asked = Asked("tree milk sun")
    whole = scorer.score("cheap", asked, Given("It is seven.", "stop"), ahead=ahead, tokens=TokenReading(0.9))
    cut = scorer.score("cheap", asked, Given("It is seven.", "length"), ahead=ahead)
    assert whole.p_good > 0.5
    assert cut.p_good <= 0.02
    assert [fault.code for fault in cut.faults] == ["truncated"]
    verdict = cut.verdict(least_p=0.5, judge="free signals")
    assert not verdict.accepted
    assert "below 0.50" in verdict.reason
    with pytest.raises(KeyError):
        scorer.score("other", asked, Given("x"), ahead=ahead)


def test_held_out_predictions_flatter_nobody() -> None:
    outcomes = answered(HALF, seed=2, told_by="nothing")
    learner, _ = learned(outcomes)
    held_out = learner.held_out_
    assert held_out.p_answer.shape == held_out.p_ahead.shape == held_out.log_cost.shape == (HALF, 2)
    found = auc(held_out.p_answer[:, 0].astype(np.float64), outcomes.score[:HALF, 0] > 0.5)
    assert found is not None
    assert found < 0.65
    assert np.corrcoef(held_out.log_cost[:, 0], np.log(outcomes.cost_usd[:HALF, 0]))[0, 1] > 0.9


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"signal_version": np.array([9.0], np.float32)}, "signal_version"),
        ({"token_version": np.array([9.0], np.float32)}, "token_version"),
        ({"offsets": np.zeros(3, np.float32)}, "offsets"),
        ({"offsets": np.zeros(2, np.float64)}, "offsets"),
        ({"knots": np.zeros((N_KNOTS, 2), np.float32)}, "rise"),
        ({"p_at_knots": np.full((N_KNOTS, 2), 2.0, np.float32)}, "0 to 1"),
        ({"other": np.zeros(1, np.float32)}, "other"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, NDArray[np.floating]], match: str) -> None:
    arrays = {**sound_arrays(), **change}
    with pytest.raises(ValueError, match=match):
        AnswerSkill.from_arrays(
            arrays, models=("cheap", "strong"), signal_version=SIGNAL_VERSION, token_version=TOKEN_VERSION
        )


def test_too_few_answers_and_nothing_to_judge_by_are_refused() -> None:
    outcomes = answered(HALF, seed=0, told_by="text")
    with pytest.raises(DataError, match="50"):
        AnswerLearner(readers=READERS).fit(outcomes.at(np.arange(20)))
    silent = replace(outcomes, responses=None, confidence=np.full((HALF, 2), np.nan, np.float32))
    with pytest.raises(DataError, match="nothing to judge"):
        AnswerInputs.read(silent, READERS)
