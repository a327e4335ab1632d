"""The report's tables, once for HTML and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from . import numbers
from .numbers import percent, percent_range, points, points_range
from .reading import Agreement, Evidence, Line, Task, target_words

SHADES: Final = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a text, the interval beside it, and how it is set."""

    text: str
    interval: str = ""
    tone: str = ""
    """"", "good", "bad", or "shade-0" to "shade-5"."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; the first cell heads it."""

    cells: tuple[Cell, ...]
    kind: str = ""
    """"", "chosen" for the verdict's, "sub" for one that belongs to the row above."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its headings; the first column is text, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]


def lines(evidence: Evidence) -> Table:
    """Policies, their operating points, and controls."""
    chosen = evidence.chosen
    head = ["", "Quality", "Against strong, points"]
    head += ["Per 1,000 requests", "Saved"] if evidence.priced else []
    head += ["Strong calls", "APGR"]
    rows = []
    for line in evidence.policies:
        rows.append(_line_row(evidence, line, line.label, "chosen" if _same(line, chosen) else ""))
        for point in line.points:
            if point.operating_point is not None and point.operating_point != line.operating_point:
                kind = "chosen" if _same(point, chosen) else "sub"
                rows.append(_line_row(evidence, point, target_words(point.operating_point), kind, apgr=False))
    rows += [
        _line_row(evidence, line, control_words(line.name), "chosen" if _same(line, chosen) else "")
        for line in evidence.controls
    ]
    return Table(tuple(head), tuple(rows))


def control_words(name: str) -> str:
    """A control's name for people: "always:gpt-4o" as "always gpt-4o"."""
    return f"always {name.removeprefix('always:')}" if name.startswith("always:") else name


def _same(line: Line, chosen: Line | None) -> bool:
    return chosen is not None and (line.name, line.operating_point) == (chosen.name, chosen.operating_point)


def _line_row(evidence: Evidence, line: Line, name: str, kind: str, *, apgr: bool = True) -> Row:
    reference = line.name == f"always:{evidence.strongest}"
    cells = [
        Cell(name),
        Cell(percent(line.quality, 1), _shown(percent_range(line.quality_ci, 1))),
        Cell("reference")
        if reference
        else Cell(points(line.quality_delta), _shown(points_range(line.quality_delta_ci))),
    ]
    if evidence.priced:
        cells.append(Cell(numbers.usd(None if line.cost_usd is None else 1000 * line.cost_usd)))
        cells.append(
            Cell(numbers.UNKNOWN) if reference else Cell(percent(line.savings), _shown(percent_range(line.savings_ci)))
        )
    cells.append(Cell(percent(line.strong_share)))
    cells.append(Cell(numbers.score(line.apgr if apgr else None), _shown(numbers.score_range(line.apgr_ci))))
    return Row(tuple(cells), kind)


def savings_at(evidence: Evidence) -> Table | None:
    """What the curve says of savings at given quality; None where no line has any."""
    levels = ("parity", "0.99", "0.98", "0.95")
    rows = [
        Row((Cell(control_words(line.name)), *(Cell(percent(line.savings_at.get(level))) for level in levels)))
        for line in (*evidence.policies, *evidence.controls)
        if any(line.savings_at.get(level) is not None for level in levels)
    ]
    return Table(("Saved at", *(target_words(level) for level in levels)), tuple(rows)) if rows else None


def tasks(evidence: Evidence) -> Table | None:
    """Quality and savings by task; None without any task."""
    if not evidence.tasks:
        return None
    routed = any(task.quality is not None for task in evidence.tasks)
    saved = any(task.savings is not None for task in evidence.tasks)
    head = ["Task", "Prompts", "Always cheap"]
    head += ["Policy"] if routed else []
    head.append("Always strong")
    head += ["Policy against strong, points", "Strong calls"] if routed else []
    head += ["Saved"] if saved else []
    return Table(tuple(head), tuple(_task_row(task, routed=routed, saved=saved) for task in evidence.tasks))


def _task_row(task: Task, *, routed: bool, saved: bool) -> Row:
    cells = [Cell(task.name), Cell(numbers.count(task.n)), Cell(percent(task.cheap_quality, 1))]
    if routed:
        cells.append(Cell(percent(task.quality, 1)))
    cells.append(Cell(percent(task.strong_quality, 1)))
    if routed:
        cells.append(Cell(points(task.quality_delta), _shown(points_range(task.quality_delta_ci)), _tone(task)))
        cells.append(Cell(percent(task.strong_share)))
    if saved:
        cells.append(Cell(percent(task.savings)))
    return Row(tuple(cells))


def _tone(task: Task) -> str:
    if task.quality_delta_ci is None:
        return ""
    low, high = task.quality_delta_ci
    # As it is shown: an interval that ends at "0.0" does not leave out zero for the reader.
    return "bad" if round(high, 3) < 0 else "good" if round(low, 3) > 0 else ""


def confusion(agreement: Agreement) -> Table:
    """Ideal models (rows) against chosen ones (columns), with recall and precision."""
    models = [row.model for row in agreement.per_model]
    matrix = agreement.confusion
    head = ["Ideal", *(f"Sent to {model}" for model in models)] if matrix is not None else ["Ideal", "Prompts"]
    rows = []
    for place, row in enumerate(agreement.per_model):
        if matrix is not None:
            cells = [_share_cell(count, sum(matrix[place])) for count in matrix[place]]
        else:
            cells = [Cell(numbers.count(row.n_ideal))]
        rows.append(Row((Cell(row.model), *cells, Cell(percent(row.recall)), Cell(percent(row.precision)))))
    return Table((*head, "Recall", "Precision"), tuple(rows))


def _share_cell(count: int, total: int) -> Cell:
    if total == 0:
        return Cell("0")
    share = count / total
    return Cell(numbers.count(count), percent(share, 0), f"shade-{round(SHADES * share)}")


def _shown(text: str) -> str:
    return "" if text == numbers.UNKNOWN else text
