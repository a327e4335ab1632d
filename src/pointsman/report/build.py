"""A report from an evaluation: everything rendered in memory, nothing written yet."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .contents import Misroute, Moved, Provenance
from .figures import Figure, figures
from .html import html
from .markdown import markdown
from .page import page, shown_moved
from .reading import Diagram, diagrams, read


@dataclass(frozen=True, slots=True)
class Report:
    """One report, ready to be written."""

    verdict: str
    """The verdict in one sentence."""
    html: str
    markdown: str
    figures: tuple[Figure, ...]


def build(
    evaluation: Mapping[str, Any],
    *,
    misroutes: Sequence[Misroute] = (),
    calibration: Sequence[Mapping[str, Any]] | None = None,
    moved: Sequence[Moved] = (),
    provenance: Provenance | None = None,
    date: datetime.date,
    title: str = "Routing report",
) -> Report:
    """The report of an evaluation. The same input gives the same bytes with the same chart libraries and fonts.

    What is missing is left out and said: prices, calibration, single numbers (null or NaN), tasks.

    Args:
        evaluation: as `pointsman evaluate --json` writes it.
        misroutes: candidates for the section "worst misroutes"; the worst are chosen and their prompts cut.
        calibration: diagrams in the form of the evaluation's own, to show in their place.
        moved: what moved decisions; the strongest are shown.
        provenance: where the numbers come from.
        date: of the report.
        title: stands above the verdict.

    Raises:
        DataError: `evaluation` is not one.
    """
    evidence = read(evaluation)
    if calibration is not None:
        shown: tuple[Diagram, ...] = diagrams(calibration)
        evidence = evidence.with_calibration(shown)
    strongest = shown_moved(moved)
    drawn = figures(evidence, strongest)
    content = page(
        evidence,
        drawn,
        title=title,
        date=date,
        misroutes=misroutes,
        moved=strongest,
        provenance=Provenance() if provenance is None else provenance,
    )
    return Report(content.verdict, html(content), markdown(content), drawn)
