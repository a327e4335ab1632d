"""Folds that keep groups together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_FOLDS = 5


def group_folds(groups: NDArray[np.int64], n_folds: int, *, generator: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each row, shape (n,): rows of a group share one; folds hold nearly the same number of groups."""
    _, dense = np.unique(groups, return_inverse=True)
    n_groups = int(dense.max()) + 1 if len(dense) else 0
    of_group = np.empty(n_groups, dtype=np.int64)
    of_group[generator.permutation(n_groups)] = np.arange(n_groups) % n_folds
    return np.asarray(of_group[dense], dtype=np.int64)
