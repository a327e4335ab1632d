"""Learn then Test: from the excess of many policies on the same prompts to those that keep the limit, with confidence.

Nothing here knows what a policy is: direct routing, cascades and their mixtures come as columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError

from .betting import betting_p_values
from .bounds import hoeffding_bentkus_p_values
from .limit import QualityLimit

Float: TypeAlias = NDArray[np.float64]
Bool: TypeAlias = NDArray[np.bool_]
Search: TypeAlias = Literal["fixed_sequence", "holm"]
Test: TypeAlias = Literal["betting", "hoeffding_bentkus"]


@dataclass(frozen=True, slots=True, eq=False)
class Certified:
    """Which policies keep the limit: with the stated confidence all of `kept` do."""

    kept: Bool
    """Shape (k,)."""
    p_values: Float
    """Shape (k,), NaN where the search had ended before."""


def certify(
    excess: NDArray[np.floating],
    limit: QualityLimit,
    *,
    confidence: float,
    rng: np.random.Generator,
    search: Search = "fixed_sequence",
    test: Test = "betting",
) -> Certified:
    """The policies whose mean excess is shown to be at most zero, all of them at once, with `confidence`.

    "fixed_sequence" tests columns from left to right, each at level 1 - confidence, and ends at the first failure: put
    the safest first, in an order that does not come from these scores. "holm" tests them in any order at levels that
    shrink with their number; it is for grids without a natural order (Learn then Test, arXiv 2110.01052).

    Args:
        excess: shape (n, k), see `QualityLimit.excess`; rows are independent.

    Raises:
        DataError: the confidence is not between 0 and 1, or an excess is outside the limit's range or not a number.
    """
    if not 0 < confidence < 1:
        raise DataError(f"a confidence of {confidence} is not between 0 and 1")
    n, k = excess.shape
    if n and k and not (excess.min() >= limit.lower - 1e-6 and excess.max() <= limit.upper + 1e-6):
        raise DataError("an excess is not a number or outside the range that scores from 0 to 1 allow")
    level = 1 - confidence
    target = level if search == "fixed_sequence" else level / max(k, 1)
    if test == "betting":
        p_values = betting_p_values(excess, upper=limit.upper, level=target, rng=rng)
    else:
        p_values = hoeffding_bentkus_p_values(excess, lower=limit.lower, upper=limit.upper)
    if search == "fixed_sequence":
        failed = np.flatnonzero(~_at_most(p_values, level))
        end = int(failed[0]) if failed.size else k
        kept = np.arange(k) < end
        return Certified(kept, np.where(np.arange(k) <= end, p_values, np.nan))
    order = np.argsort(p_values, kind="stable")
    passed = _at_most(p_values[order], level / np.arange(k, 0, -1))
    kept = np.zeros(k, dtype=np.bool_)
    kept[order] = np.logical_and.accumulate(passed)
    return Certified(kept, p_values)


def _at_most(p_values: Float, level: float | Float) -> Bool:
    """P <= level, but for the rounding of a capital that stopped exactly at its goal."""
    return np.asarray(p_values <= np.asarray(level) * (1 + 1e-9), dtype=np.bool_)
