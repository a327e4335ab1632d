"""Rows of the long form out of JSON records, and what was left out."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from pointsman.errors import DataError

from ..columns import LONG

Record: TypeAlias = Mapping[str, Any]


@dataclass(slots=True)
class Rows:
    """Collects rows of the long form, and counts what was left out by reason."""

    kept: list[dict[str, object]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    n_read: int = 0

    def add(self, **values: object) -> None:
        """Keeps a row; columns that are not given are null."""
        self.kept.append(values)

    def drop(self, why: str) -> None:
        """Counts a row that is left out."""
        self.dropped[why] += 1

    def frame(self) -> pl.DataFrame:
        """The rows kept as a table of the long form."""
        return pl.DataFrame(
            {name: [row.get(name) for row in self.kept] for name in LONG}, schema=dict(LONG), strict=False
        )


def records(path: Path) -> Iterator[Record]:
    """The records of a file: JSONL, a JSON list, a JSON object with a list in it under "data", or CSV with a header.

    Raises:
        DataError: the file is none of these, or not UTF-8; the message names the line where it can.
    """
    try:
        yield from _records(path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error.reason}); is it another kind of file?") from error
    except csv.Error as error:
        raise DataError(f"{path} is not CSV: {error}") from error


def _records(path: Path) -> Iterator[Record]:
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8", newline="") as lines:
            csv.field_size_limit(64 * 1024 * 1024)
            yield from csv.DictReader(lines)
        return
    if path.suffix.lower() == ".json":
        yield from _of_json(path)
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error})") from error
            if not isinstance(record, dict):
                raise DataError(f"{path}, line {number}: expected a JSON object, got {type(record).__name__}")
            yield record


def _of_json(path: Path) -> Iterator[Record]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):
        whole = whole["data"]
    if not isinstance(whole, list):
        raise DataError(f'{path}: expected a JSON list of records, or an object with one under "data"')
    for place, record in enumerate(whole):
        if not isinstance(record, dict):
            raise DataError(f"{path}, record {place}: expected a JSON object, got {type(record).__name__}")
        yield record


def parsed(value: object) -> object:
    """A field that may hold JSON as text, as CSV exports of JSON columns do; other values as they are."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def number(value: object) -> float | None:
    """A finite number from a number or its text, None from anything else."""
    if isinstance(value, bool) or value is None or value == "":
        return None
    if not isinstance(value, int | float | str):
        return None
    try:
        out = float(value)
    except ValueError:
        return None
    return out if out == out and abs(out) != float("inf") else None


def whole(value: object) -> int | None:
    """A whole number from a number or its text, None from anything else."""
    out = number(value)
    return None if out is None else int(out)
