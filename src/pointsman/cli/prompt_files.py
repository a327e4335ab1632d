"""Reads files of prompts for `pointsman collect`: what is sent to models, apart from what is only for labelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect, Request

from .request_files import json_lines, parquet_rows

PARAMETERS = frozenset(
    {
        "frequency_penalty",
        "instructions",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stop_sequences",
        "system",
        "temperature",
        "text",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "verbosity",
    }
)
"""Columns that go to the model with the prompt. Every other column stays here: a reference answer sent along would be
seen by the model that is to be measured. A row with a `body` sends all of that."""

REFERENCE_COLUMNS = ("reference", "ideal_output", "answer", "tests", "schema", "pattern", "tags")
"""Columns kept for labelling."""


@dataclass(frozen=True, slots=True)
class PromptRow:
    """One prompt.

    Attributes:
        prompt_id: the row's `prompt_id`, `id` or `custom_id`, else its number.
        dataset: the row's `dataset` (may be empty, as in imported logs), else the file's name without its suffix.
        request: what to send, with the model left open.
        plain: True when it is text only, so that it can be said in any dialect.
        kept: what labelling needs, by `REFERENCE_COLUMNS`.
    """

    prompt_id: str
    dataset: str
    request: Request
    plain: bool
    kept: Mapping[str, Any] = field(default_factory=dict)


def read_prompts(path: Path, *, limit: int | None = None) -> list[PromptRow]:
    """The prompts of a JSONL or Parquet file, in its order; an id seen before in its dataset is passed over.

    Raises:
        BadRequest: the file is missing, empty or of another form, or a row cannot be read; the message names the row.
    """
    if not path.is_file():
        raise BadRequest(f"{path}: no such file; expected JSONL or Parquet with a prompt or messages column")
    rows = parquet_rows(path, all_columns=True) if path.suffix == ".parquet" else json_lines(path)
    found: dict[tuple[str, str], PromptRow] = {}
    for number, row in enumerate(rows, start=1):
        prompt = _read(row, number, path)
        found.setdefault((prompt.dataset, prompt.prompt_id), prompt)
        if limit is not None and len(found) >= limit:
            break
    if not found:
        raise BadRequest(f"{path}: holds no prompt")
    return list(found.values())


def _read(row: Mapping[str, Any], number: int, path: Path) -> PromptRow:
    id_ = next((str(row[key]) for key in ("prompt_id", "id", "custom_id") if row.get(key) is not None), f"row-{number}")
    dataset = row.get("dataset")
    body = _body(row)
    if body is None:
        raise BadRequest(f"{path}: row {number}: expected a `prompt`, `messages` or `input` field")
    try:
        request = _request(body)
    except BadRequest as error:
        raise BadRequest(f"{path}: row {number}: {error.message}") from error
    return PromptRow(
        prompt_id=id_,
        dataset=dataset if isinstance(dataset, str) else path.stem,
        request=request,
        plain=_is_plain(request),
        kept=dict(_kept(row)),
    )


def _body(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The request body that a row stands for; None when it stands for none."""
    nested = row.get("body")
    if isinstance(nested, Mapping):
        return dict(nested)
    said: dict[str, Any]
    if isinstance(row.get("prompt"), str):
        said = {"messages": [{"role": "user", "content": row["prompt"]}]}
    elif row.get("messages") is not None:
        said = {"messages": row["messages"]}
    elif row.get("input") is not None:
        said = {"input": row["input"]}
    else:
        return None
    return {**said, **{name: row[name] for name in PARAMETERS if row.get(name) is not None}}


def _request(body: dict[str, Any]) -> Request:
    import orjson

    from pointsman.wire import read_request

    if "messages" in body:
        dialect = Dialect.ANTHROPIC_MESSAGES if "system" in body else Dialect.OPENAI_CHAT
    else:
        dialect = Dialect.OPENAI_RESPONSES
    try:
        raw = orjson.dumps({**body, "model": "auto"})
    except TypeError as error:
        raise BadRequest(f"the row cannot be written as JSON: {error}") from error
    return read_request(dialect, raw)


def _is_plain(request: Request) -> bool:
    """True when there is nothing but text: no tools, images, formats or parameters."""
    if set(request.body) - {"model", "messages", "system"}:
        return False
    messages = request.body.get("messages")
    if not isinstance(messages, list):
        return False
    system = request.body.get("system")
    return (system is None or isinstance(system, str)) and all(
        set(message) == {"role", "content"}
        and isinstance(message["content"], str)
        and message["role"] in ("system", "user", "assistant")
        for message in messages
    )


def _kept(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in REFERENCE_COLUMNS:
        if row.get(name) is not None:
            yield name, row[name]
