"""Features of a file's prompts, written to a folder of Parquet files in bounded memory; a run cut off is gone on with.

    features.json         what was read and by which features and encoder; a folder speaks of one file
    part-000000.parquet   dataset, prompt_id, one column per feature, `embedding`; `ROWS_PER_FILE` rows, the last fewer

A file is there whole or not at all. A run started again takes up after the last whole one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from . import features
from .engine import LOCAL, Engine
from .errors import DataError
from .reading import READ_AT_ONCE, Encode, encode_by
from .router_artifact import read_features
from .vocabulary import FloatArray, JSONObject

ROWS_PER_FILE: Final = 64 * READ_AT_ONCE
CARD_FILE: Final = "features.json"
FORMAT: Final = 1

PromptText: TypeAlias = tuple[str, str, str]
"""Dataset, id and text."""


@dataclass(frozen=True, slots=True)
class Featurised:
    """What a run came to."""

    n_prompts: int
    n_before: int
    """Of these, what earlier runs had left."""
    n_files: int


@dataclass(frozen=True, slots=True)
class ExtractPart:
    """Extracts features and vectors of some prompts."""

    encode: Encode | None

    def __call__(self, texts: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
        """Shapes (n, features) and (n, dim); dim is 0 without an encoder."""
        vectors = np.zeros((len(texts), 0), dtype=np.float32) if self.encode is None else self.encode(texts)
        return read_features(texts), np.asarray(vectors, dtype=np.float32)


def featurise(
    prompts: Iterable[PromptText],
    to: Path,
    *,
    of: Path,
    encoder: str = "static",
    engine: Engine = LOCAL,
    advance: Callable[[int], None] | None = None,
) -> Featurised:
    """Writes the features of all prompts, those that stand there already left as they are.

    Args:
        prompts: of the file `of`, in its order, each time the same.
        to: the folder.
        of: the file they come from, for the folder's card.
        encoder: as `router_artifact.named_encoder` takes it.
        engine: extracts features in parts of `READ_AT_ONCE` prompts.
        advance: told how many prompts are written.

    Raises:
        DataError: the folder holds features of something else, or cannot be written.
        EncoderError: there is no such encoder.
    """
    work = ExtractPart(encode_by(encoder))
    try:
        to.mkdir(parents=True, exist_ok=True)
        _claim(to, {"format": FORMAT, "sha256": _sha256(of), "encoder": encoder, **_version()})
        n_files = _whole_files(to)
        waiting = iter(prompts)
        n_before = sum(1 for _ in islice(waiting, n_files * ROWS_PER_FILE))
        n_prompts = n_before
        for table in _files(waiting, work, engine):
            _write(table, to / _name(n_files))
            n_files += 1
            n_prompts += table.num_rows
            if advance is not None:
                advance(n_prompts)
    except OSError as error:
        raise DataError(f"features cannot be written to {to}: {error.strerror}") from error
    return Featurised(n_prompts, n_before, n_files)


def _files(prompts: Iterator[PromptText], work: ExtractPart, engine: Engine) -> Iterator[pa.Table]:
    """One table for each file, made of whole parts."""
    named: list[list[PromptText]] = []

    def parts() -> Iterator[tuple[str, ...]]:
        while part := list(islice(prompts, READ_AT_ONCE)):
            named.append(part)
            yield tuple(text for _, _, text in part)

    held: list[pa.Table] = []
    n_held = 0
    for values, vectors in engine.map(work, parts()):
        # An engine takes parts ahead; their names wait in the same order.
        held.append(_table(named.pop(0), values, vectors))
        n_held += len(values)
        if n_held == ROWS_PER_FILE:
            yield pa.concat_tables(held)
            held, n_held = [], 0
    if held:
        yield pa.concat_tables(held)


def _table(part: list[PromptText], values: FloatArray, vectors: FloatArray) -> pa.Table:
    columns = {feature.name: pa.array(values[:, j]) for j, feature in enumerate(features.FEATURES)}
    dim = vectors.shape[1]
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim) if dim else pa.nulls(len(part))
    return pa.table(
        {
            "dataset": pa.array([dataset for dataset, _, _ in part], pa.string()),
            "prompt_id": pa.array([id_ for _, id_, _ in part], pa.string()),
            **columns,
            "embedding": embedding,
        }
    )


def _version() -> JSONObject:
    return {"feature_version": features.FEATURE_VERSION, "rows_per_file": ROWS_PER_FILE}


def _claim(to: Path, card: JSONObject) -> None:
    path = to / CARD_FILE
    if path.exists():
        try:
            found = json.loads(path.read_bytes())
        except ValueError as error:
            raise DataError(f"{path} is not JSON; remove the folder to begin anew") from error
        if found != card:
            raise DataError(
                f"{to} holds features of another file, encoder or version of the features; name another folder"
            )
        return
    _in_place(path, lambda beside: beside.write_text(json.dumps(card, indent=2) + "\n"))


def _whole_files(to: Path) -> int:
    n = 0
    while (to / _name(n)).is_file() and pq.read_metadata(to / _name(n)).num_rows == ROWS_PER_FILE:
        n += 1
    return n


def _write(table: pa.Table, path: Path) -> None:
    _in_place(path, lambda beside: pq.write_table(table, beside))


def _in_place(path: Path, write: Callable[[Path], object]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _name(number: int) -> str:
    return f"part-{number:06d}.parquet"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
