"""The views, chosen from training prompts alone: landmarks, rarity of n-grams, and their main directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve_triangular
from scipy.sparse import csr_matrix

from pointsman.learned import N_BUCKETS, QUESTION_SHARES, Likeness, Rarity, Standard, Views, ngram_buckets

Floats = NDArray[np.float32]
Sparse = Any
"""scipy.sparse.csr_matrix; scipy has no types."""

N_EMBEDDING_LANDMARKS: Final = 384
N_FEATURE_LANDMARKS: Final = 256
N_QUESTION_LANDMARKS: Final = 300
N_DIRECTIONS: Final = 300
N_DIRECTION_PROMPTS: Final = 1_200
"""Prompts that the n-grams' directions are found from: more cost time and change little."""
EMBEDDING_WIDTH: Final = 0.5
FEATURE_WIDTH: Final = 1.0
QUESTION_WIDTH: Final = 1.0
VIEW_SHARES: Final = (0.1, 0.1, 0.4, 0.15, 0.25)
"""What each view counts where all are learned from together: its share of the columns' mean square about their mean."""
_JITTER: Final = 1e-3
_NO_DIRECTION: Final = 1e-6
"""Share of the largest squared length below which a direction is rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Views, and the maps between their columns and those that are regressed on (whitened, so that ridge is fair)."""

    views: Views
    feature_gain: np.float32
    """Times the standardised features."""
    feature_map: Floats
    """Shape (feature landmarks, same): whitens the likeness of features."""
    question_map: Floats
    embedding_map: Floats
    directions_words: Floats
    """Shape (buckets, directions), rarity included."""
    directions_runs: Floats

    @property
    def of_view(self) -> tuple[slice, ...]:
        """Which regressed columns belong to each view, in the order of `VIEW_NAMES`."""
        maps = (self.feature_map, self.question_map, self.embedding_map)
        widths = (len(self.views.standard.mean), *(len(each) for each in maps), self.directions_words.shape[1])
        ends = np.cumsum((0, *widths)).tolist()
        return tuple(slice(start, end) for start, end in pairwise(ends))

    @property
    def slices(self) -> tuple[slice, ...]:
        """Columns that are regressed on together: features and their likeness, question, embedding, n-grams."""
        features, likeness, *others = self.of_view
        return slice(features.start, likeness.stop), *others

    def columns(self, features: Floats, questions: Floats, embeddings: Floats, grams: Grams) -> Floats:
        """Regressed columns of n prompts, shape (n, columns), float32."""
        rows = self.views.standard.of(features)
        text = grams.words @ self.directions_words + grams.runs @ self.directions_runs
        return np.concatenate(
            (
                rows * self.feature_gain,
                self.views.features.of(rows) @ self.feature_map,
                self.views.question.of(self.views.question_standard.of(questions)) @ self.question_map,
                self.views.embedding.of(embeddings) @ self.embedding_map,
                text,
            ),
            axis=1,
            dtype=np.float32,
        )

    def weighed(self, gains: Sequence[np.float32]) -> Basis:
        """The same with each view's columns multiplied by its gain, in the order of `VIEW_NAMES`."""
        return Basis(
            self.views,
            self.feature_gain * gains[0],
            self.feature_map * gains[1],
            self.question_map * gains[2],
            self.embedding_map * gains[3],
            self.directions_words * gains[4],
            self.directions_runs * gains[4],
        )

    def unfold(self, beta: NDArray[np.float64]) -> tuple[Floats, Floats, Floats]:
        """Weights on `Views.dense`, on word buckets and on run buckets, from weights (columns, targets)."""
        features, likeness, question, embedding = (beta[part] for part in self.of_view[:-1])
        text = beta[self.of_view[-1]].astype(np.float32)
        dense = (
            features * self.feature_gain,
            self.feature_map @ likeness,
            self.question_map @ question,
            self.embedding_map @ embedding,
        )
        return np.concatenate(dense).astype(np.float32), self.directions_words @ text, self.directions_runs @ text


