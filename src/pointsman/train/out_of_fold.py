"""Predictions for every prompt by a router that never saw its group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.learned import Pair
from pointsman.vocabulary import Outcomes

from .basis import Floats
from .folds import N_FOLDS, group_folds, strata_of
from .inputs import Inputs
from .learner import RouterLearner, pairs_of


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Held-out predictions for n prompts."""

    models: tuple[str, ...]
    pairs: tuple[Pair, ...]
    p_good: Floats
    """P(the answer is good), calibrated, shape (n, models)."""
    gain: Floats
    """Expected score of strong minus cheap, shape (n, pairs)."""
    p_cheap: Floats
    """P(cheap scores at least as high as strong), calibrated, shape (n, pairs)."""
    fold: NDArray[np.int64]
    """Shape (n,)."""


def out_of_fold(
    learner: RouterLearner,
    outcomes: Outcomes,
    *,
    n_folds: int = N_FOLDS,
    fold: NDArray[np.int64] | None = None,
    inputs: Inputs | None = None,
) -> OutOfFold:
    """Each fold predicted by a router fitted on the others: basis, penalties, stack and calibration included.

    Args:
        learner: how to learn; it is fitted again for each fold.
        outcomes: n prompts.
        n_folds: at least 2; ignored with `fold`.
        fold: folds already chosen, shape (n,), from 0 up; groups must not be split.
        inputs: the prompts already read.

    Raises:
        DataError: a group is split by `fold`, or a fold leaves too few outcomes to learn from.
    """
    if inputs is None:
        inputs = Inputs.read(outcomes.prompts, extract=learner.extract, encode=learner.encode)
    if fold is None:
        fold = group_folds(
            outcomes.groups, n_folds, generator=np.random.default_rng(learner.seed), strata=strata_of(outcomes)
        )
    elif len(np.unique(np.column_stack((outcomes.groups, fold)), axis=0)) != len(np.unique(outcomes.groups)):
        raise DataError("a group of equal prompts is split across folds")
    pairs = pairs_of(outcomes.models, learner.pairs)
    p_good = np.empty((outcomes.n, len(outcomes.models)), dtype=np.float32)
    gain, p_cheap = (np.empty((outcomes.n, len(pairs)), dtype=np.float32) for _ in range(2))
    for index in np.unique(fold):
        here, others = np.flatnonzero(fold == index), np.flatnonzero(fold != index)
        skill = learner.fit(outcomes.at(others), inputs[others]).skill_
        part = inputs[here]
        predicted = skill.predict(part.features, part.embeddings, part.texts)
        p_good[here], gain[here], p_cheap[here] = predicted.p_good, predicted.gain, predicted.p_cheap
    return OutOfFold(outcomes.models, pairs, p_good, gain, p_cheap, fold)
