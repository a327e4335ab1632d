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


def figures(evidence: Evidence, moved: Sequence[Moved]) -> tuple[Figure, ...]:
    """Every figure there are numbers for, in the order of the report."""
    out = []
    if any(line.quality is not None for line in (*evidence.policies, *evidence.controls)):
        out.append(
            _drawn(
                "cost-quality",
                "What each dollar buys" if evidence.priced else "What each strong call buys",
                "Dashed: random mix of the models. Hollow: the policy's other operating points. Bars: 95 % intervals.",
                alt_cost_quality(evidence),
                lambda width: cost_quality(evidence, width=width, height=round(min(430, 0.56 * width + 130))),
            )
        )
    if len(evidence.tasks) > 1:
        out.append(
            _drawn(
                "by-task",
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
            _drawn(
                name,
                "Predicted and observed",
                f"{diagram.model}. Bars: 95 % intervals.",
                alt_calibration(diagram),
                draw,
            )
        )
    if moved:
        out.append(
            _drawn(
                "what-moved",
                "What moved decisions",
                "",
                alt_moved(moved),
                lambda width: what_moved(moved, width=width),
            )
        )
    return tuple(out)


def _drawn(name: str, title: str, subtitle: str, words: str, draw: Callable[[int], alt.LayerChart]) -> Figure:
    wide = _svg(themed(draw(WIDE_PX)))
    narrow = _svg(themed(draw(NARROW_PX)))
    file = svg.rebuilt(
        _svg(themed(draw(FILE_PX), title=title, subtitle=subtitle)), name=name, alt=words, for_page=False
    )
    return Figure(
        name=name,
        title=title,
        alt=words,
        wide=svg.rebuilt(wide, name=f"{name}-wide", alt=words, for_page=True),
        narrow=svg.rebuilt(narrow, name=f"{name}-narrow", alt=words, for_page=True),
        file=file,
        png=vl_convert.svg_to_png(file, scale=PNG_SCALE),
    )


def _svg(spec: dict[str, Any]) -> str:
    # Nothing a chart could name is fetched: data are inline, and no address is allowed.
    return vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
