"""Predicted against observed."""

from __future__ import annotations

import math

import altair as alt

from pointsman.intervals import wilson

from . import numbers, palette
from .chart_style import Row, inline, layered, y_axis
from .reading import Diagram


def calibration(diagram: Diagram, *, width: int, height: int) -> alt.LayerChart:
    """Predicted against observed: on the diagonal, "80 % good" is good in 80 % of cases. Bins hold equally many."""
    rows: list[Row] = []
    for each in diagram.bins:
        low, high = wilson(each.score, each.n)
        hover = (
            f"predicted {numbers.percent(each.p)}, observed {numbers.percent(each.score)} "
            f"({numbers.percent_range((low, high), 0)}), {each.n:,} prompts"
        )
        rows.append({"p": each.p, "score": each.score, "low": low, "high": high, "hover": hover})
    ends = [value for row in rows for value in (row["p"], row["low"], row["high"])]
    low_end, high_end = math.floor(10 * min(ends, default=0)) / 10, math.ceil(10 * max(ends, default=1)) / 10
    unit = alt.Scale(domain=[low_end, high_end], nice=False)
    x = alt.X(
        "p:Q", scale=unit, axis=alt.Axis(title="Predicted: P(good enough)", format=".0%", tickCount=5, grid=False)
    )
    y = alt.Y("score:Q", scale=unit, axis=y_axis("Observed: mean score", ".0%", ticks=5))
    diagonal = (
        inline([{"p": end, "score": end} for end in (low_end, high_end)])
        .mark_line(color=palette.LINE.light, strokeDash=[5, 4], strokeWidth=1.5)
        .encode(x=x, y=y)
    )
    base = inline(rows)
    rules = base.mark_rule(color=palette.ACCENT.light, strokeWidth=1.25, opacity=0.6).encode(
        x=x, y=alt.Y("low:Q", scale=unit), y2="high:Q"
    )
    dots = base.mark_point(
        aria=True,
        shape="circle",
        size=72,
        filled=True,
        opacity=1,
        fill=palette.ACCENT.light,
        stroke=palette.PAPER.light,
    ).encode(x=x, y=y, tooltip=alt.Tooltip("hover:N", title=" "), description="hover:N")
    return layered(diagonal, rules, dots, width=width, height=height)
