"""Data files as lazy tables, with errors that say what was expected, what came and what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import polars as pl

from pointsman.errors import DataError

SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".csv")
EVAL_SET_FILE = "outcomes.parquet"


def files_of(paths: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """The data files that the paths name; a folder stands for the eval set in it.

    Raises:
        DataError: nothing is there, a file is empty, or a folder holds no eval set.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise DataError("no data file was named; give a Parquet, JSONL or CSV file, or an eval-set folder")
    return tuple(_file(Path(path)) for path in given)


def _file(path: Path) -> Path:
    if path.is_dir():
        # `collect` and `label` write JSONL where Polars is not installed.
        inside = next((path / name for name in (EVAL_SET_FILE, "outcomes.jsonl") if (path / name).is_file()), None)
        if inside is None:
            raise DataError(
                f"{path} is a folder without {EVAL_SET_FILE}; an eval set is made by pointsman import or label"
            )
        path = inside
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if not path.is_file():
        raise DataError(f"{path} is not a file")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; expected outcomes, one row per prompt and model")
    return path


def scan(path: Path) -> pl.LazyFrame:
    """The file as a lazy table. CSV columns stay text, so that one bad cell costs one row and not the file.

    Raises:
        DataError: the suffix is not known, or the file is not what its suffix says.
    """
    suffix = path.suffix.lower()
    if suffix in (".pkl", ".pickle"):
        raise DataError(
            f"{path} is a pickle, and opening one can run any code in it; convert it where you trust it: "
            "python -c \"import pandas; pandas.read_pickle('in.pkl').to_parquet('out.parquet')\""
        )
    if suffix not in SUFFIXES:
        raise DataError(f"{path}: expected a file that ends in {', '.join(SUFFIXES)}, got {suffix or 'no suffix'}")
    try:
        if suffix == ".parquet":
            frame = pl.scan_parquet(path)
        elif suffix == ".csv":
            frame = pl.scan_csv(path, infer_schema=False)
        else:
            frame = pl.scan_ndjson(path, infer_schema_length=None)
        frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error
    return frame


def collect(frame: pl.LazyFrame, path: str) -> pl.DataFrame:
    """The table in memory.

    Raises:
        DataError: a part of the file that was not looked at before cannot be read.
    """
    try:
        return frame.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(Path(path), error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        found = _first_bad_line(path)
        if found is not None:
            line, fault = found
            return DataError(f"{path}, line {line}: {fault}")
    # The first line says what is wrong; what follows are hints for people who write Polars.
    reason = str(error).strip().partition("\n")[0][:300]
    return DataError(f"{path} cannot be read as {path.suffix.lower().lstrip('.')}: {reason}")


class _NoNumberError(ValueError):
    pass


def _refuse(constant: str) -> NoReturn:
    raise _NoNumberError(f"{constant} is no JSON number (RFC 8259, section 6); write null where a score is not known")


def _first_bad_line(path: Path) -> tuple[int, str] | None:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                if isinstance(json.loads(line, parse_constant=_refuse), dict):
                    continue
            except _NoNumberError as error:
                return number, str(error)
            except ValueError:
                pass
            return number, "not a JSON object; expected one object a line"
    return None
