"""What was learned: from a prompt's features, vector and text to P(each model's answer is good) and what pairs gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from .ngrams import N_BUCKETS, NGRAM_VERSION
from .question import QUESTION_NAMES, QUESTION_SHARES, QUESTION_VERSION, question_shapes
from .views import VIEW_NAMES, Floats, Likeness, Rarity, Standard, Views, gathered

Pair = tuple[str, str]
"""(cheap model, strong model)"""


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What is expected of n prompts."""

    p_good: Floats
    """P(the answer is good), shape (n, models)."""
    gain: Floats
    """Expected score of the strong model minus that of the cheap one, shape (n, pairs); what to rank prompts by."""
    p_cheap: Floats
    """P(the cheap model scores at least as high as the strong one), shape (n, pairs); falls as the gain rises."""


@dataclass(frozen=True, slots=True, eq=False)
class Skill:
    """Weights per target over all views. Targets are the models, then the pairs. Immutable; needs numpy only.

    A target's value is offset + what each view adds: the expected score of a model, the expected gain of a pair. A
    probability is read off a calibration line at the value.
    """

    view_names: ClassVar[tuple[str, ...]] = VIEW_NAMES

    models: tuple[str, ...]
    pairs: tuple[Pair, ...]
    views: Views
    dense_weights: Floats
    """Shape (dense columns, targets)."""
    word_weights: Floats
    """Shape (buckets, targets), rarity included."""
    run_weights: Floats
    offsets: Floats
    """The average training prompt's values, shape (targets,)."""
    view_means: Floats
    """What each view gives the average training prompt, taken off what it adds: shape (views, targets)."""
    knots: Floats
    """Values at which the probability is known, rising, shape (knots, targets)."""
    p_at_knots: Floats
    """Rising for models, falling for pairs; straight lines between, level beyond."""
    _base: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Folds what does not depend on a prompt into one row."""
        object.__setattr__(self, "_base", (self.offsets - self.view_means.sum(axis=0)).astype(np.float32))

    @property
    def n_targets(self) -> int:
        """Models and pairs."""
        return len(self.models) + len(self.pairs)

    def values(self, features: Floats, embeddings: Floats, texts: Sequence[str]) -> Floats:
        """Raw values, shape (n, targets). Features (n, f), embeddings (n, dim), n texts."""
        dense = self._dense(features, embeddings, texts)
        out = dense @ self.dense_weights
        out += gathered(texts, self.views.rarity, self.word_weights, self.run_weights)
        out += self._base
        return np.asarray(out, dtype=np.float32)

    def view_values(self, features: Floats, embeddings: Floats, texts: Sequence[str]) -> Floats:
        """What each view adds to a prompt's value over the average training prompt, shape (n, views, targets).

        Over `view_names` they sum to `values` − `offsets`. Arguments as in `values`.
        """
        dense = self._dense(features, embeddings, texts)
        parts = [dense[:, part] @ self.dense_weights[part] for part in self.views.slices]
        parts.append(gathered(texts, self.views.rarity, self.word_weights, self.run_weights))
        return np.asarray(np.stack(parts, axis=1) - self.view_means, dtype=np.float32)

    def _dense(self, features: Floats, embeddings: Floats, texts: Sequence[str]) -> Floats:
        return self.views.dense(
            np.asarray(features, np.float32), question_shapes(texts), np.asarray(embeddings, np.float32)
        )

    def predict(self, features: Floats, embeddings: Floats, texts: Sequence[str]) -> Predicted:
        """P(good) per model, gain and P(cheap does as well) per pair; arguments as in `values`."""
        values = self.values(features, embeddings, texts)
        p, n_models = self.probabilities(values), len(self.models)
        return Predicted(p[:, :n_models], values[:, n_models:], p[:, n_models:])

    def probabilities(self, values: Floats) -> Floats:
        """Read off the calibration lines at values of shape (n, targets): the same shape, from 0 to 1."""
        p = np.empty_like(values)
        for target in range(values.shape[1]):
            p[:, target] = np.interp(values[:, target], self.knots[:, target], self.p_at_knots[:, target])
        return p

    def for_pair(self, pair: Pair) -> Self:
        """The same with one pair alone; raises as `for_pairs`."""
        return self.for_pairs((pair,))

    def for_pairs(self, pairs: Sequence[Pair]) -> Self:
        """The same with these pairs alone, in this order: what serving tiers needs, at a part of the memory.

        Raises:
            KeyError: it was not trained for one of them.
        """
        for pair in pairs:
            if pair not in self.pairs:
                raise KeyError(pair)
        return self._cut([len(self.models) + self.pairs.index(pair) for pair in pairs], (), tuple(pairs))

    def for_model(self, model: str) -> Self:
        """The same with one model alone and no pairs; raises as `for_models`."""
        return self.for_models((model,))

    def for_models(self, models: Sequence[str]) -> Self:
        """The same with these models alone, in this order, and no pairs.

        Raises:
            KeyError: it was not trained for one of them.
        """
        for model in models:
            if model not in self.models:
                raise KeyError(model)
        return self._cut([self.models.index(model) for model in models], tuple(models), ())

    def _cut(self, columns: list[int], models: tuple[str, ...], pairs: tuple[Pair, ...]) -> Self:
        return type(self)(
            models=models,
            pairs=pairs,
            views=self.views,
            dense_weights=np.ascontiguousarray(self.dense_weights[:, columns]),
            word_weights=np.ascontiguousarray(self.word_weights[:, columns]),
            run_weights=np.ascontiguousarray(self.run_weights[:, columns]),
            offsets=self.offsets[columns],
            view_means=np.ascontiguousarray(self.view_means[:, columns]),
            knots=np.ascontiguousarray(self.knots[:, columns]),
            p_at_knots=np.ascontiguousarray(self.p_at_knots[:, columns]),
        )

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Everything but the names, for a file; `from_arrays` reads it back."""
        views = self.views
        return {
            "feature_mean": views.standard.mean,
            "feature_scale": views.standard.scale,
            "feature_landmarks": views.features.landmarks,
            "question_mean": views.question_standard.mean,
            "question_scale": views.question_standard.scale,
            "question_landmarks": views.question.landmarks,
            "embedding_landmarks": views.embedding.landmarks,
            "widths": np.array([views.features.width, views.question.width, views.embedding.width], dtype=np.float32),
            "word_rarity": views.rarity.words,
            "run_rarity": views.rarity.runs,
            "dense_weights": self.dense_weights,
            "word_weights": self.word_weights,
            "run_weights": self.run_weights,
            "offsets": self.offsets,
            "view_means": self.view_means,
            "knots": self.knots,
            "p_at_knots": self.p_at_knots,
            "text_versions": np.array([NGRAM_VERSION, QUESTION_VERSION], dtype=np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, models: Sequence[str], pairs: Sequence[Pair]) -> Skill:
        """The skill that `arrays` gave.

        Raises:
            ValueError: an array is missing or unknown, not float32, not finite or of a shape that does not fit, or the
                n-grams are of another version.
        """
        _check_names_and_numbers(arrays)
        versions = [NGRAM_VERSION, QUESTION_VERSION]
        if arrays["text_versions"].tolist() != versions:
            found = arrays["text_versions"].tolist()
            raise ValueError(f"n-grams and questions of versions {found}, expected {versions}")
        n_targets = len(models) + len(pairs)
        n_features, dim = arrays["feature_mean"].shape[0], arrays["embedding_landmarks"].shape[-1]
        n_feature_landmarks = arrays["feature_landmarks"].shape[0]
        n_question_landmarks = arrays["question_landmarks"].shape[0]
        n_dense = n_features + n_feature_landmarks + n_question_landmarks + arrays["embedding_landmarks"].shape[0]
        expected: dict[str, tuple[int, ...]] = {
            "feature_scale": (n_features,),
            "feature_landmarks": (n_feature_landmarks, n_features),
            "question_mean": (len(QUESTION_NAMES),),
            "question_scale": (len(QUESTION_NAMES),),
            "question_landmarks": (n_question_landmarks, len(QUESTION_NAMES)),
            "embedding_landmarks": (arrays["embedding_landmarks"].shape[0], dim),
            "widths": (3,),
            "word_rarity": (N_BUCKETS,),
            "run_rarity": (N_BUCKETS,),
            "dense_weights": (n_dense, n_targets),
            "word_weights": (N_BUCKETS, n_targets),
            "run_weights": (N_BUCKETS, n_targets),
            "offsets": (n_targets,),
            "view_means": (len(VIEW_NAMES), n_targets),
            "knots": (arrays["knots"].shape[0], n_targets),
            "p_at_knots": (arrays["knots"].shape[0], n_targets),
        }
        for name, shape in expected.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
        if not ((np.diff(arrays["knots"], axis=0) > 0).all() and len(arrays["knots"])):
            raise ValueError("the knots of a calibration must rise")
        if not ((arrays["p_at_knots"] >= 0) & (arrays["p_at_knots"] <= 1)).all():
            raise ValueError("a calibrated probability is not from 0 to 1")
        widths = arrays["widths"].tolist()
        if min(widths) <= 0:
            raise ValueError("a kernel's width must be above 0")
        return cls(
            models=tuple(models),
            pairs=tuple(pairs),
            views=Views(
                Standard(arrays["feature_mean"], arrays["feature_scale"]),
                Likeness(arrays["feature_landmarks"], widths[0]),
                Standard(arrays["question_mean"], arrays["question_scale"], QUESTION_SHARES),
                Likeness(arrays["question_landmarks"], widths[1]),
                Likeness(arrays["embedding_landmarks"], widths[2]),
                Rarity(arrays["word_rarity"], arrays["run_rarity"]),
            ),
            **{
                name: arrays[name]
                for name in (
                    "dense_weights",
                    "word_weights",
                    "run_weights",
                    "offsets",
                    "view_means",
                    "knots",
                    "p_at_knots",
                )
            },
        )


_DIMENSIONS: Final[Mapping[str, int]] = {
    "feature_mean": 1,
    "feature_scale": 1,
    "feature_landmarks": 2,
    "question_mean": 1,
    "question_scale": 1,
    "question_landmarks": 2,
    "embedding_landmarks": 2,
    "widths": 1,
    "word_rarity": 1,
    "run_rarity": 1,
    "dense_weights": 2,
    "word_weights": 2,
    "run_weights": 2,
    "offsets": 1,
    "view_means": 2,
    "knots": 2,
    "p_at_knots": 2,
    "text_versions": 1,
}


def _check_names_and_numbers(arrays: Mapping[str, NDArray[Any]]) -> None:
    if arrays.keys() != _DIMENSIONS.keys():
        raise ValueError(f"arrays lacking or unknown: {', '.join(sorted(arrays.keys() ^ _DIMENSIONS.keys()))}")
    for name, n_dimensions in _DIMENSIONS.items():
        array = arrays[name]
        if array.dtype != np.float32 or array.ndim != n_dimensions:
            raise ValueError(f"{name} is {array.dtype} with {array.ndim} dimensions, expected float32, {n_dimensions}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds a number that is not finite")
