"""Scores answers in parts, on whichever engine: by a scorer that needs nothing else, by code, by likeness."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from pointsman.engine import LOCAL, Engine
from pointsman.features import open_encoder
from pointsman.label import AnswerScorer, CodeLimits, Task, score_code, score_similarity

from .labelling import Folder, Key

AT_ONCE = 256
"""Answers in a part where scoring one takes microseconds."""
PROGRAMS_AT_ONCE = 32
"""Answers in a part where each is a process that may run for seconds."""

Given: TypeAlias = tuple[str, Task]
Scores: TypeAlias = dict[Key, dict[str, float]]


@dataclass(frozen=True, slots=True)
class ScoreAlone:
    """Scores each answer by itself."""

    scorer: AnswerScorer

    def __call__(self, part: Sequence[Given]) -> list[float]:
        """One score per answer; NaN where there is nothing to score against."""
        return [self.scorer.score(answer, task) for answer, task in part]


@dataclass(frozen=True, slots=True)
class RunCode:
    """Runs each answer's code, some at once."""

    limits: CodeLimits
    n_at_once: int

    def __call__(self, part: Sequence[Given]) -> list[float]:
        """One score per answer; NaN for a task without tests."""
        with ThreadPoolExecutor(max_workers=self.n_at_once) as pool:
            return list(pool.map(lambda given: score_code(given[0], given[1], self.limits), part))


@dataclass(frozen=True, slots=True)
class Likeness:
    """Scores answers by their cosine with the nearest reference."""

    encoder: str

    def __call__(self, part: Sequence[Given]) -> list[float]:
        """One score per answer; NaN for a task without a reference."""
        return score_similarity([answer for answer, _ in part], [task for _, task in part], _opened(self.encoder))


_opened = lru_cache(maxsize=1)(open_encoder)


def score_alone(folder: Folder, keys: Sequence[Key], scorer: AnswerScorer, *, engine: Engine = LOCAL) -> Scores:
    """Scores of every answer to these prompts by a scorer that needs nothing else."""
    return _scored(folder, keys, ScoreAlone(scorer), engine, AT_ONCE)


def score_by_similarity(folder: Folder, keys: Sequence[Key], encoder: str, *, engine: Engine = LOCAL) -> Scores:
    """Scores by the cosine with the reference."""
    return _scored(folder, keys, Likeness(encoder), engine, AT_ONCE)


def score_by_code(
    folder: Folder,
    keys: Sequence[Key],
    limits: CodeLimits,
    advance: Callable[[int], None],
    *,
    engine: Engine = LOCAL,
) -> Scores:
    """Scores by running code: here as many at once as there are processors, elsewhere one in each worker.

    Args:
        advance: told how many more answers are scored.
    """
    n_at_once = (os.cpu_count() or 1) if engine is LOCAL else 1
    return _scored(folder, keys, RunCode(limits, n_at_once), engine, PROGRAMS_AT_ONCE, advance)


def _scored(
    folder: Folder,
    keys: Sequence[Key],
    work: Callable[[Sequence[Given]], list[float]],
    engine: Engine,
    at_once: int,
    advance: Callable[[int], None] | None = None,
) -> Scores:
    held = [(key, model, answer) for key in keys for model, answer in folder.answers[key].items() if answer is not None]
    scores: Scores = {key: {} for key in keys}

    def parts() -> Iterator[list[Given]]:
        for start in range(0, len(held), at_once):
            yield [(answer, folder.tasks[key]) for key, _, answer in held[start : start + at_once]]

    at = 0
    for found in engine.map(work, parts()):
        for (key, model, _), score in zip(held[at : at + len(found)], found, strict=True):
            scores[key][model] = score
        at += len(found)
        if advance is not None:
            advance(len(found))
    return scores
