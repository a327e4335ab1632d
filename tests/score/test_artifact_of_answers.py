"""What was learned of answers travels in the artifact, is read back exactly, and is refused where it does not fit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.score.made import FIT, card
from tests.score.made import skill as router_skill
from tests.score.test_router_artifact import edit_arrays, edit_card
from tests.train.test_answer_learner import answered, learned

from pointsman.errors import ArtifactError
from pointsman.judge import SIGNAL_VERSION, SIGNALS, TOKEN_SIGNALS, TOKEN_VERSION
from pointsman.learned import Known, LearnedAnswers, Precedents
from pointsman.score import AnswerReadings, LearnedRouter, load, save

NAMES = (*SIGNALS, *TOKEN_SIGNALS)
READINGS = AnswerReadings(SIGNAL_VERSION, TOKEN_VERSION, NAMES)
N = 40


@cache
def answers() -> LearnedAnswers:
    learner, _ = learned(replace(answered(250, seed=3, told_by="text"), models=("small", "large")))
    skill = learner.answer_skill_
    rows = np.random.default_rng(1).random((N, 2))
    known = Known(rows, rows - 1, rows, rows - 2, np.random.default_rng(2).random((N, 2, 2)))
    groups = np.array([2**63 - 1, -1, *range(N - 2)], dtype=np.int64)
    return LearnedAnswers(skill, Precedents(("small", "large"), known, rows, rows / 100, groups))


def answers_card(**changes: Any) -> dict[str, Any]:
    return {
        "models": ("small", "large"),
        "signal_version": SIGNAL_VERSION,
        "token_version": TOKEN_VERSION,
        "signals": NAMES,
        "target": "the answer is good",
        "n_prompts": N,
        "metrics": {},
    } | changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    trained = np.array([5], dtype=np.uint64)
    made = LearnedRouter(card(answers=answers_card()), router_skill(), trained_prompts=trained, answers=answers())
    save(tmp_path / "artifact", made)
    return tmp_path / "artifact"


def opened(folder: Path, **changes: Any) -> LearnedRouter:
    return load(folder, **(FIT | {"answer_readings": READINGS} | changes))


def test_what_is_saved_of_answers_is_loaded(folder: Path) -> None:
    again = opened(folder).answers
    assert again is not None
    assert again.models == ("small", "large")
    before, after = answers().skill.arrays(), again.skill.arrays()
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)
    assert again.precedents.groups.tolist() == answers().precedents.groups.tolist()
    np.testing.assert_allclose(again.precedents.known.agreement, answers().precedents.known.agreement, atol=1e-7)
    np.testing.assert_allclose(again.precedents.cost_usd, answers().precedents.cost_usd, rtol=1e-6)


def test_some_of_its_models_can_be_taken_in_another_order(folder: Path) -> None:
    found = opened(folder).answers
    assert found is not None
    turned = found.of(("large", "small"))
    assert turned.models == ("large", "small")
    assert (turned.precedents.score == found.precedents.score[:, ::-1]).all()
    assert (turned.precedents.known.agreement[:, 0, 1] == found.precedents.known.agreement[:, 1, 0]).all()
    readings = np.zeros((1, len(found.skill.reading_mean)), dtype=np.float32)
    vector = np.zeros((1, found.skill.text.views.embedding.landmarks.shape[1]), dtype=np.float32)
    value = np.zeros(1, dtype=np.float32)
    for skill, place in ((found.skill, 0), (turned.skill, 1)):
        values = skill.values(place, value, readings, vector, ["It is seven."])
        assert skill.p_good(place, values) == found.skill.p_good(
            0, found.skill.values(0, value, readings, vector, ["It is seven."])
        )
    with pytest.raises(KeyError):
        found.of(("small", "middle"))


def test_without_knowing_what_is_read_off_answers_they_are_left_out(folder: Path) -> None:
    plain = load(folder, **FIT)
    assert plain.answers is None
    assert plain.card.answers is None


@pytest.mark.parametrize(
    ("readings", "match"),
    [
        (replace(READINGS, signal_version=SIGNAL_VERSION + 1), "this version of Pointsman reads them by"),
        (replace(READINGS, token_version=TOKEN_VERSION + 1), "train it again"),
        (replace(READINGS, names=NAMES[::-1]), "other signals of answers"),
    ],
)
def test_answers_that_were_read_in_another_way_are_refused(folder: Path, readings: AnswerReadings, match: str) -> None:
    with pytest.raises(ArtifactError, match=match):
        opened(folder, answer_readings=readings)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda arrays: arrays.pop("answer/offsets"), "offsets"),
        (lambda arrays: arrays.pop("precedent/score"), "score"),
        (lambda arrays: arrays.update({"precedent/score": np.zeros((N, 3), dtype=np.float32)}), "score"),
        (lambda arrays: arrays.update({"precedent/cost_usd": np.full((N, 2), np.nan, dtype=np.float32)}), "finite"),
        (lambda arrays: arrays.update({"precedent/groups": np.zeros(N, dtype=np.float32)}), "uint64"),
        (lambda arrays: arrays.update({"answer/signal_version": np.array([9], dtype=np.float32)}), "signal_version"),
    ],
)
def test_damaged_arrays_of_answers_are_refused(folder: Path, change: Any, match: str) -> None:
    edit_arrays(folder, change)
    with pytest.raises(ArtifactError, match=match):
        opened(folder)


def test_a_card_with_answers_of_other_models_is_refused(folder: Path) -> None:
    edit_card(folder, lambda raw: raw["answers"].update(models=["small", "huge"]))
    with pytest.raises(ArtifactError, match="answers of"):
        opened(folder)


def test_a_card_that_promises_answers_needs_them() -> None:
    with pytest.raises(ValueError, match="not what the card says"):
        LearnedRouter(card(answers=answers_card()), router_skill(), trained_prompts=np.array([5], dtype=np.uint64))
