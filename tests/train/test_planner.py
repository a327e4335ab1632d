"""Plans in worlds where the best policy is known."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.errors import DataError
from pointsman.learned import Plan, PlanKind, walk
from pointsman.train import Planner
from pointsman.train.planner import MAX_MODELS, filled, kept_models

from .cascade_worlds import CascadeWorld, cascade_world

RATE = 0.03
"""Score per USD: the strong call costs 0.3, the cheap one 0.03."""


def fitted(world: CascadeWorld, kind: PlanKind, rate: float = RATE, *, judge_usd: float = 0.0) -> Plan:
    planner = Planner(kind, judge_usd=judge_usd).fit(("cheap", "strong"), world.known, world.score, world.cost)
    return planner.plans([rate])[0]


@pytest.mark.parametrize("kind", ["cascade", "cascade_routing"])
def test_a_perfect_judge_escalates_what_is_wrong_and_nothing_else(kind: PlanKind) -> None:
    train, test = cascade_world(1_000, seed=0), cascade_world(1_000, seed=1)
    done = walk(fitted(train, kind), test.known, test.cost)
    assert done.called[:, 0].all()
    assert np.array_equal(done.called[:, 1], test.hard)
    assert np.array_equal(done.served, np.where(test.hard, 1, 0))
    assert done.cost_usd == pytest.approx(np.where(test.hard, 11.0, 1.0))
    assert (done.n_judged == 1).all()


def test_without_a_judge_nothing_is_escalated_after_it_was_paid() -> None:
    world = cascade_world(1_000, seed=0, judging="useless")
    for rate in (0.003, 0.01, 0.03, 0.1):
        done = walk(fitted(world, "cascade", rate), world.known, world.cost)
        assert (done.called.sum(axis=1) == 1).all(), rate


def test_what_is_plainly_hard_skips_the_cheap_call() -> None:
    world = cascade_world(1_000, seed=0, plain_from_prompt=True)
    plan = fitted(world, "cascade")
    assert plan.first is None
    done = walk(plan, world.known, world.cost)
    assert np.array_equal(done.called[:, 0], ~world.hard)
    assert np.array_equal(done.called[:, 1], world.hard)


def test_a_prompt_that_says_nothing_does_not_choose_the_first_model() -> None:
    generator = np.random.default_rng(3)
    world = cascade_world(400, seed=0)
    noise = generator.uniform(0.2, 0.8, size=(400, 2))
    known = type(world.known)(
        noise, world.known.log_cost_ahead, world.known.p_answer, world.known.log_cost, world.known.agreement
    )
    plan = Planner("cascade").fit(("cheap", "strong"), known, world.score, world.cost).plans([RATE])[0]
    assert plan.first == 0


def test_a_judge_dearer_than_what_it_saves_is_not_asked() -> None:
    world = cascade_world(1_000, seed=0)
    free, dear = fitted(world, "cascade"), fitted(world, "cascade", judge_usd=30.0)
    assert walk(free, world.known, world.cost).n_judged.mean() == 1
    assert walk(dear, world.known, world.cost).n_judged.mean() == 0


def test_direct_routing_calls_one_model() -> None:
    world = cascade_world(600, seed=0, plain_from_prompt=True)
    done = walk(fitted(world, "direct"), world.known, world.cost)
    assert (done.called.sum(axis=1) == 1).all()
    assert np.array_equal(done.served, np.where(world.hard, 1, 0))
    assert done.n_judged.sum() == 0


def test_a_higher_rate_never_costs_more_on_the_training_prompts() -> None:
    world = cascade_world(1_000, seed=0, judging="errs in a quarter")
    planner = Planner("cascade_routing").fit(("cheap", "strong"), world.known, world.score, world.cost)
    costs = [
        walk(plan, world.known, world.cost).cost_usd.mean()
        for plan in planner.plans(np.geomspace(0.001, 1, 30).tolist())
    ]
    assert np.all(np.diff(costs) <= 1e-9)


def test_many_models_are_searched_among_the_undominated() -> None:
    generator = np.random.default_rng(0)
    m = MAX_MODELS + 4
    quality = np.linspace(0.3, 0.8, m)
    quality[3] = 0.1
    score = (generator.random((4_000, m)) < quality).astype(np.float64)
    cost = np.tile(np.arange(1.0, m + 1), (4_000, 1))
    kept = kept_models(score, cost)
    assert len(kept) == MAX_MODELS
    assert m - 1 in kept
    assert 3 not in kept
    assert kept_models(score[:, :5], cost[:, :5]) == (0, 1, 2, 3, 4)


def test_more_than_four_models_call_three_at_most() -> None:
    generator = np.random.default_rng(0)
    n, m = 300, 5
    score = (generator.random((n, m)) < np.linspace(0.4, 0.9, m)).astype(np.float64)
    p = np.clip(generator.random((n, m)), 0.1, 0.9)
    cost = np.tile(np.geomspace(1, 20, m), (n, 1))
    known = cascade_world(n, seed=0).known
    known = type(known)(p, np.log(cost), p, np.log(cost), np.zeros((n, m, m)))
    plan = Planner("cascade_routing").fit(tuple("abcde"), known, score, cost).plans([0.0])[0]
    assert max(map(len, plan.steps)) == 3
    assert walk(plan, known, cost).called.sum(axis=1).max() <= 3


def test_an_unknown_cost_is_the_models_mean_and_an_unpriced_model_is_refused() -> None:
    cost = np.array([[1.0, 5.0], [np.nan, 7.0], [3.0, np.nan]])
    assert filled(cost, ("a", "b")).tolist() == [[1, 5], [2, 7], [3, 6]]
    with pytest.raises(DataError, match="no cost of b is known"):
        filled(np.array([[1.0, np.nan]]), ("a", "b"))
