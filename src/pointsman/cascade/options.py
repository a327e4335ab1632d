"""Cascade routing: of stopping and every further call, the option that is worth most.

Dekoninck et al., "A Unified Approach to Routing and Cascading for LLMs", arXiv 2410.10347, section 4: at each step the
option with the largest estimated quality minus λ times its cost. Here one step is looked ahead, and the quality of a
set of answers is that of its best, because only one can be served.
"""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.vocabulary import CascadePlan


def best_option(plan: CascadePlan, p_stop: float | None, idle: Sequence[int]) -> int | None:
    """The rung to call; None when stopping is worth at least as much, or when nothing is left to call.

    A rung without an estimate counts as good for certain when it is the last, and is passed over otherwise. One whose
    cost is not known counts as dear as the dearest.

    Args:
        p_stop: P(good) of the best answer that is there; None when there is none, and then something is called.
        idle: rungs that have not been called, weakest first. Of two that are worth the same the weaker is taken.
    """
    per_usd = 0.0 if plan.quality_per_usd is None else plan.quality_per_usd
    dearest = max((r.estimated_cost_usd for r in plan.rungs if r.estimated_cost_usd is not None), default=0.0)
    best: int | None = None
    best_value = p_stop
    for rung in idle:
        option = plan.rungs[rung]
        p_ahead = option.p_ahead
        if p_ahead is None:
            if rung != len(plan.rungs) - 1:
                continue
            p_ahead = 1.0
        cost = dearest if option.estimated_cost_usd is None else option.estimated_cost_usd
        value = max(p_ahead, 0.0 if p_stop is None else p_stop) - per_usd * cost
        if best_value is None or value > best_value:
            best, best_value = rung, value
    return best
