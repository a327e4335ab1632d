"""What a tuned policy does with scored prompts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError

from .policy_file import TunedPolicy


def served(policy: TunedPolicy, p_good: NDArray[np.floating] | None, n: int) -> NDArray[np.int64]:
    """The number of the model that serves each prompt, shape (n,): the cheapest whose P(good) reaches its threshold.

    Args:
        p_good: shape (n, m), (n, m - 1), or (n,) for two models; not read, and None allowed, for a fixed policy.

    Raises:
        DataError: the scores do not fit the policy's models.
    """
    last = len(policy.models) - 1
    if policy.use is not None:
        return np.full(n, policy.models.index(policy.use), dtype=np.int64)
    p = np.empty((0, 0)) if p_good is None else np.asarray(p_good, dtype=np.float64)
    if p.ndim == 1:
        p = p[:, None]
    if p.shape not in ((n, last), (n, last + 1)):
        raise DataError(f"scores of shape {p.shape} do not fit {n} prompts and {last + 1} models")
    choice = np.full(n, last, dtype=np.int64)
    for model in range(last - 1, -1, -1):
        choice[p[:, model] >= policy.thresholds[model]] = model
    return choice
