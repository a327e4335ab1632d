"""A model unseen in training, placed from few outcomes: one slope and one offset on what is already known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.learned import Skill

from .calibrate import evidence, platt, spread_out
from .inputs import Inputs

MIN_OUTCOMES: Final = 50
_PRIOR_OUTCOMES: Final = 20.0
"""Outcomes that the known models' mean slope is worth."""


def place_new_model(skill: Skill, name: str, inputs: Inputs, score: NDArray[np.floating]) -> Skill:
    """The skill with one more model; all that was learned before stays as it is.

    A prompt's ease is the logit of the score expected of the known models on average, and P(the new model is good) the
    logistic function of slope × ease + offset: the two-parameter model of item response theory, with the ease already
    known. The slope is drawn towards the known models' own, more so with few outcomes. The new model is in no pair.

    Args:
        skill: what was learned; must hold models.
        name: the new model's.
        inputs: n prompts that it answered.
        score: shape (n,), 0 to 1; NaN is left out.

    Raises:
        DataError: fewer than `MIN_OUTCOMES` scores, a score outside 0 to 1, a known name, or a skill without models.
    """
    known = np.isfinite(score)
    if name in skill.models or not skill.models:
        raise DataError(f"{name} is already known" if skill.models else "this router knows no models, only a pair")
    if known.sum() < MIN_OUTCOMES:
        raise DataError(f"placing {name} needs at least {MIN_OUTCOMES} scored answers, there are {int(known.sum())}")
    if not ((score[known] >= 0) & (score[known] <= 1)).all():
        raise DataError("a score is not from 0 to 1")
    n_models = len(skill.models)
    rows = np.flatnonzero(known)
    part = inputs[rows]
    values = skill.values(part.features, part.embeddings, part.texts)[:, :n_models].astype(np.float64)
    expected = values.mean(axis=1)
    ease = evidence(expected, is_pair=False)
    slope, intercept = platt(ease, score[rows].astype(np.float64))
    share = len(rows) / (len(rows) + _PRIOR_OUTCOMES)
    shrunk = share * slope + (1 - share) * _mean_slope(skill)
    intercept += (slope - shrunk) * float(ease.mean())
    at = np.quantile(expected, np.linspace(0, 1, len(skill.knots)))
    knots, p_at_knots = spread_out(at, 1 / (1 + np.exp(-(shrunk * evidence(at, is_pair=False) + intercept))))

    def with_column(array: NDArray[np.float32]) -> NDArray[np.float32]:
        column = array[..., :n_models].mean(axis=-1, keepdims=True)
        return np.concatenate((array[..., :n_models], column, array[..., n_models:]), axis=-1, dtype=np.float32)

    def with_line(array: NDArray[np.float32], line: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.insert(array, n_models, line, axis=1).astype(np.float32)

    models: Sequence[str] = (*skill.models, name)
    return replace(
        skill,
        models=tuple(models),
        dense_weights=with_column(skill.dense_weights),
        word_weights=with_column(skill.word_weights),
        run_weights=with_column(skill.run_weights),
        offsets=with_column(skill.offsets),
        view_means=with_column(skill.view_means),
        knots=with_line(skill.knots, knots),
        p_at_knots=with_line(skill.p_at_knots, p_at_knots),
    )


def _mean_slope(skill: Skill) -> float:
    """How steeply the known models' probabilities rise with their own values, in logits, on average."""
    knots, p_at_knots = (array.astype(np.float64) for array in (skill.knots, skill.p_at_knots))
    slopes = [platt(evidence(knots[:, i], is_pair=False), p_at_knots[:, i])[0] for i in range(len(skill.models))]
    return float(np.mean(slopes))
