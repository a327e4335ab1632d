"""Which prompts two sets share, and in which order their models stand, before anything is scored."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from pointsman.errors import DataError
from pointsman.prompt_identity import prompt_hash

from .files import collect, files_of, scan
from .prompt_text import routed_text


def prompts_of(path: str | Path) -> tuple[str, ...]:
    """The different prompts of a file or eval set, scored or not.

    Raises:
        DataError: it cannot be read, or has neither prompts nor messages.
    """
    (file,) = files_of(path)
    frame = scan(file)
    names = frame.collect_schema().names()
    column = next((name for name in ("prompt", "messages") if name in names), None)
    if column is None:
        raise DataError(f"{file} has no column 'prompt'; it has: {', '.join(names[:30])}")
    values = collect(frame.select(column), str(file))[column].to_list()
    texts = values if column == "prompt" else [routed_text(each) for each in values]
    return tuple(dict.fromkeys(text for text in texts if text is not None))


def shared_prompts(these: Iterable[str], others: Iterable[str]) -> int:
    """How many different prompts of the first stand in the second, whatever their case, spaces or Unicode form."""
    return len({prompt_hash(prompt) for prompt in set(these)} & {prompt_hash(prompt) for prompt in set(others)})


def cheap_to_strong(rows: pl.DataFrame) -> tuple[str, ...]:
    """The models of a long table by mean cost, where every model has one, else by mean score; unscored ones by name."""
    means = rows.group_by("model").agg(pl.col("cost_usd").mean().alias("cost"), pl.col("score").mean().alias("score"))
    by = "cost" if means["cost"].null_count() == 0 else "score"
    return tuple(means.sort(by, "model", nulls_last=False)["model"].to_list())
