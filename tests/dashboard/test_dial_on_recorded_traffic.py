"""The preview of the dial, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.dashboard.preview import drift, preview
from pointsman.decide.policies import lowest_threshold_within
from pointsman.record.scored import Scored
from pointsman.vocabulary import Cost, DialPoint, JSONObject, Model, Tier, Usage

DIAL = (
    DialPoint(0.0, 0.0, 0.10, 0.12),
    DialPoint(0.5, 0.4, 0.02, 0.03),
    DialPoint(0.8, 0.7, 0.005, 0.01),
    DialPoint(1.0, 1.0, 0.0, 0.0),
)
TIERS = (Tier("cheap", ("small",)), Tier("strong", ("large",)))
MODELS = {name: Model(name, "sim", name, {}) for name in ("small", "large")}
USD = {"small": 1.0, "large": 10.0}


def cost_of(model: Model, _: Usage | None) -> Cost:
    return Cost(USD[model.name])


def scored(p: float, *, reason_code: str = "score", spent_usd: float = 1.0, **decision: object) -> Scored:
    content: JSONObject = {"reason_code": reason_code, "p_cheap": p, "alternatives": [], **decision}
    return Scored(content, Usage(1, 1), spent_usd, 10.0, False)


def test_four_requests_by_hand() -> None:
    found = preview(
        [scored(0.3), scored(0.6), scored(0.9), scored(0.0, reason_code="rule", spent_usd=2.0)],
        dial=DIAL,
        tiers=TIERS,
        models=MODELS,
        cost_of=cost_of,
        point_at=lowest_threshold_within,
        limits=(0.0, 0.01, 0.03, 0.2),
    )
    assert (found.n_dialled, found.n_fixed, found.n_left_out) == (3, 1, 0)
    assert (found.baseline_usd, found.spent_usd) == (40.0, 5.0)
    rows = [(each.point and each.point.threshold, each.cost_usd, each.saved_usd) for each in found.settings]
    assert rows == [(1.0, 32.0, 8.0), (0.8, 23.0, 17.0), (0.5, 14.0, 26.0), (0.0, 5.0, 35.0)]
    assert [each.strong_share for each in found.settings] == pytest.approx([1.0, 2 / 3, 1 / 3, 0.0])


def test_a_limit_that_no_point_keeps_is_always_strong() -> None:
    found = preview(
        [scored(0.9)],
        dial=DIAL[:2],
        tiers=TIERS,
        models=MODELS,
        cost_of=cost_of,
        point_at=lowest_threshold_within,
        limits=(0.01,),
    )
    (only,) = found.settings
    assert (only.point, only.strong_share, only.saved_usd) == (None, 1.0, 0.0)


def test_a_tier_in_the_middle_is_taken_by_its_own_probability() -> None:
    tiers = (Tier("cheap", ("small",)), Tier("mid", ("mid",)), Tier("strong", ("large",)))
    models = MODELS | {"mid": Model("mid", "sim", "mid", {})}
    usd = USD | {"mid": 4.0}
    record = scored(0.2, alternatives=[{"model": "small", "p_good": 0.2}, {"model": "mid", "p_good": 0.7}])
    found = preview(
        [record],
        dial=DIAL,
        tiers=tiers,
        models=models,
        cost_of=lambda model, _: Cost(usd[model.name]),
        point_at=lowest_threshold_within,
        limits=(0.01, 0.03, 0.2),
    )
    assert [each.cost_usd for each in found.settings] == [10.0, 4.0, 1.0]


def test_requests_whose_models_have_no_price_are_left_out_and_counted() -> None:
    found = preview(
        [scored(0.3), scored(0.9)],
        dial=DIAL,
        tiers=TIERS,
        models=MODELS,
        cost_of=lambda model, _: Cost(None, "no price"),
        point_at=lowest_threshold_within,
    )
    assert (found.n_dialled, found.n_left_out, found.baseline_usd, found.drift) == (0, 2, 0.0, None)


def test_drift_is_the_largest_distance_of_the_two_distributions() -> None:
    same = drift(np.array([0.2] * 4 + [0.6] * 3 + [0.9] * 3), DIAL)
    assert same is not None and same.distance == pytest.approx(0.0)
    assert same.chance == pytest.approx(1.358 / 10**0.5)
    other = drift(np.full(100, 0.9), DIAL)
    assert other is not None and other.distance == pytest.approx(0.7)
    assert drift(np.zeros(0), DIAL) is None


def test_traffic_like_the_held_out_prompts_seldom_looks_drifted() -> None:
    rng = np.random.default_rng(1)
    thresholds = np.linspace(0.0, 1.0, 41)
    dial = tuple(DialPoint(float(each), float(each), 0.0, 0.0) for each in thresholds)
    told = [drift(rng.random(400), dial) for _ in range(400)]
    false = np.mean([each is not None and each.distance > each.chance for each in told])
    assert false <= 0.06
