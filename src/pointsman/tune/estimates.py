"""What each candidate policy scored, cost and saved on the tuning prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .limit import QualityLimit
from .policy_file import Expected

Float: TypeAlias = NDArray[np.float64]

_Z95: Final = 1.959964
_WORTH_USD: Final = 1e-12
"""Prices nearer than this are the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Means over different prompts; arrays have shape (k,) unless said otherwise."""

    strong_quality: float
    quality: Float
    loss: Float
    """In the limit's own unit."""
    strong_share: Float
    price: Float
    """What the search minimises: USD per prompt, or the mean rank of the model when costs are not known."""
    strong_price: float
    cost: Float | None
    strong_cost: float | None
    savings: Float | None
    excess_mean: Float
    excess_variance: Float
    _loss_se: Float
    _savings_se: Float | None

    def cheapest(self, kept: NDArray[np.bool_]) -> int | None:
        """The certified policy of the lowest price, the strictest of equals; None when none is below always-strong."""
        price = np.where(kept, self.price, np.inf)
        best = int(np.argmin(price)) if price.size else 0
        if not price.size or not price[best] < self.strong_price - _WORTH_USD:
            return None
        return best

    def expected(self, j: int) -> Expected:
        """The estimates of one policy."""
        loss, savings = float(self.loss[j]), None if self.savings is None else float(self.savings[j])
        half = _Z95 * float(self._loss_se[j])
        saved_half = None if self._savings_se is None else _Z95 * float(self._savings_se[j])
        return Expected(
            strong_quality=self.strong_quality,
            quality=float(self.quality[j]),
            quality_loss=loss,
            quality_loss_ci=(loss - half, loss + half),
            strong_share=float(self.strong_share[j]),
            cost_usd=None if self.cost is None else float(self.cost[j]),
            strong_cost_usd=self.strong_cost,
            savings=savings,
            savings_ci=None if savings is None or saved_half is None else (savings - saved_half, savings + saved_half),
        )

    def strong_alone(self) -> Expected:
        """The estimates of always-strong: it loses and saves nothing, by definition."""
        known = self.strong_cost is not None
        return Expected(
            strong_quality=self.strong_quality,
            quality=self.strong_quality,
            quality_loss=0.0,
            quality_loss_ci=(0.0, 0.0),
            strong_share=1.0,
            cost_usd=self.strong_cost,
            strong_cost_usd=self.strong_cost,
            savings=0.0 if known else None,
            savings_ci=(0.0, 0.0) if known else None,
        )


def measure(
    *,
    strong: Float,
    quality: NDArray[np.float32],
    strong_share: Float,
    rank: Float,
    strong_rank: float,
    strong_cost: Float | None,
    cost: NDArray[np.float32] | None,
    excess: NDArray[np.floating],
    limit: QualityLimit,
    router_cost_usd: float,
) -> Measured:
    """The estimates for k policies on n different prompts.

    Standard errors of ratios (a relative loss, savings) are those of the linearised ratio: the standard deviation of
    numerator - ratio * denominator, over the denominator's mean and the root of n.

    Args:
        strong: scores of the strong model, shape (n,). quality: scores of the policies, shape (n, k).
        rank: the mean number of the model each policy takes, shape (k,). strong_rank: the strong model's.
        strong_cost: USD, shape (n,); None when not known. cost: USD, shape (n, k).
    """
    n = strong.size
    strong_quality = float(strong.mean())
    means = quality.mean(axis=0, dtype=np.float64)
    gap = strong_quality - means
    relative = limit.kind == "relative"
    ratio = gap / strong_quality if relative and strong_quality > 0 else gap
    loss_se = np.empty(means.size)
    savings_se = np.empty(means.size)
    costs = savings = None
    strong_mean: float | None = None
    if cost is not None and strong_cost is not None:
        costs = cost.mean(axis=0, dtype=np.float64) + router_cost_usd
        strong_mean = float(strong_cost.mean())
        if strong_mean > 0:
            savings = 1 - costs / strong_mean
    for j in range(means.size):
        if relative and strong_quality > 0:
            loss_se[j] = np.std((1 - ratio[j]) * strong - quality[:, j]) / strong_quality
        else:
            loss_se[j] = np.std(strong - quality[:, j])
        if savings is not None and cost is not None and strong_cost is not None and strong_mean is not None:
            savings_se[j] = np.std(cost[:, j] - (1 - savings[j]) * strong_cost) / strong_mean
    root = np.sqrt(n)
    return Measured(
        strong_quality=strong_quality,
        quality=means,
        loss=ratio,
        strong_share=strong_share,
        price=rank if costs is None else costs,
        strong_price=strong_rank if strong_mean is None else strong_mean,
        cost=costs,
        strong_cost=strong_mean,
        savings=savings,
        excess_mean=excess.mean(axis=0, dtype=np.float64),
        excess_variance=excess.var(axis=0, dtype=np.float64),
        _loss_se=loss_se / root,
        _savings_se=None if savings is None else savings_se / root,
    )
