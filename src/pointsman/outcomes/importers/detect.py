"""Which tool a file comes from, told from its columns or its first record."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from pointsman.errors import DataError

from ..columns import score_columns
from ..files import scan
from .records import records

FORMATS = ("outcomes", "routellm", "routerbench", "litellm-log", "openai-batch", "ledger")

_TABLES = (".parquet", ".csv")


def detect(path: Path) -> str:
    """One of `FORMATS`.

    Raises:
        DataError: the file looks like none of them; the message says what its columns are.
    """
    if path.suffix.lower() in _TABLES or path.suffix.lower() in (".pkl", ".pickle"):
        frame = scan(path)
        names = frame.collect_schema().names()
    else:
        frame = None
        first = next(islice(records(path), 1), None)
        if first is None:
            raise DataError(f"{path} holds no records")
        names = list(first)
    there = set(names)
    if {"request_id", "attempts", "decision"} <= there:
        return "ledger"
    if {"request_id", "spend"} <= there:
        return "litellm-log"
    if "custom_id" in there and ("body" in there or "response" in there):
        return "openai-batch"
    if "eval_name" in there and any(name.endswith("|total_cost") or name == "sample_id" for name in names):
        return "routerbench"
    if "prompt" in there and path.suffix.lower() == ".csv" and frame is not None and "score" not in there:
        models = [name for name in score_columns(frame) if name != "index"]
        answers = {f"{name}_response" for name in models} & there
        if len(models) >= 2 and there <= {"prompt", *models, *answers}:
            return "routellm"
    if ("prompt" in there or "messages" in there) and (
        "score" in there or "model" in there or (frame is not None and len(score_columns(frame)) >= 2)
    ):
        return "outcomes"
    if frame is None and "prompt" in there:
        return "outcomes"
    raise DataError(
        f"{path} looks like none of {', '.join(FORMATS)}; its columns are: {', '.join(names[:30])}. "
        "Say which with --format, or rename the columns to prompt, model and score."
    )
