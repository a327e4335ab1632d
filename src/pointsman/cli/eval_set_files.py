"""Writes the files of a data folder, each whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Writes a file of lines and puts it in place of the old one in one step."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            for line in lines:
                file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_outcomes(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Writes the outcomes of a folder; gives the file."""
    import orjson

    path = folder / "outcomes.jsonl"
    write_lines(path, (orjson.dumps(dict(row)) for row in rows))
    return path
