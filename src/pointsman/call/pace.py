"""How long models take: what the latest answers of each took, for decisions that must keep a latency budget.

No I/O and no clock; bounded, because a gateway runs for months. It outlives a reload of the configuration.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from pointsman.vocabulary import Pace

N_KEPT: Final = 64
"""Answers that are remembered of a model: enough for a quantile, and soon forgotten when a provider slows down."""
N_LEAST: Final = 8
"""With fewer nothing is said."""
LEVEL: Final = 0.9
"""A budget is kept by nine answers in ten."""


class Paces:
    """The latest answers of each model, streamed and whole ones apart: the first byte of a whole one is its last."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, bool], deque[tuple[float, float, float | None]]] = {}

    def note(
        self, model: str, *, stream: bool, first_byte_ms: float, whole_ms: float, n_tokens: int | None = None
    ) -> None:
        """Takes an answer that came whole. `n_tokens` of a stream, None when not known."""
        per_token = (whole_ms - first_byte_ms) / n_tokens if stream and n_tokens else None
        kept = self._seen.setdefault((model, stream), deque(maxlen=N_KEPT))
        kept.append((first_byte_ms, whole_ms, per_token))

    def of(self, model: str, *, stream: bool) -> Pace | None:
        """What nine in ten of the latest answers kept to; None where there were too few."""
        seen = self._seen.get((model, stream), ())
        if len(seen) < N_LEAST:
            return None
        rates = [rate for _, _, rate in seen if rate is not None]
        return Pace(
            first_byte_ms=_quantile(first for first, _, _ in seen),
            whole_ms=_quantile(whole for _, whole, _ in seen),
            ms_per_token=_quantile(rates) if len(rates) >= N_LEAST else None,
        )

    def follow(self, models: Iterable[str]) -> None:
        """Forgets models that are no longer there."""
        names = set(models)
        for key in [key for key in self._seen if key[0] not in names]:
            del self._seen[key]


def _quantile(values: Iterable[float]) -> float:
    """The least value that at least `LEVEL` of them do not exceed."""
    ordered = sorted(values)
    return ordered[math.ceil(LEVEL * len(ordered)) - 1]
