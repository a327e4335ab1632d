"""P-values from Learn then Test (Angelopoulos et al., arXiv 2110.01052), for comparison and for losses of 0 or 1."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float64]


def binomial_p_values(harm: NDArray[np.floating], *, limit: float) -> Float:
    """Exact p-values of "the risk is above `limit`" for 0/1 losses, one column per policy.

    Args:
        harm: shape (n, k), each 0 or 1.
        limit: the risk allowed, in [0, 1).
    """
    from scipy.stats import binom

    return np.asarray(binom.cdf(harm.sum(axis=0), harm.shape[0], limit), dtype=np.float64)


def hoeffding_bentkus_p_values(excess: NDArray[np.floating], *, lower: float, upper: float) -> Float:
    """Hoeffding-Bentkus p-values of "the mean excess is above zero" for each column, shape (k,).

    The excess is mapped from [lower, upper] to [0, 1]; zero becomes the risk tested there. Valid in finite samples;
    blind to the variance, hence weak for paired differences, most of which are almost zero.
    """
    from scipy.stats import binom

    n = excess.shape[0]
    if n == 0:
        return np.ones(excess.shape[1])
    risk = np.clip((excess.mean(axis=0, dtype=np.float64) - lower) / (upper - lower), 0.0, 1.0)
    tested = -lower / (upper - lower)
    below = np.minimum(risk, tested)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(below > 0, below * np.log(below / tested), 0.0)
        second = np.where(below < 1, (1 - below) * np.log((1 - below) / (1 - tested)), 0.0)
    hoeffding = np.exp(-n * (first + second))
    # The count is rounded up; a sum that is whole up to rounding errors must not be rounded to the next number.
    bentkus = np.e * binom.cdf(np.ceil(np.round(n * risk, 9)), n, tested)
    return np.asarray(np.minimum(np.minimum(hoeffding, bentkus), 1.0), dtype=np.float64)
