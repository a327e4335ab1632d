"""Files of any known format as one table of the long form, checked row by row, equal prompts made one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pointsman.errors import DataError
from pointsman.prompt_identity import prompt_hash
from pointsman.vocabulary import JSONObject

from ..columns import BAD_NUMBER, LONG, long_form
from ..files import collect, files_of, scan
from .detect import FORMATS, detect
from .ledger import from_ledger
from .litellm_log import from_litellm_log
from .openai_batch import from_openai_batch
from .records import Rows, records
from .wide_frames import from_routellm, from_routerbench


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """What an import gives: rows of the long form, ready for an eval set, and what became of the others."""

    rows: pl.DataFrame
    formats: tuple[str, ...]
    """The format of each file."""
    n_read: int
    dropped: Mapping[str, int]
    n_prompts: int
    n_scored: int
    """Rows with a score; the others wait for `label`."""
    models: Mapping[str, int]
    """Rows per model."""
    labels: Mapping[str, int]
    """Rows with a score by what labelled them, as far as the files say."""

    def to_json(self) -> JSONObject:
        """Counts as plain JSON types."""
        return {
            "formats": list(self.formats),
            "n_read": self.n_read,
            "n_rows": self.rows.height,
            "n_prompts": self.n_prompts,
            "n_scored": self.n_scored,
            "dropped": dict(self.dropped),
            "models": dict(self.models),
            "labels": dict(self.labels),
        }


def import_files(paths: Sequence[str | Path], *, format: str = "auto") -> Imported:  # noqa: A002 (the flag's name)
    """The rows of the files.

    A row is dropped, and counted, when it has no model, no prompt, or a score that is not a number from 0 to 1. Prompts
    of a dataset that are equal once normalised get the id of the first; of several rows of one model on one prompt, the
    scored ones are averaged by their weights (1 where there is none), and the first answer stays.

    Args:
        paths: files, or eval-set folders.
        format: one of `FORMATS`, or "auto" to tell it from each file.

    Raises:
        DataError: a file is missing, unreadable, of no known format, or nothing is left.
    """
    if format != "auto" and format not in FORMATS:
        raise DataError(f"no format {format!r}; there are: auto, {', '.join(FORMATS)}")
    files = files_of(list(paths))
    formats = tuple(detect(file) if format == "auto" else format for file in files)
    parts: list[pl.DataFrame] = []
    loose = Rows()
    batches: list[Path] = []
    for file, kind in zip(files, formats, strict=True):
        if kind == "outcomes":
            parts.append(collect(long_form(_scored(file), str(file), None), str(file)))
        elif kind == "routellm":
            parts.append(collect(from_routellm(file), str(file)))
        elif kind == "routerbench":
            parts.append(collect(from_routerbench(file), str(file)))
        elif kind == "litellm-log":
            from_litellm_log(file, loose)
        elif kind == "ledger":
            from_ledger(records(file), loose)
        else:
            batches.append(file)
    if batches:
        from_openai_batch(batches, loose)
    n_read = loose.n_read + sum(part.height for part in parts)
    if loose.kept:
        parts.append(loose.frame().with_columns(pl.lit(value=False).alias(BAD_NUMBER)))
    table = pl.concat(parts) if parts else pl.DataFrame(schema={**LONG, BAD_NUMBER: pl.Boolean})
    return tidied(table, n_read, loose.dropped, formats)


def import_ledger(entries: Iterable[Mapping[str, object]]) -> Imported:
    """The rows of the gateway's own ledger, from records with their prompts; see `from_ledger`.

    Raises:
        DataError: nothing is left.
    """
    rows = from_ledger(entries)
    table = rows.frame().with_columns(pl.lit(value=False).alias(BAD_NUMBER))
    return tidied(table, rows.n_read, rows.dropped, ("ledger",))


def _scored(file: Path) -> pl.LazyFrame:
    """Outcomes that were collected and not yet labelled have no score column; they are rows all the same."""
    frame = scan(file)
    names = frame.collect_schema().names()
    return (
        frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("score"))
        if "model" in names and "score" not in names
        else frame
    )


def tidied(table: pl.DataFrame, n_read: int, dropped: Mapping[str, int], formats: Sequence[str]) -> Imported:
    """The rows checked and made one per prompt and model; see `import_files`.

    Raises:
        DataError: nothing is left.
    """
    counts: Counter[str] = Counter(dropped)
    score = pl.col("score")
    reason = (
        pl.when(pl.col("model").fill_null("") == "")
        .then(pl.lit("no model"))
        .when(pl.col("prompt").fill_null("").str.strip_chars() == "")
        .then(pl.lit("empty prompt"))
        .when(pl.col(BAD_NUMBER))
        .then(pl.lit("score is not a number"))
        .when(score.is_nan())
        .then(pl.lit("score is NaN"))
        .when((score < 0) | (score > 1))
        .then(pl.lit("score outside 0 to 1"))
    )
    judged = table.with_columns(reason.alias("reason"), pl.col("dataset").fill_null(""))
    for why, count in judged.filter(pl.col("reason").is_not_null()).group_by("reason").len().sort("reason").iter_rows():
        counts[why] += count
    good = judged.filter(pl.col("reason").is_null()).drop("reason", BAD_NUMBER)
    if good.height == 0:
        why = "; ".join(f"{count:,} {reason}" for reason, count in counts.items())
        raise DataError(f"no row of {n_read:,} is left" + (f": {why}" if why else ""))
    prompts = good.select(pl.col("prompt").unique(maintain_order=True))
    hashes = pl.Series("hash", [prompt_hash(prompt) for prompt in prompts["prompt"]], dtype=pl.UInt64)
    good = good.join(prompts.with_columns(hashes), on="prompt", how="left", maintain_order="left")
    first_id = pl.col("prompt_id").drop_nulls().first().over("source", "dataset", "hash")
    good = good.with_columns(
        pl.coalesce(first_id, pl.col("hash").map_elements(lambda each: f"{each:016x}", return_dtype=pl.String)).alias(
            "prompt_id"
        )
    )
    # One id may stand for several texts in another tool's file; then the text's hash tells them apart.
    clash = pl.col("hash").n_unique().over("source", "dataset", "prompt_id", "model") > 1
    good = good.with_columns(
        pl.when(clash)
        .then(
            pl.format(
                "{}-{}", "prompt_id", pl.col("hash").map_elements(lambda each: f"{each:016x}", return_dtype=pl.String)
            )
        )
        .otherwise("prompt_id")
        .alias("prompt_id")
    )
    weight = pl.when(pl.col("score").is_not_null()).then(pl.col("weight").fill_null(1.0))
    once = good.group_by("source", "dataset", "prompt_id", "model", maintain_order=True).agg(
        pl.col("prompt").first(),
        pl.when(weight.sum() > 0).then((pl.col("score") * weight).sum() / weight.sum()).alias("score"),
        pl.col("weight").max(),
        pl.col("labelled_by").drop_nulls().unique(maintain_order=True).str.join(", ").replace("", None),
        *(pl.col(name).drop_nulls().first() for name in ("response", "finish_reason")),
        *(pl.col(name).mean() for name in ("cost_usd", "latency_ms", "confidence")),
        *(pl.col(name).mean().round().cast(pl.Int64) for name in ("prompt_tokens", "completion_tokens")),
    )
    if once.height < good.height:
        counts["repeats a prompt and model (scores averaged)"] += good.height - once.height
    per_model = once.group_by("model").len().sort("model")
    return Imported(
        rows=once.select(list(LONG)),
        formats=tuple(formats),
        n_read=n_read,
        dropped=dict(counts),
        n_prompts=once.select("source", "dataset", "prompt_id").n_unique(),
        n_scored=once["score"].count(),
        models=dict(per_model.iter_rows()),
        labels=dict(
            once.filter(pl.col("labelled_by").is_not_null(), pl.col("score").is_not_null())
            .group_by("labelled_by")
            .len()
            .sort("labelled_by")
            .iter_rows()
        ),
    )
