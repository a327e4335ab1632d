"""What each dollar buys: the policy's curve between the controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import altair as alt

from . import numbers, palette
from .chart_style import Row, inline, layered, padded, y_axis
from .labels import Align, Spot, along, placed
from .numbers import Interval
from .plain_text import one_line
from .reading import Evidence, Line

LABEL_MAX_CHARS: Final = 42
NARROW_LABEL_MAX_CHARS: Final = 28
NARROW_PX: Final = 500


@dataclass(frozen=True, slots=True)
class _Mark:
    x: float
    y: float
    text: str
    colour: str
    shape: str
    size: float
    y_ci: Interval | None
    x_ci: Interval | None
    hover: str
    filled: bool = True


@dataclass(frozen=True, slots=True)
class _Plot:
    width: int
    height: int
    x_domain: Interval
    y_domain: Interval

    def px(self, x: float, y: float) -> tuple[float, float]:
        """Pixels from the top left corner."""
        across = (x - self.x_domain[0]) / (self.x_domain[1] - self.x_domain[0])
        up = (y - self.y_domain[0]) / (self.y_domain[1] - self.y_domain[0])
        return self.width * across, self.height * (1 - up)

    def at(self, px: float, py: float) -> tuple[float, float]:
        """The value at a pixel."""
        (x0, x1), (y0, y1) = self.x_domain, self.y_domain
        return x0 + px / self.width * (x1 - x0), y0 + (1 - py / self.height) * (y1 - y0)


def cost_quality(evidence: Evidence, *, width: int, height: int) -> alt.LayerChart:
    """Quality over cost, with the controls. Without prices the share of strong calls stands for cost."""
    marks = _cost_quality_marks(evidence)
    curve = [(_x(evidence, cost), quality) for cost, quality in evidence.curve]
    chord = _chord(evidence)
    xs = [mark.x for mark in marks] + [x for x, _ in curve]
    ys = [mark.y for mark in marks] + [y for _, y in curve]
    ys += [bound for mark in marks if mark.y_ci is not None for bound in mark.y_ci]
    x_low, x_high = padded(xs, at_zero=True)
    y_low, y_high = padded(ys)
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[x_low, x_high], nice=False, zero=False),
        axis=alt.Axis(
            title="USD per 1,000 requests" if evidence.priced else "Share of requests sent to the strong model",
            format="$~g" if evidence.priced else ".0%",
            tickCount=5 if width < NARROW_PX else 7,
            grid=False,
        ),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[y_low, y_high], nice=False, zero=False),
        axis=y_axis("Quality (mean score)", ".0%" if y_high - y_low > 0.05 else ".1%"),
    )
    layers: list[alt.Chart] = []
    if len(chord) > 1:
        layers.append(
            inline([{"x": a, "y": b, "hover": "Random routing between the models"} for a, b in chord])
            .mark_line(color=palette.LINE.light, strokeDash=[5, 4], strokeWidth=1.5, aria=True)
            .encode(x=x, y=y, order="x:Q", description="hover:N")
        )
    if len(curve) > 1:
        layers.append(
            inline([{"x": a, "y": b} for a, b in curve])
            .mark_line(color=palette.ACCENT.light, strokeWidth=2.25, strokeJoin="round")
            .encode(x=x, y=y, order="x:Q")
        )
    layers += _intervals(marks, x, y)
    layers.append(_points(marks, x, y))
    plot = _Plot(width, height, (x_low, x_high), (y_low, y_high))
    layers += _labels(marks, [curve, chord], (x, y), plot)
    return layered(*layers, width=width, height=height)


def _x(evidence: Evidence, value: float) -> float:
    return 1000 * value if evidence.priced else value


def _x_of(evidence: Evidence, line: Line) -> float | None:
    value = line.cost_usd if evidence.priced else line.strong_share
    return None if value is None else _x(evidence, value)


def _chord(evidence: Evidence) -> list[tuple[float, float]]:
    """The non-decreasing upper hull of the models: what random mixing reaches at each cost."""
    ends = []
    for model in evidence.models:
        line = evidence.always(model)
        if line is not None and line.quality is not None and (x := _x_of(evidence, line)) is not None:
            ends.append((x, line.quality))
    hull: list[tuple[float, float]] = []
    for x, y in sorted(ends, key=lambda end: (end[0], -end[1])):
        if hull and y <= hull[-1][1]:
            continue
        while len(hull) > 1 and _below(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    return hull


def _below(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])


def _cost_quality_marks(evidence: Evidence) -> list[_Mark]:
    """Points in order of importance, which is the order in which labels choose their place."""
    out = []
    for line in evidence.policies:
        out += _mark(evidence, line, line.label, palette.ACCENT.light, "circle", 150.0)
    for model in evidence.models:
        always = evidence.always(model)
        if always is not None:
            out += _mark(evidence, always, f"always {model.rpartition('/')[2]}", palette.INK.light, "square", 95.0)
    styles = (
        ("oracle", "oracle (knows the answers)", "diamond", palette.GOOD.light),
        ("task mean", "task mean", "triangle-up", palette.MUTED.light),
        ("shuffled", "its decisions shuffled", "cross", palette.MUTED.light),
    )
    for start, text, shape, colour in styles:
        for line in evidence.controls:
            if line.name == start or (line.name.startswith(f"{start} (") and len(evidence.policies) > 1):
                out += _mark(evidence, line, text + line.name.removeprefix(start), colour, shape, 115.0)
    for line in evidence.policies:
        for point in line.points:
            if point.operating_point != line.operating_point:
                out += _mark(evidence, point, "", palette.ACCENT.light, "circle", 55.0, filled=False)
    return out


def _mark(
    evidence: Evidence, line: Line, text: str, colour: str, shape: str, size: float, *, filled: bool = True
) -> list[_Mark]:
    x = _x_of(evidence, line)
    if x is None or line.quality is None:
        return []
    reference = evidence.strong.cost_usd if evidence.strong is not None else None
    x_ci = None
    if evidence.priced and reference is not None and line.savings_ci is not None:
        low, high = (1000 * reference * (1 - saved) for saved in reversed(line.savings_ci))
        x_ci = (low, high)
    cost = f"{numbers.usd(x)} per 1,000" if evidence.priced else f"{numbers.percent(x)} strong calls"
    hover = (
        f"{text or line.label}: quality {numbers.percent(line.quality, 1)} "
        f"({numbers.percent_range(line.quality_ci, 1)}), {cost}"
    )
    return [_Mark(x, line.quality, one_line(text), colour, shape, size, line.quality_ci, x_ci, hover, filled)]


def _points(marks: Sequence[_Mark], x: alt.X, y: alt.Y) -> alt.Chart:
    """All points, the most important on top."""
    rows: list[Row] = [
        {
            "x": mark.x,
            "y": mark.y,
            "hover": mark.hover,
            "shape": mark.shape,
            "size": mark.size,
            "fill": mark.colour if mark.filled else palette.PAPER.light,
            "stroke": palette.PAPER.light if mark.filled else mark.colour,
        }
        for mark in reversed(marks)
    ]
    points = inline(rows).mark_point(aria=True, filled=True, opacity=1, strokeWidth=1.5)
    drawn: alt.Chart = points.encode(
        x=x,
        y=y,
        shape=alt.Shape("shape:N", scale=None),
        size=alt.Size("size:Q", scale=None),
        fill=alt.Fill("fill:N", scale=None),
        stroke=alt.Stroke("stroke:N", scale=None),
        tooltip=alt.Tooltip("hover:N", title=" "),
        description="hover:N",
    )
    return drawn


def _intervals(marks: Sequence[_Mark], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Quality's interval on every named point, the cost's on policies."""
    upright: list[Row] = []
    caps: list[Row] = []
    level: list[Row] = []
    for mark in marks:
        if not mark.text:
            continue
        if mark.y_ci is not None:
            low, high = mark.y_ci
            upright.append({"x": mark.x, "y": low, "to": high, "colour": mark.colour})
            caps += [{"x": mark.x, "y": bound, "colour": mark.colour} for bound in mark.y_ci]
        if mark.x_ci is not None and mark.colour == palette.ACCENT.light:
            level.append({"x": mark.x_ci[0], "y": mark.y, "to": mark.x_ci[1], "colour": mark.colour})
    colour = alt.Color("colour:N", scale=None)
    layers = []
    if upright:
        rules = inline(upright).mark_rule(strokeWidth=1.25, opacity=0.6)
        ticks = inline(caps).mark_tick(orient="horizontal", size=9, thickness=1.25, opacity=0.6)
        layers += [rules.encode(x=x, y=y, y2="to:Q", color=colour), ticks.encode(x=x, y=y, color=colour)]
    if level:
        rules = inline(level).mark_rule(strokeWidth=1.25, opacity=0.6)
        layers.append(rules.encode(x=x, y=y, x2="to:Q", color=colour))
    return layers


