"""Cascades with a guarantee: it holds in simulated worlds, also for the choice among kinds, and the file keeps it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.train.cascade_worlds import CascadeWorld, cascade_world

from pointsman.errors import DataError
from pointsman.learned import Plan, walk_all
from pointsman.train import Planner
from pointsman.tune import (
    CascadePath,
    QualityLimit,
    Sample,
    TunedCascade,
    TuneSettings,
    choose_cascade,
    read_cascade,
    read_policy,
    tuned_cascade,
    write_cascade,
)

RATES = tuple(np.geomspace(0.01, 3.0, 16).tolist())
MODELS = ("cheap", "strong")


def plans_of(world: CascadeWorld, kind: str = "cascade") -> list[Plan]:
    planner = Planner("cascade" if kind == "cascade" else "direct")
    fitted = planner.fit(MODELS, world.known, world.score, world.cost)
    return fitted.plans([rate / 10.0 for rate in RATES])


def path_of(world: CascadeWorld, plans: list[Plan], kind: str = "cascade") -> CascadePath:
    walked = walk_all(plans, world.known, world.cost)
    return CascadePath(
        kind, RATES, np.stack([each.served for each in walked]), np.stack([each.cost_usd for each in walked])
    )


def settings(limit: float = 0.05, confidence: float = 0.9) -> TuneSettings:
    return TuneSettings(QualityLimit(limit), confidence=confidence)


def test_a_perfect_judge_lets_the_cheap_model_serve_what_it_can() -> None:
    world = cascade_world(2_000, seed=1)
    choice = choose_cascade(world.outcomes(), [path_of(world, plans_of(cascade_world(1_000, seed=0)))], settings())
    assert choice.chosen is not None
    # Cheap always, strong on the hard half: 1 + 0.5 · 10 of 10.
    assert choice.expected.savings == pytest.approx(0.4, abs=0.03)
    assert choice.expected.quality_loss < 0


def test_no_room_means_the_strong_model() -> None:
    world = cascade_world(60, seed=1, judging="errs in a quarter")
    choice = choose_cascade(world.outcomes(), [path_of(world, plans_of(world))], settings(limit=0.01))
    assert choice.chosen is None
    assert choice.expected.savings == 0
    assert choice.n_least is not None
    assert choice.n_least > 60


@pytest.mark.parametrize("n_paths", [1, 2])
def test_the_promise_is_broken_no_more_often_than_it_says(n_paths: int) -> None:
    """Draws of 300 prompts from a world whose true losses are known; the choice among kinds included."""
    population = cascade_world(6_000, seed=5, judging="graded")
    train = cascade_world(1_000, seed=6, judging="graded")
    kinds = ("cascade", "direct")[:n_paths]
    whole = [path_of(population, plans_of(train, kind), kind) for kind in kinds]
    score = population.score
    loss = [
        [1 - score[np.arange(len(score)), served].mean() / score[:, 1].mean() for served in path.served]
        for path in whole
    ]
    outcomes, generator = population.outcomes(), np.random.default_rng(7)
    n_draws, broken, routed = 100, 0, 0
    for draw in range(n_draws):
        rows = generator.integers(0, len(score), 300)
        sample = replace(
            outcomes,
            prompt_ids=outcomes.prompt_ids[:300],
            datasets=outcomes.datasets[:300],
            prompts=outcomes.prompts[:300],
            groups=np.arange(300),
            score=outcomes.score[rows],
            cost_usd=outcomes.cost_usd[rows],
            confidence=outcomes.confidence[rows],
        )
        drawn = [replace(path, served=path.served[:, rows], cost_usd=path.cost_usd[:, rows]) for path in whole]
        choice = choose_cascade(sample, drawn, replace(settings(), seed=draw))
        if choice.chosen is not None:
            routed += 1
            broken += loss[choice.chosen[0]][choice.chosen[1]] > 0.05
    # 10 % promised; 2.3 standard errors of 100 draws above it.
    assert broken <= 0.1 * n_draws + 2.3 * np.sqrt(n_draws * 0.09)
    assert routed > 0.3 * n_draws


def made(world: CascadeWorld, limit: float = 0.05) -> TunedCascade:
    plans = plans_of(cascade_world(500, seed=0))
    choice = choose_cascade(world.outcomes(), [path_of(world, plans)], settings(limit))
    return tuned_cascade(
        choice,
        models=MODELS,
        plan=None if choice.chosen is None else plans[choice.chosen[1]],
        sample=Sample(
            n_prompts=len(world.score),
            n_groups=choice.n_groups,
            n_unscored=0,
            n_trained=0,
            scores_from="held-out",
            data_hash="0" * 64,
            seed=0,
        ),
        settings=settings(limit),
        created="2026-11-25T00:00:00+00:00",
    )


def test_the_file_comes_back_and_serves_alike(tmp_path: Path) -> None:
    world = cascade_world(1_000, seed=1)
    policy = made(world)
    assert policy.kind == "cascade"
    assert "saves" in policy.reason
    write_cascade(tmp_path / "policy.json", policy)
    again = read_cascade(tmp_path / "policy.json")
    assert again == policy
    plan, first = again.read_plan(), policy.read_plan()
    assert plan is not None
    assert first is not None
    here, there = (walk_all([each], world.known, world.cost)[0] for each in (plan, first))
    assert np.array_equal(here.served, there.served)
    with pytest.raises(DataError, match="cascade policy"):
        read_policy(tmp_path / "policy.json")


def test_without_a_certified_rate_the_file_names_the_strong_model(tmp_path: Path) -> None:
    policy = made(cascade_world(50, seed=1), limit=0.01)
    write_cascade(tmp_path / "policy.json", policy)
    again = read_cascade(tmp_path / "policy.json")
    assert (again.kind, again.use, again.read_plan()) == ("fixed", "strong", None)
    assert "too few" in again.reason


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    raw = made(cascade_world(1_000, seed=1)).model_dump(mode="json")
    raw["models"] = ["cheap", "other"]
    (tmp_path / "policy.json").write_text(json.dumps(raw))
    with pytest.raises(DataError, match="other models"):
        read_cascade(tmp_path / "policy.json")
    raw["plan"] = None
    (tmp_path / "policy.json").write_text(json.dumps(raw))
    with pytest.raises(DataError, match="has a plan"):
        read_cascade(tmp_path / "policy.json")


def test_decisions_that_do_not_fit_are_refused() -> None:
    world = cascade_world(100, seed=1)
    path = path_of(world, plans_of(world))
    with pytest.raises(DataError, match="no cascades"):
        choose_cascade(world.outcomes(), [], settings())
    with pytest.raises(DataError, match="do not rise"):
        choose_cascade(world.outcomes(), [replace(path, rates=path.rates[::-1])], settings())
