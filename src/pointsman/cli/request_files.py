"""Reads files of requests or prompts, for `pointsman route --file` and `pointsman collect --prompts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect, Request

_MAX_LINE_BYTES = 32 * 1024 * 1024


def read_requests(path: Path, *, limit: int | None = None) -> Iterator[tuple[str, Request]]:
    """Requests with an id each, in the file's order; a `prompt_id` seen before is passed over.

    A row is a request body in one of the three dialects, or has `prompt` (text) or `messages`. Whatever model it named
    is put aside for `auto`: the question is where it would be routed. The id is the row's `prompt_id`, `id` or
    `custom_id`, else its number.

    Raises:
        BadRequest: the file is missing, is of another form, or a row cannot be read; the message names the row.
    """
    if not path.is_file():
        raise BadRequest(f"{path}: no such file")
    rows = parquet_rows(path) if path.suffix == ".parquet" else json_lines(path)
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        id_ = next((str(row[key]) for key in ("prompt_id", "id", "custom_id") if row.get(key) is not None), None)
        if id_ is None:
            id_ = f"row-{number}"
        elif id_ in seen:
            continue
        seen.add(id_)
        yield id_, _request(row, where=f"{path}: row {number}")
        if limit is not None and len(seen) >= limit:
            return


def _request(row: Mapping[str, Any], *, where: str) -> Request:
    from pointsman.wire import build_request, read_request

    try:
        prompt = row.get("prompt")
        if isinstance(prompt, str):
            return build_request(prompt=prompt)
        import orjson

        nested = row.get("body")
        body = nested if isinstance(nested, Mapping) else row
        if "messages" in body:
            dialect = Dialect.ANTHROPIC_MESSAGES if "system" in body else Dialect.OPENAI_CHAT
        elif "input" in body:
            dialect = Dialect.OPENAI_RESPONSES
        else:
            raise BadRequest("expected a `prompt`, `messages` or `input` field")
        return read_request(dialect, orjson.dumps({**body, "model": "auto"}))
    except BadRequest as error:
        raise BadRequest(f"{where}: {error.message}") from error


def json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects of a JSONL file.

    Raises:
        BadRequest: a line is too long or no JSON object; the message names it.
    """
    import orjson

    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if len(line) > _MAX_LINE_BYTES:
                raise BadRequest(f"{path}:{number}: the line is longer than {_MAX_LINE_BYTES // 2**20} MiB")
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise BadRequest(f"{path}:{number}: expected one JSON object a line: {error}") from error
            if not isinstance(row, dict):
                raise BadRequest(f"{path}:{number}: expected a JSON object, found {type(row).__name__}")
            yield row


def parquet_rows(path: Path, *, all_columns: bool = False) -> Iterator[Mapping[str, Any]]:
    """The rows of a Parquet file, one per `prompt_id` where it has them; only what a request needs, or all columns.

    Raises:
        BadRequest: it cannot be read, or has neither prompts nor messages.
    """
    try:
        import polars
    except ImportError as error:
        raise BadRequest(f"{path}: reading Parquet needs the extra: pip install 'pointsman[train]'") from error
    try:
        frame = polars.scan_parquet(path)
        names = frame.collect_schema().names()
        wanted = [name for name in ("prompt_id", "id", "custom_id", "prompt", "messages") if name in names]
        if "prompt" not in names and "messages" not in names:
            raise BadRequest(f"{path}: expected a column `prompt` or `messages`, found {', '.join(names)}")
        rows = frame if all_columns else frame.select(wanted)
        if "prompt_id" in names:
            rows = rows.unique("prompt_id", keep="first", maintain_order=True)
        yield from rows.collect().iter_rows(named=True)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise BadRequest(f"{path}: not a readable Parquet file: {error}") from error
