"""Evaluations of worlds with known answers: policies, controls, and the JSON they give."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import DataError
from pointsman.evaluate import (
    DecidedPolicy,
    Evaluation,
    Line,
    RecordedDecision,
    ScoredPolicy,
    evaluate,
    recorded_decisions,
)
from pointsman.evaluate.controls import shuffled
from pointsman.evaluate.paired import paired
from pointsman.evaluate.policies import served_at, thresholds

from .worlds import graded, world

TEN = np.array([[1, 1]] * 4 + [[0, 1]] * 4 + [[0, 0]] + [[1, 0]], dtype=np.float64)
"""Cheap is right on five of ten prompts, strong on eight."""


def control(evaluation: Evaluation, name: str) -> Line:
    (line,) = [each for each in evaluation.controls if each.name == name]
    return line


def test_a_decided_policy_by_hand() -> None:
    outcomes = world(np.tile(TEN, (10, 1)))
    served = np.tile(np.array([0, 0, 0, 0, 1, 1, 0, 0, 0, 0]), 10)
    evaluation = evaluate(outcomes, [DecidedPolicy("mine", "cascade", served)], n_resamples=200)

    line = evaluation.policies[0]
    # Right on the four easy ones, two of the hard ones and the last: 7 of 10. Cost (8 + 2 * 10) / 10 = 2.8 of 10.
    assert line.quality == pytest.approx(0.7)
    assert line.cost_usd == pytest.approx(2.8)
    assert line.savings == pytest.approx(0.72)
    assert line.strong_share == pytest.approx(0.2)
    assert line.quality_delta == pytest.approx(-0.1)
    assert line.apgr is None
    assert control(evaluation, "always:cheap").quality == pytest.approx(0.5)
    assert control(evaluation, "always:cheap").savings == pytest.approx(0.9)
    assert control(evaluation, "always:strong").quality == pytest.approx(0.8)
    assert control(evaluation, "always:strong").savings == 0
    # A fifth of the way from 0.5 to 0.8.
    assert control(evaluation, "random at the same cost").quality == pytest.approx(0.56)
    assert control(evaluation, "random at the same cost").strong_share == pytest.approx(0.2)
    assert control(evaluation, "shuffled").quality == pytest.approx(0.56)
    assert control(evaluation, "shuffled").cost_usd == pytest.approx(2.8)
    # Strong on the four hard ones alone: right on nine of ten, at (6 + 4 * 10) / 10.
    assert control(evaluation, "oracle").quality == pytest.approx(0.9)
    assert control(evaluation, "oracle").cost_usd == pytest.approx(4.6)
    # Ideal: cheap where it is right or nobody is (6), strong on 4; the policy has all 6 and 2 of the 4.
    assert evaluation.agreement is not None
    assert evaluation.agreement.accuracy == pytest.approx(0.8)
    assert evaluation.agreement.per_model == (("cheap", 60 / 80, 1.0, 60), ("strong", 1.0, 0.5, 40))


def test_a_perfect_router_by_hand() -> None:
    outcomes = world(np.tile(TEN, (10, 1)))
    p_cheap = np.tile(np.where((TEN[:, 0] == 0) & (TEN[:, 1] == 1), 0.1, 0.9), 10)
    line = evaluate(outcomes, [ScoredPolicy("perfect", p_cheap)], n_resamples=200).policies[0]

    # On the curve: all cheap (1, 0.5), strong on the hard (4.6, 0.9), all strong (10, 0.8).
    assert line.savings_at["parity"] == pytest.approx(0.54)
    # Ten quantiles of scores with two values give the points (1, 0.8), (0.4, 0.9) and (0, 0.5) only:
    # area 0.6 * 0.85 + 0.4 * 0.7 = 0.79, less 0.5, over 0.3.
    assert line.apgr == pytest.approx(0.29 / 0.3)
    # The line from (0, 0.5) to (0.4, 0.9) crosses 0.65 at 0.15, 0.74 at 0.24.
    assert line.cpt["50"] == pytest.approx(0.15)
    assert line.cpt["80"] == pytest.approx(0.24)


def test_costs_beside_the_calls_are_counted_and_shown_apart() -> None:
    outcomes = world(np.tile(TEN, (10, 1)))
    served = np.tile(np.array([0, 1]), 50)
    calls = np.where(served == 1, 11.0, 1.0)  # A cascade pays for the cheap answer that it throws away.
    policy = DecidedPolicy("cascade", "cascade", served, calls, router_cost_usd=0.25, judge_cost_usd=0.5)
    evaluation = evaluate(outcomes, [policy], n_resamples=200)
    line = evaluation.policies[0]
    assert line.cost_usd == pytest.approx(6.75)
    assert line.savings == pytest.approx(0.325)
    assert line.extra["savings_calls_only"] == pytest.approx(0.4)
    assert line.extra["cost_parts"] == pytest.approx({"calls_usd": 6.0, "router_usd": 0.25, "judge_usd": 0.5})
    # Shuffled decisions pay for the same router, judge and thrown-away calls.
    assert control(evaluation, "shuffled").cost_usd == pytest.approx(6.75)


def recorded(n: int, usd_of: Callable[[int], float]) -> dict[tuple[str, str], RecordedDecision]:
    """Every second prompt of a world to the strong model."""
    return {("d", str(i)): RecordedDecision(("cheap", "strong")[i % 2], usd_of(i)) for i in range(n)}


def test_recorded_decisions_are_measured_with_what_each_cost() -> None:
    outcomes = world(np.tile(TEN, (10, 1)))
    # Half of the classifier's answers came from its cache.
    policy = recorded_decisions(
        outcomes, recorded(100, lambda i: 0.5 if i < 50 else 0.0), name="nano", kind="llm_classifier"
    )
    evaluation = evaluate(outcomes, [policy], n_resamples=200)
    line = evaluation.policies[0]
    assert (line.name, line.kind, line.strong_share) == ("nano", "llm_classifier", 0.5)
    # (1 + 10) / 2 for the calls, 0.25 for deciding, against 10.
    assert line.cost_usd == pytest.approx(5.75)
    assert line.savings == pytest.approx(0.425)
    assert line.extra["savings_calls_only"] == pytest.approx(0.45), "the same without what deciding cost"
    assert line.extra["cost_parts"] == pytest.approx({"calls_usd": 5.5, "router_usd": 0.25, "judge_usd": 0.0})
    assert control(evaluation, "shuffled").cost_usd == pytest.approx(5.75)


def test_recorded_decisions_must_fit_the_outcomes() -> None:
    outcomes = world(np.tile(TEN, (10, 1)))
    some = recorded(99, lambda _: 0.0)
    with pytest.raises(DataError, match=r"1 of 100 prompts have no recorded decision, the first is '99'"):
        recorded_decisions(outcomes, some, name="nano", kind="llm_classifier")
    with pytest.raises(DataError, match="decisions name huge; the outcomes are of cheap, strong"):
        recorded_decisions(
            outcomes, {**some, ("d", "99"): RecordedDecision("huge", 0.0)}, name="nano", kind="llm_classifier"
        )
    negative = recorded_decisions(outcomes, recorded(100, lambda _: -1.0), name="nano", kind="llm_classifier")
    with pytest.raises(DataError, match="not a number of at least 0"):
        evaluate(outcomes, [negative], n_resamples=200)


def test_thresholds_are_routellms() -> None:
    # pandas.qcut of 0.1 ... 1.0 in ten bins has these edges; >= takes the strong model, > at the last edge.
    p_good = (1 - np.linspace(0.1, 1.0, 10))[:, None]
    edges = thresholds(p_good)[::5]
    assert edges == pytest.approx(np.linspace(0.1, 1.0, 11))
    share = (served_at(p_good, edges) == 1).mean(axis=1)
    assert share == pytest.approx([1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0])


def test_equal_scores_for_all_are_random_routing() -> None:
    outcomes, _ = graded(2000, np.random.default_rng(1))
    line = evaluate(outcomes, [ScoredPolicy("constant", np.full(2000, 0.5))], n_resamples=200).policies[0]
    assert line.apgr == pytest.approx(0.5)
    assert line.cpt == pytest.approx({"50": 0.5, "80": 0.8, "95": 0.95})


def test_a_random_policy_lands_on_the_chord() -> None:
    generator = np.random.default_rng(2)
    outcomes, _ = graded(20_000, generator)
    evaluation = evaluate(outcomes, [ScoredPolicy("dice", generator.random(20_000))], n_resamples=400)
    line = evaluation.policies[0]
    assert line.apgr is not None
    assert line.apgr_ci is not None
    # Three standard errors, of which an interval spans four.
    assert abs(line.apgr - 0.5) < 0.75 * (line.apgr_ci[1] - line.apgr_ci[0]) < 0.03
    chord = control(evaluation, "random at the same cost")
    assert line.quality == pytest.approx(chord.quality, abs=0.005)
    assert not any(test["significant"] for test in line.extra["tests"])
    assert not evaluation.verdict.routing_helps


def test_knowing_the_dataset_is_the_task_mean_router() -> None:
    generator = np.random.default_rng(3)
    easy = np.arange(4000) % 2 == 0
    strong = generator.random(4000) < 0.9
    score = np.stack([np.where(easy, strong, generator.random(4000) < 0.2), strong], axis=1)
    outcomes = world(score.astype(float), datasets=tuple("easy" if each else "hard" for each in easy))
    evaluation = evaluate(outcomes, [ScoredPolicy("by dataset", np.where(easy, 0.9, 0.2))], n_resamples=200)

    tasks = control(evaluation, "task mean")
    assert tasks.apgr == pytest.approx(evaluation.policies[0].apgr, abs=0.01)
    assert tasks.savings == pytest.approx(0.45, abs=0.01)
    # Within a dataset its decisions are all alike, so a shuffle there changes nothing.
    assert control(evaluation, "shuffled").extra["p_value"] < 1e-6
    assert control(evaluation, "shuffled within dataset").quality == pytest.approx(evaluation.policies[0].quality)
    assert [row["dataset"] for row in evaluation.per_dataset] == ["easy", "hard"]
    assert evaluation.per_dataset[0]["policy"]["strong_share"] == 0
    assert evaluation.per_dataset[1]["policy"]["strong_share"] == 1


def test_with_a_single_dataset_the_task_mean_router_knows_nothing() -> None:
    outcomes, p_cheap = graded(1000, np.random.default_rng(4))
    tasks = control(evaluate(outcomes, [ScoredPolicy("r", p_cheap)], n_resamples=200), "task mean")
    assert tasks.apgr == pytest.approx(0.5)


def test_shuffle_moments_are_those_of_all_permutations() -> None:
    outcomes = world(np.tile(TEN, (300, 1)))
    data = paired(outcomes)
    served = np.tile(np.array([1, 0, 0, 0, 1, 1, 1, 0, 0, 0], dtype=np.int8), 300)
    generator = np.random.default_rng(5)
    exact = shuffled(served, data, np.zeros(data.n, dtype=np.int64), generator)
    drawn = np.array([data.score[np.arange(data.n), generator.permutation(served)].mean() for _ in range(3000)])
    actual = data.score[np.arange(data.n), served].mean()
    assert exact.quality == pytest.approx(0.62)
    assert drawn.mean() == pytest.approx(exact.quality, abs=0.001)
    assert actual == pytest.approx(0.8)
    # At the actual value the p-value is nil; its scale is right when a value one deviation off has the normal tail.
    nearly = drawn.mean() + drawn.std()
    assert (drawn >= nearly).mean() == pytest.approx(0.16, abs=0.03)
    assert exact.p_value < 1e-12


def test_three_models_choose_the_cheapest_that_is_good_enough() -> None:
    generator = np.random.default_rng(6)
    p = generator.random((3000, 1)) * np.array([[0.6, 1.0]]) ** np.array([[1.0, 0.5]])
    score = np.concatenate([generator.random((3000, 2)) < p, generator.random((3000, 1)) < 0.95], axis=1)
    outcomes = world(score.astype(float), cost=(1.0, 3.0, 10.0))
    evaluation = evaluate(outcomes, [ScoredPolicy("three", p, p_of="good")], n_resamples=200)
    line = evaluation.policies[0]
    assert line.apgr is not None
    assert line.apgr > 0.55
    assert len(evaluation.calibration) == 2
    assert max(each.ece_equal_mass for each in evaluation.calibration) < 0.05
    assert [each.name for each in evaluation.controls[:3]] == ["always:cheap", "always:middle0", "always:strong"]


def test_without_prices_strong_calls_stand_for_cost() -> None:
    generator = np.random.default_rng(7)
    priced, p_cheap = graded(3000, generator)
    unpriced = world(priced.score, cost=None)
    with_prices = evaluate(priced, [ScoredPolicy("r", p_cheap)], n_resamples=200)
    without = evaluate(unpriced, [ScoredPolicy("r", p_cheap)], n_resamples=200)
    line = without.policies[0]
    assert (line.cost_usd, line.savings, line.savings_ci, line.arena_score) == (None, None, None, None)
    assert line.apgr == with_prices.policies[0].apgr
    assert without.to_json()["curve_axis"] == "strong_share"
    assert without.verdict.routing_helps == with_prices.verdict.routing_helps
    assert any("No cost is known" in warning for warning in without.warnings)


def test_prompts_without_every_score_are_left_out_and_counted() -> None:
    generator = np.random.default_rng(8)
    outcomes, p_cheap = graded(500, generator)
    score = outcomes.score.copy()
    score[::10, 1] = np.nan
    evaluation = evaluate(world(score), [ScoredPolicy("r", p_cheap)], n_resamples=200)
    assert (evaluation.n, evaluation.n_left_out) == (450, 50)
    assert any("50 prompts lack the score" in warning for warning in evaluation.warnings)


def test_the_json_has_the_documented_shape_and_no_nan() -> None:
    outcomes, p_cheap = graded(400, np.random.default_rng(9))
    out = json.loads(json.dumps(evaluate(outcomes, [ScoredPolicy("r", p_cheap)], seed=5).to_json(), allow_nan=False))
    assert list(out)[:8] == ["n", "models", "data_hash", "seed", "policies", "controls", "curve", "verdict"]
    wanted = ["name", "kind", "quality", "quality_ci", "cost_usd", "savings", "savings_ci", "strong_share", "apgr"]
    wanted += ["apgr_ci", "cpt", "savings_at"]
    for line in out["policies"] + out["controls"]:
        assert list(line)[:12] == wanted
        assert list(line["cpt"]) == ["50", "80", "95"]
        assert list(line["savings_at"]) == ["parity", "0.99", "0.98", "0.95"]
    assert list(out["verdict"])[:5] == ["routing_helps", "policy", "saves", "quality_delta_ci", "reason"]
    costs = [cost for cost, _ in out["curve"]]
    assert costs == sorted(costs)
    assert out["seed"] == 5


def test_the_same_seed_gives_the_same_numbers() -> None:
    outcomes, p_cheap = graded(400, np.random.default_rng(10))
    one, two, three = (evaluate(outcomes, [ScoredPolicy("r", p_cheap)], seed=seed).to_json() for seed in (1, 1, 2))
    assert one == two
    assert one["policies"][0]["quality_ci"] != three["policies"][0]["quality_ci"]


@pytest.mark.parametrize(
    ("n", "p_good", "told"),
    [
        (3, np.full(3, 0.5), "3 prompts have a score of every model"),
        (100, np.full(99, 0.5), r"expected scores of shape \(100, 1\), got \(99,\)"),
        (100, np.full(100, np.nan), "not a number from 0 to 1"),
        (100, np.full(100, 1.5), "not a number from 0 to 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    n: int, p_good: np.ndarray[tuple[int], np.dtype[np.float64]], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        evaluate(world(np.ones((n, 2))), [ScoredPolicy("r", p_good)])


def test_prices_for_some_models_only_are_refused() -> None:
    with pytest.raises(DataError, match="no cost is known of strong"):
        evaluate(world(np.ones((100, 2)), cost=(1.0, float("nan"))), [])
    with pytest.raises(DataError, match="more than two models need prices"):
        evaluate(world(np.ones((100, 3)), cost=None), [])
    with pytest.raises(DataError, match="names none of the 2 models"):
        evaluate(world(np.ones((100, 2))), [DecidedPolicy("d", "cascade", np.full(100, 2))])


def test_constant_scores_are_measured_with_a_warning() -> None:
    evaluation = evaluate(world(np.ones((100, 2))), [ScoredPolicy("r", np.linspace(0, 1, 100))], n_resamples=200)
    assert evaluation.policies[0].apgr is None
    assert "cheap has the score 1 on every prompt." in evaluation.warnings
    assert evaluation.verdict.policy == "always:cheap"


@settings(deadline=None, max_examples=25)
@given(
    table=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 20)), min_size=30, max_size=80),
    seed=st.integers(0, 5),
)
def test_bounds_that_hold_for_every_policy(table: list[tuple[bool, bool, int]], seed: int) -> None:
    score = np.array([[a, b] for a, b, _ in table], dtype=np.float64)
    p_cheap = np.array([step / 20 for _, _, step in table])
    evaluation = evaluate(world(score), [ScoredPolicy("r", p_cheap)], seed=seed, n_resamples=200)
    best = control(evaluation, "oracle").quality
    for line in (*evaluation.policies, *evaluation.controls):
        assert line.quality <= best + 1e-9
        assert 0 <= line.strong_share <= 1
        assert line.savings is not None
        assert line.savings <= 0.9 + 1e-6
        if line.quality_ci is not None:
            assert line.quality_ci[0] <= line.quality_ci[1]
    json.dumps(evaluation.to_json(), allow_nan=False)


def test_a_part_of_a_policy_keeps_its_costs() -> None:
    served = np.array([[0, 1, 0], [1, 1, 0]])
    whole = DecidedPolicy("p", "cascade", served, served * 2.0, np.array([1.0, 2.0, 3.0]), 0.5)
    part = whole.only(np.array([True, False, True]))
    assert part.served.tolist() == [[0, 0], [1, 0]]
    assert part.cost_usd is not None
    assert part.cost_usd.tolist() == [[0, 0], [2, 0]]
    assert np.asarray(part.router_cost_usd).tolist() == [1.0, 3.0]
    assert part.judge_cost_usd == 0.5
    assert ScoredPolicy("s", np.array([0.1, 0.2, 0.3])).only(np.array([2, 0])).p_good.tolist() == [0.3, 0.1]
