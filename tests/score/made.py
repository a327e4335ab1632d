"""A small router learned from a made-up world, and its card."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from tests.train.worlds import encode, extract, world

from pointsman.learned import Skill
from pointsman.score import ArtifactCard, LearnedRouter
from pointsman.train import Inputs, RouterLearner

MODELS = ("small", "middle", "large")
NAMES = ("length", "constant")
FIT: dict[str, Any] = {
    "feature_version": 3,
    "feature_names": NAMES,
    "encoder_id": "static:tiny",
    "encoder_dim": 16,
}


@cache
def skill(*, with_encoder: bool = True) -> Skill:
    """Learned from 300 prompts of three models, every pair."""
    learner = RouterLearner(extract=extract, encode=encode if with_encoder else None, seed=1)
    return learner.fit(world(300, seed=3, models=MODELS)).skill_


def card(**changes: Any) -> ArtifactCard:
    """A card that fits `skill`."""
    raw: dict[str, Any] = {
        "format": 2,
        "kind": "learned",
        "name": "test",
        "version": "7",
        "models": MODELS,
        "pairs": skill().pairs,
        "features": {"version": 3, "names": NAMES, "phrases": [["is long", "is short"], ["is", "is not"]]},
        "encoder": {"id": "static:tiny", "dim": 16, "spec": "static"},
        "training": {"target": "cheap suffices", "n_prompts": 300, "sources": [], "seed": 1, "settings": {"C": 0.1}},
        "calibration": {"method": "a line", "fitted_on": "held-out prompts"},
        "dial": [
            {"threshold": 0.4, "strong_share": 0.1, "quality_loss": 0.02, "quality_loss_upper": 0.03},
            {"threshold": 0.8, "strong_share": 0.6, "quality_loss": 0.0, "quality_loss_upper": 0.01},
        ],
        "metrics": {"auc": 0.6, "auc_ci": [0.5, 0.7]},
        "limits": ["knows nothing"],
        "licence": "Apache-2.0",
        "attribution": ["nobody"],
    }
    return ArtifactCard.model_validate(raw | changes)


def router(**changes: Any) -> LearnedRouter:
    """The router of both; `changes` are the card's."""
    return LearnedRouter(card(**changes), skill(), trained_prompts=np.array([5, 2**63 + 1], dtype=np.uint64))


def plain_router() -> LearnedRouter:
    """One that reads no vectors."""
    learned = skill(with_encoder=False)
    return LearnedRouter(
        card(encoder={"id": "none", "dim": 0, "spec": "none"}), learned, trained_prompts=np.array([5], dtype=np.uint64)
    )


def read(texts: list[str]) -> Inputs:
    """Texts as the router reads them."""
    return Inputs.read(texts, extract=extract, encode=encode)
