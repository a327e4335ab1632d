"""The files of a data folder: read as rows, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.errors import DataError

from .request_files import json_lines

if TYPE_CHECKING:
    import polars as pl

PARQUET, JSONL = "outcomes.parquet", "outcomes.jsonl"
PROMPTS, TRIPLES, CARD = "prompts.jsonl", "triples.jsonl", "card.json"

OutcomeRow = dict[str, Any]


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Writes a file of lines and puts it in place of the old one in one step.

    Raises:
        DataError: it cannot be written; the old one stays.
    """

    def write(name: Path) -> None:
        with name.open("wb") as file:
            for line in lines:
                file.write(line + b"\n")

    _in_one_step(path, write)


def write_outcomes(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes the outcomes of a folder as Parquet, or as JSONL where Polars is not installed; gives the file.

    Raises:
        DataError: it cannot be written; the old one stays.
    """
    import orjson

    try:
        import polars as pl
    except ImportError:
        write_lines(folder / JSONL, (orjson.dumps(dict(row)) for row in rows))
        return folder / JSONL
    known = _types(pl)
    if rows:
        there = {name for row in rows for name in row}
        frame = pl.DataFrame(
            [_without_nan(row) for row in rows],
            schema_overrides={name: dtype for name, dtype in known.items() if name in there},
            infer_schema_length=None,
            strict=False,
        )
    else:
        frame = pl.DataFrame(schema=known)
    _in_one_step(folder / PARQUET, frame.write_parquet)
    # Of an earlier install without Polars; two files of outcomes would sooner or later say two things.
    (folder / JSONL).unlink(missing_ok=True)
    return folder / PARQUET


def read_outcomes(folder: Path) -> list[OutcomeRow]:
    """The rows of a folder's outcomes, in the long form; none when there is no such file.

    Raises:
        DataError: the file cannot be read.
    """
    if (folder / PARQUET).is_file():
        try:
            import polars as pl
        except ImportError as error:
            raise DataError(
                f"{folder / PARQUET}: reading Parquet needs the extra: pip install 'pointsman[train]'"
            ) from error
        try:
            return pl.read_parquet(folder / PARQUET).to_dicts()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{folder / PARQUET} is not a readable Parquet file: {error}") from error
    if (folder / JSONL).is_file():
        return [dict(row) for row in json_lines(folder / JSONL)]
    return []


def write_card(folder: Path, *, fields: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Writes the card of the outcomes and triples that stand in the folder, with their content hash.

    Args:
        folder: with outcomes and triples.
        fields: fields of `pointsman.outcomes.EvalSetCard`.
        extra: further keys.

    Raises:
        DataError: it cannot be written.
    """
    import orjson
    import polars as pl

    from pointsman.outcomes import EvalSetCard
    from pointsman.outcomes.eval_set import content_hash

    rows = pl.read_parquet(folder / PARQUET)
    card = EvalSetCard(
        **fields,
        content_hash=content_hash(rows, (folder / TRIPLES).read_text(encoding="utf-8")),
        n_prompts=rows.select("dataset", "prompt_id").n_unique(),
        n_rows=rows.height,
        extra=dict(extra),
    )
    write_lines(folder / CARD, [orjson.dumps(card.to_json(), option=orjson.OPT_INDENT_2)])


def read_card(folder: Path) -> dict[str, Any]:
    """The folder's card as it stands there; empty when there is none.

    Raises:
        DataError: it is not a JSON object.
    """
    import orjson

    file = folder / CARD
    if not file.is_file():
        return {}
    try:
        card = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise DataError(f"{file} is not JSON; mend or remove it") from error
    if not isinstance(card, dict):
        raise DataError(f"{file} is not a JSON object; mend or remove it")
    return card


def _without_nan(row: Mapping[str, Any]) -> OutcomeRow:
    """What is not known is null in a file; NaN is its form in memory."""
    return {name: None if isinstance(value, float) and value != value else value for name, value in row.items()}


def _types(pl: Any) -> dict[str, pl.DataType | type[pl.DataType]]:
    """The columns of the long form with their types, whatever the rows hold."""
    return {
        **dict.fromkeys(("dataset", "prompt_id", "prompt", "model"), pl.String),
        "score": pl.Float64,
        "response": pl.String,
        **dict.fromkeys(("prompt_tokens", "completion_tokens"), pl.Int64),
        **dict.fromkeys(("cost_usd", "latency_ms", "confidence"), pl.Float64),
        "logprobs": pl.List(pl.Float64),
        **dict.fromkeys(("finish_reason", "labelled_by"), pl.String),
        "weight": pl.Float64,
    }


def _in_one_step(path: Path, write: Callable[[Path], object]) -> None:
    try:
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(fd)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from error
    try:
        write(Path(name))
        with Path(name).open("rb") as file:
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror}") from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