@dataclass(frozen=True, slots=True, eq=False)
class Grams:
    """Texts as sparse rows: one over the length of the text's rarities where an n-gram occurs, for each kind."""

    words: Sparse
    runs: Sparse

    def __getitem__(self, rows: NDArray[Any]) -> Grams:
        return Grams(self.words[rows], self.runs[rows])


@dataclass(frozen=True, slots=True, eq=False)
class FoundGrams:
    """The n-grams of texts, found once and weighed later."""

    words: Sparse
    runs: Sparse

    @classmethod
    def of(cls, texts: Sequence[str]) -> FoundGrams:
        """The n-grams of n texts."""
        found = [ngram_buckets(text) for text in texts]
        return cls(_found([words for words, _ in found]), _found([runs for _, runs in found]))

    @classmethod
    def joined(cls, parts: Sequence[FoundGrams]) -> FoundGrams:
        """The n-grams of the first part's texts, then of the next one's; at least one part."""
        from scipy.sparse import vstack

        return cls(
            vstack([part.words for part in parts], format="csr"), vstack([part.runs for part in parts], format="csr")
        )

    def __getitem__(self, rows: NDArray[Any]) -> FoundGrams:
        return FoundGrams(self.words[rows], self.runs[rows])

    def rarity(self) -> Rarity:
        """Smoothed inverse document frequency; an n-gram that was never met is the rarest."""
        return Rarity(_rarity(self.words), _rarity(self.runs))

    def weighed(self, rarity: Rarity) -> Grams:
        """Each row divided as in serving (`pointsman.learned.views.gathered`), without the rarity itself."""
        return Grams(_divided(self.words, rarity.words), _divided(self.runs, rarity.runs))


def _found(buckets: Sequence[NDArray[np.intp]]) -> Sparse:
    lengths = np.fromiter((len(row) for row in buckets), dtype=np.int64, count=len(buckets))
    indices = np.concatenate(buckets) if len(buckets) else np.empty(0, dtype=np.intp)
    return csr_matrix(
        (np.ones(len(indices), dtype=np.float32), indices, np.concatenate(([0], np.cumsum(lengths)))),
        shape=(len(buckets), N_BUCKETS),
    )


def _rarity(found: Sparse) -> Floats:
    return np.asarray(np.log((1 + found.shape[0]) / (1 + _documents(found))) + 1, dtype=np.float32)


def _documents(found: Sparse) -> NDArray[np.int64]:
    """How many prompts have each bucket."""
    return np.bincount(found.indices, minlength=N_BUCKETS).astype(np.int64)


def _divided(found: Sparse, rarity: Floats) -> Sparse:
    squares = found @ (rarity.astype(np.float32) ** 2)
    lengths = np.sqrt(squares)
    divisor = np.where(lengths > 0, lengths, 1).astype(np.float32)
    out = found.copy()
    out.data /= np.repeat(divisor, np.diff(found.indptr))
    return out


