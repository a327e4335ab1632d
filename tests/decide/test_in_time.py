"""Which mode a latency budget allows, by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pointsman.decide import Choice, in_time
from pointsman.decide.policies import Ladder
from pointsman.vocabulary import CascadeMode, Pace

CHEAP = Pace(first_byte_ms=100, whole_ms=900, ms_per_token=5)
STRONG = Pace(first_byte_ms=400, whole_ms=4_000)


def choice(budget_ms: float | None, mode: CascadeMode = CascadeMode.BUFFER, **settings: object) -> Choice:
    given: dict[str, object] = {
        "tiers": ("cheap", "strong"),
        "accept_at": (0.5, None),
        "p_ahead": (0.7, None),
        "mode": mode,
        "race": False,
        "early_tokens": 20,
        "quality_per_usd": None,
        "max_latency_ms": budget_ms,
    }
    return Choice("cheap", "cheap first", "cascade", ladder=Ladder(**(given | settings)))  # type: ignore[arg-type]


def pace(**by_tier: Pace | None) -> Callable[[str], Pace | None]:
    return {"cheap": CHEAP, "strong": STRONG, **by_tier}.get


# Buffer takes 900 + 400 ms, holding back 100 + 20 · 5 + 400, a race the longer of 900 and 400, strong alone 400.
@pytest.mark.parametrize(
    ("budget_ms", "stream", "mode", "time_up_ms"),
    [
        (1_300, True, CascadeMode.BUFFER, 900),
        (1_299, True, CascadeMode.HOLDBACK, 899),
        (600, True, CascadeMode.HOLDBACK, 200),
        (599, True, None, None),
        (1_299, False, CascadeMode.RACE, 1_299),
        (900, False, CascadeMode.RACE, 900),
        (899, False, None, None),
    ],
)
def test_the_budget_decides_which_mode_is_allowed(
    budget_ms: float, stream: bool, mode: CascadeMode | None, time_up_ms: float | None
) -> None:
    found = in_time(choice(budget_ms), pace(), stream=stream)
    if mode is None:
        assert (found.use, found.ladder, found.reason_code) == ("strong", None, "latency")
        assert "leaves no time to judge cheap's answer, which takes up to 900 ms, so strong" in found.reason
        return
    assert found.ladder is not None
    assert (found.ladder.mode, found.ladder.race, found.ladder.time_up_ms) == (
        mode,
        mode is CascadeMode.RACE,
        time_up_ms,
    )
    assert ("there is time for" in found.reason) == (mode is not CascadeMode.BUFFER)


def test_the_configured_mode_is_kept_where_it_fits() -> None:
    for mode in (CascadeMode.HOLDBACK, CascadeMode.RACE):
        found = in_time(choice(5_000, mode, race=True), pace(), stream=True)
        assert found.ladder is not None
        assert found.ladder.mode is mode
        assert found.reason == "cheap first"


def test_a_race_that_is_not_worth_it_becomes_one_when_time_is_short() -> None:
    # Configured to race where acceptance is unlikely, and here it is likely: it would wait, and there is no time to.
    found = in_time(choice(1_000, CascadeMode.RACE, race=False), pace(), stream=False)
    assert found.ladder is not None
    assert found.ladder.race is True


def test_a_plan_holds_nothing_back() -> None:
    found = in_time(choice(1_000, quality_per_usd=5.0), pace(), stream=True)
    assert found.ladder is not None
    assert found.ladder.mode is CascadeMode.RACE


def test_without_a_budget_or_a_known_pace_nothing_changes() -> None:
    for given, paces in ((choice(None), pace()), (choice(10), pace(cheap=None)), (choice(10), pace(strong=None))):
        assert in_time(given, paces, stream=True) is given


def test_tiers_that_there_is_no_time_for_are_left_out() -> None:
    three = choice(1_500, tiers=("cheap", "middle", "strong"), accept_at=(0.5, 0.6, None), p_ahead=(0.7, 0.8, None))
    found = in_time(three, pace(middle=Pace(200, 1_000)), stream=True)
    assert found.ladder is not None
    assert (found.ladder.tiers, found.ladder.accept_at) == (("cheap", "strong"), (0.5, None))
    found = in_time(three, pace(middle=Pace(50, 200)), stream=True)
    assert found.ladder is not None
    assert found.ladder.tiers == ("cheap", "middle", "strong")
