"""A cascade beside direct routing, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.errors import DataError
from pointsman.evaluate import DecidedPolicy, beside_direct, break_even_error, evaluate, with_direct

from .worlds import world

N = 400
GROUPS = np.arange(N)


def test_the_same_cost_and_the_break_even_price_by_hand() -> None:
    # Direct routing: 0.5 at $1, 0.9 at $5. The cascade: 0.8 at $3 of calls and $0.5 of judging.
    quality = np.where(np.arange(N) % 10 < 8, 1.0, 0.0)
    direct = np.stack([np.where(np.arange(N) % 10 < 5, 1.0, 0.0), np.where(np.arange(N) % 10 < 9, 1.0, 0.0)])
    found = beside_direct(
        quality=quality,
        cost=np.full(N, 3.5),
        n_judged=np.full(N, 0.5),
        n_calls=np.full(N, 1.4),
        direct_quality=direct,
        direct_cost=np.stack([np.full(N, 1.0), np.full(N, 5.0)]),
        groups=GROUPS,
        judge_price_usd=1.0,
    )
    assert found.direct_quality == pytest.approx(0.5 + 0.4 * 2.5 / 4)
    assert found.difference == pytest.approx(0.05)
    assert found.direct_cost_usd == pytest.approx(4.0)
    # At a quality of 0.8 direct routing costs $4, the cascade's calls $3: half a judged answer may cost the dollar.
    assert found.break_even_judge_price_usd == pytest.approx(2.0)
    assert found.advice == "cascade"


def test_what_is_not_shown_is_not_advised() -> None:
    generator = np.random.default_rng(0)
    quality = (generator.random(N) < 0.7).astype(float)
    direct = (generator.random((1, N)) < 0.7).astype(float)
    found = beside_direct(
        quality=quality,
        cost=np.full(N, 2.0),
        n_judged=np.ones(N),
        n_calls=np.ones(N),
        direct_quality=direct,
        direct_cost=np.full((1, N), 2.0),
        groups=GROUPS,
    )
    assert found.advice == "direct routing"
    assert found.difference_ci[0] < 0
    assert "not shown to pay" in found.reason


def test_the_advice_goes_by_the_interval_that_is_printed() -> None:
    # One cascade answer in 100 is better: the one-sided p-value is below 0.05, the interval still holds 0.
    quality = np.ones(N)
    direct = np.ones((1, N))
    direct[0, :3] = 0.0
    found = beside_direct(
        quality=quality,
        cost=np.full(N, 2.0),
        n_judged=np.ones(N),
        n_calls=np.ones(N),
        direct_quality=direct,
        direct_cost=np.full((1, N), 2.0),
        groups=GROUPS,
    )
    assert found.p_value < 0.05
    assert found.difference_ci[0] < 0
    assert found.advice == "direct routing"


def test_equal_prompts_do_not_make_it_surer() -> None:
    generator = np.random.default_rng(1)
    base = (generator.random(N) < 0.75).astype(float)
    direct = (generator.random(N) < 0.7).astype(float)

    def width(times: int) -> float:
        found = beside_direct(
            quality=np.tile(base, times),
            cost=np.full(N * times, 2.0),
            n_judged=np.ones(N * times),
            n_calls=np.ones(N * times),
            direct_quality=np.tile(direct, times)[None],
            direct_cost=np.full((1, N * times), 2.0),
            groups=np.tile(GROUPS, times),
        )
        return found.difference_ci[1] - found.difference_ci[0]

    assert width(4) == pytest.approx(width(1), rel=1e-6)


def test_nothing_to_compare_with_is_refused() -> None:
    empty = np.zeros((0, N))
    with pytest.raises(DataError, match="no operating point"):
        beside_direct(
            quality=np.ones(N),
            cost=np.ones(N),
            n_judged=np.ones(N),
            n_calls=np.ones(N),
            direct_quality=empty,
            direct_cost=empty,
            groups=GROUPS,
        )


@pytest.mark.parametrize(
    ("cost", "direct", "expected"),
    [
        ([1.0, 2.0, 4.0], 3.0, 0.15),
        ([5.0, 6.0, 7.0], 3.0, 0.0),
        ([1.0, 2.0, 2.5], 3.0, None),
        ([1.0, None, None], 3.0, 0.05),
        ([1.0, 2.0, 4.0], None, None),
    ],
)
def test_the_break_even_error_by_hand(cost: list[float | None], direct: float | None, expected: float | None) -> None:
    found = break_even_error((0.0, 0.1, 0.2), cost, direct)
    assert found == (None if expected is None else pytest.approx(expected))


def test_points_chosen_elsewhere_are_taken_as_they_are() -> None:
    generator = np.random.default_rng(0)
    outcomes = world((generator.random((N, 2)) < (0.5, 0.9)).astype(float))
    served = np.stack([np.ones(N, dtype=np.int64), np.zeros(N, dtype=np.int64)])

    def chosen(share: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.where(np.arange(N) % 2 == 0, 0, 1 if share < 1 else 0)

    result = evaluate(outcomes, [DecidedPolicy("mine", "cascade", served, chosen=chosen)], n_resamples=200)
    line = result.policies[0]
    expected = np.where(np.arange(N) % 2 == 0, outcomes.score[:, 1], outcomes.score[:, 0]).mean()
    assert line.quality == pytest.approx(expected, abs=1e-6)
    parity = next(each for each in line.extra["operating_points"] if each["level"] == "parity")
    assert parity["quality"] == pytest.approx(outcomes.score[:, 1].mean(), abs=1e-6)


@pytest.mark.parametrize("better", [True, False])
def test_the_verdict_heeds_the_advice(better: bool) -> None:
    generator = np.random.default_rng(0)
    score = np.column_stack([generator.random(N) < 0.5, generator.random(N) < 0.9]).astype(float)
    outcomes = world(score, cost=(1.0, 10.0))
    right = np.where(score[:, 0] == 1, 0, 1) if better else np.ones(N, dtype=np.int64)
    cost = np.where(right == 1, 11.0, 1.0)
    cascade = evaluate(outcomes, [DecidedPolicy("cascade", "cascade", right, cost)], n_resamples=200)
    direct = evaluate(
        outcomes, [DecidedPolicy("direct routing", "direct", np.ones(N, dtype=np.int64))], n_resamples=200
    )
    found = beside_direct(
        quality=score[np.arange(N), right],
        cost=cost,
        n_judged=np.ones(N),
        n_calls=np.asarray(1.0 + right, dtype=np.float64),
        direct_quality=score.T.copy(),
        direct_cost=np.stack([np.ones(N), np.full(N, 10.0)]),
        groups=GROUPS,
    )
    result = with_direct(cascade, direct, found)
    assert found.advice == ("cascade" if better else "direct routing")
    assert (result.verdict.policy == "cascade") == better
    names = [line.name for line in result.controls]
    assert names[-2:] == ["direct routing at the same cost", "direct routing"]
    assert set(result.controls[-1].to_json()) >= {"savings_at", "quality_ci", "apgr"}
