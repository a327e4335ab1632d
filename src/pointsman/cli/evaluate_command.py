"""`pointsman evaluate`: whether routing helps on recorded outcomes, with controls and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.engine import Engine, EngineName, open_engine
from pointsman.staging import brought, sent

from .engine_option import EngineOption
from .tune_command import named_models, priced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from pointsman.evaluate import DecidedPolicy, Evaluation, ScoredPolicy
    from pointsman.judge import Errs
    from pointsman.vocabulary import Outcomes

N_FOLDS = 5


def evaluate(
    data: Annotated[
        list[Path],
        typer.Argument(help="Outcomes: files or eval-set folders.", show_default=False, parser=brought, metavar="PATH"),
    ],
    models: Annotated[str, typer.Option("--models", "-m", help="From cheap to strong; the last is the reference.")],
    router: Annotated[
        str | None,
        typer.Option("--router", help="Artifact folder, store, or builtin; its training prompts are left out."),
    ] = None,
    policy: Annotated[
        str,
        typer.Option("--policy", help="threshold, cascade, cascade_routing, or a file that pointsman tune wrote."),
    ] = "threshold",
    test_ids: Annotated[
        Path | None,
        typer.Option(
            "--test-ids",
            help="Measure only the prompts whose ids are in this file, one a line.",
            parser=brought,
            metavar="PATH",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option("--folds", min=2, max=100, help="Without --router: train on the other folds, out of fold."),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only datasets that fit this pattern; repeatable.")
    ] = None,
    price: Annotated[
        list[str] | None, typer.Option("--price", help="model=USD per call where costs are missing; repeatable.")
    ] = None,
    encoder: Annotated[
        str, typer.Option("--encoder", help="With --folds: static, sentence-transformers:NAME, openai:NAME or none.")
    ] = "static",
    max_quality_loss: Annotated[
        float | None,
        typer.Option(
            "--max-quality-loss", min=0.0, max=0.999, help="Operating point: loss allowed, as a share of the reference."
        ),
    ] = None,
    judge_price: Annotated[
        float | None,
        typer.Option(
            "--judge-price",
            min=0.0,
            help="Cascades: USD per judged answer. Without it a judge, simulated or recorded as confidences of 0 and "
            "1, costs a fifth of a call of the reference, anything else nothing.",
        ),
    ] = None,
    judge_error: Annotated[
        float | None,
        typer.Option(
            "--judge-error", min=0.0, max=0.5, help="Cascades: judge by a simulated judge with this error instead."
        ),
    ] = None,
    judge_errs: Annotated[
        str | None,
        typer.Option(
            "--judge-errs", help="How its errors fall: agreeing (bad answers pass, as with LLM judges), or evenly."
        ),
    ] = None,
    resamples: Annotated[int, typer.Option("--resamples", min=200, help="Bootstrap replicates.")] = 2_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of folds, training and resampling.")] = 0,
    engine: EngineOption = EngineName.LOCAL,
    json_to: Annotated[
        str | None,
        typer.Option(
            "--json", help="Write the evaluation as JSON to this file; - for standard output.", metavar="PATH"
        ),
    ] = None,
) -> None:
    """Measure whether routing helps: quality, cost and savings with intervals, beside controls, and a verdict.

    Without --router it trains and measures by itself, out of fold; equal prompts stay together. Prompts that an
    artifact was trained on are left out. The exit code is 0 whatever the verdict.

    Example: pointsman evaluate evals/faq --models haiku,opus --folds 5 --json evaluation.json
    """
    import numpy as np
    from rich.console import Console

    from pointsman import evaluate as stage
    from pointsman import outcomes, tune
    from pointsman.errors import BadRequest
    from pointsman.router_artifact import open_router

    from .cascade_evaluation import CascadeSettings, evaluate_cascade, show_beside_direct, tuned_decisions

    if router is not None and folds is not None:
        raise BadRequest("--folds trains its own routers; give either --router or --folds")
    kinds = ("cascade", "cascade_routing")
    policy = str(brought(policy))
    tuned_cascade = policy not in (*kinds, "threshold") and tune.holds_cascade(Path(policy))
    names = named_models(models)
    wanted = None if test_ids is None else ids_in(test_ids, "--test-ids")
    read, findings = outcomes.read(
        data,
        models=names,
        datasets=dataset or (),
        prices=priced(price),
        with_responses=tuned_cascade or policy in kinds,
    )
    console = Console(stderr=True)
    for line in findings.lines():
        console.print(line, style="dim", markup=False, highlight=False)
    if policy in kinds:
        settings = CascadeSettings(
            kind="cascade" if policy == "cascade" else "cascade_routing",
            folds=N_FOLDS if folds is None else folds,
            encoder=encoder,
            seed=seed,
            judge_price_usd=judge_price,
            judge_error=judge_error,
            judge_errs=_errs(judge_errs, judge_error),
            max_quality_loss=max_quality_loss,
            resamples=resamples,
        )
        opened = None if router is None else open_router(router)
        with open_engine(engine) as there:
            found = evaluate_cascade(read, settings, ids=wanted, console=console, router=opened, engine=there)
        source = f"trained out of fold, {settings.folds} folds" if opened is None else opened.router.router
        extra = {"cascade": found.beside.to_json()}
        if json_to is not None:
            content = _json(found.result, found.measured, found.p_answer, source, data, seed, served=found.served)
            _give(json_to, {**content, **extra})
        if json_to != "-":
            _show(Console(), found.result)
            show_beside_direct(Console(), found.beside, names[-1])
        return
    if not (judge_price is None and judge_error is None and judge_errs is None):
        raise BadRequest("--judge-price, --judge-error and --judge-errs belong to --policy cascade and cascade_routing")
    measured: Outcomes
    chosen: ScoredPolicy | DecidedPolicy
    with open_engine(engine) as there, console.status("scoring prompts"):
        if tuned_cascade:
            measured, chosen, scores, source = tuned_decisions(read, Path(policy), router=router, engine=there)
        else:
            measured, chosen, scores, source = _policy(
                read,
                router=router,
                policy=policy,
                folds=N_FOLDS if folds is None else folds,
                encoder=encoder,
                seed=seed,
                engine=there,
            )
    if wanted is not None:
        measured, chosen, scores = _only(measured, chosen, scores, wanted)
    with console.status("resampling"):
        result = stage.evaluate(measured, [chosen], seed=seed, n_resamples=resamples, max_quality_loss=max_quality_loss)
    if json_to is not None:
        served = np.asarray(chosen.served) if tuned_cascade and not isinstance(chosen, stage.ScoredPolicy) else None
        _give(json_to, _json(result, measured, scores, source, data, seed, served=served))
        if json_to == "-":
            return
    _show(Console(), result)


def _errs(named: str | None, error: float | None) -> Errs:
    """How the simulated judge errs.

    Raises:
        BadRequest: in no way that is known, or no judge is simulated.
    """
    from pointsman.errors import BadRequest

    if named is None or named == "agreeing":
        errs: Errs = "agreeing"
    elif named == "evenly":
        errs = "evenly"
    else:
        raise BadRequest(f"--judge-errs {named}: expected agreeing or evenly")
    if named is not None and error is None:
        raise BadRequest("--judge-errs says how the simulated judge errs; give its --judge-error too")
    return errs


def _give(json_to: str, content: dict[str, Any]) -> None:
    """Writes JSON to a file, or to standard output for "-"."""
    import orjson

    raw = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    if json_to == "-":
        typer.echo(raw.decode())
    else:
        with sent(json_to) as path:
            _write(path, raw)


def _policy(
    read: Outcomes, *, router: str | None, policy: str, folds: int, encoder: str, seed: int, engine: Engine
) -> tuple[Outcomes, ScoredPolicy | DecidedPolicy, NDArray[np.floating], str]:
    """The prompts to measure on, the policy, P(good) of all models but the last, and where the scores come from."""
    import numpy as np

    from pointsman import outcomes, tune
    from pointsman.evaluate import DecidedPolicy, ScoredPolicy

    from .router_scores import router_scores

    tuned = None
    if policy != "threshold":
        tuned = tune.read_policy(Path(policy))
        router = tuned.router.path if router is None and tuned.router is not None else router
    if router is None:
        from pointsman.study import held_out_scores

        p_good, _ = held_out_scores(read, n_folds=folds, encoder=encoder, seed=seed, engine=engine)
        source = f"trained out of fold, {folds} folds"
    else:
        scored = router_scores(router, read, engine=engine)
        kept = ~np.isin(read.groups.view(np.uint64), scored.trained_prompts)
        read, p_good, source = outcomes.take(read, kept), scored.p_good[kept, :-1], scored.name
    if tuned is not None:
        served = tune.served(tuned, p_good, read.n)
        return read, DecidedPolicy(Path(policy).stem, "threshold", served), p_good, source
    return read, ScoredPolicy("learned router" if router is None else source, p_good), p_good, source


def ids_in(path: Path, option: str) -> frozenset[str]:
    """The ids in a file, one a line; blank lines do not count.

    Raises:
        DataError: the file cannot be read, or holds none.
    """
    from pointsman.errors import DataError

    try:
        found = frozenset(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{option} {path}: cannot be read as a list of prompt ids: {error}") from error
    if not found:
        raise DataError(f"{option} {path}: expected prompt ids, one a line; the file holds none")
    return found


def _only(
    read: Outcomes, policy: ScoredPolicy | DecidedPolicy, p_good: NDArray[np.floating], ids: frozenset[str]
) -> tuple[Outcomes, ScoredPolicy | DecidedPolicy, NDArray[np.floating]]:
    """The same for the prompts of these ids only.

    Raises:
        DataError: none of the prompts has one of the ids.
    """
    import numpy as np

    from pointsman import outcomes
    from pointsman.errors import DataError

    kept = np.array([id_ in ids for id_ in read.prompt_ids], dtype=np.bool_)
    if not kept.any():
        raise DataError(f"none of the {read.n:,} prompts has an id of the {len(ids):,} in --test-ids")
    return outcomes.take(read, kept), policy.only(kept), p_good[kept]


def _json(
    result: Evaluation,
    measured: Outcomes,
    p_good: NDArray[np.floating],
    source: str,
    data: list[Path],
    seed: int,
    *,
    served: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """The evaluation's JSON with what `pointsman report` shows beside it: misroutes and provenance."""
    from dataclasses import asdict

    import numpy as np

    from pointsman.report import provenance_here, worst_misroutes

    out = result.to_json()
    line = result.policies[0]
    last = len(result.models) - 1
    scores = p_good.min(axis=1) if last > 1 else p_good[:, 0]
    if served is None:
        # The decisions at the line's share of strong calls, to show examples; the line itself is cross-fitted.
        served = np.where(scores >= np.quantile(scores, line.strong_share), 0, last)
    misroutes = worst_misroutes(measured, served.tolist(), p_good=scores.tolist(), with_prompts=False)
    out["misroutes"] = [asdict(each) for each in misroutes]
    out["provenance"] = asdict(
        provenance_here(
            router=source,
            command="pointsman evaluate",
            sources=[path.name for path in data],
            seeds={"evaluation": seed},
            out_of_sample=True,
        )
    )
    return out


