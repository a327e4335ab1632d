"""`pointsman label`: scores answers and makes an eval set of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.engine import Engine, EngineName, open_engine
from pointsman.staging import brought, on_disk, send_back

from .engine_option import EngineOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from pointsman.label import Ideal, JudgeReport, Review

    from .labelling import Folder, Key


class ScorerName(StrEnum):
    """What scores the answers."""

    EXACT = "exact"
    NUMERIC = "numeric"
    REGEX = "regex"
    JSON = "json"
    CONTAINS = "contains"
    CODE = "code"
    EMBEDDING = "embedding"
    JUDGE = "judge"


class JudgeMode(StrEnum):
    """What the judge is asked."""

    PAIRWISE = "pairwise"
    RUBRIC = "rubric"


class Select(StrEnum):
    """How prompts are chosen when there is a budget."""

    ACTIVE = "active"
    RANDOM = "random"


def label(
    folder: Annotated[
        str, typer.Argument(help="Folder that pointsman collect or import made.", show_default=False, metavar="PATH")
    ],
    scorer: Annotated[ScorerName | None, typer.Option("--scorer", "-s", help="What scores the answers.")] = None,
    models: Annotated[
        str | None, typer.Option("--models", "-m", help="Cheap to strong, separated by commas; else sorted by cost.")
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(
            "--references", help="JSONL or Parquet: prompt_id, reference, tests …", parser=brought, metavar="PATH"
        ),
    ] = None,
    pattern: Annotated[str | None, typer.Option("--pattern", help="For regex: where a prompt has none.")] = None,
    schema: Annotated[
        Path | None, typer.Option("--schema", help="For json: a JSON Schema, where a prompt has none.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="For numeric: relative to the reference.")
    ] = 1e-6,
    encoder: Annotated[
        str, typer.Option("--encoder", help="For embedding: static or sentence-transformers:NAME.")
    ] = "static",
    timeout_s: Annotated[float, typer.Option("--timeout-s", min=0.1, help="For code: seconds per answer.")] = 10.0,
    judge: Annotated[str | None, typer.Option("--judge", help="For judge: a configured model.")] = None,
    judge_mode: Annotated[
        JudgeMode, typer.Option("--judge-mode", help="Against the strong answer in both orders, or a mark for each.")
    ] = JudgeMode.PAIRWISE,
    criteria: Annotated[
        Path | None, typer.Option("--criteria", help="For judge: a text file that says what to judge by.")
    ] = None,
    max_output_tokens: Annotated[
        int, typer.Option("--max-output-tokens", min=16, help="For judge: limit of a verdict, reasoning included.")
    ] = 4096,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=512, help="For judge: calls at once.")] = 8,
    max_usd: Annotated[
        float | None,
        typer.Option("--max-usd", min=0.0, help="For judge: most it may cost, earlier runs included."),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.0, max=1.0, help="Score from which an answer is good enough.")
    ] = 0.5,
    margin: Annotated[
        float | None,
        typer.Option("--margin", min=0.0, max=1.0, help="Instead: good enough is the strong score less this."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", "-n", min=1, help="Label at most this many prompts without labels.")
    ] = None,
    select: Annotated[Select, typer.Option("--select", help="How they are chosen.")] = Select.ACTIVE,
    seed: Annotated[int, typer.Option("--seed", help="For the choice and for the order of a review.")] = 0,
    engine: EngineOption = EngineName.LOCAL,
    review: Annotated[bool, typer.Option("--review", help="Score by hand, a key per answer; can be undone.")] = False,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="pointsman.yaml.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Score answers, find each prompt's ideal tier and output, and write the eval set.

    What cannot be scored stays unscored and out of every mean. Exits 1 when a judge's answers are missing at the end.

    Example: pointsman label evals/faq --scorer exact

    Example: pointsman label evals/faq --scorer judge --judge opus --budget 200 --select active --max-usd 2
    """
    from rich.console import Console

    from pointsman.errors import BadRequest

    from . import labelling

    if (scorer is None) == (not review):
        raise BadRequest("expected --scorer NAME or --review, and not both")
    if (scorer is ScorerName.JUDGE) != (judge is not None):
        raise BadRequest("--scorer judge and --judge MODEL go together")
    console = Console(stderr=as_json)
    wanted = [] if models is None else [name.strip() for name in models.split(",") if name.strip()]
    # A journal of paid verdicts or key presses must be on this machine's disk.
    path = on_disk(folder) if review or scorer is ScorerName.JUDGE else brought(folder)
    opened = labelling.open_folder(path, models=wanted, references=references)
    keys: list[Key] = list(opened.tasks)
    if budget is not None:
        # A prompt whose review was broken off comes before new ones.
        begun = _review_of(opened, keys, seed).unfinished[:budget] if review else []
        fresh = labelling.choose(
            opened, budget - len(begun), select.value, seed=seed, config=config, threshold=threshold
        )
        keys = [*begun, *fresh]
        console.print(f"{len(keys):,} prompts without labels were chosen ({select.value}, seed {seed})")
    card: dict[str, Any]
    report: JudgeReport | None = None
    complete = True
    if review:
        found, card = _review(opened, keys, seed)
    elif scorer is ScorerName.JUDGE:
        assert judge is not None
        found, card, report, complete = _judge(
            console,
            opened,
            keys,
            judge=judge,
            mode=judge_mode,
            criteria=criteria,
            max_output_tokens=max_output_tokens,
            concurrency=concurrency,
            max_usd=max_usd,
            config=config,
            yes=yes,
            engine=engine,
        )
    else:
        assert scorer is not None
        with open_engine(engine) as there:
            found, card = _score(
                console,
                opened,
                keys,
                scorer,
                pattern=pattern,
                schema=schema,
                tolerance=tolerance,
                encoder=encoder,
                timeout_s=timeout_s,
                engine=there,
            )
    opened.take(found)
    if budget is not None:
        card |= {"budget": budget, "select": select.value, "seed": seed}
    ideals = labelling.ideals(opened, threshold=threshold, margin=margin)
    tiers = labelling.tier_names(opened, config)
    labelling.write(
        opened,
        ideals,
        tiers,
        labelled_by={**card, "n_prompts": len(found)},
        good_enough={"threshold": threshold} if margin is None else {"margin": margin},
    )
    send_back(path, folder)
    summary = _summary(opened, ideals, tiers, found, report)
    if as_json:
        import json

        typer.echo(json.dumps(summary, indent=2))
    else:
        _show(console, summary, folder)
    if not complete:
        raise typer.Exit(1)


