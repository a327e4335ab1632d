"""What plans are made from: prompts whose answers are all known, each with what parts that had not seen it say of it.

An artifact carries them beside the answers' scorer, so that plans for any rate, any judge's price and any of its models
can be fitted without training again, and be tested on prompts that neither they nor the scorer have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .answer_skill import AnswerSkill
from .plan import Floats, Ints, Known


@dataclass(frozen=True, slots=True, eq=False)
class Precedents:
    """n prompts and m models."""

    models: tuple[str, ...]
    known: Known
    score: Floats
    """Shape (n, m), 0 to 1, all known."""
    cost_usd: Floats
    """Shape (n, m), all known."""
    groups: Ints
    """Equal prompts have equal numbers, shape (n,)."""

    @property
    def n(self) -> int:
        """How many prompts there are."""
        return len(self.score)

    def __getitem__(self, rows: Ints) -> Precedents:
        return Precedents(
            self.models, self.known[rows], self.score[rows], self.cost_usd[rows], np.asarray(self.groups)[rows]
        )

    def of(self, models: Sequence[str]) -> Precedents:
        """The same for these models, in this order.

        Raises:
            KeyError: one of them is not among these.
        """
        places = places_of(models, self.models)
        return Precedents(
            tuple(models), self.known.of(places), self.score[:, places], self.cost_usd[:, places], self.groups
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the names, for a file; `from_arrays` reads it back."""
        numbers = {name: getattr(self.known, name) for name in _OF_KNOWN} | {
            "score": self.score,
            "cost_usd": self.cost_usd,
        }
        out: dict[str, NDArray[Any]] = {name: array.astype(np.float32) for name, array in numbers.items()}
        out["groups"] = np.asarray(self.groups, dtype=np.int64).view(np.uint64)
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, models: Sequence[str]) -> Precedents:
        """The precedents that `arrays` gave.

        Raises:
            ValueError: an array is missing or unknown, of another type, not finite, or of a shape that does not fit.
        """
        expected = {*_OF_KNOWN, "score", "cost_usd", "groups"}
        if arrays.keys() != expected:
            raise ValueError(f"precedents lacking or unknown: {', '.join(sorted(arrays.keys() ^ expected))}")
        m, n = len(models), len(arrays["groups"])
        if arrays["groups"].dtype != np.uint64 or arrays["groups"].ndim != 1:
            raise ValueError(f"precedents' groups are {arrays['groups'].dtype}, expected one row of uint64")
        for name in expected - {"groups"}:
            shape = (n, m, m) if name == "agreement" else (n, m)
            array = arrays[name]
            if array.dtype != np.float32 or array.shape != shape or not np.isfinite(array).all():
                raise ValueError(
                    f"precedents' {name}: expected finite float32 of shape {shape}, got {array.dtype} of {array.shape}"
                )
        known = Known(**{name: arrays[name].astype(np.float64) for name in _OF_KNOWN})
        score, cost = (arrays[name].astype(np.float64) for name in ("score", "cost_usd"))
        return cls(tuple(models), known, score, cost, arrays["groups"].view(np.int64))


_OF_KNOWN: Final = ("p_ahead", "log_cost_ahead", "p_answer", "log_cost", "agreement")


@dataclass(frozen=True, slots=True, eq=False)
class LearnedAnswers:
    """What an artifact knows of answers: how to score them, and what to plan from.

    Raises:
        ValueError: the two are of different models.
    """

    skill: AnswerSkill
    precedents: Precedents

    def __post_init__(self) -> None:
        """Refuses parts that do not belong together."""
        if self.skill.models != self.precedents.models:
            raise ValueError(f"answers of {self.skill.models} and precedents of {self.precedents.models}")

    @property
    def models(self) -> tuple[str, ...]:
        """Those whose answers were learned."""
        return self.skill.models

    def of(self, models: Sequence[str]) -> LearnedAnswers:
        """The same for these models, in this order.

        Raises:
            KeyError: the answers of one of them were not learned.
        """
        return LearnedAnswers(self.skill.for_models(models), self.precedents.of(models))


def places_of(models: Sequence[str], known: Sequence[str]) -> list[int]:
    """The number of each of the models among the known ones.

    Raises:
        KeyError: one of them is not known.
    """
    unknown = [model for model in models if model not in known]
    if unknown:
        raise KeyError(unknown[0])
    return [list(known).index(model) for model in models]
