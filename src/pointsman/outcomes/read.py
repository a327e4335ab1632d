"""Outcomes from files: every row is checked, and what is left out is counted under its reason."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.prompt_identity import prompt_hashes
from pointsman.vocabulary import Outcomes

from .columns import BAD_NUMBER, long_form
from .costs import TokenPrice, cost_matrix
from .files import collect, files_of, scan
from .findings import Findings
from .identity import data_hash

MIN_MODELS = 2

Float: TypeAlias = NDArray[np.float32]
_IDS = ("source", "dataset", "prompt_id")
_EMPTY: Mapping[str, float] = MappingProxyType({})


def read(
    paths: str | Path | Sequence[str | Path],
    *,
    models: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    prices: Mapping[str, float] = _EMPTY,
    token_price: TokenPrice | None = None,
    with_responses: bool = False,
    merge_same_prompts: bool = False,
    ids: Sequence[str] | None = None,
) -> tuple[Outcomes, Findings]:
    """The outcomes in the files, and a report on what was read.

    A prompt is a `prompt_id` within its source and dataset; without ids, a text within its dataset. Rows of the same
    prompt and model are one: equal ones are counted as repeated, differing ones are averaged and counted. An id that
    stands for several texts in one model's rows is split by text. A prompt stays, with NaN, when at least one of the
    models has a score on it.

    Args:
        paths: Parquet, JSONL or CSV files in long or wide form (see `columns`), or eval-set folders.
        models: from cheap to strong, the last is the quality reference. None takes all there are, by mean cost where
            every model has one, else by mean score.
        datasets: shell patterns, such as "mmlu/*"; a row stays when one fits. None takes all.
        prices: USD per call, by model, for cells that have neither a cost nor priced tokens.
        token_price: gives USD for token counts of a model, None for a model it has no price of.
        with_responses: keeps the answers' texts, which can be large.
        merge_same_prompts: prompts of a dataset that are the same once normalised become one row; without it they are
            rows of one group.
        ids: keeps only prompts with these ids.

    Raises:
        DataError: no such file, not readable, columns missing, models not there, fewer than two models, or nothing
            left; the message says what is there.
    """
    files = files_of(paths)
    shown = ", ".join(str(file) for file in files)
    frames = [long_form(scan(file), str(file), models) for file in files]
    rows = pl.concat(frames, how="vertical").with_columns(pl.col("dataset").fill_null(""))
    rows = _of_datasets(rows, datasets, shown)
    if ids is not None:
        rows = rows.filter(pl.col("prompt_id").is_in(list(ids)))
    table = _core(rows, shown)
    if table.height == 0:
        raise DataError(f"{shown} holds no rows" + ("" if ids is None else " with the ids asked for"))
    chosen = _chosen_models(table, models, shown)
    checked = _checked(table, chosen)
    if checked.kept.height == 0:
        raise DataError(f"{shown}: no row is left. " + _reasons(checked.dropped))
    texts = _texts(rows, checked.kept, shown)
    kept = checked.kept.join(texts.select("key", "group"), on="key", how="left", maintain_order="left")
    once, merged = _one_row_each(kept, merge_same_prompts=merge_same_prompts)
    order = chosen if models is not None else _by_cost(once, chosen)
    return _assembled(
        _Parts(files, table.height, order, once, texts, {**checked.dropped, **merged.dropped}, merged.notes),
        rows if with_responses else None,
        prices,
        token_price,
    )


@dataclass(frozen=True, slots=True)
class _Checked:
    kept: pl.DataFrame
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Merged:
    dropped: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Parts:
    files: tuple[Path, ...]
    n_rows: int
    models: tuple[str, ...]
    rows: pl.DataFrame
    texts: pl.DataFrame
    dropped: dict[str, int]
    notes: tuple[str, ...]


def _of_datasets(rows: pl.LazyFrame, patterns: Sequence[str] | None, shown: str) -> pl.LazyFrame:
    if patterns is None or not patterns:
        return rows
    there = collect(rows.select(pl.col("dataset").unique()), shown)["dataset"].sort().to_list()
    fitting = [name for name in there if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if not fitting:
        raise DataError(f"no dataset fits {', '.join(patterns)}; {shown} has: {_listed(there)}")
    return rows.filter(pl.col("dataset").is_in(fitting))


def _core(rows: pl.LazyFrame, shown: str) -> pl.DataFrame:
    """All rows without their long texts: the prompt is there as a 64-bit key, so that memory stays bounded."""
    return collect(
        rows.select(
            *(pl.col(name).cast(pl.Categorical) for name in ("source", "dataset", "model")),
            "prompt_id",
            pl.col("prompt").hash().alias("key"),
            (pl.col("prompt").fill_null("").str.strip_chars() == "").alias("blank"),
            "score",
            BAD_NUMBER,
            "cost_usd",
            "prompt_tokens",
            "completion_tokens",
            "confidence",
            "weight",
        ),
        shown,
    )


def _chosen_models(table: pl.DataFrame, models: Sequence[str] | None, shown: str) -> tuple[str, ...]:
    there = table["model"].drop_nulls().unique().cast(pl.String).sort().to_list()
    if models is None:
        if len(there) < MIN_MODELS:
            raise DataError(f"{shown} has outcomes of {_listed(there)} only; routing needs at least two models")
        return tuple(there)
    if len(set(models)) < len(models):
        raise DataError(f"a model is named twice: {', '.join(models)}")
    if len(models) < MIN_MODELS:
        raise DataError(
            f"{', '.join(models)}: routing needs at least two models, cheap to strong; there are: {_listed(there)}"
        )
    missing = [model for model in models if model not in there]
    if missing:
        near = [match for model in missing for match in difflib.get_close_matches(model, there, n=1, cutoff=0.5)]
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise DataError(f"{shown} has no rows of {', '.join(missing)}.{hint} There are: {_listed(there)}")
    return tuple(models)


def _checked(table: pl.DataFrame, models: Sequence[str]) -> _Checked:
    score = pl.col("score")
    reason = (
        pl.when(pl.col("model").is_null())
        .then(pl.lit("no model"))
        .when(~pl.col("model").cast(pl.String).is_in(list(models)))
        .then(pl.lit("another model than those asked for"))
        .when(pl.col("blank"))
        .then(pl.lit("empty prompt"))
        .when(pl.col(BAD_NUMBER))
        .then(pl.lit("score is not a number"))
        .when(score.is_null())
        .then(pl.lit("no score"))
        .when(score.is_nan())
        .then(pl.lit("score is NaN"))
        .when((score < 0) | (score > 1))
        .then(pl.lit("score outside 0 to 1"))
    )
    judged = table.with_columns(reason.alias("reason"))
    counts = judged.filter(pl.col("reason").is_not_null()).group_by("reason").len().sort("reason")
    dropped = dict(zip(counts["reason"].to_list(), counts["len"].to_list(), strict=True))
    return _Checked(judged.filter(pl.col("reason").is_null()).drop("reason", "blank", BAD_NUMBER), dropped)


def _texts(rows: pl.LazyFrame, kept: pl.DataFrame, shown: str) -> pl.DataFrame:
    """Each different prompt text once, with its key and the hash that names its group."""
    wanted = kept.select(pl.col("key").unique())
    texts = collect(
        rows.select(pl.col("prompt").hash().alias("key"), "prompt")
        .unique("key", keep="any")
        .join(wanted.lazy(), on="key", how="semi"),
        shown,
    )
    return texts.with_columns(pl.Series("group", prompt_hashes(texts["prompt"]).view(np.int64)))


def _one_row_each(kept: pl.DataFrame, *, merge_same_prompts: bool) -> tuple[pl.DataFrame, _Merged]:
    """One row per prompt and model, with `pid`, the number of the prompt in order of first appearance."""
    notes: list[str] = []
    if merge_same_prompts:
        identity: tuple[str, ...] = ("source", "dataset", "group")
    elif kept["prompt_id"].null_count() == 0:
        reused = (
            kept.group_by(*_IDS, "model").agg(pl.col("group").n_unique().alias("texts")).filter(pl.col("texts") > 1)
        )
        identity = _IDS
        if reused.height > 0:
            clashing = reused.select(*_IDS).unique()
            notes.append(f"{clashing.height:,} prompt ids stand for several texts; each text is a prompt of its own.")
            identity = (*_IDS, "split")
            kept = kept.join(
                clashing.with_columns(pl.lit(value=True).alias("clash")),
                on=_IDS,
                how="left",
                nulls_equal=True,
                maintain_order="left",
            ).with_columns(pl.when(pl.col("clash")).then(pl.col("group")).alias("split"))
    else:
        identity = (*_IDS, "group")
    prompts = kept.select(*identity).unique(maintain_order=True).with_row_index("pid")
    kept = kept.join(prompts, on=list(identity), how="left", nulls_equal=True, maintain_order="left")
    if not kept.select(pl.struct("pid", "model").is_duplicated().any()).item():
        return kept, _Merged({}, tuple(notes))
    once = kept.group_by("pid", "model", maintain_order=True).agg(
        pl.len().alias("n"),
        pl.col("score").n_unique().alias("n_scores"),
        *(
            pl.col(name).mean()
            for name in ("score", "cost_usd", "prompt_tokens", "completion_tokens", "confidence", "weight")
        ),
        *(pl.col(name).first() for name in ("source", "dataset", "prompt_id", "key", "group")),
    )
    repeated = once.filter(pl.col("n_scores") == 1).select((pl.col("n") - 1).sum()).item()
    differing = once.filter(pl.col("n_scores") > 1).select((pl.col("n") - 1).sum()).item()
    dropped = {}
    if repeated:
        dropped["repeats a prompt and model with the same score"] = int(repeated)
    if differing:
        dropped["repeats a prompt and model with another score (averaged)"] = int(differing)
    return once, _Merged(dropped, tuple(notes))


def _by_cost(rows: pl.DataFrame, models: Sequence[str]) -> tuple[str, ...]:
    means = rows.group_by(pl.col("model").cast(pl.String)).agg(
        pl.col("cost_usd").mean().alias("cost"), pl.col("score").mean().alias("score")
    )
    by = "cost" if means["cost"].null_count() == 0 else "score"
    ranked = means.sort(by, "model")["model"].to_list()
    if len(ranked) < MIN_MODELS:
        raise DataError(
            f"only {_listed(ranked)} of {_listed(list(models))} has a usable score; routing needs two models"
        )
    return tuple(ranked)


def _assembled(
    parts: _Parts, responses: pl.LazyFrame | None, prices: Mapping[str, float], token_price: TokenPrice | None
) -> tuple[Outcomes, Findings]:
    rows = parts.rows
    place = {model: index for index, model in enumerate(parts.models)}
    n, m = int(rows["pid"].max()) + 1, len(parts.models)  # type: ignore[arg-type]
    i = rows["pid"].to_numpy().astype(np.int64)
    j = rows["model"].cast(pl.String).replace_strict(place, return_dtype=pl.Int64).to_numpy()

    def matrix(column: str) -> Float:
        out = np.full((n, m), np.nan, dtype=np.float32)
        out[i, j] = rows[column].cast(pl.Float32).fill_null(float("nan")).to_numpy()
        return out

    first = rows.unique("pid", keep="first", maintain_order=True).sort("pid")
    # Models may see differently worded prompts under one id; the text of the first row stands for all.
    texts = first.select("key").join(parts.texts, on="key", how="left", maintain_order="left")
    prompts = tuple(texts["prompt"].to_list())
    prompt_ids = _ids(first, texts)
    score = matrix("score")
    cost, sources = cost_matrix(
        parts.models,
        np.isfinite(score),
        matrix("cost_usd"),
        matrix("prompt_tokens"),
        matrix("completion_tokens"),
        prices,
        token_price,
    )
    groups = texts["group"].to_numpy().astype(np.int64)
    outcomes = Outcomes(
        models=parts.models,
        prompt_ids=prompt_ids,
        datasets=tuple(first["dataset"].cast(pl.String).to_list()),
        prompts=prompts,
        groups=groups,
        score=score,
        cost_usd=cost,
        confidence=matrix("confidence"),
        responses=None if responses is None else _responses(responses, first, parts.models),
        data_hash=data_hash(parts.models, groups, score, cost),
    )
    scored = np.isfinite(score)
    notes = list(parts.notes)
    if sources.get("unknown"):
        notes.append(f"{sources['unknown']:,} answers have no cost; give prices with --price MODEL=USD_PER_CALL.")
    notes += _weights_note(matrix("weight")[scored.all(axis=1)])
    findings = Findings(
        files=tuple(str(file) for file in parts.files),
        n_rows=parts.n_rows,
        n_rows_kept=rows.height,
        dropped=parts.dropped,
        n_prompts=n,
        n_complete=int(scored.all(axis=1).sum()),
        n_groups=int(np.unique(groups).size),
        scored={model: int(scored[:, index].sum()) for model, index in place.items()},
        cost_sources=sources,
        notes=tuple(notes),
    )
    return outcomes, findings


def _weights_note(weight: Float) -> list[str]:
    """That prompts with an answer of every model have different weights, which nothing here reads.

    Args:
        weight: shape (n, m), NaN where a row has none, which counts as 1.
    """
    per_prompt = np.where(np.isfinite(weight), weight, 1.0).min(axis=1, initial=np.inf)
    if per_prompt.size == 0 or per_prompt.max() <= per_prompt.min() * (1 + 1e-6):
        return []
    low, high = float(per_prompt.min()), float(per_prompt.max())
    return [
        f"Prompts have weights from {low:.3g} to {high:.3g}, and count alike here; docs/shadow.md says when it matters."
    ]


def _ids(first: pl.DataFrame, texts: pl.DataFrame) -> tuple[str, ...]:
    given = first["prompt_id"].to_list()
    if all(each is not None for each in given):
        return tuple(given)
    hashes = texts["group"].to_numpy().view(np.uint64)
    return tuple(f"{hashes[place]:016x}" if each is None else each for place, each in enumerate(given))


def _responses(rows: pl.LazyFrame, first: pl.DataFrame, models: Sequence[str]) -> tuple[tuple[str | None, ...], ...]:
    by_ids = first["prompt_id"].null_count() == 0
    keys = [*_IDS] if by_ids else ["source", "dataset", "key"]
    wanted = first.select("pid", pl.col("source", "dataset").cast(pl.String), "prompt_id", "key")
    found = collect(
        rows.filter(pl.col("model").is_in(list(models)), pl.col("response").is_not_null())
        .with_columns(pl.col("prompt").hash().alias("key"))
        .select(*keys, "model", "response")
        .join(wanted.select("pid", *keys).lazy(), on=keys, how="inner", nulls_equal=True)
        .unique(["pid", "model"], keep="first", maintain_order=True),
        "responses",
    )
    out: list[list[str | None]] = [[None] * len(models) for _ in range(first.height)]
    place = {model: index for index, model in enumerate(models)}
    for pid, model, response in found.select("pid", "model", "response").iter_rows():
        out[pid][place[model]] = response
    return tuple(tuple(row) for row in out)


def _reasons(dropped: Mapping[str, int]) -> str:
    return "Left out: " + "; ".join(f"{count:,} {why}" for why, count in dropped.items()) + "."


def _listed(names: Sequence[str], limit: int = 30) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
