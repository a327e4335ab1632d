"""The ideal tier and the ideal output of a prompt, from its scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NO_GOOD_ANSWER = "no-good-answer"
"""Tag of a prompt that no model answered well enough."""


@dataclass(frozen=True, slots=True)
class Ideal:
    """What should have served a prompt.

    `model` is None when no answer is good enough, which the tag "no-good-answer" says, or when it is not `known`, for
    want of a score. `output` is the reference, else the best answer; None when there is neither.
    """

    model: str | None
    output: str | None
    tags: tuple[str, ...] = ()
    known: bool = True


def ideal_of(
    models: Sequence[str],
    scores: Mapping[str, float],
    answers: Mapping[str, str | None],
    references: Sequence[str],
    *,
    threshold: float = 0.5,
    margin: float | None = None,
) -> Ideal:
    """The cheapest model whose answer is good enough, and the reference or the best answer.

    When a cheaper model than the first good one is unscored, the ideal is not known.

    Args:
        models: cheapest first; the last is the quality reference.
        scores: by model; NaN or missing is unscored.
        answers: by model.
        references: right answers, if any are known.
        threshold: the score from which an answer is good enough.
        margin: with it, good enough is at least the strongest model's score less this, and `threshold` is not used.
    """
    held = {model: scores.get(model, math.nan) for model in models}
    strongest = held[models[-1]]
    needed = threshold if margin is None else strongest - margin
    output = references[0] if references else _best(models, held, answers)
    if math.isnan(needed):
        return Ideal(None, output, known=False)
    for model in models:
        score = held[model]
        if math.isnan(score):
            return Ideal(None, output, known=False)
        # Scores such as 0.1 + 0.2 are a rounding away from what they mean.
        if score >= needed - 1e-9:
            return Ideal(model, output)
    return Ideal(None, output, (NO_GOOD_ANSWER,))


def _best(models: Sequence[str], scores: Mapping[str, float], answers: Mapping[str, str | None]) -> str | None:
    """The answer with the highest score; of equal ones the cheapest model's."""
    best: tuple[float, str] | None = None
    for model in models:
        answer, score = answers.get(model), scores[model]
        if answer is not None and not math.isnan(score) and (best is None or score > best[0]):
            best = (score, answer)
    return None if best is None else best[1]