def _write(path: Path, raw: bytes) -> None:
    """Writes the file whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    import os

    from pointsman.errors import DataError

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(raw)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


def _show(console: Console, result: Evaluation) -> None:
    from rich.table import Table

    console.print(result.verdict.reason, style="bold", markup=False, highlight=False)
    table = Table(title=f"{result.n:,} prompts: the policy, then the controls")
    table.add_column("policy")
    for column in ("quality", "against reference", "saved", "strong calls", "APGR"):
        table.add_column(column, justify="right")
    for place, line in enumerate((*result.policies, *result.controls)):
        if place == len(result.policies):
            table.add_section()
        table.add_row(
            line.name,
            _with_interval(line.quality, line.quality_ci),
            _with_interval(line.quality_delta, line.quality_delta_ci, signed=True),
            _with_interval(line.savings, line.savings_ci),
            f"{line.strong_share:.1%}",
            "-" if line.apgr is None else _plain_interval(line.apgr, line.apgr_ci),
        )
    console.print(table)
    for warning in result.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)


def _with_interval(value: float | None, interval: tuple[float, float] | None, *, signed: bool = False) -> str:
    if value is None:
        return "-"
    sign = "+" if signed else ""
    middle = format(value, f"{sign}.1%")
    if interval is None:
        return middle
    return f"{middle} ({format(interval[0], f'{sign}.1%')} to {format(interval[1], f'{sign}.1%')})"


def _plain_interval(value: float, interval: tuple[float, float] | None) -> str:
    return f"{value:.3f}" if interval is None else f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"
