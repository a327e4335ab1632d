"""The most that one answer can cost: the limit stage says how long it can be, the catalog what that costs."""

from __future__ import annotations

from .catalog import cost_of
from .limit import most_usage
from .vocabulary import Model, Request


def most_usd(request: Request, model: Model) -> float:
    """The most that one answer of a model can cost, US dollars; 0 for a model without a price."""
    usages = (most_usage(request, model.capabilities, written_to_cache=written) for written in (False, True))
    costs = (cost_of(model.price, model.price_missing, usage).usd for usage in usages)
    return max((usd for usd in costs if usd is not None), default=0.0)
