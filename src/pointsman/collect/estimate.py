"""What a run will cost, before it starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .calls import PlannedCall

SHORT_ANSWERS = 1 / 3
LONG_ANSWERS = 3.0
"""How far the mean length of answers may be from the assumed one. The assumptions are by order of magnitude (a model
that reasons writes several times what another does), so the range is wide on purpose."""
INPUT_OFF_BY = 0.2
"""How far the estimate of input tokens may be off: a fifth at the 90th percentile of recorded prompts, see
`pointsman.wire.tokens`."""


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What the calls of one model will cost together, in USD; None when its price is not known.

    `low_usd` to `high_usd` is the stated range; `max_usd` what they cannot pass, None when an answer has no bound.
    """

    model: str
    n_calls: int
    input_tokens: int
    output_tokens: int
    expected_usd: float | None
    low_usd: float | None
    high_usd: float | None
    max_usd: float | None
    price_missing: str | None = None


def estimate(calls: Iterable[PlannedCall]) -> list[CostEstimate]:
    """One estimate per model, in the order in which models first appear.

    The range: input tokens off by a fifth, answers a third to three times as long as expected, and never above what
    the calls can cost at most.
    """
    by_model: dict[str, list[PlannedCall]] = {}
    for planned in calls:
        by_model.setdefault(planned.model, []).append(planned)
    return [_of(model, planned) for model, planned in by_model.items()]


def _of(model: str, calls: list[PlannedCall]) -> CostEstimate:
    input_tokens = sum(planned.expected.input_tokens for planned in calls)
    output_tokens = sum(planned.expected.output_tokens for planned in calls)
    bounds = [planned.max_usd for planned in calls]
    max_usd = None if any(bound is None for bound in bounds) else sum(bound for bound in bounds if bound is not None)
    price = calls[0].call.model.price
    if price is None:
        return CostEstimate(
            model,
            len(calls),
            input_tokens,
            output_tokens,
            None,
            None,
            None,
            max_usd,
            price_missing=calls[0].call.model.price_missing,
        )
    expected = sum(planned.expected_usd for planned in calls if planned.expected_usd is not None)
    output_usd = output_tokens * price.output_usd_per_mtok / 1e6
    input_usd = max(0.0, expected - output_usd)
    low = (1 - INPUT_OFF_BY) * input_usd + SHORT_ANSWERS * output_usd
    high = (1 + INPUT_OFF_BY) * input_usd + LONG_ANSWERS * output_usd
    if max_usd is not None:
        low, expected, high = min(low, max_usd), min(expected, max_usd), min(high, max_usd)
    return CostEstimate(model, len(calls), input_tokens, output_tokens, expected, low, high, max_usd)
