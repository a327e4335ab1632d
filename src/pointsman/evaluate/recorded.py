"""Decisions that were taken and paid for elsewhere, such as those of an LLM classifier, as a policy to evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pointsman.errors import DataError
from pointsman.vocabulary import Outcomes

from .policies import DecidedPolicy


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """Which model was to serve a prompt, and what deciding so cost in USD."""

    model: str
    router_cost_usd: float


def recorded_decisions(
    outcomes: Outcomes, decisions: Mapping[tuple[str, str], RecordedDecision], *, name: str, kind: str
) -> DecidedPolicy:
    """The policy of one point that these decisions make; what each cost is counted in the savings.

    Args:
        decisions: by (dataset, prompt id); further ones do no harm.
        name: what the policy's line is called.
        kind: such as "llm_classifier".

    Raises:
        DataError: a prompt has no decision, or one names a model that is not among the outcomes'.
    """
    place = {model: number for number, model in enumerate(outcomes.models)}
    keys = list(zip(outcomes.datasets, outcomes.prompt_ids, strict=True))
    missing = [key for key in keys if key not in decisions]
    if missing:
        raise DataError(
            f"{name}: {len(missing):,} of {outcomes.n:,} prompts have no recorded decision, "
            f"the first is {missing[0][1]!r} of dataset {missing[0][0]!r}"
        )
    unknown = sorted({decisions[key].model for key in keys} - set(place))
    if unknown:
        raise DataError(
            f"{name}: decisions name {', '.join(unknown)}; the outcomes are of {', '.join(outcomes.models)}"
        )
    return DecidedPolicy(
        name,
        kind,
        served=np.array([place[decisions[key].model] for key in keys], dtype=np.int8),
        router_cost_usd=np.array([decisions[key].router_cost_usd for key in keys], dtype=np.float64),
    )
