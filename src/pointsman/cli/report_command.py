"""`pointsman report`: an evaluation as pages that people read."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pointsman.report import Misroute

EVALUATION_MAX_BYTES = 64 * 2**20
"""An evaluation of a thousand data sets is below one MiB; what is far larger is another kind of file."""


def report(
    evaluation: Annotated[Path, typer.Argument(help="What pointsman evaluate --json OUT wrote.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="Folder for report.html, report.md and figures/.")],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Outcomes to take the misroutes' prompts from; a file or folder, repeatable."),
    ] = None,
    no_prompts: Annotated[
        bool, typer.Option("--no-prompts", help="Keep the text of prompts out of the report.")
    ] = False,
    title: Annotated[str, typer.Option("--title", help="Stands above the verdict.")] = "Routing report",
    date: Annotated[
        datetime.datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Of the report; today without it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the paths and the verdict as JSON.")] = False,
) -> None:
    """Write an evaluation as one HTML file that works offline, as Markdown, and its figures as SVG and PNG.

    Prompts of the worst misroutes are shown, cut, unless --no-prompts is given.

    Example: pointsman report evaluation.json --to report
    """
    from pointsman.report import build, details, write

    found = _read(evaluation)
    misroutes = details.misroutes(found)
    if no_prompts:
        misroutes = _without_prompts(misroutes)
    elif data:
        misroutes = _with_prompts(misroutes, data)
    made = build(
        found,
        misroutes=misroutes,
        moved=details.moved(found),
        provenance=details.provenance(found),
        date=datetime.datetime.now(datetime.UTC).date() if date is None else date.date(),
        title=title,
    )
    paths = write(made, to)
    if as_json:
        out = {
            "verdict": made.verdict,
            "html": str(paths.html),
            "markdown": str(paths.markdown),
            "figures": [str(each) for each in paths.figures],
        }
        typer.echo(json.dumps(out, ensure_ascii=False, indent=2))
        return
    typer.echo(made.verdict)
    typer.echo(f"{paths.html} and report.md beside it; {len(paths.figures)} figures in {paths.html.parent / 'figures'}")


def _read(path: Path) -> dict[str, Any]:
    from pointsman.errors import DataError

    try:
        if path.stat().st_size > EVALUATION_MAX_BYTES:
            raise DataError(f"{path} is larger than {EVALUATION_MAX_BYTES >> 20} MiB; an evaluation's JSON is not")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON; expected what pointsman evaluate --json writes") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} holds no JSON object; expected what pointsman evaluate --json writes")
    return found


def _without_prompts(misroutes: tuple[Misroute, ...]) -> tuple[Misroute, ...]:
    from dataclasses import replace

    return tuple(replace(each, prompt=None) for each in misroutes)


def _with_prompts(misroutes: tuple[Misroute, ...], data: list[Path]) -> tuple[Misroute, ...]:
    """The misroutes with the texts that the outcomes have under their data set and id; texts of their own stay."""
    from dataclasses import replace

    from pointsman import outcomes

    wanted = sorted({each.prompt_id for each in misroutes if each.prompt is None})
    if not wanted:
        return misroutes
    read, _ = outcomes.read(data, ids=wanted)
    texts = dict(zip(zip(read.datasets, read.prompt_ids, strict=True), read.prompts, strict=True))
    return tuple(
        replace(each, prompt=texts.get((each.dataset, each.prompt_id))) if each.prompt is None else each
        for each in misroutes
    )
