"""What all figures share: typography, colours of axes, data inline, axes that are read without turning one's head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import altair as alt

from . import numbers, palette
from .numbers import Interval

Row: TypeAlias = dict[str, Any]

_CONFIG: Final[dict[str, Any]] = {
    "font": palette.FONT,
    "view": {"stroke": None},
    "mark": {"aria": False},
    "locale": {
        "number": {
            "decimal": ".",
            "thousands": ",",
            "grouping": [3],
            "currency": ["$", ""],
            "percent": f"{numbers.NBSP}%",
            "minus": numbers.MINUS,
        }
    },
    "axis": {
        "labelColor": palette.MUTED.light,
        "titleColor": palette.MUTED.light,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "labelPadding": 6,
        "domainColor": palette.LINE.light,
        "tickColor": palette.LINE.light,
        "tickSize": 4,
        "labelFlush": False,
        "gridColor": palette.GRID.light,
        "gridWidth": 1,
    },
    "legend": {"labelColor": palette.INK.light, "labelFontSize": 12, "offset": 14},
}


def themed(chart: alt.LayerChart, *, title: str | None = None, subtitle: str | None = None) -> dict[str, Any]:
    """The chart's Vega-Lite specification with the report's typography; titled for a file that stands alone."""
    spec: dict[str, Any] = chart.to_dict()
    spec["background"] = palette.PAPER.light if title is not None else "transparent"
    spec["padding"] = 24 if title is not None else 4
    spec["config"] = _CONFIG
    if title is not None:
        spec["title"] = {
            "text": title,
            "subtitle": subtitle or "",
            "anchor": "start",
            "frame": "bounds",
            "fontSize": 17,
            "fontWeight": 600,
            "color": palette.INK.light,
            "subtitleFontSize": 12.5,
            "subtitleColor": palette.MUTED.light,
            "subtitlePadding": 6,
            "offset": 26,
        }
    return spec


def inline(rows: Sequence[Row]) -> alt.Chart:
    """A chart of these rows, which travel within the specification."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def layered(*layers: alt.Chart, width: int, height: int) -> alt.LayerChart:
    """The layers on one plot, the last on top, of this size in pixels without its axes."""
    return alt.LayerChart(layer=list(layers), width=width, height=height)


def y_axis(title: str, form: str, ticks: int = 6) -> alt.Axis:
    """An axis whose title stands over it, to be read without turning one's head."""
    return alt.Axis(
        title=title,
        titleAngle=0,
        titleAlign="left",
        titleAnchor="end",
        titleX=-34,
        titleY=-14,
        titleBaseline="bottom",
        format=form,
        tickCount=ticks,
        domain=False,
        ticks=False,
    )


def padded(values: Sequence[float], *, at_zero: bool = False) -> Interval:
    """The values' range with room around; a single value gets some on both sides."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = 0.07 * (high - low) if high > low else max(0.05 * abs(high), 1e-6)
    start = -0.02 * high if at_zero and low >= 0 and high > 0 else low - room
    end = high + room
    return (start, end) if math.isfinite(end - start) and end > start else (0.0, 1.0)
