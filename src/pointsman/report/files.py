"""A report on disk: every file whole, the page last."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pointsman.errors import DataError

from .build import Report
from .markdown import FIGURES_FOLDER


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a report was written."""

    html: Path
    markdown: Path
    figures: tuple[Path, ...]
    """SVG and PNG of each figure."""


def write(report: Report, folder: str | Path) -> Paths:
    """Writes the report into the folder, which is made when needed; files of an earlier report are replaced.

    Each file is written beside its place and moved there, the HTML last: a reader never sees half a file, and a page
    that is new has its figures.

    Raises:
        DataError: the folder cannot be made or written.
    """
    root = Path(folder)
    contents: dict[Path, bytes] = {}
    for figure in report.figures:
        contents[root / FIGURES_FOLDER / f"{figure.name}.svg"] = figure.file.encode()
        contents[root / FIGURES_FOLDER / f"{figure.name}.png"] = figure.png
    drawn = tuple(contents)
    contents[root / "report.md"] = report.markdown.encode()
    contents[root / "report.html"] = report.html.encode()
    staged: dict[Path, Path] = {}
    try:
        (root / FIGURES_FOLDER).mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            staged[path] = _staged(path, content)
        for path, temporary in staged.items():
            temporary.replace(path)
    except OSError as error:
        raise DataError(f"the report cannot be written to {root}: {error.strerror or error}") from error
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
    return Paths(root / "report.html", root / "report.md", drawn)


def _staged(path: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files for their owner alone; a report is for sharing, as any file the user makes.
        temporary.chmod(0o666 & ~_umask())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
