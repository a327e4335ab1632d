"""A prompt with what is known of its right answer, and the protocol of what scores an answer against it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

UNSCORED = math.nan
"""Nothing is known of an answer: it is left out of every mean."""


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt. An empty `references` or a None means that nothing was given.

    Attributes:
        references: right answers; any one of them will do.
        pattern: a regular expression that a right answer matches.
        schema: a JSON Schema that a right answer keeps.
        tests: Python code that runs after a right answer's code without an error.
    """

    dataset: str
    prompt_id: str
    prompt: str
    references: tuple[str, ...] = ()
    pattern: str | None = None
    schema: Mapping[str, Any] | bool | None = None
    tests: str | None = None


class AnswerScorer(Protocol):
    """Scores one answer by itself, without I/O."""

    @property
    def name(self) -> str:
        """What the card of the eval set calls it, its settings included."""

    def score(self, answer: str, task: Task) -> float:
        """From 0 to 1; NaN when the task holds nothing to score against."""


def references_of(value: object) -> tuple[str, ...]:
    """Right answers out of a column: a text, a number, or a list of them; nothing for null and for all else."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, int | float):
        return () if isinstance(value, float) and not math.isfinite(value) else (f"{value}",)
    if isinstance(value, list | tuple):
        return tuple(text for each in value for text in references_of(each))
    return ()
