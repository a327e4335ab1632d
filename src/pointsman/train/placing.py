"""A model unseen in training, placed from few outcomes: one slope and one offset on what is already known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.learned import Pair, Skill

from .calibrate import evidence, platt, spread_out
from .inputs import Inputs

MIN_OUTCOMES: Final = 50
_PRIOR_OUTCOMES: Final = 20.0
"""Outcomes that the known models' mean slope is worth."""


def place_new_model(
    skill: Skill, name: str, inputs: Inputs, score: NDArray[np.floating], *, at: int | None = None
) -> Skill:
    """The skill with one more model; all that was learned before stays as it is.

    A prompt's ease is the logit of the score expected of the known models on average, and P(the new model is good) the
    logistic function of slope × ease + offset: the two-parameter model of item response theory, with the ease already
    known. The slope is drawn towards the known models' own, more so with few outcomes. The new model is in no pair.

    Args:
        skill: what was learned; must hold models.
        name: the new model's.
        inputs: n prompts that it answered.
        score: shape (n,), 0 to 1; NaN is left out.
        at: its place among the models; None puts it last.

    Raises:
        DataError: fewer than `MIN_OUTCOMES` scores, a score outside 0 to 1, a known name, or a skill without models.
    """
    if name in skill.models:
        raise DataError(f"{name} is already known")
    placed = _placed(skill, name, inputs, score, of_pairs=False)
    place = len(skill.models) if at is None else at
    models = (*skill.models[:place], name, *skill.models[place:])
    return _with_target(replace(skill, models=models), placed, place)


def place_new_pair(skill: Skill, pair: Pair, inputs: Inputs, as_good: NDArray[np.floating]) -> Skill:
    """The skill with one more pair: P(a placed model does as well as the strong one) along the same ease.

    Args:
        skill: what was learned; must hold models and pairs.
        pair: (the placed model, the strong one).
        inputs: n prompts that both answered.
        as_good: shape (n,), 1 where the placed model scored at least as high, else 0; NaN is left out.

    Raises:
        DataError: as `place_new_model`.
    """
    if pair in skill.pairs:
        raise DataError(f"{pair[0]} beside {pair[1]} is already known")
    placed = _placed(skill, f"{pair[0]} beside {pair[1]}", inputs, as_good, of_pairs=True)
    return _with_target(replace(skill, pairs=(*skill.pairs, pair)), placed, skill.n_targets)


@dataclass(frozen=True, slots=True)
class _Placed:
    """One more target: what it adds up from, and its calibration line."""

    sign: float
    """−1 for a pair, whose value is a gain and rises with difficulty."""
    knots: NDArray[np.float32]
    p_at_knots: NDArray[np.float32]


def _placed(skill: Skill, name: str, inputs: Inputs, outcome: NDArray[np.floating], *, of_pairs: bool) -> _Placed:
    known = np.isfinite(outcome)
    if not skill.models:
        raise DataError("this router knows no models, only a pair")
    if known.sum() < MIN_OUTCOMES:
        raise DataError(f"placing {name} needs at least {MIN_OUTCOMES} scored answers, there are {int(known.sum())}")
    if not ((outcome[known] >= 0) & (outcome[known] <= 1)).all():
        raise DataError("a score is not from 0 to 1")
    n_models, rows = len(skill.models), np.flatnonzero(known)
    part = inputs[rows]
    values = skill.values(part.features, part.embeddings, part.texts)
    expected = values[:, :n_models].astype(np.float64).mean(axis=1)
    ease = evidence(expected, is_pair=False)
    slope, intercept = platt(ease, outcome[rows].astype(np.float64))
    share = len(rows) / (len(rows) + _PRIOR_OUTCOMES)
    p_known = skill.probabilities(values)[:, n_models:] if of_pairs else skill.probabilities(values)[:, :n_models]
    prior = np.mean([platt(ease, p_known[:, i].astype(np.float64))[0] for i in range(p_known.shape[1])])
    shrunk = share * slope + (1 - share) * float(prior)
    intercept += (slope - shrunk) * float(ease.mean())
    sign = -1.0 if of_pairs else 1.0
    at = np.sort(sign * np.quantile(expected, np.linspace(0, 1, len(skill.knots))))
    line = 1 / (1 + np.exp(-(shrunk * evidence(sign * at, is_pair=False) + intercept)))
    knots, p_at_knots = spread_out(at, line)
    return _Placed(sign, knots, p_at_knots)


def _with_target(skill: Skill, placed: _Placed, at: int) -> Skill:
    """The skill, whose names count the new target already, with its numbers."""
    n_models = len(skill.models) - (placed.sign > 0)

    def with_column(array: NDArray[np.float32]) -> NDArray[np.float32]:
        column = placed.sign * array[..., :n_models].mean(axis=-1)
        return np.insert(array, at, column, axis=-1).astype(np.float32)

    return replace(
        skill,
        dense_weights=with_column(skill.dense_weights),
        word_weights=with_column(skill.word_weights),
        run_weights=with_column(skill.run_weights),
        offsets=with_column(skill.offsets),
        view_means=with_column(skill.view_means),
        knots=np.insert(skill.knots, at, placed.knots, axis=1).astype(np.float32),
        p_at_knots=np.insert(skill.p_at_knots, at, placed.p_at_knots, axis=1).astype(np.float32),
    )
