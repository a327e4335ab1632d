"""`pointsman collect`: runs prompts through models and keeps what they answered and cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.engine import EngineName, open_engine
from pointsman.staging import brought, on_disk

from .engine_option import EngineOption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

    from pointsman.collect import CostEstimate, Past, Progress, Summary

    from .prompt_files import PromptRow

JOURNAL = "collect.journal.jsonl"


def collect(
    prompts: Annotated[
        Path,
        typer.Option(
            "--prompts",
            "-p",
            help="JSONL or Parquet with a prompt or messages column.",
            parser=brought,
            metavar="PATH",
        ),
    ],
    models: Annotated[str, typer.Option("--models", "-m", help="Configured models, separated by commas.")],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            help="Folder for the outcomes; run again to go on where it stopped.",
            parser=on_disk,
            metavar="PATH",
        ),
    ],
    max_usd: Annotated[
        float | None,
        typer.Option("--max-usd", min=0.0, help="Most that this folder's calls may cost, earlier runs included."),
    ] = None,
    max_output_tokens: Annotated[
        int | None, typer.Option("--max-output-tokens", min=1, help="Limit of answers where a prompt sets none.")
    ] = None,
    logprobs: Annotated[
        bool, typer.Option("--logprobs", help="Ask chat completions for token probabilities, for confidences.")
    ] = False,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=512, help="Calls at once for a model without max_concurrency.")
    ] = 8,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Only the first N prompts.")] = None,
    engine: EngineOption = EngineName.LOCAL,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="pointsman.yaml.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Run prompts through models: priced first, resumable, never above --max-usd.

    Every answer is on the disk before it counts, so a run that was stopped or killed goes on where it was. Exits 1
    when calls are missing at the end.

    Example: pointsman collect --prompts prompts.jsonl --models haiku,opus --to evals/faq --max-usd 5
    """
    from rich.console import Console

    from pointsman.collect import Journal, estimate

    from . import collecting
    from .prompt_files import read_prompts

    console = Console(stderr=as_json)
    rows = read_prompts(prompts, limit=limit)
    parts = collecting.open_parts(config)
    chosen = collecting.chosen_models(parts, [name.strip() for name in models.split(",") if name.strip()])
    calls = collecting.plan(rows, chosen, max_output_tokens=max_output_tokens, logprobs=logprobs)
    if max_usd is not None:
        collecting.refuse_unbounded(calls)
    with Journal(to / JOURNAL) as journal:
        todo = [planned for planned in calls if planned.key not in journal.past.done]
        show_past(console, journal.past, len(calls) - len(todo))
        if todo:
            estimates = estimate(todo)
            show_estimate(console, estimates, max_usd)
            collecting.confirm(f"Send {len(todo):,} calls?", yes=yes)
        with open_engine(engine) as there, progress_bar(console, "collecting", len(todo)) as advance:
            summary = collecting.run(
                parts,
                calls,
                journal,
                max_usd=max_usd,
                advance=advance,
                concurrency=concurrency,
                heard=stopping,
                engine=there,
            )
        written = _write(to, rows, summary)
    _report(console, summary, written, as_json=as_json)
    if not summary.complete:
        raise typer.Exit(1)


def _write(to: Path, rows: Sequence[PromptRow], summary: Summary) -> Path:
    """The prompts with their references, and the outcomes: new answers, and old ones of other prompts and models.

    Scores that were given to the same answers before stay. Rows of a prompt that reads differently now go.
    """
    import orjson

    from pointsman.collect import outcome_rows

    from .eval_set_files import PROMPTS, read_outcomes, write_lines, write_outcomes
    from .request_files import json_lines

    before = read_outcomes(to)
    prompts_before = [dict(row) for row in json_lines(to / PROMPTS)] if (to / PROMPTS).is_file() else []
    bodies_before = {_prompt_key(row): row.get("body") for row in prompts_before}
    prompts: list[dict[str, Any]] = [
        {"dataset": row.dataset, "prompt_id": row.prompt_id, "body": dict(row.request.body), **row.kept} for row in rows
    ]
    now = {_prompt_key(row): row["body"] for row in prompts}
    said = {(row.dataset, row.prompt_id): {"prompt": row.request.last_user_text} for row in rows}

    scores = {(*_prompt_key(row), row["model"], row.get("response")): row.get("score") for row in before}
    # Imported rows name the tool they came from; it is part of what makes two rows one prompt's.
    sources = {_prompt_key(row): row["source"] for row in before if row.get("source") is not None}
    found = list(outcome_rows(summary.done.values(), said))
    for row in found:
        if _prompt_key(row) in sources:
            row["source"] = sources[_prompt_key(row)]
        score = scores.get((*_prompt_key(row), row["model"], row["response"]))
        row["score"] = row["score"] if score is None else score

    def stays(row: Mapping[str, Any]) -> bool:
        key = _prompt_key(row)
        if key not in now:
            return True
        same = row.get("prompt") == said[key]["prompt"] and bodies_before.get(key, now[key]) == now[key]
        return same and (*key, row["model"]) not in answered

    answered = {(*_prompt_key(row), row["model"]) for row in found}
    prompts += [row for row in prompts_before if _prompt_key(row) not in now]
    write_lines(to / PROMPTS, (orjson.dumps(prompt) for prompt in prompts))
    return write_outcomes(to, [*found, *(row for row in before if stays(row))])


