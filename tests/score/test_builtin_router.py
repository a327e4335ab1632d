"""The artifact that comes with the package: it loads, is small, is honest and gives sensible orderings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointsman import score
from pointsman.features import FEATURE_VERSION, FEATURES, Reader, extract_text, open_encoder, text_of
from pointsman.wire import build_request

FOLDER = Path(score.__file__).parent / score.BUILTIN
ENCODER = open_encoder("static")


@pytest.fixture(scope="module")
def router() -> score.LearnedRouter:
    return score.load(
        score.BUILTIN,
        feature_version=FEATURE_VERSION,
        feature_names=[feature.name for feature in FEATURES],
        encoder_id=ENCODER.id,
        encoder_dim=ENCODER.dim,
    )


def test_it_fits_this_versions_features_and_encoder(router: score.LearnedRouter) -> None:
    assert router.router.startswith("pointsman-builtin ")
    assert router.card.encoder.id == ENCODER.id


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_500_000


def test_it_was_trained_only_on_sources_whose_weights_may_be_shipped(router: score.LearnedRouter) -> None:
    licences = {source.name: source.licence for source in router.card.training.sources}
    assert licences == {
        "routellm": "Apache-2.0",
        "zeroeval": "Apache-2.0",
        "mmlu_pro": "Apache-2.0",
        "textclass": "CC-BY-4.0",
        "llmrouter": "MIT",
    }
    assert any("González-Bustamante" in line for line in router.card.attribution)


def test_its_card_gives_numbers_on_never_seen_sources_with_intervals(router: score.LearnedRouter) -> None:
    unseen = [row for row in router.card.metrics["pairs"] if row["setting"] == "never-seen source"]
    assert {row["source"] for row in unseen} >= {"cascades", "routerarena", "bfcl", "routellm", "textclass"}
    for row in unseen:
        assert row["apgr"] is None or row["apgr_ci"][0] <= row["apgr"] <= row["apgr_ci"][1]
        assert 0 < row["auc"] < 1
    assert sum(row["apgr"] is not None for row in unseen) >= 10
    assert any("never seen" in sentence for sentence in router.card.limits)


def test_its_dial_falls_from_all_cheap_to_none(router: score.LearnedRouter) -> None:
    dial = router.card.dial_points
    shares = [point.strong_share for point in dial]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert dial[-1].quality_loss == 0.0
    assert all(point.quality_loss <= point.quality_loss_upper for point in dial)


def test_it_is_served_as_it_was_trained(router: score.LearnedRouter) -> None:
    texts = [
        " ",
        "What's the capital of Portugal?",
        "Solve it: 12 cats, 3.5 dogs; don't guess.\n- one\n- two",
        "Which is larger?\nA. 9.9\nB. 9.11\nC. neither",
        "Prove that √2 is irrational.",
        " ".join(f"word{i} and so on," for i in range(3_000)),
    ]
    reader = Reader(ENCODER)
    served = score.CompositeScorer(
        extract=reader.extract, encoder=reader, router=router, text_of=text_of, tiers=[["any"], ["other"]]
    )
    features = np.stack([extract_text(text) for text in texts])
    p = router.p_good(["any", "other"], features, ENCODER.encode(texts), texts)[:, 0]
    found = [served.score(build_request(prompt=text)).p_cheap for text in texts]
    assert found == pytest.approx(p.tolist(), abs=2e-6)


def test_any_text_gets_a_probability_and_an_explanation(router: score.LearnedRouter) -> None:
    tiers = router.for_tiers([["any"], ["other"]])
    for text in ("", "hi", "Prove that √2 is irrational.", "请总结这篇文章。", "\x00" * 50, "x " * 200_000):
        found = tiers.score(extract_text(text), ENCODER.encode([text])[0], text)
        assert 0 < found.p_cheap < 1
        assert found.moved
