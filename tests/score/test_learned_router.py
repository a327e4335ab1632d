"""A learned router's scores: what it says of tiers, why, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.score.made import MODELS, card, plain_router, read, router, skill
from tests.train.worlds import encode, extract

from pointsman.errors import ArtifactError
from pointsman.score import CompositeScorer, LearnedRouter, prompt_hash, prompt_hashes, seen
from pointsman.vocabulary import Dialect, FloatArray, Request, Role, Turn

EASY, HARD = "cat dog sun tree milk number 3", "tensor lemma proof manifold axiom number 4"


def scored(
    text: str, tiers: list[list[str]], of: LearnedRouter | None = None
) -> tuple[float, tuple[float | None, ...] | None]:
    inputs = read([text])
    found = (router() if of is None else of).for_tiers(tiers)
    score = found.score(inputs.features[0], inputs.embeddings[0], text)
    return score.p_cheap, score.by_tier


def test_it_tells_easy_prompts_from_hard_ones() -> None:
    tiers = [["small"], ["large"]]
    assert scored(EASY, tiers)[0] > 0.7 > 0.5 > scored(HARD, tiers)[0]


def test_every_tier_gets_the_score_of_its_own_pair() -> None:
    inputs = read([EASY, HARD])
    p = router().p_good(MODELS, inputs.features, inputs.embeddings, inputs.texts)
    assert p.shape == (2, 2)
    for row, text in enumerate((EASY, HARD)):
        p_cheap, by_tier = scored(text, [["small"], ["middle"], ["large"]])
        assert by_tier == pytest.approx((*p[row], 1.0), abs=1e-5)
        assert p_cheap == pytest.approx(p[row, 0], abs=1e-5)


def test_a_tier_is_known_by_any_of_its_names() -> None:
    assert scored(EASY, [["here", "small"], ["other", "large"]]) == scored(EASY, [["small"], ["large"]])


def test_a_tier_that_it_does_not_know_gets_no_score() -> None:
    p_cheap, by_tier = scored(EASY, [["unheard of"], ["middle"], ["large"]])
    assert by_tier is not None
    assert by_tier[0] is None
    assert by_tier[1] == p_cheap


def test_a_router_for_other_models_is_refused() -> None:
    with pytest.raises(ArtifactError, match="was trained for small, middle, large, but the tiers have haiku, opus"):
        router().for_tiers([["haiku"], ["opus"]])
    inputs = read([EASY])
    with pytest.raises(ArtifactError, match="has not learned how large does beside small"):
        router().p_good(["large", "small"], inputs.features, inputs.embeddings, inputs.texts)


def test_a_generic_router_scores_any_tiers_and_takes_equal_steps_between() -> None:
    parts = ("cheap", "strong")
    generic = LearnedRouter(
        card(models=parts, pairs=[parts], generic=True),
        _renamed(parts),
        trained_prompts=np.zeros(0, dtype=np.uint64),
    )
    p_cheap, by_tier = scored(EASY, [["haiku"], ["opus"]], generic)
    assert by_tier is None
    inputs = read([EASY])
    p = generic.p_good(["a", "b", "c"], inputs.features, inputs.embeddings, inputs.texts)[0]
    assert p == pytest.approx([p_cheap, 1 - (1 - p_cheap) / 2], abs=1e-6)


def _renamed(pair: tuple[str, str]):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(skill().for_pair(("small", "large")), pairs=(pair,))


def test_an_explanation_adds_up_to_what_the_score_says() -> None:
    inputs = read([HARD])
    tiers = router().for_tiers([["small"], ["large"]])
    score = tiers.score(inputs.features[0], inputs.embeddings[0], HARD)
    assert [moved.effect for moved in score.moved] == sorted((m.effect for m in score.moved), key=lambda e: -abs(e))
    pair = skill().for_pair(("small", "large"))
    value = float(pair.values(inputs.features, inputs.embeddings, inputs.texts)[0, 0])
    knots, p = pair.knots[:, 0].tolist(), np.clip(pair.p_at_knots[:, 0], 0.01, 0.99).tolist()
    slope = (math.log(p[-1] / (1 - p[-1])) - math.log(p[0] / (1 - p[0]))) / (knots[-1] - knots[0])
    whole = slope * (value - float(pair.offsets[0]))
    assert slope < 0
    assert sum(moved.effect for moved in score.moved) == pytest.approx(whole, abs=0.02)
    assert sum(moved.effect for moved in score.moved) < -0.3
    texts = {moved.feature: moved.text for moved in score.moved}
    assert texts["n-grams"].startswith("wording (−")


def test_parts_that_do_not_fit_the_card_are_refused() -> None:
    none = np.zeros(0, dtype=np.uint64)
    with pytest.raises(ValueError, match="the card says otherwise"):
        LearnedRouter(card(pairs=[("small", "large")]), skill(), trained_prompts=none)
    with pytest.raises(ValueError, match="do not fit 1 names"):
        features = {"version": 3, "names": ["one"], "phrases": [["a", "b"]]}
        LearnedRouter(card(features=features), skill(), trained_prompts=none)


class _Tiny:
    id, dim = "static:tiny", 16

    def encode(self, texts: list[str]) -> FloatArray:
        return encode(texts)


def request(text: str) -> Request:
    return Request(Dialect.OPENAI_CHAT, "/v1/chat/completions", "auto", b"", {}, (Turn(Role.USER, text),))


def scorer(of: LearnedRouter) -> CompositeScorer:
    return CompositeScorer(
        extract=lambda asked, _: extract([asked.last_user_text])[0],
        encoder=_Tiny(),  # type: ignore[arg-type]
        router=of,
        text_of=lambda asked: asked.last_user_text,
        tiers=[["small"], ["large"]],
    )


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(max_size=60), max_size=5))
def test_a_batch_equals_its_parts_and_any_text_gets_a_probability(texts: list[str]) -> None:
    whole = scorer(router())
    batch = whole.score_batch([request(text) for text in texts])
    assert len(batch) == len(texts)
    for score, text in zip(batch, texts, strict=True):
        assert 0 <= score.p_cheap <= 1
        assert score.p_cheap == pytest.approx(whole.score(request(text)).p_cheap, abs=1e-5)


def test_a_router_without_vectors_never_asks_the_encoder() -> None:
    class Refusing(_Tiny):
        def encode(self, texts: list[str]) -> FloatArray:
            raise AssertionError("asked")

    whole = CompositeScorer(
        extract=lambda asked, _: extract([asked.last_user_text])[0],
        encoder=Refusing(),  # type: ignore[arg-type]
        router=plain_router(),
        text_of=lambda asked: asked.last_user_text,
        tiers=[["small"], ["large"]],
    )
    assert whole.score(request(EASY)).p_cheap > whole.score(request(HARD)).p_cheap
    assert whole.dial == router().card.dial_points


def test_prompts_are_known_again_whatever_their_spaces_and_case() -> None:
    trained = np.sort(prompt_hashes(["What is  Python?", "hello"]))
    hashes = prompt_hashes([" what is python?", "other"])
    assert seen(hashes, trained).tolist() == [True, False]
    assert not seen(hashes, np.zeros(0, dtype=np.uint64)).any()
    assert prompt_hash("A") == prompt_hash("a ")