def _prompt_key(row: Mapping[str, Any]) -> tuple[str, str]:
    dataset = row.get("dataset")
    return ("" if dataset is None else dataset, row["prompt_id"])


# ---------------------------------------------------------------- showing


def _usd(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4f}"


def _sum(values: Iterable[float | None]) -> float:
    return sum(value for value in values if value is not None)


def show_past(console: Console, past: Past, n_done: int) -> None:
    """Says what earlier runs left."""
    if past.repaired_bytes:
        console.print(f"the journal's last line was torn; {past.repaired_bytes} bytes were cut off")
    if n_done:
        console.print(f"{n_done:,} calls were answered by earlier runs for {past.spent_usd:.4f} USD and are kept")
    if past.unanswered:
        console.print(
            f"[yellow]{len(past.unanswered):,} calls were under way when a run was killed; they are sent again with "
            "the same idempotency keys and may be billed twice[/yellow]"
        )


def show_estimate(console: Console, estimates: Sequence[CostEstimate], max_usd: float | None) -> None:
    """Says what calls will cost, with the range."""
    from rich.table import Table

    table = Table(title="what this will cost, USD (token counts are estimates)")
    table.add_column("model")
    for column in ("calls", "input tokens", "output tokens", "expected", "range", "at most"):
        table.add_column(column, justify="right")
    for each in estimates:
        table.add_row(
            each.model,
            f"{each.n_calls:,}",
            f"{each.input_tokens:,}",
            f"{each.output_tokens:,}",
            _usd(each.expected_usd),
            f"{_usd(each.low_usd)} to {_usd(each.high_usd)}" if each.low_usd is not None else "not known",
            _usd(each.max_usd),
        )
    known = [each for each in estimates if each.expected_usd is not None]
    if len(estimates) > 1 and known:
        table.add_row(
            "together",
            f"{sum(each.n_calls for each in estimates):,}",
            f"{sum(each.input_tokens for each in estimates):,}",
            f"{sum(each.output_tokens for each in estimates):,}",
            _usd(_sum(each.expected_usd for each in known)),
            f"{_usd(_sum(each.low_usd for each in known))} to {_usd(_sum(each.high_usd for each in known))}",
            "",
        )
    console.print(table)
    for each in estimates:
        if each.price_missing is not None:
            console.print(f"[yellow]{each.model}: no price: {each.price_missing}; its cost will not be known[/yellow]")
    if max_usd is not None:
        console.print(f"stops before {max_usd:g} USD could be passed")


@contextmanager
def progress_bar(console: Console, words: str, total: int) -> Iterator[Callable[[Progress], None]]:
    """A bar with calls, dollars spent and left, and the time left; nothing where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn(words),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[money]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task(words, total=total, money="")

    def advance(now: Progress) -> None:
        money = f"{now.spent_usd:.4f} USD spent, about {now.expected_left_usd:.4f} to go"
        if now.retrying is not None:
            money += f"; again: {now.retrying}"
        bar.update(task, completed=now.n_done + now.n_failed, money=money)

    with bar:
        yield advance


def stopping() -> None:
    """Tells that a signal to stop was heard."""
    typer.echo("stopping: calls under way are finished and kept; the same signal again ends at once", err=True)


def _report(console: Console, summary: Summary, written: Path, *, as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(summary_json(summary, written), indent=2))
        return
    console.print(
        f"{summary.n_new:,} answers for {summary.spent_usd:.4f} USD, {summary.n_before:,} from before; "
        f"outcomes without scores: {written}"
    )
    if summary.n_unpriced:
        console.print(f"[yellow]{summary.n_unpriced:,} of them have no known cost[/yellow]")
    show_missing(console, summary)
    if summary.complete:
        console.print(f"next: pointsman label {written.parent} --scorer exact", markup=False)


def show_missing(console: Console, summary: Summary) -> None:
    """Says what was not answered, and why."""
    for why in summary.stopped.values():
        console.print(f"[yellow]{why}[/yellow]")
    if summary.failed:
        reasons: dict[str, int] = {}
        for reason in summary.failed.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        for reason, n in sorted(reasons.items(), key=lambda item: -item[1])[:5]:
            console.print(f"[yellow]{n:,} calls failed: {reason}[/yellow]", highlight=False)
    if summary.n_not_sent:
        console.print(f"[yellow]{summary.n_not_sent:,} calls were not sent; run the same command to go on[/yellow]")


def summary_json(summary: Summary, written: Path | None) -> dict[str, Any]:
    """The summary as plain JSON types."""
    return {
        "n_answers": summary.n_new,
        "n_from_before": summary.n_before,
        "n_failed": len(summary.failed),
        "n_not_sent": summary.n_not_sent,
        "n_unpriced": summary.n_unpriced,
        "n_retries": summary.n_retries,
        "spent_usd": summary.spent_usd,
        "complete": summary.complete,
        "stopped": {kind.value: why for kind, why in summary.stopped.items()},
        "outcomes": None if written is None else str(written),
    }
