"""`pointsman features`: features and embeddings of many prompts, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.engine import EngineName, open_engine
from pointsman.staging import brought, on_disk

from .engine_option import EngineOption

if TYPE_CHECKING:
    from pointsman.featurising import PromptText

_COLUMNS = ("dataset", "prompt_id", "id", "custom_id", "prompt", "messages")


def features(
    prompts: Annotated[
        Path,
        typer.Argument(
            help="JSONL or Parquet, with prompt or messages.", show_default=False, parser=brought, metavar="PATH"
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            help="Folder for the features; run again to go on where it stopped.",
            parser=on_disk,
            metavar="PATH",
        ),
    ],
    encoder: Annotated[
        str, typer.Option("--encoder", help="static, sentence-transformers:NAME, openai:NAME or none.")
    ] = "static",
    engine: EngineOption = EngineName.LOCAL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Write the features and the embedding of every prompt of a file to Parquet, 16,384 prompts a file.

    The file is read as a stream and memory stays bounded, so it may hold any number of prompts.

    Example: pointsman features prompts.parquet --to features --engine ray
    """
    from rich.console import Console

    from pointsman.errors import DataError

    try:
        from pointsman.featurising import featurise
    except ModuleNotFoundError as error:
        raise DataError(f"features needs the extra with {error.name}: pip install 'pointsman[train]'") from error

    console = Console(stderr=True)
    with open_engine(engine) as there, console.status("reading prompts") as status:
        found = featurise(
            _stream(prompts),
            to,
            of=prompts,
            encoder=encoder,
            engine=there,
            advance=lambda n: status.update(f"{n:,} prompts written"),
        )
    if as_json:
        typer.echo(json.dumps({"to": str(to), **asdict(found)}))
    else:
        typer.echo(f"{found.n_prompts:,} prompts ({found.n_before:,} from before) in {found.n_files:,} files in {to}")


def _stream(path: Path) -> Iterator[PromptText]:
    """Dataset, id and routed text of each row, in the file's order.

    Raises:
        BadRequest: the file is missing, cannot be read, or a row says no prompt; the message names the row.
    """
    from pointsman.errors import BadRequest
    from pointsman.outcomes.prompt_text import routed_text

    from .request_files import json_lines

    if not path.is_file():
        raise BadRequest(f"{path}: no such file; expected JSONL or Parquet with a prompt or messages column")
    for number, row in enumerate(_parquet(path) if path.suffix == ".parquet" else json_lines(path), start=1):
        text = row["prompt"] if isinstance(row.get("prompt"), str) else routed_text(row.get("messages"))
        if text is None:
            raise BadRequest(f"{path}: row {number}: expected a `prompt` or `messages` field")
        id_ = next((row[key] for key in ("prompt_id", "id", "custom_id") if row.get(key) is not None), f"row-{number}")
        dataset = row.get("dataset")
        yield dataset if isinstance(dataset, str) else path.stem, str(id_), text


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pointsman.errors import BadRequest

    try:
        with pq.ParquetFile(path) as file:
            wanted = [name for name in _COLUMNS if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=1_024, columns=wanted):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise BadRequest(f"{path}: not a readable Parquet file: {error}") from error