def _labels(
    marks: Sequence[_Mark], lines: Sequence[Sequence[tuple[float, float]]], axes: tuple[alt.X, alt.Y], plot: _Plot
) -> list[alt.Chart]:
    most = LABEL_MAX_CHARS if plot.width >= NARROW_PX else NARROW_LABEL_MAX_CHARS
    named = [mark for mark in marks if mark.text]
    spots = [Spot(*plot.px(mark.x, mark.y), one_line(mark.text, most)) for mark in named]
    others = [plot.px(mark.x, mark.y) for mark in marks if not mark.text]
    others += [at for line in lines for at in along([plot.px(x, y) for x, y in line])]
    others += [
        at
        for mark in named
        if mark.y_ci is not None
        for at in along([plot.px(mark.x, mark.y_ci[0]), plot.px(mark.x, mark.y_ci[1])])
    ]
    groups: dict[tuple[Align, bool], list[Row]] = {}
    for mark, spot, place in zip(named, spots, placed(spots, plot.width, plot.height, others), strict=True):
        x, y = plot.at(spot.x + place.dx, spot.y + place.dy)
        bold = mark.colour == palette.ACCENT.light
        groups.setdefault((place.align, bold), []).append({"x": x, "y": y, "text": spot.text})
    layers = []
    for (align, bold), rows in groups.items():
        base = inline(rows).encode(x=axes[0], y=axes[1], text="text:N")
        for halo in (True, False):
            colour = palette.PAPER if halo else palette.ACCENT if bold else palette.INK
            layers.append(
                base.mark_text(
                    align=align,
                    baseline="middle",
                    fontSize=12,
                    fontWeight=600 if bold else "normal",
                    color=colour.light,
                    # A halo of the paper's colour keeps lines out of the letters.
                    stroke=palette.PAPER.light if halo else alt.Undefined,
                    strokeWidth=4 if halo else 0,
                )
            )
    return layers
