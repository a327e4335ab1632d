"""Plans by hand, and through a file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pointsman.learned import Known, Plan, Prospects, Step, served_place, state_columns, states_of, walk


def known(p_cheap: list[float]) -> Known:
    n = len(p_cheap)
    p = np.column_stack([p_cheap, np.full(n, 0.9)])
    zeros = np.zeros((n, 2))
    return Known(np.full((n, 2), 0.5), zeros, p, zeros, np.zeros((n, 2, 2)))


def step(state: tuple[int, ...], calls: tuple[int, ...], *, score: list[list[float]], value: list[list[float]]) -> Step:
    """A step whose columns are not scaled; the rows of `score` and `value` name (column, weights)."""
    c = state_columns(state, known([0.5])).shape[1]
    score_weights, value_weights = np.zeros((c + 1, 2)), np.zeros((c + 1, len(calls)))
    for place, *weights in score:
        score_weights[int(place)] = weights
    for place, *weights in value:
        value_weights[int(place)] = weights
    prospects = Prospects(np.zeros(c), np.ones(c), score_weights, np.zeros((c + 1, 2)), np.array([1.0, 10.0]))
    return Step(state, prospects, calls, value_weights)


def by_hand(rate: float = 0.05) -> Plan:
    """Cheap first; its expected score is what the judge says, going on is worth 0.9 before the price."""
    # Columns after cheap: logit ahead of strong, two expected costs, then logit, p and log cost of the answer.
    after_cheap = step((0,), (1,), score=[[4, 1, 0]], value=[[6, 0.9]])
    begin = step((), (0,), score=[], value=[[4, 0.8]])
    return Plan(
        "cascade",
        ("cheap", "strong"),
        rate,
        0.0,
        0,
        {(): begin, (0,): after_cheap, (0, 1): step((0, 1), (), score=[[7, 0, 1]], value=[])},
    )


def test_the_threshold_is_what_going_on_is_worth_less_its_price() -> None:
    plan = by_hand()
    # Going on: 0.9 − 0.05 · 10 = 0.4, so answers are accepted from P(good) = 0.4 on.
    weighed = plan.weigh((0,), known([0.39, 0.4, 0.41]))
    assert weighed.action.tolist() == [1, -1, -1]
    assert weighed.stop_value == pytest.approx([0.39, 0.4, 0.41])
    assert weighed.call_values[:, 0] == pytest.approx([0.4] * 3)


def test_the_judges_price_is_paid_where_there_is_a_choice_after() -> None:
    plan = by_hand()
    assert plan.leads_on((), 0)
    assert not plan.leads_on((0,), 1)
    dearer = replace(plan, judge_usd=1.0).weigh((), known([0.5]))
    assert dearer.call_values[0, 0] == pytest.approx(plan.weigh((), known([0.5])).call_values[0, 0] - 0.05)


def test_walking_pays_for_thrown_away_answers() -> None:
    cost = np.array([[1.0, 10.0], [1.0, 10.0]])
    done = walk(by_hand(), known([0.1, 0.9]), cost)
    assert done.served.tolist() == [1, 0]
    assert done.cost_usd.tolist() == [11.0, 1.0]
    assert done.called.tolist() == [[True, True], [True, False]]
    assert done.n_judged.tolist() == [1, 1]


def test_an_answer_that_cannot_be_judged_counts_as_the_prompt_says() -> None:
    some = known([float("nan")])
    assert np.isfinite(state_columns((0,), some)).all()
    assert by_hand().weigh((0,), some).stop_value == pytest.approx([0.5])


def test_a_plan_comes_back_from_json_and_decides_alike() -> None:
    plan = by_hand()
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again.models == plan.models
    assert again.first == plan.first
    p = np.linspace(0.01, 0.99, 50).tolist()
    assert np.array_equal(again.weigh((0,), known(p)).action, plan.weigh((0,), known(p)).action)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"version": 1}, "version"),
        ({"kind": "other"}, "kind"),
        ({"rate_per_usd": -1}, "at or above 0"),
        ({"first": "other"}, "other"),
        ({"steps": []}, "first step"),
        ({"models": ["cheap"]}, "reshape"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(change: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Plan.from_json({**by_hand().to_json(), **change})


def test_a_step_with_a_wrong_shape_or_nowhere_to_go_is_refused() -> None:
    raw = by_hand().to_json()
    raw["steps"][1]["mean"] = raw["steps"][1]["mean"][:-1]
    with pytest.raises(ValueError, match=r"columns|reshape"):
        Plan.from_json(raw)
    raw = by_hand().to_json()
    del raw["steps"][2]
    with pytest.raises(ValueError, match="does not go on"):
        Plan.from_json(raw)


def test_states() -> None:
    assert states_of("direct", (0, 1, 2), 3) == [()]
    assert states_of("cascade", (2, 0), 2) == [(), (2,), (0,), (2, 0)]
    assert len(states_of("cascade_routing", (0, 1, 2), 3)) == 8


def test_the_references_answer_is_served_whatever_else_is_there() -> None:
    assert served_place("cascade_routing", (0, 2), 3) == 1
    assert served_place("cascade", (2,), 3) == 0
    # Of other answers a cascade serves the last, and routing the best by expectation.
    assert served_place("cascade", (0, 1), 3) == 1
    assert served_place("cascade_routing", (0, 1), 3) is None
    plan = replace(by_hand(), kind="cascade_routing")
    # The judge is sure of the cheap answer and the regression has nothing good to say of the strong one.
    weighed = plan.weigh((0, 1), known([1.0]))
    assert weighed.action.tolist() == [-2]


def test_a_plan_that_goes_on_after_the_reference_is_refused() -> None:
    raw = json.loads(json.dumps(by_hand().to_json()))
    raw["steps"][2]["calls"] = ["cheap"]
    raw["steps"][2]["next_value_weights"] = [0.0] * (len(raw["steps"][2]["mean"]) + 1)
    with pytest.raises(ValueError, match="calls another model after strong"):
        Plan.from_json(raw)
