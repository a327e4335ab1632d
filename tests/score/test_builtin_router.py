"""The artifact that comes with the package: it loads, is small, is honest and gives sensible orderings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointsman import score
from pointsman.features import FEATURE_VERSION, FEATURES, extract_text, open_encoder

FOLDER = Path(score.__file__).parent / score.BUILTIN
ENCODER = open_encoder("static")


@pytest.fixture(scope="module")
def router() -> score.LogisticRouter:
    return score.load(
        score.BUILTIN,
        feature_version=FEATURE_VERSION,
        feature_names=[feature.name for feature in FEATURES],
        encoder_id=ENCODER.id,
        encoder_dim=ENCODER.dim,
    )


def test_it_fits_this_versions_features_and_encoder(router: score.LogisticRouter) -> None:
    assert router.router.startswith("pointsman-builtin ")
    assert router.card.encoder.id == ENCODER.id


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000


def test_it_was_trained_only_on_sources_whose_weights_may_be_shipped(router: score.LogisticRouter) -> None:
    licences = {source.name: source.licence for source in router.card.training.sources}
    assert licences == {
        "routellm": "Apache-2.0",
        "zeroeval": "Apache-2.0",
        "mmlu_pro": "Apache-2.0",
        "textclass": "CC-BY-4.0",
        "llmrouter": "MIT",
    }
    assert any("González-Bustamante" in line for line in router.card.attribution)


def test_its_card_gives_numbers_on_never_seen_sources_with_intervals(router: score.LogisticRouter) -> None:
    unseen = [row for row in router.card.metrics["pairs"] if row["setting"] == "never-seen source"]
    assert {row["source"] for row in unseen} >= {"cascades", "routerarena", "bfcl", "routellm", "textclass"}
    for row in unseen:
        low, high = row["auc_ci"]
        assert low <= row["auc"] <= high
    assert any("never seen" in sentence for sentence in router.card.limits)


def test_its_dial_falls_from_all_cheap_to_none(router: score.LogisticRouter) -> None:
    dial = router.card.dial_points
    shares = [point.strong_share for point in dial]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert dial[-1].quality_loss == 0.0
    assert all(point.quality_loss <= point.quality_loss_upper for point in dial)


def test_any_text_gets_a_probability_and_an_explanation(router: score.LogisticRouter) -> None:
    for text in ("", "hi", "Prove that √2 is irrational.", "请总结这篇文章。", "\x00" * 50, "x " * 200_000):
        found = router.score(np.asarray(extract_text(text), dtype=np.float64), ENCODER.encode([text])[0])
        assert 0 < found.p_cheap < 1
        assert found.moved
