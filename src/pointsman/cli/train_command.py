"""`pointsman train`: a router artifact from labelled outcomes."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.engine import EngineName, open_engine
from pointsman.staging import brought, is_address, sent

from .engine_option import EngineOption
from .evaluate_command import ids_in
from .tune_command import named_models, priced

if TYPE_CHECKING:
    from rich.console import Console

    from pointsman.score import LearnedRouter
    from pointsman.study import TrainedRouter
    from pointsman.vocabulary import JSONObject


class Kind(StrEnum):
    """What is learned."""

    PROMPT = "prompt"
    ANSWER = "answer"
    BOTH = "both"


def train(
    data: Annotated[
        list[Path],
        typer.Argument(help="Outcomes: files or eval-set folders.", show_default=False, parser=brought, metavar="PATH"),
    ],
    models: Annotated[str, typer.Option("--models", "-m", help="From cheap to strong; the last is the reference.")],
    to: Annotated[str, typer.Option("--to", help="The artifact's folder.", show_default=False, metavar="PATH")],
    encoder: Annotated[
        str, typer.Option("--encoder", help="static, sentence-transformers:NAME, openai:NAME or none.")
    ] = "static",
    train_size: Annotated[
        int | None, typer.Option("--train-size", min=1, help="Train on about so many prompts, drawn by the seed.")
    ] = None,
    train_ids: Annotated[
        Path | None,
        typer.Option(
            "--train-ids",
            help="Train only on the prompts whose ids are in this file, one a line.",
            parser=brought,
            metavar="PATH",
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only datasets that fit this pattern; repeatable.")
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option("--kind", help="prompt: what to expect of prompts; answer: what answers are worth; both."),
    ] = Kind.PROMPT,
    price: Annotated[
        list[str] | None, typer.Option("--price", help="model=USD per call where costs are missing; repeatable.")
    ] = None,
    extend: Annotated[
        str | None,
        typer.Option(
            "--extend",
            metavar="PATH",
            help="Place the models that this artifact does not know in it; train nothing again.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The router's name; else the folder's.")] = None,
    version: Annotated[str, typer.Option("--version", help="The router's version, for records and reasons.")] = "1",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draw, the folds and the landmarks.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an artifact that stands there.")] = False,
    engine: EngineOption = EngineName.LOCAL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a router on outcomes: which prompts does the cheap model answer as well as the strong one?

    Cascades need --kind both: the artifact then also tells what an answer is worth, from its text and the probabilities
    of its tokens. The outcomes must hold the answers (response, confidence, or both) and what they cost.

    With --extend ART a model that ART does not know is placed from 50 or more of its outcomes, by how it does on
    prompts that the known models find easy or hard.

    Prompts that are not trained on are left for pointsman tune and pointsman evaluate, which leave out those that were
    (equal prompts count as one). The artifact holds arrays and JSON, no code; serving it needs no more than numpy.

    Example: pointsman train evals/faq --models haiku,opus --to art --train-size 1000
    """
    from rich.console import Console

    from pointsman.errors import ArtifactError, BadRequest, DataError

    try:
        from pointsman import outcomes, score
        from pointsman.router_artifact import open_router
        from pointsman.study import Recipe, chosen_rows, extend_router, rest_of, train_router
    except ModuleNotFoundError as error:
        raise DataError(f"training needs the extra with {error.name}: pip install 'pointsman[train]'") from error

    from .phases import phases

    if not is_address(to) and Path(to).exists() and not replace:
        raise ArtifactError(f"{to} exists; choose another folder, or replace it with --replace")
    names = named_models(models)
    ids = None if train_ids is None else ids_in(train_ids, "--train-ids")
    read, findings = outcomes.read(
        data, models=names, datasets=dataset or (), prices=priced(price), with_responses=kind is not Kind.PROMPT
    )
    console = Console(stderr=True)
    for line in findings.lines():
        console.print(line, style="dim", markup=False, highlight=False)
    rows = chosen_rows(read, size=train_size, ids=ids, seed=seed)
    if extend is not None:
        if kind is not Kind.PROMPT:
            raise BadRequest("--extend places models by their prompts alone; leave --kind out")
        extended = extend_router(open_router(extend), outcomes.take(read, rows), version=version)
        with sent(to, replace=replace) as folder:
            score.save(folder, extended, replace=replace)
        _show_extended(extended, to, as_json=as_json)
        return
    recipe = Recipe(
        name=Path(to).resolve().name if name is None else name,
        version=version,
        encoder=encoder,
        seed=seed,
        kind=kind.value,
        sources=tuple(_source(path) for path in data),
    )
    rest = rest_of(read, rows)
    with sent(to, replace=replace) as folder:
        with open_engine(engine) as opened, phases(console) as advance:
            trained = train_router(outcomes.take(read, rows), recipe, apart=rest, engine=opened, advance=advance)
        score.save(folder, trained.router, replace=replace)
    for warning in trained.evaluation.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)
    if as_json:
        typer.echo(json.dumps(_json(trained, to, rest.n), ensure_ascii=False))
    else:
        _show(Console(), trained, to, rest.n)


