"""The router's arithmetic with numbers one can follow, then properties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pointsman.score import ArtifactCard, Calibration, CompositeScorer, LogisticRouter
from pointsman.score.calibration import sigmoid
from pointsman.score.trained_prompts import prompt_hash, prompt_hashes, seen
from pointsman.vocabulary import Dialect, FloatArray, Request, Role, Turn


def card(n_features: int = 2, dim: int = 2, **changes: Any) -> ArtifactCard:
    raw: dict[str, Any] = {
        "format": 1,
        "kind": "logistic",
        "name": "test",
        "version": "7",
        "features": {
            "version": 3,
            "names": [f"f{i}" for i in range(n_features)],
            "phrases": [[f"has f{i}", f"lacks f{i}"] for i in range(n_features)],
        },
        "encoder": {"id": "static:tiny" if dim else "none", "dim": dim},
        "training": {"target": "cheap suffices", "sources": [], "seed": 1, "settings": {}},
        "calibration": {"method": "platt", "fitted_on": "nothing"},
        "dial": [
            {"threshold": 0.4, "strong_share": 0.1, "quality_loss": 0.02, "quality_loss_upper": 0.03},
            {"threshold": 0.8, "strong_share": 0.6, "quality_loss": 0.0, "quality_loss_upper": 0.01},
        ],
        "metrics": {},
        "limits": [],
        "licence": "Apache-2.0",
        "attribution": [],
    }
    return ArtifactCard.model_validate(raw | changes)


def router(**changes: Any) -> LogisticRouter:
    arguments: dict[str, Any] = {
        "feature_mean": np.array([10.0, 0.0]),
        "feature_scale": np.array([2.0, 1.0]),
        "feature_weight": np.array([0.5, -1.0]),
        "embedding_mean": np.array([0.5, 0.0], dtype=np.float32),
        "embedding_weight": np.array([2.0, 1.0], dtype=np.float32),
        "bias": 0.25,
        "calibration": Calibration.platt(1.0, 0.0),
        "trained_prompts": np.array([], dtype=np.uint64),
    }
    return LogisticRouter(changes.pop("card", card()), **(arguments | changes))


FEATURES = np.array([14.0, 1.5])
EMBEDDING = np.array([1.0, 0.25], dtype=np.float32)


def test_the_logit_is_the_sum_of_bias_features_and_meaning() -> None:
    # 0.25 + 0.5·(14 − 10)/2 − 1·1.5 + 2·(1 − 0.5) + 1·0.25 = 0.25 + 1 − 1.5 + 1.25 = 1
    score = router().score(FEATURES, EMBEDDING)
    assert score.p_cheap == pytest.approx(1 / (1 + math.exp(-1)))
    assert score.router == "test 7"
    assert [(moved.feature, moved.effect) for moved in score.moved] == [("f1", -1.5), ("embedding", 1.25), ("f0", 1.0)]
    assert [moved.text for moved in score.moved] == ["has f1 (−1.50)", "meaning of the text (+1.25)", "has f0 (+1.00)"]


def test_a_feature_below_its_mean_is_told_by_its_absence() -> None:
    score = router().score(np.array([8.0, 0.0]), np.array([0.5, 0.0], dtype=np.float32))
    assert [moved.text for moved in score.moved] == ["lacks f0 (−0.50)"]


def test_one_odd_feature_counts_at_most_five_deviations() -> None:
    odd, at_the_limit = np.array([1e9, 0.0]), np.array([20.0, 0.0])
    assert router().score(odd, EMBEDDING).p_cheap == router().score(at_the_limit, EMBEDDING).p_cheap


def test_calibration_changes_the_probability_and_not_the_effects() -> None:
    score = router(calibration=Calibration.platt(0.5, -2.0)).score(FEATURES, EMBEDDING)
    assert score.p_cheap == pytest.approx(1 / (1 + math.exp(1.5)))
    assert score.moved == router().score(FEATURES, EMBEDDING).moved


def test_a_batch_equals_its_parts() -> None:
    rng = np.random.default_rng(0)
    features, embeddings = rng.normal(size=(20, 2)) * 9, rng.normal(size=(20, 2)).astype(np.float32)
    ours = router()
    batch = ours.score_batch(features, embeddings)
    for one, row, embedding in zip(batch, features, embeddings, strict=True):
        alone = ours.score(row, embedding)
        assert one.p_cheap == pytest.approx(alone.p_cheap, abs=1e-6)
        assert [moved.feature for moved in one.moved] == [moved.feature for moved in alone.moved]
    np.testing.assert_allclose(ours.p_cheap(features, embeddings), [one.p_cheap for one in batch])


def test_only_the_strongest_features_are_named() -> None:
    n = 12
    many = router(
        card=card(n_features=n, dim=0),
        feature_mean=np.zeros(n),
        feature_scale=np.ones(n),
        feature_weight=np.arange(n) / 10,
        embedding_mean=np.zeros(0, dtype=np.float32),
        embedding_weight=np.zeros(0, dtype=np.float32),
    )
    score = many.score(np.ones(n), np.zeros(0, dtype=np.float32))
    assert [moved.feature for moved in score.moved] == ["f11", "f10", "f9", "f8", "f7"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feature_weight": np.array([1.0])}, r"feature_weight has shape \(1,\), expected \(2,\)"),
        ({"embedding_weight": np.array([1.0, np.nan], dtype=np.float32)}, "embedding_weight holds a number"),
        ({"feature_scale": np.array([0.0, 1.0])}, "must be above 0"),
        ({"bias": float("inf")}, "bias is not finite"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        router(**changes)


FINITE = st.floats(-1e6, 1e6)


@settings(max_examples=200, deadline=None)
@given(arrays(np.float64, 2, elements=FINITE), arrays(np.float32, 2, elements=st.floats(-1, 1, width=32)))
def test_a_probability_is_a_probability_and_effects_add_up(features: Any, embedding: Any) -> None:
    ours = router()
    score = ours.score(features, embedding)
    assert 0 <= score.p_cheap <= 1
    told = ours.bias + sum(moved.effect for moved in score.moved)
    assert score.p_cheap == pytest.approx(sigmoid(told), abs=0.01)  # effects under 0.005 go untold


# ---------------------------------------------------------------- calibration


def test_knots_are_joined_and_carried_on() -> None:
    calibration = Calibration([-1.0, 0.0, 2.0], [-1.0, 0.0, 1.0])
    assert [calibration(x) for x in (-3.0, -0.5, 1.0, 2.0, 4.0)] == [-3.0, -0.5, 0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("x", "y"), [([0.0], [0.0]), ([0.0, 0.0], [0.0, 1.0]), ([0.0, 1.0], [1.0, 0.0]), ([0.0, math.nan], [0.0, 1.0])]
)
def test_knots_that_fall_or_are_not_finite_are_refused(x: list[float], y: list[float]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration(x, y)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.floats(0, 3), st.floats(-3, 3))
def test_many_equals_one_by_one_and_never_falls(logits: list[float], slope: float, offset: float) -> None:
    calibration = Calibration.platt(slope, offset)
    ordered = np.array(sorted(logits))
    many = calibration.many(ordered)
    np.testing.assert_allclose(many, [calibration(x) for x in ordered.tolist()])
    assert (np.diff(many) >= 0).all()


def test_the_sigmoid_does_not_overflow() -> None:
    assert sigmoid(-1e9) == 0.0
    assert sigmoid(0.0) == 0.5
    assert sigmoid(1e9) == 1.0


# ---------------------------------------------------------------- the composite


class TwoWords:
    """An encoder of two dimensions: the share of "a" and of "b"."""

    id = "static:tiny"
    dim = 2

    def encode(self, texts: Any) -> FloatArray:
        return np.array([[text.count("a"), text.count("b")] for text in texts], dtype=np.float32).reshape(-1, 2)


def request(text: str) -> Request:
    return Request(Dialect.OPENAI_CHAT, "/v1/chat/completions", "auto", b"", {}, (Turn(Role.USER, text),))


def composite(**changes: Any) -> CompositeScorer:
    arguments: dict[str, Any] = {
        "extract": lambda request: np.array([len(request.last_user_text), 1.0], dtype=np.float32),
        "extract_batch": lambda requests: np.array([[len(r.last_user_text), 1.0] for r in requests]),
        "encoder": TwoWords(),
        "router": router(),
        "text_of": lambda request: request.last_user_text,
    }
    return CompositeScorer(**(arguments | changes))


def test_the_composite_scores_requests_one_by_one_and_together() -> None:
    scorer = composite()
    requests = [request(text) for text in ("a", "bb", "")]
    together = scorer.score_batch(requests)
    assert [score.p_cheap for score in together] == pytest.approx([scorer.score(r).p_cheap for r in requests], abs=1e-6)
    expected = router().score(np.array([1.0, 1.0]), np.array([1.0, 0.0], dtype=np.float32))
    assert scorer.score(requests[0]).p_cheap == pytest.approx(expected.p_cheap)
    assert scorer.score_batch([]) == []
    assert scorer.router == "test 7"
    assert [point.threshold for point in scorer.dial] == [0.4, 0.8]


def test_a_router_without_embedding_asks_no_encoder() -> None:
    empty = np.zeros(0, dtype=np.float32)
    plain = router(card=card(dim=0), embedding_mean=empty, embedding_weight=empty)
    assert composite(router=plain, encoder=None).score(request("a")).p_cheap > 0


# ---------------------------------------------------------------- prompts it has seen


def test_prompts_that_differ_in_case_spaces_or_form_are_the_same() -> None:
    assert prompt_hash("Ｗhat  is\n2+2? ") == prompt_hash("what is 2+2?")
    assert prompt_hash("what is 2+3?") != prompt_hash("what is 2+2?")


def test_seen_finds_what_was_trained_on() -> None:
    trained = np.unique(prompt_hashes(["one", "two", "three"]))
    assert seen(prompt_hashes(["TWO", "four", "three "]), trained).tolist() == [True, False, True]
    assert seen(prompt_hashes(["one"]), np.array([], dtype=np.uint64)).tolist() == [False]
