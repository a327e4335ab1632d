"""Similarity of an answer to a reference, by the vectors of an encoder that is passed in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pointsman.vocabulary import Encoder

from .tasks import UNSCORED, Task


def score_similarity(answers: Sequence[str], tasks: Sequence[Task], encoder: Encoder) -> list[float]:
    """The cosine of each answer with its nearest reference, in [0, 1]: negative ones are 0.

    NaN for a task without a reference, and where either text has no word that the encoder knows. The value is not a
    probability of being right: look at some of them before choosing a threshold.
    """
    references = [reference for task in tasks for reference in task.references]
    vectors = np.asarray(encoder.encode([*answers, *references]), dtype=np.float32)
    said, known = vectors[: len(answers)], vectors[len(answers) :]
    scores: list[float] = []
    at = 0
    for index, task in enumerate(tasks):
        n = len(task.references)
        near = known[at : at + n]
        at += n
        near = near[np.linalg.norm(near, axis=1) > 0]
        if len(near) == 0 or not np.linalg.norm(said[index]) > 0:
            scores.append(UNSCORED)
        else:
            scores.append(float(np.clip((near @ said[index]).max(), 0.0, 1.0)))
    return scores
