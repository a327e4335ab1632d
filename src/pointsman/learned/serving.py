"""The arithmetic of a skill arranged for one prompt at a time: the same numbers but for rounding, in fewer steps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .ngrams import unordered_buckets
from .question import question_shape
from .skill import Skill
from .views import Floats, Likeness


class Serving:
    """What a few pairs need in a gateway. Immutable; safe to use from several threads."""

    def __init__(self, skill: Skill) -> None:
        """Takes a skill cut down to what is served (`Skill.for_pairs`); its tables are laid out anew."""
        views = skill.views
        self.view_names = skill.view_names
        self._skill = skill
        self._standard = views.standard
        self._question_standard = views.question_standard
        self._feature_weights, *rest = (skill.dense_weights[part] for part in views.slices)
        self._effect_means = skill.view_means[0] / np.float32(max(len(self._feature_weights), 1))
        likenesses = (views.features, views.question, views.embedding)
        self._likenesses = tuple(_Weighed(each, weights) for each, weights in zip(likenesses, rest, strict=True))
        # A bucket's rarity beside its weights, so that both come with one look into memory.
        self._words = np.ascontiguousarray(np.column_stack((views.rarity.words, skill.word_weights)))
        self._runs = np.ascontiguousarray(np.column_stack((views.rarity.runs, skill.run_weights)))

    def explained(self, features: Floats, embedding: Floats, text: str) -> tuple[Floats, Floats]:
        """What each view adds over the average training prompt, and each hand-crafted feature by itself.

        Shapes (views, targets), the views by `view_names`, as `Skill.view_values`; and (features, targets), which sum
        to the first view.

        Args:
            features: shape (f,), float32.
            embedding: shape (dim,), float32.
            text: the prompt.
        """
        row = self._standard.of(features)
        effects = row[:, None] * self._feature_weights
        like_features, like_question, like_embedding = self._likenesses
        values = np.empty(self._skill.view_means.shape, dtype=np.float32)
        np.add.reduce(effects, axis=0, out=values[0])
        like_features.into(values[1], row)
        like_question.into(values[2], self._question_standard.of(question_shape(text)))
        like_embedding.into(values[3], embedding)
        words, runs = unordered_buckets(text)
        values[4] = 0
        for buckets, table in ((words, self._words), (runs, self._runs)):
            if len(buckets):
                found = table.take(buckets, axis=0)
                rare = found[:, 0]
                length = math.sqrt(float(np.einsum("i,i->", rare, rare)))
                if length > 0:
                    values[4] += np.add.reduce(found[:, 1:], axis=0) / np.float32(length)
        values -= self._skill.view_means
        effects -= self._effect_means
        return values, effects

    def probabilities(self, view_values: Floats) -> list[float]:
        """P of each target from `explained`'s first array."""
        skill = self._skill
        values = (np.add.reduce(view_values, axis=0) + skill.offsets).tolist()
        return [
            float(np.interp(value, skill.knots[:, target], skill.p_at_knots[:, target]))
            for target, value in enumerate(values)
        ]


class _Weighed:
    """A likeness times weights: Σ exp(−‖x − z‖² / (2 width²)) · w, with what does not depend on x taken out."""

    def __init__(self, likeness: Likeness, weights: Floats) -> None:
        scale = 1 / likeness.width**2
        landmarks = likeness.landmarks.astype(np.float64)
        self._scaled: NDArray[np.float32] = (landmarks * scale).astype(np.float32)
        self._bias = (np.einsum("ij,ij->i", landmarks, landmarks) * (-scale / 2)).astype(np.float32)
        self._weights = np.ascontiguousarray(weights)
        self._half_scale = scale / 2

    def into(self, out: Floats, row: Floats) -> None:
        """Writes the sum for one row, shape (dim,), into `out`, shape (targets,).

        Standardised rows and unit vectors are short enough that no exponential overflows.
        """
        # Not BLAS: for a product of this size it wakes its threads, which takes longer than the product.
        likeness = np.einsum("ij,j->i", self._scaled, row)
        likeness += self._bias
        np.exp(likeness, out=likeness)
        np.einsum("i,ij->j", likeness, self._weights, out=out)
        out *= math.exp(-self._half_scale * float(np.einsum("i,i->", row, row)))
