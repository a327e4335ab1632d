"""An eval set: a folder with outcomes, the triples that labels made of them, and a card that says where they come from.

outcomes.parquet   the long form, one row per prompt and model; a score may be missing
triples.jsonl      id, input, ideal_tier, ideal_output, tags
card.json          sources, licence, judge, content hash, split seed
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pointsman.errors import DataError
from pointsman.vocabulary import JSONObject

from .columns import LONG
from .files import EVAL_SET_FILE, collect, files_of, scan

FORMAT = 1
TRIPLES_FILE = "triples.jsonl"
CARD_FILE = "card.json"
GOOD_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class EvalSetCard:
    """Where an eval set comes from and how it was labelled."""

    sources: tuple[JSONObject, ...] = ()
    """One object per source: what it is, when it was read, its licence where it has one of its own."""
    licence: str | None = None
    judge: JSONObject | None = None
    """Identity, version, prompt hash, cost and self-consistency of what gave the scores; None for given scores."""
    split_seed: int = 0
    models: tuple[str, ...] = ()
    """From cheap to strong."""
    content_hash: str = ""
    """SHA-256 of outcomes and triples, hexadecimal; `write_eval_set` fills it in."""
    n_prompts: int = 0
    n_rows: int = 0
    extra: JSONObject = field(default_factory=dict)

    def to_json(self) -> JSONObject:
        """The card as plain JSON types."""
        return {
            **self.extra,
            "format": FORMAT,
            "sources": list(self.sources),
            "licence": self.licence,
            "judge": self.judge,
            "split_seed": self.split_seed,
            "models": list(self.models),
            "content_hash": self.content_hash,
            "n_prompts": self.n_prompts,
            "n_rows": self.n_rows,
        }


@dataclass(frozen=True, slots=True, eq=False)
class EvalSet:
    """An eval set in memory."""

    rows: pl.DataFrame
    """The columns of `columns.LONG`."""
    triples: tuple[JSONObject, ...]
    card: EvalSetCard


def triples_of(
    rows: pl.DataFrame,
    models: Sequence[str],
    *,
    good_enough: float = GOOD_ENOUGH,
    references: Mapping[str, str] | None = None,
    tags: Mapping[str, Sequence[str]] | None = None,
) -> tuple[JSONObject, ...]:
    """One triple per prompt with a score: the cheapest model whose answer is good enough, and the best answer.

    `ideal_tier` is the name of that model, None where no answer is good enough. `ideal_output` is the reference where
    there is one, else the answer with the best score (the cheapest model's of those that tie and have a text), None
    without one.

    Args:
        rows: the long form.
        models: from cheap to strong.
        good_enough: the score from which an answer is good.
        references: right answers by prompt id.
        tags: tags by prompt id; the dataset is always the first tag.
    """
    place = {model: index for index, model in enumerate(models)}
    ranked = (
        rows.filter(pl.col("model").is_in(list(models)), pl.col("score").is_between(0, 1))
        .with_columns(pl.col("model").replace_strict(place, return_dtype=pl.Int64).alias("place"))
        .sort("place", maintain_order=True)
        .group_by("dataset", "prompt_id", maintain_order=True)
        .agg(
            pl.col("prompt").first(),
            pl.col("model").filter(pl.col("score") >= good_enough).first().alias("ideal_tier"),
            pl.col("response").filter(pl.col("score") == pl.col("score").max()).drop_nulls().first().alias("best"),
        )
    )
    out = []
    for dataset, prompt_id, prompt, ideal_tier, best in ranked.iter_rows():
        reference = None if references is None else references.get(prompt_id)
        more = () if tags is None else tags.get(prompt_id, ())
        out.append(
            {
                "id": prompt_id,
                "input": prompt,
                "ideal_tier": ideal_tier,
                "ideal_output": best if reference is None else reference,
                "tags": [*([dataset] if dataset else []), *more],
            }
        )
    return tuple(out)


def write_eval_set(
    to: str | Path, rows: pl.DataFrame, triples: Iterable[JSONObject], card: EvalSetCard, *, replace: bool = False
) -> EvalSetCard:
    """Writes the eval set and gives the card as written; the folder is there whole or not at all.

    Args:
        to: the folder.
        rows: the long form; columns that are missing become null, others are refused.
        triples: see `triples_of`.
        card: content hash and counts are filled in.
        replace: lets an eval set that stands there be replaced; anything else is never replaced.

    Raises:
        DataError: the folder is there already, or the rows have unknown columns or none.
    """
    target = Path(to)
    unknown = [name for name in rows.columns if name not in LONG]
    if unknown:
        raise DataError(f"an eval set has no column {', '.join(unknown)}; it has {', '.join(LONG)}")
    if rows.height == 0:
        raise DataError("an eval set without rows is not written")
    _may_write(target, replace=replace)
    table = rows.select(
        pl.col(name).cast(dtype) if name in rows.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in LONG.items()
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        table.write_parquet(building / EVAL_SET_FILE)
        lines = "".join(json.dumps(triple, ensure_ascii=False) + "\n" for triple in triples)
        (building / TRIPLES_FILE).write_text(lines, encoding="utf-8")
        written = EvalSetCard(
            sources=card.sources,
            licence=card.licence,
            judge=card.judge,
            split_seed=card.split_seed,
            models=card.models,
            content_hash=content_hash(table, lines),
            n_prompts=table.select("dataset", "prompt_id").n_unique(),
            n_rows=table.height,
            extra=card.extra,
        )
        text = json.dumps(written.to_json(), ensure_ascii=False, indent=2) + "\n"
        (building / CARD_FILE).write_text(text, encoding="utf-8")
        for file in building.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        # mkdtemp makes folders for their owner alone; an eval set is an ordinary folder.
        building.chmod(0o755)
        _put_in_place(building, target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return written


def _may_write(target: Path, *, replace: bool) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir():
        raise DataError(f"{target} is a file; an eval set is a folder")
    if not any(target.iterdir()):
        return
    if not (target / CARD_FILE).is_file():
        raise DataError(f"{target} is a folder with other things in it; an eval set needs a folder of its own")
    if not replace:
        raise DataError(f"{target} holds an eval set already; name another folder, or ask to replace it")


def _put_in_place(building: Path, target: Path) -> None:
    if not target.exists():
        building.rename(target)
        return
    # Two folders cannot be exchanged in one step on every system. The old one steps aside first, and returns should
    # the new one not make it.
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent)) / "old"
    target.rename(aside)
    try:
        building.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside.parent, ignore_errors=True)


def content_hash(rows: pl.DataFrame, triples: str) -> str:
    """SHA-256 over the rows, whatever their order and their file's compression, and over the triples."""
    digest = hashlib.sha256()
    ordered = rows.sort("dataset", "prompt_id", "model", "prompt", nulls_last=True, maintain_order=True)
    for row in ordered.iter_rows():
        digest.update(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    digest.update(triples.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def read_eval_set(folder: str | Path, *, check: bool = True) -> EvalSet:
    """The eval set in the folder.

    Args:
        folder: made by `write_eval_set`.
        check: compares the content with the hash in its card.

    Raises:
        DataError: not an eval set, of a newer format, or changed since it was written.
    """
    path = Path(folder)
    (file,) = files_of(path)
    try:
        card = json.loads((path / CARD_FILE).read_text(encoding="utf-8"))
        lines = (path / TRIPLES_FILE).read_text(encoding="utf-8")
        triples = tuple(json.loads(line) for line in lines.splitlines() if line.strip())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a whole eval set: {error}") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise DataError(f"{path / CARD_FILE}: expected format {FORMAT}; a newer Pointsman may have written it")
    rows = collect(scan(file), str(file))
    if check and content_hash(rows, lines) != card["content_hash"]:
        raise DataError(f"{path} was changed after it was written: its content has another hash than its card says")
    known = ("sources", "licence", "judge", "split_seed", "models", "content_hash", "n_prompts", "n_rows", "format")
    return EvalSet(
        rows=rows,
        triples=triples,
        card=EvalSetCard(
            sources=tuple(card["sources"]),
            licence=card["licence"],
            judge=card["judge"],
            split_seed=card["split_seed"],
            models=tuple(card["models"]),
            content_hash=card["content_hash"],
            n_prompts=card["n_prompts"],
            n_rows=card["n_rows"],
            extra={key: value for key, value in card.items() if key not in known},
        ),
    )
