"""The gate: by hand, its error rates, and a router with a tenth of its weights zeroed."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.promote import GateSettings, Side, gate
from pointsman.promote.changes import visible
from pointsman.promote.checks import quantile_of
from pointsman.promote.paired_difference import paired_difference
from pointsman.vocabulary import Outcomes

WEIGHTS = np.where(np.arange(20) % 2 == 0, 0.8, -0.8)
"""The true weights of the test's world: twenty features that matter alike, so that two of them are a tenth."""


def outcomes(score: NDArray[np.floating] | NDArray[np.bool_], groups: NDArray[np.int64] | None = None) -> Outcomes:
    n = score.shape[0]
    return Outcomes(
        models=("cheap", "strong"),
        prompt_ids=tuple(f"p{i}" for i in range(n)),
        datasets=("d",) * n,
        prompts=tuple(f"prompt {i}" for i in range(n)),
        groups=np.arange(n) if groups is None else groups,
        score=score.astype(np.float32),
        cost_usd=np.tile(np.array([0.1, 1.0], dtype=np.float32), (n, 1)),
        confidence=np.full((n, 2), np.nan, dtype=np.float32),
    )


def world(n: int, seed: int) -> tuple[Outcomes, NDArray[np.float64]]:
    """Prompts whose cheap answer is right with a probability that is logistic in twenty features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 20))
    cheap = rng.random(n) < 1 / (1 + np.exp(-(0.5 + x @ WEIGHTS / 3)))
    strong = rng.random(n) < 0.9
    return outcomes(np.stack([cheap, strong], axis=1)), x


def router(x: NDArray[np.float64], weights: NDArray[np.float64], name: str) -> Side:
    """Strong for the half that needs it most."""
    p = 1 / (1 + np.exp(-(0.5 + x @ weights / 3)))
    return Side(name, served=(p < np.median(p)).astype(np.int64), need=1 - p, p_cheap=p)


def test_a_paired_difference_by_hand() -> None:
    # Groups 0 to 9; in groups 0 to 5 the candidate loses 1 on one of two rows, so half a point each.
    groups = np.repeat(np.arange(10), 2)
    worse = np.where((np.arange(20) % 2 == 0) & (groups < 6), 1.0, 0.0)
    found = paired_difference(worse, groups, level=0.05)
    assert (found.n, found.n_differing) == (10, 6)
    assert found.mean == pytest.approx(0.3)
    # Score: 3 / sqrt(6 * 0.25) = sqrt(6).
    assert found.p_worse == pytest.approx(0.5 * math.erfc(math.sqrt(6) / math.sqrt(2)))
    assert found.p_better == pytest.approx(1 - found.p_worse)
    # Sum of squares about the mean 1.5 - 10 * 0.09 = 0.6; z = 1.645, largest difference 0.5.
    half = 1.6448536 * math.sqrt(0.6 + 1.6448536**2 * 0.25) / 10
    assert (found.lower, found.upper) == pytest.approx((0.3 - half, 0.3 + half))


def test_five_prompts_prove_nothing_six_may() -> None:
    five, six = np.zeros(100), np.zeros(100)
    five[:5], six[:6] = 1.0, 1.0
    assert paired_difference(five, np.arange(100), level=0.05).p_worse == 1.0
    assert paired_difference(six, np.arange(100), level=0.05).p_worse < 0.02


def test_without_a_difference_the_upper_bound_is_near_the_rule_of_three() -> None:
    found = paired_difference(np.zeros(1_000), np.arange(1_000), level=0.05)
    assert found.mean == 0
    assert 0.0025 < found.upper < 0.003


def test_places_among_all_by_hand() -> None:
    assert quantile_of(np.array([5.0, 1.0, 5.0, 9.0])) == pytest.approx([0.5, 0.125, 0.5, 0.875])


def test_equal_cost_is_the_average_over_all_strong_shares() -> None:
    data, x = world(400, 3)
    need = 1 - 1 / (1 + np.exp(-(x @ WEIGHTS)))
    result = gate(data, Side("a", need=need), Side("b", need=-need), GateSettings())
    gain = (data.score[:, 1] - data.score[:, 0]).astype(float)
    by_need = gain[np.argsort(-need)]
    # Quality above always-cheap at strong share k/n, averaged over shares by the midpoint rule.
    sums = np.concatenate([[0.0], np.cumsum(by_need)]) / 400
    assert result.checks[0].baseline == pytest.approx(((sums[1:] + sums[:-1]) / 2).mean(), rel=1e-5)
    assert result.checks[0].candidate == pytest.approx(gain.mean() - result.checks[0].baseline, rel=1e-5)


def test_a_copy_passes_also_when_strict() -> None:
    data, x = world(100, 0)
    side = router(x, WEIGHTS, "same")
    result = gate(data, side, side, GateSettings(strict=True))
    assert result.passed
    assert [check.outcome for check in result.checks] == ["passed"] * 2
    assert (result.n_changed, result.changed) == (0, ())


def test_equal_decisions_on_too_few_prompts_are_not_shown_to_be_as_good() -> None:
    for n, shown in ((100, False), (3_000, True)):
        data, x = world(n, 0)
        side = replace(router(x, WEIGHTS, "same"), need=None, p_cheap=None)
        assert gate(data, side, side, GateSettings()).passed
        strict = gate(data, side, side, GateSettings(strict=True))
        assert strict.passed is shown
        assert ("not shown" in strict.reason) is not shown


def test_a_tenth_of_the_weights_zeroed_is_caught_on_20_seeds() -> None:
    caught = 0
    for seed in range(20):
        data, x = world(8_000, seed)
        broken = WEIGHTS.copy()
        broken[np.random.default_rng(1_000 + seed).choice(20, 2, replace=False)] = 0.0
        caught += not gate(data, router(x, WEIGHTS, "base"), router(x, broken, "broken"), GateSettings()).passed
    assert caught >= 17


def test_an_equal_router_fails_no_more_often_than_stated() -> None:
    # Two routers that err alike, prompt by prompt: the true logit plus noise of its own for each. 400 worlds.
    failed = 0
    for seed in range(400):
        data, x = world(1_000, 10_000 + seed)
        noise = np.random.default_rng(20_000 + seed)
        one, other = (1 / (1 + np.exp(-(0.5 + x @ WEIGHTS / 3 + noise.normal(0, 0.5, 1_000)))) for _ in range(2))
        sides = Side("one", need=1 - one, p_cheap=one), Side("other", need=1 - other, p_cheap=other)
        failed += not gate(data, *sides, GateSettings()).passed
    assert failed / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_strict_lets_a_candidate_at_the_tolerance_pass_no_more_often_than_stated() -> None:
    # On the border: the candidate is truly worse by exactly the tolerance, on changed prompts only.
    passed = 0
    for seed in range(1_000):
        rng = np.random.default_rng(seed)
        u = rng.random(3_000)
        score = np.where(u < 0.0125, 0.0, 1.0)  # of the changed prompts 1.25 % lose, 0.75 % win
        strong = np.where((u >= 0.0125) & (u < 0.02), 0.0, 1.0)
        data = outcomes(np.stack([score, strong], axis=1))
        before, after = np.ones(3_000, dtype=np.int64), np.zeros(3_000, dtype=np.int64)
        result = gate(data, Side("a", served=before), Side("b", served=after), GateSettings(strict=True))
        passed += result.checks[0].outcome == "passed"
    assert passed / 1_000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1_000)


def test_a_small_loss_within_the_tolerance_is_let_through_and_counted() -> None:
    score = np.ones((5_000, 2))
    score[:20, 0] = 0.0
    data = outcomes(score)
    before, after = np.ones(5_000, dtype=np.int64), np.ones(5_000, dtype=np.int64)
    after[:40] = 0
    result = gate(data, Side("a", served=before), Side("b", served=after), GateSettings())
    assert result.passed
    assert result.checks[0].difference.p_worse < 0.001
    assert not gate(data, Side("a", served=before), Side("b", served=after), GateSettings(max_regression=0.0)).passed
    assert result.n_changed == 40
    assert [change.score_after for change in result.changed] == [0.0] * 10


def test_paying_more_for_nothing_fails_and_paying_for_quality_passes() -> None:
    rng = np.random.default_rng(4)
    score = np.stack([rng.random(4_000) < 0.7, rng.random(4_000) < 0.7], axis=1)
    before, after = np.zeros(4_000, dtype=np.int64), (np.arange(4_000) % 2).astype(np.int64)
    result = gate(outcomes(score), Side("a", served=before), Side("b", served=after), GateSettings())
    assert not result.passed
    assert [check.name for check in result.checks if check.outcome == "worse"] == ["cost"]
    better = np.stack([score[:, 0], np.ones(4_000)], axis=1)
    paid = gate(outcomes(better), Side("a", served=before), Side("b", served=after), GateSettings())
    assert paid.passed
    assert "paid for by quality" in paid.checks[1].why


def test_worst_changes_come_first_and_their_text_is_harmless() -> None:
    data = outcomes(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]]))
    data = replace(data, prompts=("won", "lost\x1b[31m\n‮text", "even", "kept"))
    served = np.array([0, 1, 0, 0])
    result = gate(data, Side("a", served=served), Side("b", served=np.array([1, 0, 1, 0])), GateSettings())
    # Row 0 goes from right to wrong, row 1 too.
    assert [change.prompt_id for change in result.changed] == ["p0", "p1", "p2"]
    assert result.changed[1].text == "lost [31m text"
    json.dumps(result.to_json(), allow_nan=False)


def test_visible_text_is_short_and_on_one_line() -> None:
    assert visible("a\x00b\tc\u2028d\u202ee\x9b") == "a b c de"
    assert len(visible("word " * 500)) <= 120
    assert visible("é 漢字") == "é 漢字"


def test_unscored_prompts_are_left_out_and_counted() -> None:
    data = outcomes(np.array([[1.0, np.nan], [1.0, 1.0]]))
    side = Side("a", served=np.array([0, 0]))
    result = gate(data, side, side, GateSettings())
    assert (result.n_prompts, result.n_unscored) == (1, 1)
    with pytest.raises(DataError, match="no prompt"):
        gate(outcomes(np.full((2, 2), np.nan)), side, side, GateSettings())


@pytest.mark.parametrize(
    ("side", "said"),
    [
        (Side("b"), "nothing to compare"),
        (Side("b", served=np.array([0])), "do not fit"),
        (Side("b", served=np.array([0, 2])), "none of the 2 models"),
        (Side("b", need=np.array([0.0, np.nan])), "not a number"),
        (Side("b", need=np.zeros(2), p_cheap=np.array([0.5, 1.5])), "not a probability"),
    ],
)
def test_sides_that_do_not_fit_are_refused(side: Side, said: str) -> None:
    data = outcomes(np.ones((2, 2)))
    with pytest.raises(DataError, match=said):
        gate(data, Side("a", served=np.array([0, 1])), side, GateSettings())


def test_what_all_changed_prompts_begin_with_is_left_out() -> None:
    data = outcomes(np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]]))
    start = "Answer the question below with one letter. "
    data = replace(data, prompts=(start + "Which is red?", start + "Which is blue?", "Other"))
    before, after = np.array([1, 1, 0]), np.array([0, 0, 0])
    result = gate(data, Side("a", served=before), Side("b", served=after), GateSettings())
    assert [change.text for change in result.changed] == ["…red?", "…blue?"]
    one = gate(data, Side("a", served=before), Side("b", served=np.array([0, 1, 0])), GateSettings())
    assert [change.text for change in one.changed] == [start + "Which is red?"]


def test_a_forecast_by_hand_and_one_that_is_off() -> None:
    data = outcomes(np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]))
    need = np.array([0.1, 0.9, 0.2, 0.3])
    result = gate(
        data,
        Side("a", need=need, p_cheap=np.full(4, 0.75)),
        Side("b", need=need, p_cheap=np.array([1.0, 0.0, 0.5, 0.5])),
        GateSettings(),
    )
    forecast = result.checks[1]
    # Cheap is no worse on all but the second prompt.
    assert forecast.baseline == pytest.approx(-(3 * math.log(0.75) + math.log(0.25)) / 4)
    assert forecast.candidate == pytest.approx(math.log(2) / 2)
    big, x = world(4_000, 5)
    good = router(x, WEIGHTS, "good")
    assert good.p_cheap is not None
    off = replace(good, name="off", p_cheap=good.p_cheap**2)
    shifted = gate(big, good, off, GateSettings())
    assert [check.outcome for check in shifted.checks] == ["passed", "worse"]
    assert not shifted.passed
