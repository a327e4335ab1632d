"""The long form: one row per prompt and model, with the same columns and types whatever the file looked like.

Long form: `prompt` or `messages`, `model`, `score`; optional the other columns of `LONG`.
Wide form: one row per prompt, `prompt` or `messages`, and one column per model with its score; optional columns
"<model>|cost_usd", "<model>|response", "<model>|confidence" and so on for what else is known of that model's answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import polars as pl

from pointsman.errors import DataError

from .prompt_text import routed_text

LONG: Mapping[str, type[pl.DataType]] = MappingProxyType(
    {
        "source": pl.String,
        "dataset": pl.String,
        "prompt_id": pl.String,
        "prompt": pl.String,
        "model": pl.String,
        "score": pl.Float64,
        "response": pl.String,
        "prompt_tokens": pl.Int64,
        "completion_tokens": pl.Int64,
        "cost_usd": pl.Float64,
        "latency_ms": pl.Float64,
        "confidence": pl.Float64,
        "finish_reason": pl.String,
        "labelled_by": pl.String,
        "weight": pl.Float64,
    }
)
PER_PROMPT = ("source", "dataset", "prompt_id", "prompt")
PER_ANSWER = tuple(name for name in LONG if name not in (*PER_PROMPT, "model"))
BAD_NUMBER = "score_unreadable"
"""Name of the column that is true where a score stands in the file and is no number."""

_NOT_A_MODEL = frozenset(
    {*LONG, "messages", "logprobs", "reference", "tags", "id", "index", "ideal_tier", "ideal_output"}
)


def long_form(frame: pl.LazyFrame, name: str, models: Sequence[str] | None) -> pl.LazyFrame:
    """The table with exactly the columns of `LONG` and `BAD_NUMBER`; what the file does not have is null.

    Raises:
        DataError: a needed column is missing; the message lists those there and the likely slip.
    """
    schema = frame.collect_schema()
    columns = schema.names()
    if "prompt" not in columns:
        if "messages" not in columns:
            raise missing_columns(name, ["prompt"], columns)
        frame = frame.with_columns(
            pl.col("messages").map_batches(_prompt_texts, return_dtype=pl.String, is_elementwise=True).alias("prompt")
        )
    if "model" not in columns and "score" not in columns:
        return _from_wide(frame, name, models)
    missing = [column for column in ("model", "score") if column not in columns]
    if missing:
        raise missing_columns(name, missing, columns)
    return _typed(frame)


def missing_columns(name: str, missing: Sequence[str], columns: Sequence[str]) -> DataError:
    """The error for columns that are not there, with the nearest name that is."""
    hints = []
    for column in missing:
        near = difflib.get_close_matches(column, columns, n=1, cutoff=0.6)
        hints.append(f"{column!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    shown = ", ".join(columns[:30]) + (", …" if len(columns) > 30 else "")
    return DataError(
        f"{name} has no column {' and none '.join(hints)}; it has: {shown}. Expected prompt, model and score, "
        "one row per prompt and model, or prompt and one column of scores per model."
    )


def _typed(frame: pl.LazyFrame) -> pl.LazyFrame:
    schema = frame.collect_schema()
    out = []
    for name, dtype in LONG.items():
        if name not in schema:
            out.append(pl.lit(None, dtype=dtype).alias(name))
        elif dtype is pl.String:
            out.append(_as_text(name, schema[name]))
        else:
            out.append(_as_number(name, schema[name]).cast(dtype, strict=False).alias(name))
    raw = _as_number("score", schema["score"])
    bad = pl.col("score").is_not_null() & raw.cast(pl.Float64, strict=False).is_null()
    if schema["score"] == pl.String:
        bad &= pl.col("score").str.strip_chars() != ""
    return frame.select(*out, bad.alias(BAD_NUMBER))


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.List | pl.Struct | pl.Array):
        return pl.lit(None, dtype=pl.String).alias(name)
    return pl.col(name).cast(pl.String).alias(name)


def _as_number(name: str, dtype: pl.DataType) -> pl.Expr:
    """Numbers from numbers, from text, and from the words true and false as CSV files spell them."""
    if dtype != pl.String:
        return pl.col(name)
    text = pl.col(name).str.strip_chars()
    word = text.str.to_lowercase()
    return (
        pl.when(word == "true").then(1.0).when(word == "false").then(0.0).otherwise(text.cast(pl.Float64, strict=False))
    )


def _from_wide(frame: pl.LazyFrame, name: str, models: Sequence[str] | None) -> pl.LazyFrame:
    columns = frame.collect_schema().names()
    wide = score_columns(frame) if models is None else [column for column in columns if column in models]
    if not wide or (models is None and len(wide) < 2):
        raise missing_columns(name, ["model", "score"] if models is None else models, columns)
    known = [column for column in PER_PROMPT if column in columns or column == "prompt"]
    if "prompt_id" not in known:
        # Rows of a wide table are prompts, and two rows stay two prompts even when their texts are the same.
        frame = frame.with_row_index("prompt_id")
        known.append("prompt_id")
    parts = []
    for model in wide:
        aside = {f"{model}|{what}": what for what in PER_ANSWER if f"{model}|{what}" in columns}
        parts.append(
            frame.select(
                *known,
                pl.lit(model).alias("model"),
                pl.col(model).alias("score"),
                *(pl.col(column).alias(what) for column, what in aside.items()),
            ).pipe(_typed)
        )
    return pl.concat(parts)


def score_columns(frame: pl.LazyFrame) -> list[str]:
    """Names of the columns of a wide table that hold a model's scores: numbers or truths, and not of another use.

    A column of text (all are, in CSV) counts when each of its first 1,000 cells is empty, a number, true or false.
    """
    schema = frame.collect_schema()
    out = []
    for name, dtype in schema.items():
        if name in _NOT_A_MODEL or "|" in name:
            continue
        if dtype == pl.String:
            cells = frame.select(name).head(1000).filter(pl.col(name).str.strip_chars() != "")
            readable = cells.select(_as_number(name, dtype).is_not_null().alias(name)).collect()[name]
            if readable.len() > 0 and readable.all():
                out.append(name)
        elif dtype.is_numeric() or dtype == pl.Boolean:
            out.append(name)
    return out


def _prompt_texts(messages: pl.Series) -> pl.Series:
    return pl.Series(messages.name, [routed_text(each) for each in messages.to_list()], dtype=pl.String)
