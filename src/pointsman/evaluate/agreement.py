"""Routing as classification: decisions against the ideal model of each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.vocabulary import JSONObject

from .paired import Paired
from .policies import Served


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often a policy chose the ideal model."""

    accuracy: float
    per_model: tuple[tuple[str, float | None, float | None, int], ...]
    """Model, precision (None when never chosen), recall (None when never ideal), prompts it is ideal for."""

    def to_json(self) -> JSONObject:
        """The measures as plain JSON types."""
        return {
            "accuracy": self.accuracy,
            "per_model": [
                {"model": model, "precision": precision, "recall": recall, "n_ideal": n}
                for model, precision, recall, n in self.per_model
            ],
        }


def ideal(data: Paired, good_enough: float) -> Served:
    """The cheapest model whose score is good enough, shape (n,); where none is, the cheapest: paying would not help."""
    enough = data.score >= good_enough
    return np.where(enough.any(axis=1), enough.argmax(axis=1), 0).astype(np.int8)


def agreement(served: Served, wanted: Served, models: Sequence[str]) -> Agreement:
    """Accuracy, and precision and recall per model, of decisions against ideal models, both of shape (n,)."""
    rows = []
    for index, model in enumerate(models):
        chosen, right = served == index, wanted == index
        both = int((chosen & right).sum())
        rows.append(
            (
                model,
                both / int(chosen.sum()) if chosen.any() else None,
                both / int(right.sum()) if right.any() else None,
                int(right.sum()),
            )
        )
    return Agreement(float((served == wanted).mean()), tuple(rows))
