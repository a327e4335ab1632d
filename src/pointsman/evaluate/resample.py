"""Bootstrap: means of many columns at once, over resampled groups, paired and stratified.

Groups of equal prompts are drawn with replacement within each stratum (dataset), all columns on the same draws, so that
differences between policies keep their pairing (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters
6 and 8). Drawing is counting: a replicate is a row of weights, and its sums are one matrix product.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .paired import Float, Paired

BLOCK_CELLS = 16_000_000
"""Weights held at once, 4 bytes each: 64 MB."""
CACHED_CELLS = 50_000
"""Counters filled at once, 8 bytes each: they fit a processor's second-level cache."""


def resampled_means(
    columns: NDArray[np.float32], data: Paired, n_resamples: int, generator: np.random.Generator
) -> Float:
    """Means of the columns in each replicate, shape (n_resamples, c).

    Args:
        columns: shape (n, c), values per prompt, of moderate size (float32 sums are good to about 1e-5 of the mean).
        data: tells groups and strata.
        n_resamples: how many replicates.
        generator: where the draws come from.
    """
    # SFC64 draws bounded integers faster than the default generator; a thousand million of them are needed.
    generator = np.random.Generator(np.random.SFC64(generator.integers(2**63)))
    per_group, sizes = _by_group(columns, data)
    sums = np.zeros((n_resamples, columns.shape[1]), dtype=np.float64)
    totals = np.zeros(n_resamples, dtype=np.float64)
    order = np.argsort(data.stratum, kind="stable")
    starts = np.searchsorted(data.stratum[order], np.arange(int(data.stratum.max()) + 2))
    single = bool((sizes == 1).all())
    for first, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        members = order[first:end]
        values, size = per_group[members], sizes[members]
        g = end - first
        step = max(1, BLOCK_CELLS // g)
        for begin in range(0, n_resamples, step):
            stop = min(begin + step, n_resamples)
            weights = _weights(stop - begin, g, generator)
            sums[begin:stop] += weights @ values
            totals[begin:stop] += g if single else weights @ size
    return sums / totals[:, None]


def _by_group(columns: NDArray[np.float32], data: Paired) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    sizes = np.bincount(data.group, minlength=data.n_groups).astype(np.float32)
    if data.n_groups == data.n:
        out = np.empty_like(columns)
        out[data.group] = columns
        return out, sizes
    order = np.argsort(data.group, kind="stable")
    starts = np.searchsorted(data.group[order], np.arange(data.n_groups))
    return np.add.reduceat(columns[order], starts, axis=0), sizes


def _weights(n_rows: int, g: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """How often each of g groups is drawn in g draws, n_rows times over, shape (n_rows, g)."""
    out = np.empty((n_rows, g), dtype=np.float32)
    step = max(1, CACHED_CELLS // g)
    for begin in range(0, n_rows, step):
        rows = min(step, n_rows - begin)
        drawn = generator.integers(0, g, size=(rows, g), dtype=np.int32)
        if rows > 1:
            drawn += np.arange(0, rows * g, g, dtype=np.int32)[:, None]
        out[begin : begin + rows] = np.bincount(drawn.ravel(), minlength=rows * g).reshape(rows, g)
    return out


def interval(replicates: Float, confidence: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of finite replicates, shape (b,); None when more than 5 % are not numbers."""
    finite = replicates[np.isfinite(replicates)]
    if finite.size < 0.95 * replicates.size:
        return None
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
