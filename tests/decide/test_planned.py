"""A tuned plan decides the first call, and the course of a request what follows, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.learned.test_plan import by_hand

from pointsman.decide import PlannedCascade, Situation
from pointsman.errors import ConfigError
from pointsman.learned import Ahead
from pointsman.vocabulary import CascadeMode, CascadePlan, Rated, Rung, Tier
from pointsman.wire import build_request

TIERS = ("cheap tier", "strong tier")
REQUEST = build_request(prompt="Capital?")
RUNGS = CascadePlan((Rung(TIERS[0], ("cheap",), 0.0), Rung(TIERS[1], ("strong",), None)))


def ahead(p_cheap: float = 0.5) -> Ahead:
    zeros = np.zeros((1, 2), dtype=np.float32)
    return Ahead(zeros, np.array([[p_cheap, 0.5]], dtype=np.float32), zeros)


def policy(**changes: Any) -> PlannedCascade:
    given: dict[str, Any] = {"expected": lambda request: ahead(), "agreement": lambda one, two: float(one == two)}
    return PlannedCascade("auto", by_hand(), TIERS, **(given | changes))


def situation() -> Situation:
    tiers = (Tier(TIERS[0], ("cheap",)), Tier(TIERS[1], ("strong",)))
    return Situation(REQUEST, tiers, None, lambda: None)


def answer(p_good: float, rung: int = 0) -> Rated:
    return Rated(rung, p_good, "Lisbon.", 0.01)


def test_the_plan_begins_and_what_follows_is_open() -> None:
    choice = policy().decide(situation())
    assert choice.use == "cheap tier"
    assert choice.ladder is not None
    assert (choice.ladder.tiers, choice.ladder.first, choice.ladder.race) == (TIERS, 0, False)
    assert choice.reason == "cheap tier first, P(good) ahead 0.50; its answer is judged (as tuned)"


def test_a_race_begins_where_acceptance_is_unlikely() -> None:
    for p_cheap, races in ((0.3, True), (0.6, False)):
        each = policy(mode=CascadeMode.RACE, expected=lambda request, p=p_cheap: ahead(p))
        ladder = each.decide(situation()).ladder
        assert ladder is not None
        assert ladder.race is races


def test_what_is_not_known_beforehand_goes_to_the_strongest() -> None:
    unknown = policy(expected=lambda request: None)
    assert unknown.decide(situation()).use == "strong tier"
    assert unknown.course(REQUEST, RUNGS) is None


def test_an_answer_is_accepted_from_what_going_on_is_worth_less_its_price() -> None:
    course = policy().course(REQUEST, RUNGS)
    assert course is not None
    # Going on: 0.9 - 0.05 * 10 = 0.4 (tests/learned/test_plan.py).
    assert course.next([answer(0.41)], [1]).call is None
    assert course.next([answer(0.39)], [1]).call == 1
    assert course.next([answer(0.39)], [1]).why == "and strong tier is worth its price"


def test_when_nothing_is_left_to_call_the_answer_that_is_there_is_served() -> None:
    course = policy().course(REQUEST, RUNGS)
    assert course is not None
    step = course.next([answer(0.1)], [])
    assert (step.call, step.serve) == (None, 0)


def test_where_the_plan_does_not_reach_the_strongest_is_called() -> None:
    course = policy().course(REQUEST, RUNGS)
    assert course is not None
    # The first call has failed, and the plan begins with it alone.
    assert course.next([], [1]).call == 1
    assert course.next([], []).call is None


def test_tiers_that_do_not_fit_the_plan_are_refused() -> None:
    with pytest.raises(ConfigError, match="each needs a tier of its own"):
        PlannedCascade("auto", by_hand(), ("one", "one"), lambda request: ahead(), lambda one, two: 1.0)
    with pytest.raises(ConfigError, match="holdback"):
        policy(mode=CascadeMode.HOLDBACK)
