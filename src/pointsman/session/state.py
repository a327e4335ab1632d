"""What is remembered of one conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .caches import Cached


@dataclass(frozen=True, slots=True)
class SessionState:
    """One conversation after its latest answer.

    Attributes:
        model: what answered last.
        answered_s: when, on the router's clock.
        served: every model that has answered in it, the latest last; the oldest are forgotten.
        cached: what each model's provider probably keeps of the prompt, by model.
        n_foreign: how many messages (or items) the request had in which `model` took over; none if it was the first.
            Whatever an assistant said in those, another model may have said.
    """

    model: str
    answered_s: float
    served: tuple[str, ...]
    cached: Mapping[str, Cached]
    n_foreign: int = 0
