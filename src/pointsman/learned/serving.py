"""The arithmetic of a skill arranged for one prompt at a time: the same numbers but for rounding, in fewer steps.

A prompt is so little work that the number of steps counts, not what is in them: what the views have in common is done
for all of them at once, in one array. No product here is large enough for BLAS to wake its threads, which takes longer
than the product.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointsman.word_hashes import PlainText

from .ngrams import N_BUCKETS, padded_buckets
from .question import question_shape
from .skill import Skill
from .views import Floats, Likeness, Standard

ALONE: Final = 9_000
"""A matrix of so many numbers OpenBLAS multiplies by a vector on the thread that asks (its `interface/gemv.c` wants
9,216 before it takes others)."""
LEAST_ROWS: Final = 16
"""A matrix that would have to be cut into blocks of fewer rows is multiplied row by row, as scalar products."""


class Added(NamedTuple):
    """What was read off one prompt."""

    views: list[list[float]]
    """Of each target, what each view adds over the average training prompt: by `view_names`, as `Skill.view_values`."""
    features: Floats
    """The hand-crafted features as `Standard.of`, for `Serving.effects`."""


class Serving:
    """What a few pairs need in a gateway. Immutable; safe to use from several threads."""

    def __init__(self, skill: Skill) -> None:
        """Takes a skill cut down to what is served (`Skill.for_pairs`); its tables are laid out anew."""
        views = skill.views
        self.view_names = skill.view_names
        self._standard = _Standards((views.standard, views.question_standard))
        self._n_features = len(views.standard.mean)
        feature_weights, *rest = (skill.dense_weights[part] for part in views.slices)
        self._feature_weights = np.ascontiguousarray(feature_weights.T)
        """Shape (targets, features)."""
        self._view_means: list[list[float]] = skill.view_means.T.tolist()
        self._effect_means = [np.float32(means[0] / max(self._n_features, 1)) for means in self._view_means]
        self._likenesses = _Likenesses((views.features, views.question, views.embedding), rest)
        self._n_targets = skill.n_targets
        self._ngrams = _ngram_table(skill)
        self._offsets: list[float] = skill.offsets.tolist()
        self._calibrations = [
            (skill.knots[:, target].tolist(), skill.p_at_knots[:, target].tolist()) for target in range(skill.n_targets)
        ]

    def added(self, features: Floats, embedding: Floats, text: str, plain: PlainText | None = None) -> Added:
        """What each view adds for each target.

        Args:
            features: shape (f,), float32.
            embedding: shape (dim,), float32.
            text: the prompt.
            plain: its `plain_text`, where that is known.
        """
        both = self._standard.of(np.concatenate((features, question_shape(text, plain))))
        row, question = both[: self._n_features], both[self._n_features :]
        views = [
            [
                linear - means[0],
                like_features - means[1],
                like_question - means[2],
                like_embedding - means[3],
                ngrams - means[4],
            ]
            for linear, (like_features, like_question, like_embedding), ngrams, means in zip(
                np.vecdot(self._feature_weights, row).tolist(),
                self._likenesses.of((row, question, embedding)),
                self._of_ngrams(text, plain),
                self._view_means,
                strict=True,
            )
        ]
        return Added(views, row)

    def effects(self, added: Added, target: int) -> Floats:
        """What each hand-crafted feature by itself adds for a target, shape (features,); they sum to the first view."""
        effects: Floats = added.features * self._feature_weights[target]
        effects -= self._effect_means[target]
        return effects

    def values(self, added: Added) -> list[float]:
        """The value of each target, as `Skill.values`."""
        return [offset + sum(views) for offset, views in zip(self._offsets, added.views, strict=True)]

    def probabilities(self, added: Added) -> list[float]:
        """P of each target."""
        return [_on_line(value, *line) for value, line in zip(self.values(added), self._calibrations, strict=True)]

    def _of_ngrams(self, text: str, plain: PlainText | None) -> list[float]:
        """What the n-grams add, for each target."""
        buckets, n_runs = padded_buckets(text, plain)
        n = len(buckets)
        if self._ngrams.ndim == 1:
            found = self._ngrams.take(buckets)
            if 0 < n_runs < n:
                sums = np.add.reduceat(found, (0, n_runs)).tolist()
            else:
                sums = [complex(np.add.reduce(found))]
            return [sum([each.imag / math.sqrt(each.real) for each in sums if each.real > 0])]
        out = [0.0] * self._n_targets
        found = self._ngrams.take(buckets, axis=0)
        for part in (found[n_runs:], found[:n_runs]):
            square, *weights = np.einsum("ij->j", part).view(np.float32).tolist()
            if square > 0:
                length = math.sqrt(square)
                out = [before + weight / length for before, weight in zip(out, weights, strict=False)]
        return out


class _Standards:
    """Several standards for the columns of one row."""

    def __init__(self, standards: tuple[Standard, ...]) -> None:
        self._mean = np.concatenate([each.mean for each in standards])
        self._factor = np.concatenate([each.factor for each in standards])
        self._bound = np.concatenate([each.bound for each in standards])
        self._least = -self._bound

    def of(self, row: Floats) -> Floats:
        """The row, changed in place."""
        row -= self._mean
        row *= self._factor
        np.minimum(row, self._bound, out=row)
        np.maximum(row, self._least, out=row)
        return row


class _Likenesses:
    """Likenesses times weights: Σ exp(−‖x − z‖² / (2 width²)) · w of each, with what does not depend on x taken out."""

    def __init__(self, likenesses: tuple[Likeness, ...], weights: list[Floats]) -> None:
        ends = list(accumulate((len(each.landmarks) for each in likenesses), initial=0))
        self._n_landmarks = ends[-1]
        scales = [1 / each.width**2 for each in likenesses]
        self._half_scales = [scale / 2 for scale in scales]
        landmarks = [each.landmarks.astype(np.float64) for each in likenesses]
        self._products = [
            (*_product((each * scale).astype(np.float32)), of, slice(start, end))
            for of, (each, scale, (start, end)) in enumerate(zip(landmarks, scales, pairwise(ends), strict=True))
            if start < end
        ]
        self._bias = np.concatenate(
            [np.einsum("ij,ij->i", each, each) * (-scale / 2) for each, scale in zip(landmarks, scales, strict=True)]
        ).astype(np.float32)
        self._weights = np.ascontiguousarray(np.concatenate(weights).T)
        """Shape (targets, landmarks)."""
        self._starts = np.array([part.start for *_, part in self._products], dtype=np.intp)

    def of(self, rows: tuple[Floats, ...]) -> list[list[float]]:
        """The sums of each target for one row of each likeness, shapes (dim,).

        Standardised rows and unit vectors are short enough that no exponential overflows.
        """
        likeness = np.empty(self._n_landmarks, dtype=np.float32)
        for product, blocks, shape, of, part in self._products:
            product(blocks, rows[of], out=likeness[part].reshape(shape))
        likeness += self._bias
        np.exp(likeness, out=likeness)
        out = []
        for sums in np.add.reduceat(self._weights * likeness, self._starts, axis=1).tolist():
            of_target = [0.0] * len(rows)
            for (_, _, _, of, _), each in zip(self._products, sums, strict=True):
                row = rows[of]
                of_target[of] = each * math.exp(-self._half_scales[of] * float(row.dot(row)))
            out.append(of_target)
        return out


_Product = tuple[Callable[..., object], Floats, tuple[int, ...]]
"""What multiplies, the scaled landmarks, and the shape of what comes of it."""


def _product(scaled: Floats) -> _Product:
    """How the product of landmarks, shape (landmarks, dim), with a row is made without waking a thread."""
    n, dim = scaled.shape
    n_rows = next(rows for rows in range(min(n, max(ALONE // dim, 1)), 0, -1) if n % rows == 0)
    if n_rows < min(n, LEAST_ROWS):
        return np.vecdot, scaled, (n,)
    return np.matmul, np.ascontiguousarray(scaled.reshape(n // n_rows, n_rows, dim)), (n // n_rows, n_rows)


def _ngram_table(skill: Skill) -> NDArray[np.complex64]:
    """By the buckets of `padded_buckets`: the square of an n-gram's rarity, then its weights.

    So one look into memory gives both. Two numbers stand as one complex number, of which only sums are taken: numpy
    adds up a column of those several times as fast as two columns. Of one column there is one dimension.
    """
    rarity, n_columns = skill.views.rarity, 1 + skill.n_targets
    table = np.zeros((2 * N_BUCKETS + 1, n_columns + n_columns % 2), dtype=np.float32)
    for part, rare, weights in (
        (table[:N_BUCKETS], rarity.runs, skill.run_weights),
        (table[N_BUCKETS:-1], rarity.words, skill.word_weights),
    ):
        np.square(rare, out=part[:, 0])
        part[:, 1:n_columns] = weights
    out = table.view(np.complex64)
    return out[:, 0].copy() if out.shape[1] == 1 else out


def _on_line(value: float, knots: list[float], heights: list[float]) -> float:
    """The height at a value: straight between the knots, level beyond them."""
    place = bisect_right(knots, value)
    if place == 0:
        return heights[0]
    if place == len(knots):
        return heights[-1]
    left, right = knots[place - 1], knots[place]
    return heights[place - 1] + (value - left) * (heights[place] - heights[place - 1]) / (right - left)
