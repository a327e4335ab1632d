"""Figures drawn: for the page (wide and narrow), and as SVG and PNG files that stand alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import vl_convert

from . import svg
from .calibration_chart import calibration
from .chart_style import themed
from .contents import Moved
from .cost_quality_chart import cost_quality
from .moved_chart import what_moved
from .prose import alt_calibration, alt_cost_quality, alt_moved, alt_tasks
from .reading import Evidence
from .task_chart import by_task

WIDE_PX: Final = 760
NARROW_PX: Final = 290
FILE_PX: Final = 820
_TASKS: Final = "by-task"
_ON_PAGES: Final = (("wide", WIDE_PX), ("narrow", NARROW_PX))
PNG_SCALE: Final = 2.0
"""Two pixels for each of the drawing's, for slides and sharp screens."""
CALIBRATIONS_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure in every form."""

    name: str
    """Its file name without ending."""
    title: str
    alt: str
    """What it shows, in words."""
    wide: str
    """SVG to be placed in a page."""
    narrow: str
    """The same for phones."""
    file: str
    """SVG that stands alone, with its title."""
    png: bytes


@dataclass(frozen=True, slots=True)
class PageFigure:
    """One figure to be placed in a page, as SVG."""

    name: str
    title: str
    wide: str
    narrow: str
    """The same for phones."""


@dataclass(frozen=True, slots=True)
class _Drawing:
    name: str
    title: str
    subtitle: str
    words: str
    draw: Callable[[int], alt.LayerChart]


def figures(evidence: Evidence, moved: Sequence[Moved]) -> tuple[Figure, ...]:
    """Every figure there are numbers for, in the order of the report."""
    return tuple(_drawn(each) for each in _drawings(evidence, moved))


def page_figures(evidence: Evidence) -> tuple[PageFigure, ...]:
    """The curve and the calibration alone, to be placed in a page; no files are drawn."""
    return tuple(
        PageFigure(each.name, each.title, *(_placed(each, kind, width) for kind, width in _ON_PAGES))
        for each in _drawings(evidence, ())
        if each.name != _TASKS
    )


def _drawings(evidence: Evidence, moved: Sequence[Moved]) -> list[_Drawing]:
    out = []
    if any(line.quality is not None for line in (*evidence.policies, *evidence.controls)):
        out.append(
            _Drawing(
                "cost-quality",
                "What each dollar buys" if evidence.priced else "What each strong call buys",
                "Dashed: random mix of the models. Hollow: the policy's other operating points. Bars: 95 % intervals.",
                alt_cost_quality(evidence),
                lambda width: cost_quality(evidence, width=width, height=round(min(430, 0.56 * width + 130))),
            )
        )
    if len(evidence.tasks) > 1:
        out.append(
            _Drawing(
                _TASKS,
                "Where it helps",
                "",
                alt_tasks(evidence),
                lambda width: by_task(evidence.tasks, width=width),
            )
        )
    for number, diagram in enumerate(evidence.calibration[:CALIBRATIONS_MAX]):
        name = "calibration" if number == 0 else f"calibration-{number + 1}"

        def draw(width: int, number: int = number) -> alt.LayerChart:
            side = min(380, width)
            return calibration(evidence.calibration[number], width=side, height=side)

        out.append(
            _Drawing(
                name,
                "Predicted and observed",
                f"{diagram.model}. Bars: 95 % intervals.",
                alt_calibration(diagram),
                draw,
            )
        )
    if moved:
        out.append(
            _Drawing(
                "what-moved",
                "What moved decisions",
                "",
                alt_moved(moved),
                lambda width: what_moved(moved, width=width),
            )
        )
    return out


def _drawn(drawing: _Drawing) -> Figure:
    file = svg.rebuilt(
        _svg(themed(drawing.draw(FILE_PX), title=drawing.title, subtitle=drawing.subtitle)),
        name=drawing.name,
        alt=drawing.words,
        for_page=False,
    )
    wide, narrow = (_placed(drawing, kind, width) for kind, width in _ON_PAGES)
    return Figure(
        name=drawing.name,
        title=drawing.title,
        alt=drawing.words,
        wide=wide,
        narrow=narrow,
        file=file,
        png=vl_convert.svg_to_png(file, scale=PNG_SCALE),
    )


def _placed(drawing: _Drawing, kind: str, width: int) -> str:
    drawn = _svg(themed(drawing.draw(width)))
    return svg.rebuilt(drawn, name=f"{drawing.name}-{kind}", alt=drawing.words, for_page=True)


def _svg(spec: dict[str, Any]) -> str:
    # Nothing a chart could name is fetched: data are inline, and no address is allowed.
    return vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