def _score(
    console: Console,
    opened: Folder,
    keys: Sequence[Key],
    scorer: ScorerName,
    *,
    pattern: str | None,
    schema: Path | None,
    tolerance: float,
    encoder: str,
    timeout_s: float,
    engine: Engine,
) -> tuple[dict[Key, dict[str, float]], dict[str, Any]]:
    from pointsman.label import (
        AnswerScorer,
        CodeLimits,
        ContainsScorer,
        ExactScorer,
        JsonScorer,
        NumericScorer,
        RegexScorer,
    )

    from . import answer_scores

    if scorer is ScorerName.EMBEDDING:
        return answer_scores.score_by_similarity(opened, keys, encoder, engine=engine), {
            "scorer": f"embedding {encoder}"
        }
    if scorer is ScorerName.CODE:
        n = sum(len(opened.answers[key]) for key in keys)
        limits = CodeLimits(wall_s=timeout_s, cpu_s=max(1, int(timeout_s)))
        with _bar(console, "running code", n) as advance:
            found = answer_scores.score_by_code(opened, keys, limits, advance, engine=engine)
        return found, {"scorer": f"code ({timeout_s:g} s)"}
    alone: AnswerScorer
    if scorer is ScorerName.EXACT:
        alone = ExactScorer()
    elif scorer is ScorerName.CONTAINS:
        alone = ContainsScorer()
    elif scorer is ScorerName.NUMERIC:
        alone = NumericScorer(relative=tolerance)
    elif scorer is ScorerName.REGEX:
        alone = RegexScorer(pattern)
    else:
        alone = JsonScorer(None if schema is None else _read_schema(schema))
    return answer_scores.score_alone(opened, keys, alone, engine=engine), {"scorer": alone.name}


