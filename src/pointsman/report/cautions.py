"""What a reader must know before believing the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .contents import Provenance
from .numbers import percent, points, points_range, score
from .reading import Evidence

WIDE_POINTS: Final = 0.05
"""A quality interval wider than five points decides little."""
OFF_POINTS: Final = 0.05
"""A mean calibration error above five points: thresholds on such probabilities do not mean what they say."""
WORSE_TASKS_MAX: Final = 3


def cautions(evidence: Evidence, provenance: Provenance) -> tuple[str, ...]:
    """Honest warnings, the gravest first; those of the evaluation itself are among them."""
    return tuple(dict.fromkeys(_all(evidence, provenance)))


def _all(evidence: Evidence, provenance: Provenance) -> Iterator[str]:
    if provenance.out_of_sample is False:
        yield (
            "In-sample: the router was trained on some of the prompts it is measured on here. "
            "Expect less on new traffic."
        )
    if evidence.n is not None and evidence.n < 300 and not any("are few" in each for each in evidence.warnings):
        yield f"{evidence.n:,} prompts are few: expect wide intervals."
    yield from evidence.warnings
    if not evidence.priced and not any("No cost is known" in each for each in evidence.warnings):
        yield "No cost is known: shares of strong calls stand in for dollars."
    yield from _worse_tasks(evidence)
    yield from _no_better_than_the_task(evidence)
    for line in evidence.policies:
        interval = line.quality_delta_ci
        if interval is not None and interval[1] - interval[0] > WIDE_POINTS:
            yield (
                f"The quality of {line.name} against the strong model is known to {points_range(interval)} points "
                "only; more prompts would narrow that."
            )
        if line.kind in {"cascade", "cascade_routing"} and line.judge_usd is None and evidence.priced:
            yield f"The cost of judging answers is not known for {line.name}; its savings may be overstated."
    for diagram in evidence.calibration:
        if diagram.ece is not None and diagram.ece > OFF_POINTS:
            yield (
                f"P(good enough) of {diagram.model} is off by {points(diagram.ece).removeprefix('+')} points on "
                "average; thresholds on it do not mean what they say."
            )
    if provenance.out_of_sample is None and evidence.policies:
        yield "It is not on record whether the router was trained on some of these prompts."
    if len(evidence.tasks) == 1:
        yield "All prompts come from one data set; traffic of another kind may behave differently."


def _no_better_than_the_task(evidence: Evidence) -> Iterator[str]:
    """Where a router that knows the task alone does better, a rule per task is the simpler answer."""
    task_mean = next((line for line in evidence.controls if line.name == "task mean"), None)
    for line in evidence.policies:
        if task_mean is None or task_mean.apgr is None or line.apgr is None or task_mean.apgr <= line.apgr:
            continue
        yield (
            f"Knowing the task alone does better (APGR {score(task_mean.apgr)}) than {line.name} ({score(line.apgr)}): "
            "a rule for each task may be all that is needed."
        )


def _worse_tasks(evidence: Evidence) -> Iterator[str]:
    """Tasks on which the mean hides a real loss."""
    worse = [
        (task.quality_delta_ci[1], task)
        for task in evidence.tasks
        if len(evidence.tasks) > 1 and task.quality_delta_ci is not None and task.quality_delta_ci[1] < -0.01
    ]
    worse.sort(key=lambda each: each[0])
    for _, task in worse[:WORSE_TASKS_MAX]:
        yield (
            f"The mean hides a loss on {task.name}: {points(task.quality_delta)} points "
            f"({points_range(task.quality_delta_ci)}), {percent(task.strong_share)} of it sent to the strong model."
        )
    if len(worse) > WORSE_TASKS_MAX:
        yield f"{len(worse) - WORSE_TASKS_MAX} more tasks lose quality; the table by task shows them."
