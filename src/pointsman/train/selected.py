"""Some prompts of a set of outcomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import Outcomes


def selected(outcomes: Outcomes, rows: NDArray[np.int64]) -> Outcomes:
    """The outcomes of these prompts, in this order; the data's hash no longer fits and is left empty."""
    places = rows.tolist()
    return replace(
        outcomes,
        prompt_ids=tuple(outcomes.prompt_ids[i] for i in places),
        datasets=tuple(outcomes.datasets[i] for i in places),
        prompts=tuple(outcomes.prompts[i] for i in places),
        groups=outcomes.groups[rows],
        score=outcomes.score[rows],
        cost_usd=outcomes.cost_usd[rows],
        confidence=outcomes.confidence[rows],
        responses=None if outcomes.responses is None else tuple(outcomes.responses[i] for i in places),
        data_hash="",
    )
