"""Is a bounded mean below zero? A test by betting: exact in finite samples, almost as sharp as the normal one.

A gambler starts with 1 and bets, prompt after prompt, that the excess is negative: the capital is multiplied by
1 - stake * excess. Stakes are set before the excess is seen and never so high that the capital can fall below zero. If
the true mean is at or above zero, the capital is a nonnegative supermartingale, and by Ville's inequality it ever
reaches 1/level with probability at most `level` (Waudby-Smith and Ramdas, Estimating means of bounded random variables
by betting, arXiv 2010.09686). No normality, no lower bound on the number of prompts, any distribution within the range.

Validity holds for every way of setting stakes; the way chosen decides the power only. Here each stake is the best one
for reaching the target from the present capital in the prompts that are left (target recalculation, Vorácek and
Orabona, STaR-Bets, arXiv 2505.22422): sqrt(2 * log(target / capital) / (variance * prompts left)).
`docs/design/guarantee.md` compares its power with the alternatives'.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float64]

BOLDEST: Final = 0.8
"""The most of the capital that one prompt may cost. Of 0.5, 0.8, 0.95 and 0.99 it had the most power where answers are
rarely worse; elsewhere the four are equal (docs/design/guarantee.md)."""
PRIOR_VARIANCE: Final = 0.25
"""The variance taken before anything is seen, weighing as one prompt: the most that a variable of range 1 can have."""
STEPS: Final = 1_000
"""How many times at most the stakes are set anew; prompts in between share a stake, which costs no validity."""


def betting_p_values(excess: NDArray[np.floating], *, upper: float, level: float, rng: np.random.Generator) -> Float:
    """P-values of "the mean excess is above zero" for each column, shape (k,); small ones speak for the policy.

    Args:
        excess: shape (n, k), one row per independent prompt, one column per policy; nothing above `upper`.
        upper: the most excess one prompt can have, known beforehand, above 0.
        level: the level at which a test will be read, in (0, 1). Play stops once it is reached, so no p-value is
            much below it; read at another level the p-values are valid and less sharp.
        rng: gives the order of play, which must not depend on the scores.

    With no rows every p-value is 1.
    """
    n, k = excess.shape
    order = rng.permutation(n)
    goal = -np.log(level)
    capital = np.zeros(k)  # logarithms
    best = np.zeros(k)
    squares = np.full(k, PRIOR_VARIANCE)
    per_step = max(1, n // STEPS)
    for start in range(0, n, per_step):
        rows = np.asarray(excess[order[start : start + per_step]], dtype=np.float64)
        # The second moment stands for the variance: they agree where it matters, when the mean is near zero.
        spread = squares / (1 + start) * (n - start)
        stake = np.minimum(np.sqrt(2 * np.maximum(goal - capital, 0) / spread), BOLDEST / upper)
        stake[best >= goal] = 0.0
        path = capital + np.cumsum(np.log1p(-stake * rows), axis=0)
        best = np.maximum(best, path.max(axis=0))
        capital = path[-1]
        squares += np.square(rows).sum(axis=0)
    return np.asarray(np.exp(-best))
