"""Scorers that compare words and numbers: exact, contains, numeric, regex. Each gives 1, 0, or NaN."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass

from pointsman.errors import DataError

from .numbers import MAX_CHARS, number_in
from .tasks import UNSCORED, Task

_MARKUP = re.compile(r"[*_`]+")
_ENDS = " \t\n\"'“”‘’«»().,;:!?[]{}"
_PREFIX = re.compile(r"^(?:the\s+)?(?:final\s+|correct\s+)?answer(?:\s+is|\s*:)\s*")


def normalised_answer(text: str) -> str:
    """An answer without what does not matter: Unicode form (NFKC), case, Markdown emphasis, runs of spaces, quotes and
    punctuation at its ends, and a leading "The answer is"."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = " ".join(_MARKUP.sub("", text).split()).strip(_ENDS)
    return _PREFIX.sub("", text).strip(_ENDS)


@dataclass(frozen=True, slots=True)
class ExactScorer:
    """1 when the answer is one of the references, both normalised."""

    name: str = "exact"

    def score(self, answer: str, task: Task) -> float:
        """See `AnswerScorer.score`."""
        if not task.references:
            return UNSCORED
        said = normalised_answer(answer)
        return float(any(said == normalised_answer(reference) for reference in task.references))


@dataclass(frozen=True, slots=True)
class ContainsScorer:
    """1 when one of the references stands in the answer as whole words, both normalised."""

    name: str = "contains"

    def score(self, answer: str, task: Task) -> float:
        """See `AnswerScorer.score`. A reference that is empty once normalised is passed over."""
        wanted = [words for words in map(normalised_answer, task.references) if words]
        if not wanted:
            return UNSCORED
        said = normalised_answer(answer)
        return float(any(_holds(said, words) for words in wanted))


def _holds(said: str, words: str) -> bool:
    at = said.find(words)
    while at >= 0:
        before, after = said[at - 1 : at], said[at + len(words) : at + len(words) + 1]
        # Scripts without spaces have no word boundary to look for.
        if not (_joins(before) and _joins(words[0])) and not (_joins(after) and _joins(words[-1])):
            return True
        at = said.find(words, at + 1)
    return False


def _joins(letter: str) -> bool:
    return letter.isalnum() and unicodedata.east_asian_width(letter) not in ("W", "F")


@dataclass(frozen=True, slots=True)
class NumericScorer:
    """1 when the number that the answer gives is that of a reference.

    Two numbers agree when |a - b| ≤ max(relative × |b|, absolute), b being the reference's.
    """

    relative: float = 1e-6
    absolute: float = 1e-9

    @property
    def name(self) -> str:
        """See `AnswerScorer.name`."""
        return f"numeric (relative {self.relative:g}, absolute {self.absolute:g})"

    def score(self, answer: str, task: Task) -> float:
        """See `AnswerScorer.score`. References without a number are passed over."""
        wanted = [number for number in map(number_in, task.references) if number is not None]
        if not wanted:
            return UNSCORED
        said = number_in(answer)
        if said is None:
            return 0.0
        return float(any(math.isclose(said, b, rel_tol=0, abs_tol=self._tolerance(b)) for b in wanted))

    def _tolerance(self, reference: float) -> float:
        return max(self.relative * abs(reference), self.absolute)


class RegexScorer:
    """1 when a pattern is found in the answer: the task's own, else the given one, with `re.search`.

    Patterns are the user's own and run without a time limit; an answer is read up to `MAX_CHARS` characters.

    Raises:
        DataError: the pattern cannot be compiled.
    """

    def __init__(self, pattern: str | None = None) -> None:
        self._given = None if pattern is None else _compiled(pattern)

    @property
    def name(self) -> str:
        """See `AnswerScorer.name`."""
        return "regex" if self._given is None else f"regex {self._given.pattern}"

    def score(self, answer: str, task: Task) -> float:
        """See `AnswerScorer.score`.

        Raises:
            DataError: the task's pattern cannot be compiled.
        """
        pattern = self._given if task.pattern is None else _compiled(task.pattern, task.prompt_id)
        if pattern is None:
            return UNSCORED
        return float(pattern.search(answer[:MAX_CHARS]) is not None)


def _compiled(pattern: str, prompt_id: str | None = None) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        where = "the pattern" if prompt_id is None else f"prompt {prompt_id!r}: its pattern"
        raise DataError(f"{where} is not a regular expression: {error}") from error