def build_basis(
    features: Floats,
    questions: Floats,
    embeddings: Floats,
    grams_found: FoundGrams,
    *,
    generator: np.random.Generator,
    n_direction_prompts: int = N_DIRECTION_PROMPTS,
    shares: Sequence[float] = VIEW_SHARES,
) -> tuple[Basis, Floats]:
    """The basis of n training prompts, and their regressed columns. Uses no outcome.

    Args:
        features: shape (n, f).
        questions: shape (n, `QUESTION_NAMES`).
        embeddings: shape (n, dim); dim may be 0.
        grams_found: their n-grams.
        generator: draws landmarks.
        n_direction_prompts: texts that the n-grams' directions are found from.
        shares: what each view counts where all are learned from together, in the order of `VIEW_NAMES`.
    """
    standard = Standard(_mean(features), _scale(features))
    of_questions = Standard(_mean(questions), _scale(questions), QUESTION_SHARES)
    like_features = Likeness(_drawn(standard.of(features), N_FEATURE_LANDMARKS, generator), FEATURE_WIDTH)
    like_question = Likeness(_drawn(of_questions.of(questions), N_QUESTION_LANDMARKS, generator), QUESTION_WIDTH)
    like_embedding = Likeness(_drawn(embeddings, N_EMBEDDING_LANDMARKS, generator), EMBEDDING_WIDTH)
    rarity = grams_found.rarity()
    grams = grams_found.weighed(rarity)
    words, runs = _directions(grams, rarity, n_direction_prompts, generator)
    plain = Basis(
        views=Views(standard, like_features, of_questions, like_question, like_embedding, rarity),
        feature_gain=np.float32(1),
        feature_map=_whitening(like_features),
        question_map=_whitening(like_question),
        embedding_map=_whitening(like_embedding),
        directions_words=words,
        directions_runs=runs,
    )
    columns = plain.columns(features, questions, embeddings, grams)
    gains = []
    for part, share in zip(plain.of_view, shares, strict=True):
        spread = float(columns[:, part].var(axis=0).sum())
        gains.append(np.float32(np.sqrt(share / spread) if spread > _NO_DIRECTION else 1))
        columns[:, part] *= gains[-1]
    return plain.weighed(gains), columns


def _mean(rows: Floats) -> Floats:
    return np.asarray(rows.mean(axis=0, dtype=np.float64), dtype=np.float32)


def _scale(features: Floats) -> Floats:
    scale = features.std(axis=0, dtype=np.float64)
    return np.where(scale > 1e-6, scale, 0).astype(np.float32)


def _drawn(rows: Floats, n: int, generator: np.random.Generator) -> Floats:
    if rows.shape[1] == 0:
        return np.zeros((0, 0), dtype=np.float32)
    distinct = np.unique(rows, axis=0)
    chosen = generator.choice(len(distinct), size=min(n, len(distinct)), replace=False)
    return np.ascontiguousarray(distinct[np.sort(chosen)])


def _whitening(likeness: Likeness) -> Floats:
    if len(likeness.landmarks) == 0:
        return np.zeros((0, 0), dtype=np.float32)
    gram = likeness.of(likeness.landmarks).astype(np.float64)
    gram[np.diag_indices_from(gram)] += _JITTER
    lower = np.linalg.cholesky(gram)
    return np.asarray(solve_triangular(lower, np.eye(len(gram)), lower=True).T, dtype=np.float32)


def _directions(grams: Grams, rarity: Rarity, n_prompts: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Main directions of words and byte runs together, rarity folded in: shapes (buckets, directions)."""
    from scipy.sparse import hstack

    n = grams.words.shape[0]
    chosen = np.sort(generator.choice(n, size=min(n, n_prompts), replace=False))
    # What only one prompt has ties it to no other: most buckets, and left out.
    met = np.concatenate([_documents(kind) > 1 for kind in (grams.words, grams.runs)])
    weight = np.concatenate((rarity.words, rarity.runs)) * met
    joined = hstack((grams.words[chosen], grams.runs[chosen]), format="csr").astype(np.float32)
    joined.data *= weight.take(joined.indices)
    joined.eliminate_zeros()
    if joined.nnz == 0:
        return np.zeros((N_BUCKETS, 0), dtype=np.float32), np.zeros((N_BUCKETS, 0), dtype=np.float32)
    # Prompts are far fewer than buckets, so the directions come from the prompts' products with each other.
    products = (joined @ joined.T).toarray().astype(np.float64)
    first = max(len(products) - N_DIRECTIONS, 0)
    squares, mixes = eigh(products, subset_by_index=(first, len(products) - 1), overwrite_a=True)
    kept = squares > _NO_DIRECTION * squares[-1]
    mixes = mixes[:, kept] / np.sqrt(squares[kept])
    scaled = np.asarray(joined.T @ mixes.astype(np.float32))
    weights = weight[:, None] * scaled
    return np.ascontiguousarray(weights[:N_BUCKETS]), np.ascontiguousarray(weights[N_BUCKETS:])
