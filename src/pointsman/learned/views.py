"""What a router reads of prompts, in several views, as dense columns that are linear in what it learns.

- *features*: the hand-crafted features, standardised, and how alike they are to those of chosen training prompts.
- *question*: how alike it is built (`question_shape`) to chosen training prompts.
- *embedding*: how alike its vector is to those of chosen training prompts: soft nearest neighbours.
- *n-grams*: hashed words and byte runs, weighted by rarity, along the main directions of the training prompts.

Likeness is a Gaussian kernel at landmarks, which with ridge regression on it is the Nyström form of kernel regression
(Williams and Seeger 2001, "Using the Nyström Method to Speed Up Kernel Machines").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .ngrams import N_BUCKETS, ngram_buckets

Floats = NDArray[np.float32]

VIEW_NAMES: Final = ("features", "likeness of features", "question", "embedding", "n-grams")
MAX_DEVIATION: Final = 4.0
"""A feature further from its mean than this many standard deviations counts as this many."""


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A Gaussian kernel at landmarks: exp(−‖x − z‖² / (2 width²))."""

    landmarks: Floats
    """Shape (landmarks, dim); none are allowed."""
    width: float
    _half_squares: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Takes what does not depend on a prompt out of its way."""
        object.__setattr__(self, "_half_squares", np.einsum("ij,ij->i", self.landmarks, self.landmarks) / 2)

    def of(self, rows: Floats) -> Floats:
        """Shape (n, landmarks), from 0 to 1."""
        out = rows @ self.landmarks.T
        out -= self._half_squares
        out -= np.einsum("ij,ij->i", rows, rows)[:, None] / 2
        out *= np.float32(1 / self.width**2)
        np.minimum(out, 0, out=out)
        return np.asarray(np.exp(out, out=out), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Features in standard deviations from their mean in training, times the root of the share that each counts."""

    mean: Floats
    scale: Floats
    """Standard deviations; 0 for a feature that was constant, which then counts nothing."""
    shares: Floats | None = None
    """What each feature counts in a distance, summing to 1; all alike when None."""
    factor: Floats = field(init=False, repr=False)
    bound: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Folds scale and share into one factor."""
        n = max(len(self.mean), 1)
        roots = np.sqrt(np.full(len(self.mean), 1 / n) if self.shares is None else self.shares)
        constant = self.scale <= 0
        factor = np.where(constant, 0, roots / np.where(constant, 1, self.scale))
        object.__setattr__(self, "factor", factor.astype(np.float32))
        object.__setattr__(self, "bound", (MAX_DEVIATION * roots).astype(np.float32))

    def of(self, features: Floats) -> Floats:
        """Shape (n, features)."""
        rows = features - self.mean
        rows *= self.factor
        np.minimum(rows, self.bound, out=rows)
        np.maximum(rows, -self.bound, out=rows)
        return np.asarray(rows, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Rarity:
    """How much an n-gram of each bucket weighs: shape (buckets,) for words and for byte runs."""

    words: Floats
    runs: Floats


def gathered(texts: Sequence[str], rarity: Rarity, words: Floats, runs: Floats) -> Floats:
    """Σ weight over each text's n-grams, shape (n, k): each kind divided by the length of its rarity vector.

    Args:
        texts: n texts.
        rarity: divides; an n-gram counts once, however often it occurs.
        words: weights of word buckets, rarity included, shape (buckets, k).
        runs: the same for byte runs.
    """
    out = np.zeros((len(texts), words.shape[1]), dtype=np.float32)
    for row, text in zip(out, texts, strict=True):
        found = ngram_buckets(text)
        for buckets, rare, weights in zip(found, (rarity.words, rarity.runs), (words, runs), strict=True):
            if len(buckets):
                weighed = rare.take(buckets)
                length = math.sqrt(weighed @ weighed)
                if length > 0:
                    row += np.add.reduce(weights.take(buckets, axis=0), axis=0) / np.float32(length)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """The columns before learning."""

    standard: Standard
    features: Likeness
    question_standard: Standard
    question: Likeness
    embedding: Likeness
    rarity: Rarity

    @property
    def slices(self) -> tuple[slice, ...]:
        """Which dense columns belong to each view but the last, in the order of `VIEW_NAMES`."""
        likenesses = (self.features, self.question, self.embedding)
        ends = np.cumsum((0, len(self.standard.mean), *(len(each.landmarks) for each in likenesses))).tolist()
        return tuple(slice(start, end) for start, end in pairwise(ends))

    def dense(self, features: Floats, questions: Floats, embeddings: Floats) -> Floats:
        """Standardised features, then likeness of features, question and embedding: shape (n, dense columns)."""
        rows = self.standard.of(features)
        question = self.question.of(self.question_standard.of(questions))
        return np.concatenate((rows, self.features.of(rows), question, self.embedding.of(embeddings)), axis=1)


EMPTY_RARITY: Final = Rarity(np.zeros(N_BUCKETS, dtype=np.float32), np.zeros(N_BUCKETS, dtype=np.float32))
"""No n-gram weighs anything."""
