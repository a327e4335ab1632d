"""How much labels are worth: what a router trained on few, more and many prompts does on the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.learned import Predicted
from pointsman.vocabulary import Outcomes

from .inputs import Inputs
from .learner import RouterLearner

Measure = Callable[[Outcomes, Predicted], float]
"""What is measured of predictions for held-out prompts, such as APGR."""

DEFAULT_SIZES = (100, 200, 500, 1_500, 5_000)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One training size."""

    n_prompts: int
    values: tuple[float, ...]
    """One per seed."""


def learning_curve(
    learner: RouterLearner,
    outcomes: Outcomes,
    measure: Measure,
    *,
    sizes: Sequence[int] = DEFAULT_SIZES,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    inputs: Inputs | None = None,
) -> tuple[CurvePoint, ...]:
    """What `measure` gives on all prompts that were not trained on, for each size and seed.

    Whole groups are drawn until the size is reached, so a size may be passed by some prompts. Sizes that leave fewer
    than a fifth of the prompts to measure on are left out.

    Raises:
        DataError: no size leaves enough, or one is too small to learn from.
    """
    if inputs is None:
        inputs = Inputs.read(outcomes.prompts, extract=learner.extract, encode=learner.encode)
    usable = [size for size in sizes if size <= 0.8 * outcomes.n]
    if not usable:
        raise DataError(
            f"a learning curve from {min(sizes)} prompts needs {int(min(sizes) / 0.8) + 1}, not {outcomes.n}"
        )
    points = []
    for size in usable:
        values = []
        for seed in seeds:
            train, rest = drawn(outcomes.groups, size, generator=np.random.default_rng(seed))
            skill = learner.fit(outcomes.at(train), inputs[train]).skill_
            part = inputs[rest]
            values.append(measure(outcomes.at(rest), skill.predict(part.features, part.embeddings, part.texts)))
        points.append(CurvePoint(size, tuple(values)))
    return tuple(points)


def drawn(
    groups: NDArray[np.int64], size: int, *, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of at least `size` prompts in whole groups drawn at random, and of the rest."""
    _, dense, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = generator.permutation(len(counts))
    n_taken = int(np.searchsorted(np.cumsum(counts[order]), size)) + 1
    taken = np.zeros(len(counts), dtype=np.bool_)
    taken[order[:n_taken]] = True
    return np.flatnonzero(taken[dense]), np.flatnonzero(~taken[dense])