def _read_schema(path: Path) -> Any:
    import orjson

    from pointsman.errors import BadRequest

    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BadRequest(f"--schema {path}: {error}") from error


def _judge(
    console: Console,
    opened: Folder,
    keys: Sequence[Key],
    *,
    judge: str,
    mode: JudgeMode,
    criteria: Path | None,
    max_output_tokens: int,
    concurrency: int,
    max_usd: float | None,
    config: Path | None,
    yes: bool,
    engine: EngineName,
) -> tuple[dict[Key, dict[str, float]], dict[str, Any], JudgeReport, bool]:
    from pointsman.collect import estimate
    from pointsman.errors import BadRequest
    from pointsman.label import Pairwise, Rubric

    from . import collecting, labelling
    from .collect_command import progress_bar, show_estimate, show_missing, show_past, stopping

    parts = collecting.open_parts(config)
    model = collecting.chosen_models(parts, [judge])[0]
    try:
        words = None if criteria is None else criteria.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"--criteria {criteria}: {error}") from error
    asked = Pairwise(opened.models[-1], words) if mode is JudgeMode.PAIRWISE else Rubric(words)
    planned = labelling.plan_judging(opened, keys, asked, model, max_output_tokens=max_output_tokens)
    if max_usd is not None:
        collecting.refuse_unbounded(planned.calls)
    with labelling.open_journal(opened) as journal:
        todo = [call for call in planned.calls if call.key not in journal.past.done]
        show_past(console, journal.past, len(planned.calls) - len(todo))
        if todo:
            show_estimate(console, estimate(todo), max_usd)
            collecting.confirm(f"Ask {model.name} {len(todo):,} times?", yes=yes)
        with open_engine(engine) as there, progress_bar(console, "judging", len(todo)) as advance:
            summary = collecting.run(
                parts,
                planned.calls,
                journal,
                max_usd=max_usd,
                advance=advance,
                concurrency=concurrency,
                heard=stopping,
                engine=there,
            )
    show_missing(console, summary)
    scores, report = planned.scores(summary)
    card = {
        "scorer": f"judge ({mode.value})",
        "judge": {"model": model.name, "provider": model.provider, "provider_model": model.provider_model},
        **({"strong": opened.models[-1]} if mode is JudgeMode.PAIRWISE else {}),
        **report.to_json(),
    }
    return scores, card, report, summary.complete


def _review(opened: Folder, keys: Sequence[Key], seed: int) -> tuple[dict[Key, dict[str, float]], dict[str, Any]]:
    import math
    import sys

    from pointsman.errors import BadRequest

    if not sys.stdin.isatty():
        raise BadRequest("--review needs a terminal to read keys from")
    done = _review_of(opened, keys, seed)
    done.run(lambda text: typer.echo(f"{text}\n"), typer.getchar)
    scores: dict[Key, dict[str, float]] = {}
    for dataset, prompt_id, model in done.undone:
        scores.setdefault((dataset, prompt_id), {})[model] = math.nan
    for (dataset, prompt_id, model), score in done.scores.items():
        scores.setdefault((dataset, prompt_id), {})[model] = score
    return scores, {"scorer": "human", "n_answers": len(done.scores), "n_left": done.n_left}


def _review_of(opened: Folder, keys: Sequence[Key], seed: int) -> Review:
    from pointsman.label import Review, ReviewItem

    items = [
        ReviewItem(*key, model, task.prompt, answer, next(iter(task.references), None))
        for key in keys
        for task in (opened.tasks[key],)
        for model, answer in opened.answers[key].items()
        if answer is not None
    ]
    return Review(items, opened.path / "review.jsonl", seed=seed)


