"""A decision names its model, its fallbacks, what the others would cost, and why not the cheaper one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pointsman.constrain import candidates
from pointsman.decide import Choice, explain
from pointsman.errors import NoModelAvailable
from pointsman.vocabulary import Capabilities, Decision, Model, Request, Score, Tier

COSTS = {"cheap-model": 0.001, "strong-model": 0.03, "strong-spare": 0.04}


@pytest.fixture
def decide(
    make_model: Callable[..., Model], make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]
) -> Callable[..., Decision]:
    def run(choice: Choice, *, request: Request | None = None, blind: tuple[str, ...] = ()) -> Decision:
        models = {
            name: make_model(name, capabilities=Capabilities(vision=False if name in blind else None)) for name in COSTS
        }
        asked = make_request() if request is None else request
        return explain(
            request=asked,
            request_id="r1",
            policy="auto",
            policy_kind="threshold",
            choice=choice,
            candidates=candidates(asked, two_tiers, models),
            tiers=two_tiers,
            rules=None,
            baseline=models["strong-model"],
            estimate_usd=lambda model: COSTS[model.name],
        )

    return run


STRONG = Choice("strong", "P is 0.20, below 0.50", "score", threshold=0.5, score=Score(0.2, (), "r"))


def test_the_first_model_of_the_tier_serves_and_the_rest_of_the_tier_follows(decide: Callable[..., Decision]) -> None:
    decision = decide(STRONG)
    assert (decision.model, decision.tier, decision.fallbacks) == ("strong-model", "strong", ("strong-spare",))


def test_fallbacks_go_along_the_tier_then_up_never_down(decide: Callable[..., Decision]) -> None:
    assert decide(Choice("cheap", "why", "score")).fallbacks == ("strong-model", "strong-spare")
    assert "cheap-model" not in decide(STRONG).fallbacks


def test_alternatives_have_cost_probability_and_reason(decide: Callable[..., Decision]) -> None:
    by_name = {other.model: other for other in decide(STRONG).alternatives}
    assert by_name["cheap-model"].p_good == pytest.approx(0.2)
    assert by_name["cheap-model"].why == "P(good enough) 0.20 is below 0.50"
    assert by_name["strong-model"].chosen
    assert by_name["strong-spare"].estimated_cost_usd == 0.04
    assert by_name["strong-spare"].why.startswith("same tier")


def test_why_not_cheaper_is_said_only_when_a_cheaper_one_was_passed_over(decide: Callable[..., Decision]) -> None:
    assert decide(STRONG).why_not_cheaper == "cheap-model: P(good enough) 0.20 is below 0.50"
    assert decide(Choice("cheap", "why", "score")).why_not_cheaper is None


def test_a_tier_that_cannot_serve_hands_over_to_the_next_stronger(
    decide: Callable[..., Decision], make_request: Callable[..., Request]
) -> None:
    decision = decide(Choice("cheap", "why", "rule"), request=make_request(n_images=1), blind=("cheap-model",))
    assert (decision.model, decision.reason_code) == ("strong-model", "only_model")
    assert "cannot see images" in decision.reason


def test_the_first_fallback_of_a_tier_serves_when_its_first_model_cannot(
    decide: Callable[..., Decision], make_request: Callable[..., Request]
) -> None:
    decision = decide(STRONG, request=make_request(n_images=1), blind=("strong-model",))
    assert (decision.model, decision.tier, decision.reason_code) == ("strong-spare", "strong", "score")


def test_only_a_cheaper_tier_left_serves_rather_than_failing(
    decide: Callable[..., Decision], make_request: Callable[..., Request]
) -> None:
    decision = decide(STRONG, request=make_request(n_images=1), blind=("strong-model", "strong-spare"))
    assert (decision.model, decision.reason_code) == ("cheap-model", "only_model")


def test_no_model_left_names_what_ruled_each_out(
    decide: Callable[..., Decision], make_request: Callable[..., Request]
) -> None:
    with pytest.raises(NoModelAvailable, match=r"cheap-model: .*strong-model: .*strong-spare: "):
        decide(STRONG, request=make_request(n_images=1), blind=tuple(COSTS))


def test_the_json_form_has_plain_types_and_the_estimated_saving(decide: Callable[..., Decision]) -> None:
    out = decide(Choice("cheap", "why", "score")).to_json()
    assert out["estimated_saved_usd"] == pytest.approx(0.03 - 0.001)
    assert out["model"] == "cheap-model"
