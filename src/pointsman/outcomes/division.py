"""Parts of a data set: splits and folds in which a group of equal prompts always stays together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.vocabulary import JSONObject, Outcomes

from .identity import data_hash

Int: TypeAlias = NDArray[np.int64]


def take(outcomes: Outcomes, rows: Int | NDArray[np.bool_]) -> Outcomes:
    """The outcomes of these rows, by number in the order given, or by a mask of shape (n,)."""
    places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
    part = outcomes.at(places)
    return replace(part, data_hash=data_hash(part.models, part.groups, part.score, part.cost_usd))


def complete(outcomes: Outcomes) -> Outcomes:
    """The prompts that every model has a score on; only these can be compared in pairs."""
    return take(outcomes, np.flatnonzero(np.isfinite(outcomes.score).all(axis=1)))


def fold_of(outcomes: Outcomes, k: int, seed: int) -> Int:
    """The fold of each prompt, 0 to k - 1, shape (n,): groups stay together, each dataset is spread evenly.

    Within a dataset the numbers of groups in two folds differ by at most one. A group that spans datasets belongs to
    the dataset of its first prompt.

    Raises:
        DataError: fewer than two folds, or fewer groups than folds.
    """
    groups, first, member = np.unique(outcomes.groups, return_index=True, return_inverse=True)
    if k < 2:
        raise DataError(f"{k} folds: at least two are needed")
    if groups.size < k:
        raise DataError(f"{groups.size} different prompts cannot fill {k} folds")
    generator = np.random.default_rng(seed)
    strata = np.array(outcomes.datasets, dtype=object)[first]
    _, stratum = np.unique(strata.astype(str), return_inverse=True)
    shuffled = generator.permutation(groups.size)
    # Groups stand in random order within their dataset, datasets one after the other; dealing them out in turn makes
    # every fold even within each dataset and in all.
    in_order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    fold = np.empty(groups.size, dtype=np.int64)
    fold[in_order] = np.arange(groups.size) % k
    names = generator.permutation(k)
    return np.asarray(names[fold[member.reshape(-1)]], dtype=np.int64)


def folds(outcomes: Outcomes, k: int, seed: int) -> Iterator[tuple[Int, Int]]:
    """Row numbers to learn from and row numbers to measure on, k times; see `fold_of`."""
    fold = fold_of(outcomes, k, seed)
    for each in range(k):
        yield np.flatnonzero(fold != each), np.flatnonzero(fold == each)


def split(outcomes: Outcomes, test_share: float, seed: int) -> tuple[Int, Int]:
    """Row numbers to learn from and row numbers to measure on: about `test_share` of each dataset's groups.

    Raises:
        DataError: the share is not between 0 and 1, or one part would be empty.
    """
    if not 0 < test_share < 1:
        raise DataError(f"a test share of {test_share} is not between 0 and 1")
    groups, first, member = np.unique(outcomes.groups, return_index=True, return_inverse=True)
    generator = np.random.default_rng(seed)
    strata = np.array(outcomes.datasets, dtype=object)[first].astype(str)
    _, stratum = np.unique(strata, return_inverse=True)
    shuffled = generator.permutation(groups.size)
    in_order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    # Every 1/share-th group along the datasets is taken, from a random start: shares hold in each dataset and in all.
    steps = np.floor(np.arange(groups.size + 1) * test_share + generator.random())
    chosen = np.zeros(groups.size, dtype=np.bool_)
    chosen[in_order] = np.diff(steps) > 0
    test = chosen[member.reshape(-1)]
    if test.all() or not test.any():
        raise DataError(f"{groups.size} different prompts are too few for a test share of {test_share}")
    return np.flatnonzero(~test), np.flatnonzero(test)


@dataclass(frozen=True, slots=True)
class Contamination:
    """How much of one set stands in another, by normalised prompt."""

    n: int
    """Prompts of the first set."""
    n_shared: int
    """Those whose text stands in the second set too."""
    rows: Int
    """Their row numbers in the first set."""

    @property
    def share(self) -> float:
        """The share of the first set that stands in the second."""
        return self.n_shared / self.n if self.n else 0.0

    def to_json(self) -> JSONObject:
        """Counts and share as plain JSON types."""
        return {"n": self.n, "n_shared": self.n_shared, "share": self.share}


def contamination(a: Outcomes, b: Outcomes) -> Contamination:
    """Which prompts of `a` stand in `b` as well, whatever their case, spaces or Unicode form."""
    rows = np.flatnonzero(np.isin(a.groups, b.groups))
    return Contamination(a.n, int(rows.size), rows.astype(np.int64))


def without(outcomes: Outcomes, hashes: Sequence[int] | NDArray[np.uint64]) -> tuple[Outcomes, int]:
    """The outcomes without prompts of these hashes (see `prompt_identity.prompt_hash`), and how many were left out."""
    seen = np.isin(outcomes.groups.view(np.uint64), np.asarray(hashes, dtype=np.uint64))
    return (outcomes, 0) if not seen.any() else (take(outcomes, ~seen), int(seen.sum()))
