"""A cascade beside direct routing: the same simulated requests, what each way cost, and how many answers were good."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pointsman.call.sim_draft import draft
from pointsman.intervals import Share
from pointsman.vocabulary import JSONObject, Model

from .mix import MixItem
from .run import Outcome, Summary


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve the requests. Money is USD; the cost is of every call, rejected answers' included."""

    name: str
    cost_usd: float
    good: Share
    """Answers that the simulation drew as good ones."""
    strong: Share
    """Answers that came from the strong tier."""

    def to_json(self) -> JSONObject:
        """The figures as plain JSON."""
        return {
            "name": self.name,
            "cost_usd": self.cost_usd,
            "good": {"value": self.good.value, "ci": list(self.good.interval), "n": self.good.n},
            "strong_share": self.strong.value,
        }


def ways(
    direct: Summary, cascade: Summary, models: Mapping[str, Model], strongest: Model, simulation: Mapping[str, Any]
) -> tuple[Way, ...]:
    """Direct routing, the cascade, and always strong as the control, over the requests that both answered.

    Args:
        models: by name.
        strongest: the model that answers everything in the control.
        simulation: what the simulator was told of the answers and how hard they are.
    """
    routed = {outcome.item.id: outcome for outcome in direct.priced}
    both = [(routed[other.item.id], other) for other in cascade.priced if other.item.id in routed]

    def is_good(item: MixItem, model: str | None) -> bool:
        body = {"model": "", **item.input}
        return model is not None and draft(body, item.dialect, models[model], **simulation).good

    def way(name: str, outcomes: Sequence[Outcome]) -> Way:
        n = len(outcomes)
        return Way(
            name,
            math.fsum(o.cost_usd for o in outcomes if o.cost_usd is not None),
            Share(sum(is_good(o.item, o.model) for o in outcomes), n),
            Share(sum(o.tier == direct.strong_tier for o in outcomes), n),
        )

    always = Way(
        "always strong",
        math.fsum(o.baseline_cost_usd for o, _ in both if o.baseline_cost_usd is not None),
        Share(sum(is_good(o.item, strongest.name) for o, _ in both), len(both)),
        Share(len(both), len(both)),
    )
    return (
        way("direct routing", [o for o, _ in both]),
        way("cascade", [o for _, o in both]),
        always,
    )
