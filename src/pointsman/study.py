"""Wires the stages of a dataset's path: outcomes → train → evaluate, with the features that serving uses.

Scores that an evaluation uses must not have seen the outcomes they are measured on: `held_out_scores` trains on the
other folds, and a router artifact's own training prompts are left out by the commands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import features
from .train import OutOfFold, RouterLearner, out_of_fold
from .vocabulary import Outcomes


def read_features(prompts: Sequence[str]) -> NDArray[np.floating]:
    """Hand-crafted features of prompts, each as a single user turn: shape (n, features), float32."""
    if not prompts:
        return np.zeros((0, len(features.FEATURES)), dtype=np.float32)
    return np.stack([features.extract_text(prompt) for prompt in prompts])


def learner_for(models: Sequence[str], *, encoder: str = "static", seed: int = 0) -> RouterLearner:
    """A learner of each model against the last, which is the quality reference.

    Args:
        encoder: as `features.open_encoder` takes it, or "none".

    Raises:
        EncoderError: there is no such encoder.
    """
    opened = None if encoder == "none" else features.open_encoder(encoder)
    return RouterLearner(
        extract=read_features,
        encode=None if opened is None else opened.encode,
        pairs=[(model, models[-1]) for model in models[:-1]],
        seed=seed,
    )


def held_out_scores(
    outcomes: Outcomes, *, n_folds: int = 5, encoder: str = "static", seed: int = 0
) -> tuple[NDArray[np.floating], OutOfFold]:
    """P(each model but the last does as well as the last), shape (n, m - 1), by routers that had not seen the prompt.

    Raises:
        DataError: there are too few outcomes to learn from.
        EncoderError: there is no such encoder.
    """
    learner = learner_for(outcomes.models, encoder=encoder, seed=seed)
    predicted = out_of_fold(learner, outcomes, n_folds=n_folds)
    return predicted.p_cheap, predicted
