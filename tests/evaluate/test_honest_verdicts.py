"""The verdict says no where routing cannot help, and intervals cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.evaluate import ScoredPolicy, evaluate
from pointsman.evaluate.paired import paired
from pointsman.evaluate.resample import interval, resampled_means
from pointsman.evaluate.verdict import Test as Comparison
from pointsman.evaluate.verdict import holm

from .worlds import graded, world


def test_routing_helps_where_difficulty_is_known() -> None:
    outcomes, p_cheap = graded(5000, np.random.default_rng(0))
    verdict = evaluate(outcomes, [ScoredPolicy("good", p_cheap)], n_resamples=500).verdict
    assert verdict.routing_helps
    assert verdict.policy == "good"
    assert verdict.saves is not None
    assert verdict.saves > 0.05
    assert verdict.quality_delta_ci is not None
    assert "Routing helps: good saves" in verdict.reason


def test_cheap_as_good_as_strong_is_always_cheap() -> None:
    generator = np.random.default_rng(1)
    right = generator.random(3000) < 0.8
    flips = generator.random((3000, 2)) < 0.005
    verdict = evaluate(
        world((right[:, None] ^ flips).astype(float)), [ScoredPolicy("r", generator.random(3000))]
    ).verdict
    assert (verdict.routing_helps, verdict.policy) == (False, "always:cheap")
    assert verdict.saves == pytest.approx(0.9)
    assert "no more than 1 % worse" in verdict.reason


def test_a_difference_too_small_to_show_is_always_cheap_with_the_labels_that_are_missing() -> None:
    # 1,000 prompts, 93.0 % against 93.5 %, 4.5 % of them answered rightly by one model only.
    score = np.ones((1000, 2))
    score[:45, 0], score[:20, 0] = 0, 1
    score[:45, 1] = np.where(np.arange(45) < 20, 0, 1)
    score[45:90] = 0
    verdict = evaluate(world(score), [ScoredPolicy("r", np.full(1000, 0.5))]).verdict
    assert (verdict.routing_helps, verdict.policy) == (False, "always:cheap")
    assert "not shown to be over 1 % better" in verdict.reason
    assert "prompts would show it to be within 1 %" in verdict.reason


def test_too_few_prompts_to_rule_out_a_loss_is_always_strong() -> None:
    generator = np.random.default_rng(2)
    score = (generator.random((40, 2)) < np.array([0.7, 0.8])).astype(float)
    verdict = evaluate(world(score), [ScoredPolicy("r", generator.random(40))]).verdict
    assert (verdict.routing_helps, verdict.policy) == (False, "always:strong")


def test_cheap_never_right_is_always_strong() -> None:
    generator = np.random.default_rng(3)
    score = np.stack([np.zeros(1000), generator.random(1000) < 0.7], axis=1)
    # The router even knows where strong is right: there is still nothing the cheap model could do.
    verdict = evaluate(world(score), [ScoredPolicy("r", 1 - 0.9 * score[:, 1])]).verdict
    assert (verdict.routing_helps, verdict.policy, verdict.saves) == (False, "always:strong", 0.0)
    assert "never right" in verdict.reason


def test_a_reference_that_is_also_the_cheapest_needs_no_router() -> None:
    outcomes, p_cheap = graded(500, np.random.default_rng(4))
    verdict = evaluate(world(outcomes.score, cost=(10.0, 1.0)), [ScoredPolicy("r", p_cheap)]).verdict
    assert (verdict.routing_helps, verdict.policy) == (False, "always:strong")
    assert "the cheapest" in verdict.reason


@pytest.mark.slow
def test_outcomes_shuffled_across_prompts_rarely_look_like_routing_helps() -> None:
    generator = np.random.default_rng(5)
    outcomes, p_cheap = graded(1500, generator)
    datasets = tuple(generator.choice(["a", "b", "c"], 1500))
    helps = 0
    for seed in range(200):
        order = generator.permutation(1500)
        mixed = world(outcomes.score[order], datasets=datasets)
        helps += evaluate(mixed, [ScoredPolicy("r", p_cheap)], seed=seed, n_resamples=200).verdict.routing_helps
    assert helps <= 10


def test_cheap_prompts_sent_to_the_strong_model_do_not_pass_for_skill() -> None:
    # Costs differ by prompt and the policy knows them, but not the outcomes: it gets more strong calls for the money,
    # and its own decisions shuffled do as well.
    generator = np.random.default_rng(6)
    length = generator.gamma(1.0, 1.0, 4000) + 0.1
    score = (generator.random((4000, 2)) < np.array([0.5, 0.9])).astype(float)
    outcomes = world(score, cost=length[:, None] * np.array([[1.0, 10.0]]))
    verdict = evaluate(outcomes, [ScoredPolicy("thrifty", length / length.max())], n_resamples=300).verdict
    assert not verdict.routing_helps


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.04 against 0.05/3, 0.05/2, 0.05: all pass. With 0.03 in the middle, only the first.
    def marked(*p_values: float) -> list[bool]:
        tests = [Comparison(0, place, 0.0, 0.0, p) for place, p in enumerate(p_values)]
        return [test.significant for test in holm(tests, 0.05)]

    assert marked(0.02, 0.01, 0.04) == [True, True, True]
    assert marked(0.03, 0.01, 0.04) == [False, True, False]
    assert marked(0.2, 0.02, 0.04) == [False, False, False]


def test_resampled_means_have_the_textbook_spread() -> None:
    generator = np.random.default_rng(7)
    score = (generator.random((900, 2)) < 0.7).astype(float)
    data = paired(world(score, datasets=("a",) * 400 + ("b",) * 500))
    drawn = resampled_means(data.score.astype(np.float32), data, 4000, generator)
    expected = np.sqrt((400 * data.score[:400].var(axis=0) + 500 * data.score[400:].var(axis=0)) / 900**2)
    assert drawn.mean(axis=0) == pytest.approx(data.score.mean(axis=0), abs=0.001)
    assert drawn.std(axis=0) == pytest.approx(expected, rel=0.05)


def test_groups_are_drawn_whole() -> None:
    # Each prompt stands there five times: the spread is that of 100 prompts, not of 500.
    generator = np.random.default_rng(8)
    once = (generator.random((100, 2)) < 0.5).astype(float)
    data = paired(world(np.repeat(once, 5, axis=0), groups=np.repeat(np.arange(100), 5)))
    drawn = resampled_means(data.score.astype(np.float32), data, 4000, generator)
    assert drawn.std(axis=0) == pytest.approx(once.std(axis=0) / 10, rel=0.06)


def test_a_dataset_with_equal_scores_adds_nothing_to_the_spread() -> None:
    score = np.concatenate([np.ones((200, 2)), np.zeros((200, 2))])
    data = paired(world(score, datasets=("a",) * 200 + ("b",) * 200))
    drawn = resampled_means(data.score.astype(np.float32), data, 500, np.random.default_rng(9))
    assert drawn == pytest.approx(np.full((500, 2), 0.5))


@pytest.mark.slow
def test_ninety_five_percent_intervals_cover_the_truth() -> None:
    """300 worlds with known quality, savings, difference and APGR; the policy is a fixed threshold."""
    generator = np.random.default_rng(10)
    gap = 0.35
    covered = np.zeros(4)
    n_worlds, n = 300, 600
    # The score is 1 - d, d uniform; strong above d = 1/2. Strong: 1 - (1-gap) d; cheap: 1 - d.
    # Quality: mean of 1 - d on d < 1/2 is 3/8 of all, of 1 - 0.65 d on d > 1/2 is 1/2 - 0.65 * 3/8.
    quality = 3 / 8 + 1 / 2 - (1 - gap) * 3 / 8
    strong = 1 - (1 - gap) / 2
    # Over the share s of hardest prompts the gain is gap * (s - s^2 / 2): its area is gap / 3, strong's gap / 2.
    truth = np.array([quality, 1 - (0.5 * 1 + 0.5 * 10) / 10, quality - strong, 2 / 3])
    for _ in range(n_worlds):
        outcomes, p_cheap = graded(n, generator, gap)
        given = ScoredPolicy("r", p_cheap)
        data = paired(outcomes)
        served = (p_cheap < 0.5).astype(np.int64)
        rows = np.arange(n)
        line = evaluate(outcomes, [given], seed=int(generator.integers(1 << 30)), n_resamples=400).policies[0]
        columns = np.stack(
            [
                data.score[rows, served],
                1 - data.cost[rows, served] / 10,
                data.score[rows, served] - data.score[:, 1],
            ],
            axis=1,
        )
        drawn = resampled_means(columns.astype(np.float32), data, 400, generator)
        intervals = [interval(drawn[:, each]) for each in range(3)] + [line.apgr_ci]
        for place, found in enumerate(intervals):
            covered[place] += found is not None and found[0] <= truth[place] <= found[1]
    share = covered / n_worlds
    assert ((share >= 0.92) & (share <= 0.98)).all(), share
