"""Logistic regression over hand-crafted features and an embedding, as arithmetic on arrays."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import Contribution, FloatArray, Score

from .calibration import Calibration, sigmoid
from .card import ArtifactCard

MAX_DEVIATION: Final = 5.0
"""Features further from the mean than this many standard deviations count as this many: what lies beyond was hardly
seen in training, and one odd measurement must not decide alone."""
N_EXPLAINED: Final = 5
"""Features named in an explanation."""
_NEGLIGIBLE_LOGITS: Final = 0.005
"""Smaller effects would be shown as 0.00."""


class LogisticRouter:
    """P(the cheap tier's answer is good enough) and what moved it.

    The logit is bias + Σ weight × deviation over the features + weights · (embedding − its mean), where a feature's
    deviation is counted in standard deviations from its mean in training. So each effect compares with the average
    training prompt. Effects are in logits before calibration. Immutable; safe to use from several threads.
    """

    def __init__(
        self,
        card: ArtifactCard,
        *,
        feature_mean: NDArray[np.float64],
        feature_scale: NDArray[np.float64],
        feature_weight: NDArray[np.float64],
        embedding_mean: NDArray[np.float32],
        embedding_weight: NDArray[np.float32],
        bias: float,
        calibration: Calibration,
        trained_prompts: NDArray[np.uint64],
    ) -> None:
        """Takes arrays of shape (features,), (dim,), a bias in logits, and sorted `prompt_hash`es of what it saw.

        Raises:
            ValueError: shapes differ from the card, a number is not finite, or a scale is not above 0.
        """
        n_features, dim = len(card.features.names), card.encoder.dim
        for name, array, length in (
            ("feature_mean", feature_mean, n_features),
            ("feature_scale", feature_scale, n_features),
            ("feature_weight", feature_weight, n_features),
            ("embedding_mean", embedding_mean, dim),
            ("embedding_weight", embedding_weight, dim),
        ):
            if array.shape != (length,):
                raise ValueError(f"{name} has shape {array.shape}, expected ({length},)")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds a number that is not finite")
        if not (feature_scale > 0).all():
            raise ValueError("feature_scale must be above 0")
        if not math.isfinite(bias):
            raise ValueError("the bias is not finite")
        self.card = card
        self.feature_mean = feature_mean
        self.feature_scale = feature_scale
        self.feature_weight = feature_weight
        self.embedding_mean = embedding_mean
        self.embedding_weight = embedding_weight
        self.bias = bias
        self.calibration = calibration
        self.trained_prompts = trained_prompts
        self._embedding_offset = float(embedding_mean @ embedding_weight)
        self._names = card.features.names
        self._phrases = card.features.phrases
        self._means: list[float] = feature_mean.tolist()
        self._router = card.router

    @property
    def router(self) -> str:
        """Name and version of the artifact."""
        return self._router

    def score(self, features: NDArray[np.float64], embedding: FloatArray) -> Score:
        """The score of one text; `features` has shape (features,), `embedding` (dim,)."""
        effects = self._effects(features)
        meaning = float(embedding @ self.embedding_weight) - self._embedding_offset
        logit = self.bias + float(effects.sum()) + meaning
        return self._explained(features, effects, meaning, sigmoid(self.calibration(logit)))

    def score_batch(self, features: NDArray[np.float64], embeddings: FloatArray) -> list[Score]:
        """The scores of many; `features` has shape (n, features), `embeddings` (n, dim)."""
        effects = self._effects(features)
        meanings = embeddings @ self.embedding_weight - self._embedding_offset
        p_cheap = self._probabilities(self.bias + effects.sum(axis=1) + meanings)
        return [
            self._explained(row, effect, float(meaning), float(p))
            for row, effect, meaning, p in zip(features, effects, meanings, p_cheap, strict=True)
        ]

    def p_cheap(self, features: NDArray[np.float64], embeddings: FloatArray) -> NDArray[np.float64]:
        """The probabilities of many without explanations, shape (n,)."""
        meanings = embeddings @ self.embedding_weight - self._embedding_offset
        return self._probabilities(self.bias + self._effects(features).sum(axis=1) + meanings)

    def _effects(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        deviations = (features - self.feature_mean) / self.feature_scale
        np.minimum(deviations, MAX_DEVIATION, out=deviations)
        np.maximum(deviations, -MAX_DEVIATION, out=deviations)
        deviations *= self.feature_weight
        return deviations

    def _probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([sigmoid(logit) for logit in self.calibration.many(logits).tolist()], dtype=np.float64)

    def _explained(
        self, features: NDArray[np.float64], effects: NDArray[np.float64], meaning: float, p_cheap: float
    ) -> Score:
        moved: list[Contribution] = []
        means = self._means
        # A stable sort, so that of equal effects the one listed first is named first.
        for index in np.argsort(-np.abs(effects), kind="stable")[:N_EXPLAINED].tolist():
            effect = float(effects[index])
            if abs(effect) >= _NEGLIGIBLE_LOGITS:
                value = float(features[index])
                above, below = self._phrases[index]
                text = f"{above if value > means[index] else below} ({signed(effect)})"
                moved.append(Contribution(self._names[index], value, effect, text))
        if abs(meaning) >= _NEGLIGIBLE_LOGITS:
            moved.append(Contribution("embedding", meaning, meaning, f"meaning of the text ({signed(meaning)})"))
            moved.sort(key=lambda contribution: -abs(contribution.effect))
        return Score(p_cheap, tuple(moved), self._router)


def signed(effect: float) -> str:
    """An effect with its sign and two decimals, such as "+0.40" or "−0.80" (with a real minus sign)."""
    return f"{effect:+.2f}".replace("-", "−")
