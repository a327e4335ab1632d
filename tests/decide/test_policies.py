"""What each policy chooses, by hand and by property."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.decide import FixedPolicy, RandomPolicy, RulesPolicy, Situation, ThresholdPolicy, p_good_by_tier
from pointsman.decide.policies import lowest_threshold_within, nearest_share
from pointsman.errors import ConfigError
from pointsman.vocabulary import DialPoint, Hints, Request, Score, Tier

# As a router's card has them: a higher threshold sends more to the strong tier and loses less.
DIAL = (
    DialPoint(threshold=0.2, strong_share=0.1, quality_loss=0.08, quality_loss_upper=0.10),
    DialPoint(threshold=0.5, strong_share=0.4, quality_loss=0.03, quality_loss_upper=0.05),
    DialPoint(threshold=0.8, strong_share=0.7, quality_loss=0.005, quality_loss_upper=0.01),
    DialPoint(threshold=0.95, strong_share=0.95, quality_loss=0.0, quality_loss_upper=0.002),
)


def situation(request: Request, tiers: tuple[Tier, ...], p_cheap: float | None = None) -> Situation:
    score = None if p_cheap is None else Score(p_cheap, (), "test-router")
    return Situation(request, tiers, None, lambda: score)


def test_fixed_uses_what_it_names_whatever_the_score(
    make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]
) -> None:
    assert FixedPolicy("all-strong", "strong").decide(situation(make_request(), two_tiers, 0.99)).use == "strong"


def test_rules_policy_falls_to_its_default(make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]) -> None:
    choice = RulesPolicy("mine", otherwise="strong").decide(situation(make_request(), two_tiers))
    assert (choice.use, choice.reason_code) == ("strong", "safe_default")


@pytest.mark.parametrize(
    ("p_cheap", "use"), [(0.49, "strong"), (0.50, "cheap"), (0.51, "cheap"), (0.0, "strong"), (1.0, "cheap")]
)
def test_threshold_is_inclusive(
    make_request: Callable[..., Request], two_tiers: tuple[Tier, ...], p_cheap: float, use: str
) -> None:
    choice = ThresholdPolicy("t", threshold=0.5).decide(situation(make_request(), two_tiers, p_cheap))
    assert choice.use == use
    assert f"{p_cheap:.2f}" in choice.reason


def test_quality_limit_takes_the_lowest_threshold_that_keeps_it(
    make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]
) -> None:
    policy = ThresholdPolicy("t", max_quality_loss=0.05, dial=DIAL)
    assert policy.decide(situation(make_request(), two_tiers, 0.6)).threshold == 0.5
    assert policy.decide(situation(make_request(), two_tiers, 0.6)).use == "cheap"
    assert policy.decide(situation(make_request(), two_tiers, 0.4)).use == "strong"


def test_a_limit_that_nothing_is_known_to_keep_goes_to_the_strong_tier(
    make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]
) -> None:
    choice = ThresholdPolicy("t", max_quality_loss=0.001, dial=DIAL).decide(situation(make_request(), two_tiers, 1.0))
    assert (choice.use, choice.reason_code) == ("strong", "safe_default")


def test_the_callers_limit_replaces_the_policys(
    make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]
) -> None:
    policy = ThresholdPolicy("t", max_quality_loss=0.002, dial=DIAL)
    loose = make_request(hints=Hints(max_quality_loss=0.10))
    zero = make_request(hints=Hints(max_quality_loss=0.0))
    assert policy.decide(situation(make_request(), two_tiers, 0.3)).use == "strong"
    assert policy.decide(situation(loose, two_tiers, 0.3)).use == "cheap"
    assert policy.decide(situation(zero, two_tiers, 1.0)).use == "strong", "a limit of 0 is a limit, not 'none given'"


def test_without_a_score_the_safe_tier_serves(
    make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]
) -> None:
    choice = ThresholdPolicy("t", threshold=0.0).decide(situation(make_request(), two_tiers, None))
    assert (choice.use, choice.reason_code) == ("strong", "safe_default")


def test_threshold_policy_refuses_no_dial_or_two() -> None:
    with pytest.raises(ConfigError, match="exactly one"):
        ThresholdPolicy("t")
    with pytest.raises(ConfigError, match="exactly one"):
        ThresholdPolicy("t", threshold=0.5, strong_share=0.5)


def test_a_lucky_dip_below_a_breach_does_not_count() -> None:
    dip = (DialPoint(0.1, 0.05, 0.0, 0.001), *DIAL)
    point = lowest_threshold_within(dip, 0.01)
    assert point is not None
    assert point.threshold == 0.8


def test_share_picks_the_nearest_point_and_none_of_an_empty_dial() -> None:
    point = nearest_share(DIAL, 0.45)
    assert point is not None
    assert point.threshold == 0.5
    assert nearest_share((), 0.5) is None


def test_three_tiers_take_the_risk_down_in_equal_steps() -> None:
    known = Score(0.4, (), "test-router")
    assert p_good_by_tier(known, 3) == pytest.approx((0.4, 0.7, 1.0))
    assert p_good_by_tier(known, 2) == pytest.approx((0.4, 1.0))
    assert p_good_by_tier(known, 1) == (1.0,)


def test_a_router_that_knows_every_tier_speaks_for_itself() -> None:
    assert p_good_by_tier(Score(0.4, (), "r", by_tier=(0.4, None, 1.0)), 3) == (0.4, None, 1.0)


def test_a_tuned_policy_has_a_threshold_for_each_tier(make_request: Callable[..., Request]) -> None:
    tiers = tuple(Tier(name, (name,)) for name in ("cheap", "middle", "strong"))
    policy = ThresholdPolicy("tuned", by_tier=(0.9, 0.6, None), promise="tuned to lose at most 1.0%", dial=DIAL)

    def use(*by_tier: float | None, limit: float | None = None) -> tuple[str, float | None]:
        asked = make_request() if limit is None else make_request(hints=Hints(max_quality_loss=limit))
        score = Score(0.5, (), "r", by_tier=(*by_tier, 1.0))
        choice = policy.decide(Situation(asked, tiers, None, lambda: score))
        assert limit is not None or "tuned to lose at most 1.0%" in choice.reason
        return choice.use, choice.threshold

    assert use(0.95, 0.99) == ("cheap", 0.9)
    assert use(0.89, 0.6) == ("middle", 0.6)
    assert use(0.89, 0.59) == ("strong", 0.9)
    assert use(None, 0.7) == ("middle", 0.6)  # a tier the router does not know is never taken on a score
    assert use(0.85, 0.7, limit=0.01) == ("cheap", 0.8)  # the caller's own limit is looked up in the dial


@given(p=st.floats(0, 1), n=st.integers(1, 8))
def test_stronger_tiers_are_never_less_likely_to_be_good(p: float, n: int) -> None:
    ladder = [rung for rung in p_good_by_tier(Score(p, (), "r"), n) if rung is not None]
    assert len(ladder) == n
    assert ladder == sorted(ladder)
    assert all(0.0 <= value <= 1.0 for value in ladder)


def test_random_lands_on_its_share_and_repeats_itself(
    make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]
) -> None:
    policy = RandomPolicy("control", strong_share=0.3, seed=7)
    requests = [make_request(raw=f"request {n}".encode()) for n in range(4_000)]
    uses = [policy.decide(situation(request, two_tiers)).use for request in requests]
    # A binomial of 4,000 draws at 0.3 has a standard deviation of 0.0072; four of them are 0.029.
    assert abs(uses.count("strong") / len(uses) - 0.3) < 0.029
    assert uses == [policy.decide(situation(request, two_tiers)).use for request in requests]
    other = RandomPolicy("control", strong_share=0.3, seed=8)
    assert uses != [other.decide(situation(request, two_tiers)).use for request in requests]


@pytest.mark.parametrize(("share", "use"), [(0.0, "cheap"), (1.0, "strong")])
def test_random_at_its_ends_is_always_one_tier(
    make_request: Callable[..., Request], two_tiers: tuple[Tier, ...], share: float, use: str
) -> None:
    policy = RandomPolicy("control", strong_share=share)
    assert {policy.decide(situation(make_request(raw=bytes([n])), two_tiers)).use for n in range(200)} == {use}