def _show_extended(router: LearnedRouter, to: str, *, as_json: bool) -> None:
    card = router.card
    out = {"to": str(to), "router": card.router, "models": list(card.models), "placed": card.metrics["placed"]}
    if as_json:
        typer.echo(json.dumps(out, ensure_ascii=False))
        return
    told = ", ".join(f"{model} from {n:,} outcomes" for model, n in card.metrics["placed"].items())
    typer.echo(f"{card.router}: {' → '.join(card.models)}; placed {told}; written to {to}")
    if not card.dial:
        typer.echo("Too few prompts that it was not trained on to measure its dial: run pointsman tune before use.")


def _source(path: Path) -> JSONObject:
    """A data set's name, and its licence where an eval set's card tells."""
    from pointsman import outcomes
    from pointsman.errors import DataError

    licence = None
    if path.is_dir():
        try:
            licence = outcomes.read_eval_set(path, check=False).card.licence
        except DataError:
            licence = None  # A folder of plain files has no card.
    return {"name": path.name, "licence": "not stated" if licence is None else licence}


def _json(trained: TrainedRouter, to: str, n_left: int) -> JSONObject:
    card = trained.router.card
    return {
        "to": str(to),
        "router": card.router,
        "models": list(card.models),
        "pairs": [list(pair) for pair in card.pairs],
        "encoder": card.encoder.id,
        "n_prompts": trained.n_prompts,
        "n_left": n_left,
        "seed": card.training.seed,
        "metrics": card.metrics,
        "answers": None if card.answers is None else {"models": card.answers.models, **card.answers.metrics},
    }


def _show(console: Console, trained: TrainedRouter, to: str, n_left: int) -> None:
    from rich.table import Table

    card, found = trained.router.card, trained.evaluation
    console.print(
        f"{card.router}: {' → '.join(card.models)}, trained on {trained.n_prompts:,} prompts, written to {to}",
        style="bold",
        markup=False,
        highlight=False,
    )
    table = Table(title="on training prompts, each by weights that had not seen its outcomes")
    table.add_column("")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    line = found.policies[0]
    if line.apgr is not None and line.apgr_ci is not None:
        table.add_row("APGR (random: 0.500)", f"{line.apgr:.3f}", f"{line.apgr_ci[0]:.3f} to {line.apgr_ci[1]:.3f}")
    for each in found.calibration:
        auc = "" if each.auc is None else f", AUC {each.auc:.3f}"
        table.add_row(f"calibration error, {each.model}{auc}", f"{each.ece_equal_mass:.3f}", "")
    for told in () if card.answers is None else card.answers.metrics["answers"]:
        auc = "" if told["auc"] is None else f"{told['auc']:.3f}"
        table.add_row(f"AUC, an answer of {told['model']} is good, once it is there", auc, "")
    for flip in card.metrics["decisions_changed_by"]["changes"]:
        table.add_row(
            f"decisions changed by {flip['perturbation']}",
            f"{flip['share']:.1%}",
            f"{flip['low']:.1%} to {flip['high']:.1%}",
        )
    console.print(table)
    console.print(found.verdict.reason, markup=False, highlight=False)
    if card.answers is not None:
        console.print(
            "That is for deciding before any call. For cascades: pointsman evaluate and tune with --policy cascade or "
            "cascade_routing.",
            markup=False,
            highlight=False,
        )
    if n_left:
        console.print(
            f"{n_left:,} prompts were left: pointsman tune and pointsman evaluate measure on them with --router {to}",
            markup=False,
            highlight=False,
        )
    else:
        console.print(
            "All prompts were trained on. To tune or evaluate on unseen ones, keep some back with --train-size, or use "
            "--folds, which trains again without the prompts it measures on.",
            markup=False,
            highlight=False,
        )
