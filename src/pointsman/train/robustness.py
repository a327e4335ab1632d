"""How many decisions change when prompts are written a little differently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.intervals import wilson
from pointsman.learned import Skill

from .inputs import Inputs, Reader
from .perturb import PERTURBATIONS


@dataclass(frozen=True, slots=True)
class FlipShare:
    """The share of prompts whose decision changed, from 0 to 1."""

    perturbation: str
    n: int
    share: float
    low: float
    high: float
    """Wilson's 95 % interval (Wilson 1927)."""


def decision_flip_share(
    skill: Skill,
    inputs: Inputs,
    *,
    extract: Reader,
    encode: Reader | None,
    strong_share: float = 0.5,
    pair: int = 0,
    generator: np.random.Generator,
) -> tuple[FlipShare, ...]:
    """For each perturbation, the share of n prompts that then go to the other model of a pair.

    The threshold is the gain that sends `strong_share` of the unchanged prompts to the strong model.

    Args:
        skill: what decides.
        inputs: n prompts, n ≥ 1, not trained on.
        extract, encode: how prompts are read, as in training.
        strong_share: from 0 to 1.
        pair: which of the skill's pairs.
        generator: draws the changes.
    """
    before = skill.predict(inputs.features, inputs.embeddings, inputs.texts).gain[:, pair]
    threshold = float(np.quantile(before, 1 - strong_share))
    shares = []
    for name, perturbation in PERTURBATIONS.items():
        texts = [perturbation(text, generator) for text in inputs.texts]
        changed = Inputs.read(texts, extract=extract, encode=encode)
        after = skill.predict(changed.features, changed.embeddings, changed.texts).gain[:, pair]
        share = float(np.mean((before >= threshold) != (after >= threshold)))
        shares.append(FlipShare(name, len(before), share, *wilson(share, len(before))))
    return tuple(shares)
