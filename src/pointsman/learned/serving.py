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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.word_hashes import PlainText

from .ngrams import N_BUCKETS, joined_buckets
from .question import question_shape
from .skill import Skill
from .views import Floats, Likeness, Standard

ALONE: Final = 9_000
"""A matrix of so many numbers OpenBLAS multiplies by a vector on the thread that asks (its `interface/gemv.c` wants
9,216 before it takes others)."""
MAX_BLOCKS: Final = 4
"""A matrix that would need more of them is multiplied row by row, as scalar products."""


class Serving:
    """What a few pairs need in a gateway. Immutable; safe to use from several threads."""

    def __init__(self, skill: Skill) -> None:
        """Takes a skill cut down to what is served (`Skill.for_pairs`); its tables are laid out anew."""
        views = skill.views
        self.view_names = skill.view_names
        self._standard = _Standards((views.standard, views.question_standard))
        self._n_features = len(views.standard.mean)
        self._feature_weights, *rest = (skill.dense_weights[part] for part in views.slices)
        self._view_means = skill.view_means
        self._effect_means = skill.view_means[0] / np.float32(max(self._n_features, 1))
        self._likenesses = _Likenesses((views.features, views.question, views.embedding), rest)
        self._ngrams = _ngram_table(skill)
        self._n_targets = skill.n_targets
        self._offsets = skill.offsets
        self._calibrations = [
            (skill.knots[:, target].tolist(), skill.p_at_knots[:, target].tolist()) for target in range(skill.n_targets)
        ]

    def explained(
        self, features: Floats, embedding: Floats, text: str, plain: PlainText | None = None
    ) -> tuple[Floats, Floats]:
        """What each view adds over the average training prompt, and each hand-crafted feature by itself.

        Shapes (views, targets), the views by `view_names`, as `Skill.view_values`; and (features, targets), which sum
        to the first view.

        Args:
            features: shape (f,), float32.
            embedding: shape (dim,), float32.
            text: the prompt.
            plain: its `plain_text`, where that is known.
        """
        both = self._standard.of(np.concatenate((features, question_shape(text, plain))))
        row, question = both[: self._n_features], both[self._n_features :]
        effects = row[:, None] * self._feature_weights
        values = np.empty(self._view_means.shape, dtype=np.float32)
        np.add.reduce(effects, axis=0, out=values[0])
        self._likenesses.into(values[1:4], (row, question, embedding))
        values[4] = self._of_ngrams(text, plain)
        values -= self._view_means
        effects -= self._effect_means
        return values, effects

    def probabilities(self, view_values: Floats) -> list[float]:
        """P of each target from `explained`'s first array."""
        values = np.add.reduce(view_values, axis=0)
        values += self._offsets
        return [_on_line(value, *line) for value, line in zip(values.tolist(), self._calibrations, strict=True)]

    def _of_ngrams(self, text: str, plain: PlainText | None) -> Floats | float:
        """What the n-grams add, shape (targets,)."""
        buckets, n_runs = joined_buckets(text, plain)
        found = self._ngrams.take(buckets, axis=0)
        out: Floats | float = 0.0
        for part in (found[n_runs:], found[:n_runs]):
            sums = np.einsum("ij->j", part).view(np.float32)
            length = math.sqrt(sums[0])
            if length > 0:
                out = out + sums[1 : self._n_targets + 1] / np.float32(length)
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
        self._parts = [slice(start, end) for start, end in pairwise(ends)]
        self._n_landmarks = ends[-1]
        scales = [1 / each.width**2 for each in likenesses]
        self._half_scales = [scale / 2 for scale in scales]
        landmarks = [each.landmarks.astype(np.float64) for each in likenesses]
        self._products = [
            product
            for i, (each, scale) in enumerate(zip(landmarks, scales, strict=True))
            for product in _products((each * scale).astype(np.float32), of=i, start=ends[i])
        ]
        self._bias = np.concatenate(
            [np.einsum("ij,ij->i", each, each) * (-scale / 2) for each, scale in zip(landmarks, scales, strict=True)]
        ).astype(np.float32)
        self._weights = [np.ascontiguousarray(each.T) for each in weights]
        """Shapes (targets, landmarks)."""

    def into(self, out: Floats, rows: tuple[Floats, ...]) -> None:
        """Writes the sums for one row of each, shapes (dim,), into `out`, shape (likenesses, targets).

        Standardised rows and unit vectors are short enough that no exponential overflows.
        """
        likeness = np.empty(self._n_landmarks, dtype=np.float32)
        for product, block, of, part in self._products:
            product(block, rows[of], out=likeness[part])
        likeness += self._bias
        np.exp(likeness, out=likeness)
        factors = [
            math.exp(-half_scale * float(row.dot(row))) for half_scale, row in zip(self._half_scales, rows, strict=True)
        ]
        for sums, part, weights in zip(out, self._parts, self._weights, strict=True):
            np.vecdot(weights, likeness[part], out=sums)
        out *= np.array(factors, dtype=np.float32)[:, None]


_Product = tuple[Callable[..., object], Floats, int, slice]
"""What multiplies, the scaled landmarks, which row by, and which part of the result it is."""


def _products(scaled: Floats, *, of: int, start: int) -> list[_Product]:
    """How the product of landmarks, shape (landmarks, dim), with a row is made without waking a thread."""
    n, dim = scaled.shape
    n_rows = max(ALONE // max(dim, 1), 1)
    if n > MAX_BLOCKS * n_rows:
        return [(np.vecdot, scaled, of, slice(start, start + n))]
    return [
        (np.dot, np.ascontiguousarray(scaled[at : at + n_rows]), of, slice(start + at, start + min(at + n_rows, n)))
        for at in range(0, n, n_rows)
    ]


def _ngram_table(skill: Skill) -> NDArray[np.complex64]:
    """By the buckets of `joined_buckets`: the square of an n-gram's rarity, then its weights.

    So one look into memory gives both. Two numbers stand as one complex number, of which only sums are taken: numpy
    adds up a column of those several times as fast as two columns.
    """
    rarity, n_columns = skill.views.rarity, 1 + skill.n_targets
    table = np.zeros((2 * N_BUCKETS, n_columns + n_columns % 2), dtype=np.float32)
    for part, rare, weights in (
        (table[:N_BUCKETS], rarity.runs, skill.run_weights),
        (table[N_BUCKETS:], rarity.words, skill.word_weights),
    ):
        np.square(rare, out=part[:, 0])
        part[:, 1:n_columns] = weights
    return table.view(np.complex64)


def _on_line(value: float, knots: list[float], heights: list[float]) -> float:
    """The height at a value: straight between the knots, level beyond them."""
    place = bisect_right(knots, value)
    if place == 0:
        return heights[0]
    if place == len(knots):
        return heights[-1]
    left, right = knots[place - 1], knots[place]
    return heights[place - 1] + (value - left) * (heights[place] - heights[place - 1]) / (right - left)
