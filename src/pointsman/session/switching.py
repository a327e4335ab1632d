"""Whether to leave the model of a conversation, in dollars."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two models.

    Attributes:
        p_good: P(its answer is good enough), 0 to 1.
        list_usd: what the request costs without any cache.
        usd: what it costs with what its provider has cached.
    """

    p_good: float
    list_usd: float
    usd: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a switch brings and costs, USD; both may be below 0.

    Attributes:
        gain_usd: the difference in P(good), at what the policy pays for quality.
        cost_usd: what the request costs more (with caches) on the new model.
    """

    gain_usd: float
    cost_usd: float

    @property
    def switch(self) -> bool:
        """True when it brings more than it costs."""
        return self.gain_usd > self.cost_usd


def weigh(held: Side, new: Side, threshold: float) -> Weighed | None:
    """The switch from the held model to the one that the policy chose; None when there is no price for quality.

    At its threshold t the policy is indifferent: it pays the difference of the two list prices for a gain in P(good)
    of 1 - t. That is its price of quality, and the same price decides here; without caches the answer is then the
    policy's own for two tiers. A threshold of 1 buys quality at any price.
    """
    gap_usd = abs(new.list_usd - held.list_usd)
    gain = new.p_good - held.p_good
    if gain == 0:
        return Weighed(0.0, new.usd - held.usd)
    if threshold >= 1 or gain * (new.list_usd - held.list_usd) <= 0:
        # Quality at any price, equal prices, or a model that is both better and cheaper: as the policy says.
        return None
    return Weighed(gain_usd=gain * gap_usd / (1 - threshold), cost_usd=new.usd - held.usd)
