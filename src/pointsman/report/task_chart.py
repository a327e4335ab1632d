"""Quality by task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import altair as alt

from . import numbers, palette
from .chart_style import Row, inline, layered, padded
from .plain_text import one_line
from .reading import Task

TASKS_MAX: Final = 24
"""Rows in the figure; the table has them all."""


SIZES: Final = {"always cheap": 150, "policy": 75, "always strong": 75}
"""In square pixels. The cheap model's ring is the largest, so that it shows around a policy at the same quality."""


def by_task(tasks: Sequence[Task], *, width: int) -> alt.LayerChart:
    """Where it helps: per task, always-cheap, the policy and always-strong on one line."""
    shown = largest(tasks)
    rows: list[Row] = []
    spans: list[Row] = []
    for task in shown:
        ends = [each for each in (task.cheap_quality, task.strong_quality, task.quality) if each is not None]
        if ends:
            spans.append({"task": _task_name(task), "low": min(ends), "high": max(ends)})
        for name, value in (
            ("always cheap", task.cheap_quality),
            ("always strong", task.strong_quality),
            ("policy", task.quality),
        ):
            if value is not None:
                hover = f"{task.name}: {name} {numbers.percent(value, 1)}"
                rows.append(
                    {"task": _task_name(task), "who": name, "quality": value, "hover": hover, "size": SIZES[name]}
                )
    low, high = padded([row["quality"] for row in rows])
    names = [_task_name(task) for task in shown]
    y = alt.Y(
        "task:N",
        sort=names,
        axis=alt.Axis(title=None, domain=False, ticks=False, labelLimit=min(220, width // 3), labelPadding=10),
    )
    x = alt.X(
        "quality:Q",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        axis=alt.Axis(title="Quality (mean score)", format=".0%", tickCount=5),
    )
    who = ["always cheap", "policy", "always strong"]
    fills = [palette.PAPER.light, palette.ACCENT.light, palette.INK.light]
    edges = [palette.MUTED.light, palette.ACCENT.light, palette.INK.light]
    span = (
        inline(spans)
        .mark_rule(color=palette.LINE.light, strokeWidth=1.5)
        .encode(y=y, x=alt.X("low:Q", scale=alt.Scale(domain=[low, high], nice=False, zero=False)), x2="high:Q")
    )
    legend = alt.Legend(
        title=None, orient="top", direction="horizontal", columnPadding=18, symbolSize=80, symbolStrokeWidth=1.5
    )
    dots = (
        inline(rows)
        .mark_point(aria=True, size=75, filled=True, opacity=1, strokeWidth=1.5)
        .encode(
            y=y,
            x=x,
            fill=alt.Fill("who:N", scale=alt.Scale(domain=who, range=fills), legend=legend),
            size=alt.Size("size:Q", scale=None),
            stroke=alt.Stroke("who:N", scale=alt.Scale(domain=who, range=edges), legend=legend),
            shape=alt.Shape("who:N", scale=alt.Scale(domain=who, range=["circle", "diamond", "square"]), legend=legend),
            tooltip=alt.Tooltip("hover:N", title=" "),
            description="hover:N",
        )
    )
    return layered(span, dots, width=width, height=24 * max(1, len(shown)))


def largest(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks with the most prompts, as many as fit, in the order they came."""
    known = sorted(tasks, key=lambda task: -(task.n or 0))[:TASKS_MAX]
    return tuple(task for task in tasks if task in known)


def _task_name(task: Task) -> str:
    return one_line(task.name, 34)
