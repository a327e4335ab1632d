"""Which prompts to label first: uncertain ones that are unlike each other.

The method is BADGE (J. T. Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds", ICLR
2020, arXiv 1906.03671) for a logistic model: a prompt's gradient is its vector times p - y, whose length is at least
min(p, 1 - p) whatever its label; k-means++ seeding over these gradients prefers long ones (uncertain) that are far from
those chosen (diverse). Prompts that are labelled already, and certainty itself, count as chosen.
"""

from __future__ import annotations

import numpy as np

from pointsman.vocabulary import FloatArray, IntArray


def select_active(
    vectors: FloatArray, p_cheap: FloatArray, labelled: IntArray, n: int, rng: np.random.Generator
) -> IntArray:
    """Indices of at most n prompts to label, in the order chosen, none of them in `labelled`.

    Args:
        vectors: shape (n_prompts, dim), L2-normalised.
        p_cheap: shape (n_prompts,), P(the cheap model's answer is good enough) as far as it is known.
        labelled: indices of prompts that have labels.
        n: how many to choose.
        rng: draws them.
    """
    n_prompts = len(vectors)
    p = np.clip(np.asarray(p_cheap, dtype=np.float64), 0.0, 1.0)
    gradients = np.minimum(p, 1 - p)[:, None] * np.asarray(vectors, dtype=np.float64)
    open_ = np.ones(n_prompts, dtype=bool)
    open_[labelled] = False
    # The origin, where prompts of certain outcome lie, counts as chosen from the start.
    distance2 = np.einsum("ij,ij->i", gradients, gradients)
    for index in labelled:
        np.minimum(distance2, _distance2(gradients, int(index)), out=distance2)
    chosen: list[int] = []
    for _ in range(min(n, int(open_.sum()))):
        weights = np.where(open_, distance2, 0.0)
        total = float(weights.sum())
        if total > 0:
            index = int(rng.choice(n_prompts, p=weights / total))
        else:
            # What is left is certain, or the same as what was chosen: any will do.
            index = int(rng.choice(np.flatnonzero(open_)))
        np.minimum(distance2, _distance2(gradients, index), out=distance2)
        open_[index] = False
        chosen.append(index)
    return np.asarray(chosen, dtype=np.int64)


def select_random(n_prompts: int, labelled: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Indices of at most n prompts, drawn evenly from those not in `labelled`."""
    free = np.setdiff1d(np.arange(n_prompts, dtype=np.int64), labelled)
    return rng.permutation(free)[:n]


def knn_p_cheap(
    vectors: FloatArray,
    prior: FloatArray,
    labelled: IntArray,
    good: FloatArray,
    *,
    k: int = 10,
    prior_weight: float = 5.0,
) -> FloatArray:
    """P(cheap is good enough), a prior updated by the k nearest labelled prompts; shape (n_prompts,).

    p = (w × prior + Σ yⱼ) / (w + k) over the k labelled prompts of the highest cosine: a beta prior of weight w.

    Args:
        vectors: shape (n_prompts, dim), L2-normalised.
        prior: shape (n_prompts,).
        labelled: indices of prompts with labels, shape (m,).
        good: 1 where the cheap answer was good enough, else 0; shape (m,).
        k: neighbours, at most m.
        prior_weight: how many labels the prior is worth.
    """
    k = min(k, len(labelled))
    if k == 0:
        return np.asarray(prior, dtype=np.float32)
    known = np.asarray(vectors, dtype=np.float32)[labelled]
    out = np.empty(len(vectors), dtype=np.float32)
    labels = np.asarray(good, dtype=np.float32)
    for start in range(0, len(vectors), 1024):
        cosine = np.asarray(vectors[start : start + 1024], dtype=np.float32) @ known.T
        near = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        part = np.asarray(prior[start : start + 1024], dtype=np.float32)
        out[start : start + 1024] = (prior_weight * part + labels[near].sum(axis=1)) / (prior_weight + k)
    return out


def _distance2(gradients: np.ndarray, index: int) -> np.ndarray:
    difference = gradients - gradients[index]
    result: np.ndarray = np.einsum("ij,ij->i", difference, difference)
    return result
