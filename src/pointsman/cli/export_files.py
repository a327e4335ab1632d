"""Exports as files: JSONL, CSV and Parquet, written block by block, complete or not at all."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import orjson

from pointsman.errors import BadRequest
from pointsman.vocabulary import JSONObject

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT = (
    "request_id",
    "created_at",
    "endpoint",
    "dialect",
    "requested_model",
    "policy",
    "policy_kind",
    "tier",
    "model",
    "reason",
    "reason_code",
    "status",
    "cost_reason",
    "baseline_model",
    "baseline_cost_reason",
    "session_id",
    "key_id",
    "error",
    "tags",
    "feedback_label",
    "feedback_comment",
    "decision",
    "attempts",
    "shadow",
)
_WHOLE = (
    "http_status",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)
_REAL = (
    "cost_usd",
    "baseline_cost_usd",
    "router_cost_usd",
    "judge_cost_usd",
    "saved_usd",
    "first_byte_ms",
    "total_ms",
    "decide_ms",
    "feedback_score",
)
_TRUTH = ("usage_estimated", "stream", "simulated")
_PROMPT = ("prompt", "answer")


def write_export(
    blocks: Iterable[list[JSONObject]], to: Path, form: str, *, with_prompts: bool = False, force: bool = False
) -> int:
    """Writes the blocks of `Reader.export` to a file; returns how many records that were.

    JSONL keeps a record's shape. CSV and Parquet have one column per figure, the latest feedback, and decision,
    attempts and shadow as JSON text; a value that is not known is empty or null.

    Args:
        to: "-" means standard output, as JSONL.
        form: "jsonl", "csv" or "parquet".
        force: replace an existing file.

    Raises:
        BadRequest: the file exists, cannot be written, or pyarrow is missing.
    """
    if str(to) == "-":
        if form != "jsonl":
            raise BadRequest(f"standard output takes JSONL only; name a file for {form}")
        return _jsonl(blocks, sys.stdout.buffer)
    names = (*_TEXT, *_WHOLE, *_REAL, *_TRUTH, *(_PROMPT if with_prompts else ()))
    with _whole_file(to, force=force) as file:
        if form == "jsonl":
            return _jsonl(blocks, file)
        if form == "csv":
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            n = _csv(blocks, text, names)
            text.detach()
            return n
        return _parquet(blocks, file, names)


@contextmanager
def _whole_file(to: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file beside `to` that takes its place when all went well; readable by its owner only, like the ledger."""
    if to.exists() and not force:
        raise BadRequest(f"{to} exists; --force replaces it")
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                yield file
            part.replace(to)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadRequest(f"cannot write {to}: {error.strerror}") from error


def _jsonl(blocks: Iterable[list[JSONObject]], file: BinaryIO) -> int:
    n = 0
    for block in blocks:
        file.writelines(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in block)
        n += len(block)
    file.flush()
    return n


def _csv(blocks: Iterable[list[JSONObject]], file: TextIO, names: tuple[str, ...]) -> int:
    writer = csv.writer(file)
    writer.writerow(names)
    n = 0
    for block in blocks:
        for record in block:
            flat = _flat(record)
            writer.writerow([flat.get(name) for name in names])
        n += len(block)
    file.flush()
    return n


def _parquet(blocks: Iterable[list[JSONObject]], file: BinaryIO, names: tuple[str, ...]) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise BadRequest("Parquet needs pyarrow: pip install 'pointsman[train]'; or use --format jsonl") from None
    schema = pa.schema([(name, _arrow_type(name)) for name in names])
    n = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for block in blocks:
            rows = [_flat(record) for record in block]
            columns = {name: [row.get(name) for row in rows] for name in names}
            writer.write_table(pa.table(columns, schema=schema))
            n += len(block)
    return n


def _arrow_type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name in _WHOLE:
        return pa.int64()
    if name in _REAL:
        return pa.float64()
    return pa.bool_() if name in _TRUTH else pa.string()


def _flat(record: JSONObject) -> dict[str, Any]:
    """A record with one value per column."""
    usage = record["usage"]
    said = record["feedback"]
    latest = said[-1] if said else {}
    flat: dict[str, Any] = {**record, **({} if usage is None else usage)}
    flat["usage_estimated"] = None if usage is None else usage["estimated"]
    flat["tags"] = orjson.dumps(record["tags"]).decode()
    flat["decision"] = None if record["decision"] is None else orjson.dumps(record["decision"]).decode()
    flat["shadow"] = None if record["shadow"] is None else orjson.dumps(record["shadow"]).decode()
    flat["attempts"] = orjson.dumps(record["attempts"]).decode()
    for name in ("score", "label", "comment"):
        flat[f"feedback_{name}"] = latest.get(name)
    return flat