# ---------------------------------------------------------------- showing


def _summary(
    opened: Folder,
    ideals: Mapping[Key, Ideal],
    tiers: Mapping[str, str],
    found: Mapping[Key, Mapping[str, float]],
    report: JudgeReport | None,
) -> dict[str, Any]:
    import math

    from pointsman.label import Share

    by_prompt = opened.scores()
    rows = []
    for model in opened.models:
        held = [scores[model] for scores in by_prompt.values() if model in scores]
        known = [score for score in held if not math.isnan(score)]
        mean = Share(sum(known), len(known))
        rows.append(
            {
                "model": model,
                "tier": tiers[model],
                "n_scored": mean.n,
                "n_unscored": len(held) - mean.n,
                "mean_score": mean.value if mean.n else None,
                "mean_score_ci": list(mean.interval) if mean.n else None,
                "n_ideal": sum(ideal.model == model for ideal in ideals.values()),
            }
        )
    return {
        "n_prompts": len(opened.tasks),
        "n_labelled_now": len(found),
        "n_without_ideal": sum(not ideal.known for ideal in ideals.values()),
        "n_no_good_answer": sum(bool(ideal.tags) for ideal in ideals.values()),
        "models": rows,
        "judge": None if report is None else report.to_json(),
    }


def _show(console: Console, summary: Mapping[str, Any], folder: str) -> None:
    from rich.table import Table

    table = Table(title=f"{summary['n_prompts']:,} prompts; mean scores with 95 % intervals")
    for column in ("model", "tier"):
        table.add_column(column)
    for column in ("scored", "unscored", "mean score", "ideal for"):
        table.add_column(column, justify="right")
    for row in summary["models"]:
        mean, ci = row["mean_score"], row["mean_score_ci"]
        table.add_row(
            row["model"],
            row["tier"],
            f"{row['n_scored']:,}",
            f"{row['n_unscored']:,}",
            "-" if mean is None else f"{mean:.3f} [{ci[0]:.3f}, {ci[1]:.3f}]",
            f"{row['n_ideal']:,}",
        )
    console.print(table)
    if summary["n_without_ideal"]:
        console.print(f"{summary['n_without_ideal']:,} prompts have no ideal tier yet, because a score is missing")
    if summary["n_no_good_answer"]:
        console.print(f"{summary['n_no_good_answer']:,} prompts were answered well enough by no model")
    if summary["judge"] is not None:
        _show_judge(console, summary["judge"])
    console.print(f"eval set: {folder}")


def _show_judge(console: Console, judge: Mapping[str, Any]) -> None:
    console.print(f"the judge was asked {judge['n_questions']:,} times for {judge['cost_usd']:.4f} USD")
    if judge["n_failed"] or judge["n_unreadable"]:
        console.print(
            f"[yellow]{judge['n_failed']:,} questions were not answered and {judge['n_unreadable']:,} answers could "
            "not be read; those answers stay unscored[/yellow]"
        )
    if judge["n_pairs"]:
        share, (low, high) = judge["contradicting_share"], judge["contradicting_ci"]
        console.print(
            f"it contradicted itself on {judge['n_contradicting']:,} of {judge['n_pairs']:,} pairs when the order was "
            f"swapped ({share:.1%} [{low:.1%}, {high:.1%}]); the first answer shown won both times in "
            f"{judge['n_first_won']:,} of them. Each counts as a tie, and so do {judge['n_wavering']:,} pairs that "
            "were a tie in one order only"
        )
    if judge["n_same"]:
        console.print(f"{judge['n_same']:,} pairs of equal answers are ties and were not asked about")


class _bar:  # noqa: N801 - reads as a function where it is used
    """A progress bar with the time left, or nothing where there is no terminal."""

    def __init__(self, console: Console, words: str, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn(words),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(words, total=total)

    def __enter__(self) -> _bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, n: int) -> None:
        self._progress.advance(self._task, n)
