"""Predictions for every prompt by a router that never saw its group."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

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


@dataclass(frozen=True, slots=True, eq=False)
class LearnFold:
    """Learns on all folds but one, and predicts that one."""

    learner: RouterLearner
    outcomes: Outcomes
    inputs: Inputs
    fold: NDArray[np.int64]

    def __call__(self, index: int) -> FoldPredicted:
        """P(good), gain and P(cheap) of the fold's prompts, in their order."""
        here, others = np.flatnonzero(self.fold == index), np.flatnonzero(self.fold != index)
        skill = self.learner.fit(self.outcomes.at(others), self.inputs[others]).skill_
        part = self.inputs[here]
        predicted = skill.predict(part.features, part.embeddings, part.texts)
        return predicted.p_good, predicted.gain, predicted.p_cheap


FoldPredicted: TypeAlias = tuple[Floats, Floats, Floats]
EachFold: TypeAlias = Callable[[Callable[[int], FoldPredicted], Iterable[int]], Iterable[FoldPredicted]]
"""Calls a function on each fold's number, here or elsewhere; results in order."""


def out_of_fold(
    learner: RouterLearner,
    outcomes: Outcomes,
    *,
    n_folds: int = N_FOLDS,
    fold: NDArray[np.int64] | None = None,
    inputs: Inputs | None = None,
    each: EachFold = map,
) -> OutOfFold:
    """Each fold predicted by a router fitted on the others: basis, penalties, stack and calibration included.

    Args:
        learner: how to learn; it is fitted again for each fold.
        outcomes: n prompts.
        n_folds: at least 2; ignored with `fold`.
        fold: folds already chosen, shape (n,), from 0 up; groups must not be split.
        inputs: the prompts already read.
        each: where the folds are learned.

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
    numbers = np.unique(fold).tolist()
    for index, found in zip(numbers, each(LearnFold(learner, outcomes, inputs, fold), numbers), strict=True):
        here = fold == index
        p_good[here], gain[here], p_cheap[here] = found
    return OutOfFold(outcomes.models, pairs, p_good, gain, p_cheap, fold)
