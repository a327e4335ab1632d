"""The hash by which a report says what data it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def data_hash(
    models: Sequence[str], groups: NDArray[np.int64], score: NDArray[np.float32], cost_usd: NDArray[np.float32]
) -> str:
    """SHA-256, hexadecimal, over the models' names, and per row the prompt's hash, its scores and its costs.

    Rows are taken in a canonical order, so that the same outcomes from files in another order hash the same.
    """
    canonical_nan = np.float32(np.nan)
    scores = np.where(np.isnan(score), canonical_nan, score).astype("<f4")
    costs = np.where(np.isnan(cost_usd), canonical_nan, cost_usd).astype("<f4")
    rows = np.concatenate([groups.astype("<i8")[:, None].view("<u4"), scores.view("<u4"), costs.view("<u4")], axis=1)
    order = np.lexsort(rows.T[::-1])
    digest = hashlib.sha256("\0".join(models).encode())
    digest.update(np.ascontiguousarray(rows[order]).tobytes())
    return digest.hexdigest()
