"""`pointsman import`: files of other tools become an eval set."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.staging import brought, sent

if TYPE_CHECKING:
    from pointsman.outcomes import Imported
    from pointsman.vocabulary import JSONObject


class ImportFormat(StrEnum):
    """Formats of files to import; auto tells it from each file."""

    AUTO = "auto"
    OUTCOMES = "outcomes"
    ROUTELLM = "routellm"
    ROUTERBENCH = "routerbench"
    LITELLM_LOG = "litellm-log"
    OPENAI_BATCH = "openai-batch"
    LEDGER = "ledger"


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Outcomes, or another tool's files; eval-set folders too.",
            show_default=False,
            parser=brought,
            metavar="PATH",
        ),
    ],
    to: Annotated[
        str, typer.Option("--to", help="Folder of the eval set to make.", show_default=False, metavar="PATH")
    ],
    format: Annotated[ImportFormat, typer.Option("--format", help="Format of the files.")] = ImportFormat.AUTO,  # noqa: A002
    models: Annotated[
        str | None, typer.Option("--models", "-m", help="From cheap to strong, separated by commas; else by cost.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Licence of the data, for the card.")] = None,
    split_seed: Annotated[int, typer.Option("--split-seed", help="Seed by which train and test will be split.")] = 0,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="Outcomes or eval set to check for shared prompts; repeatable."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an eval set that stands there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make an eval set from outcomes, or from other tools' files.

    A ledger (SQLite) is read as it is: what use has said of its answers becomes labels; it must hold prompts.
    Every row is checked; what is left out is counted under its reason. Prompts that are equal but for case, spaces or
    Unicode form become one. Rows without a score wait for pointsman label.

    Example: pointsman import spend-logs.json --to logs.eval
    """
    from pointsman.errors import DataError

    try:
        from pointsman.outcomes import EvalSetCard, import_files, prompts_of, shared_prompts, triples_of, write_eval_set
    except ModuleNotFoundError as error:
        raise DataError(f"importing needs the extra with {error.name}: pip install 'pointsman[train]'") from error

    imported = _of_ledger(files) if any(map(_is_sqlite, files)) else import_files(files, format=format.value)
    order = _order(imported, models)
    overlaps = {str(path): shared_prompts(imported.rows["prompt"], prompts_of(path)) for path in against or []}
    with sent(to, replace=replace) as folder:
        card = write_eval_set(
            folder,
            imported.rows,
            triples_of(imported.rows, order),
            EvalSetCard(
                sources=tuple(
                    {"file": path.name, "format": kind} for path, kind in zip(files, imported.formats, strict=True)
                ),
                licence=licence,
                split_seed=split_seed,
                models=order,
                extra={"imported": imported.to_json()},
            ),
            replace=replace,
        )
    out: JSONObject = {
        **imported.to_json(),
        "to": to,
        "content_hash": card.content_hash,
        "split_seed": split_seed,
        "shared_prompts": overlaps,
    }
    if as_json:
        typer.echo(json.dumps(out, ensure_ascii=False))
    else:
        for line in _lines(imported, to, overlaps):
            typer.echo(line)


def _is_sqlite(path: Path) -> bool:
    """True for a database file of SQLite (sqlite.org/fileformat2.html, section 1.3.1)."""
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def _of_ledger(files: list[Path]) -> Imported:
    """The rows of one ledger, read while a gateway may write it."""
    from pointsman.errors import DataError
    from pointsman.outcomes import import_ledger
    from pointsman.record import open_reader

    if len(files) != 1:
        raise DataError("a ledger is imported by itself; give one file")
    reader = open_reader(f"sqlite:///{files[0]}")
    try:
        return import_ledger(entry for block in reader.export(with_prompts=True) for entry in block)
    finally:
        reader.close()


def _order(imported: Imported, models: str | None) -> tuple[str, ...]:
    from pointsman.errors import DataError
    from pointsman.outcomes import cheap_to_strong

    if models is None:
        return cheap_to_strong(imported.rows)
    named = tuple(name.strip() for name in models.split(",") if name.strip())
    unknown = [name for name in named if name not in imported.models]
    if unknown:
        raise DataError(f"no rows of {', '.join(unknown)}; there are: {', '.join(imported.models)}")
    return named


def _lines(imported: Imported, to: str, overlaps: dict[str, int]) -> list[str]:
    out = [f"Wrote {to}: {imported.rows.height:,} rows, {imported.n_prompts:,} prompts, {len(imported.models)} models."]
    out += [f"Left out: {count:,} of {imported.n_read:,} rows: {why}." for why, count in imported.dropped.items()]
    out += [f"Labelled by {source}: {count:,} rows." for source, count in imported.labels.items()]
    unscored = imported.rows.height - imported.n_scored
    if unscored:
        out.append(f"{unscored:,} rows have no score yet; next: pointsman label {to}")
    for path, shared in overlaps.items():
        out.append(f"{shared:,} of {imported.n_prompts:,} prompts stand in {path} as well.")
    return out
