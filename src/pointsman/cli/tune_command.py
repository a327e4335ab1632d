"""`pointsman tune`: the cheapest policy that keeps a quality limit, shown on the user's own labelled prompts."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.staging import brought, sent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pointsman.learned import PlanKind
    from pointsman.tune import TunedPolicy
    from pointsman.vocabulary import Outcomes


class Kind(StrEnum):
    """Policies that tuning chooses from."""

    AUTO = "auto"
    THRESHOLD = "threshold"
    CASCADE = "cascade"
    CASCADE_ROUTING = "cascade_routing"


def tune(
    data: Annotated[
        list[Path],
        typer.Argument(help="Outcomes: files or eval-set folders.", show_default=False, parser=brought, metavar="PATH"),
    ],
    to: Annotated[str, typer.Option("--to", help="The policy file to write, such as policy.json.", metavar="PATH")],
    models: Annotated[str, typer.Option("--models", "-m", help="From cheap to strong, separated by commas.")],
    max_quality_loss: Annotated[
        float,
        typer.Option("--max-quality-loss", min=0.0, max=0.999, help="As a share of the last model's quality."),
    ] = 0.01,
    confidence: Annotated[
        float, typer.Option("--confidence", min=0.5, max=0.9999, help="With which the limit is kept on new prompts.")
    ] = 0.95,
    router: Annotated[str, typer.Option("--router", help="Artifact folder, store, or builtin.")] = "builtin",
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds", min=2, max=100, help="For a router trained on these prompts: score each by one that was not."
        ),
    ] = None,
    policy: Annotated[Kind, typer.Option("--policy", help="What to choose from.")] = Kind.AUTO,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only datasets that fit this pattern; repeatable.")
    ] = None,
    price: Annotated[
        list[str] | None, typer.Option("--price", help="model=USD per call where costs are missing; repeatable.")
    ] = None,
    absolute: Annotated[bool, typer.Option("--absolute", help="The limit is in score points, not a share.")] = False,
    judge_price: Annotated[
        float, typer.Option("--judge-price", min=0.0, help="Cascades: USD per judged answer; 0 for free signals.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Settles the order in which prompts are tested.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the policy file's content.")] = False,
) -> None:
    """Find the cheapest policy whose quality loss stays within a limit, with confidence, on new prompts of this kind.

    The answer may be "use the strong model" or "use the cheap model". Prompts that the router was trained on are left
    out; with --folds they are kept, and each is scored by a router trained the same way without it: the promise then
    is about those routers, which the one trained on everything resembles. When there are too few labelled prompts it
    says how many are missing. Cascades take their scorers from an artifact that was trained with --kind both; without
    --router they are trained out of fold here, on the same prompts, and no gateway can serve the result.

    Example: pointsman tune evals/faq --router art --models haiku,opus --max-quality-loss 0.01 --to policy.json
    """
    from pointsman import outcomes
    from pointsman.errors import BadRequest
    from pointsman.tune import QualityLimit, RouterName, TuneSettings, tune_threshold, write_policy

    from .cascade_tuning import tune_cascade
    from .router_scores import router_scores

    is_cascade = policy in (Kind.CASCADE, Kind.CASCADE_ROUTING)
    read, _ = outcomes.read(
        data, models=named_models(models), datasets=dataset, prices=priced(price), with_responses=is_cascade
    )
    _refuse_empty(read)
    if is_cascade:
        if router != "builtin" and folds is not None:
            raise BadRequest(f"--policy {policy.value}: --folds learns its own scorers; give either it or --router")
        limit = QualityLimit(max_quality_loss, "absolute" if absolute else "relative")
        settings = TuneSettings(limit, confidence=confidence, seed=seed)
        kind: PlanKind = "cascade" if policy is Kind.CASCADE else "cascade_routing"
        with sent(to) as file:
            tune_cascade(
                read,
                kind,
                settings,
                folds=folds,
                judge_usd=judge_price,
                to=file,
                as_json=as_json,
                router=None if router == "builtin" else router,
            )
        return
    scores = router_scores(router, read)
    p_good = scores.p_good if folds is None else _retrained(router, read, folds)
    tuned = tune_threshold(
        read,
        p_good,
        TuneSettings(
            QualityLimit(max_quality_loss, "absolute" if absolute else "relative"), confidence=confidence, seed=seed
        ),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        router=RouterName(name=scores.name, sha256=scores.sha256, path=scores.path),
        trained_prompts=scores.trained_prompts,
        scores_from="held-out" if folds is None else "out-of-fold",
    )
    with sent(to) as file:
        write_policy(file, tuned)
    if as_json:
        typer.echo(tuned.model_dump_json(indent=2))
    else:
        _show(tuned, to)


def _retrained(router: str, read: Outcomes, folds: int) -> NDArray[np.floating]:
    """P(good enough) of all models but the last by routers trained as this one was, each without the prompt.

    Raises:
        BadRequest: the router was not trained on outcomes of these models.
    """
    import numpy as np

    from pointsman.errors import BadRequest
    from pointsman.router_artifact import open_router
    from pointsman.study import held_out_scores

    card = open_router(router).router.card
    if card.generic:
        raise BadRequest("--folds trains again as the router was trained; the built-in one was not trained on outcomes")
    p_good, _ = held_out_scores(read, n_folds=folds, encoder=card.encoder.spec, seed=card.training.seed)
    return np.column_stack((p_good, np.ones(read.n)))


def named_models(text: str) -> tuple[str, ...]:
    """The models of a comma-separated list.

    Raises:
        BadRequest: fewer than two, or one twice.
    """
    from pointsman.errors import BadRequest

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(names) < 2 or len(set(names)) != len(names):
        raise BadRequest(f"--models expects two or more different models from cheap to strong, got {text!r}")
    return names


def priced(items: list[str] | None) -> dict[str, float]:
    """Prices in USD per call from items such as "gpt-4o=0.01".

    Raises:
        BadRequest: an item does not read so.
    """
    import math

    from pointsman.errors import BadRequest

    prices: dict[str, float] = {}
    for item in items if items is not None else ():
        model, _, number = item.rpartition("=")
        try:
            usd = float(number)
        except ValueError:
            usd = math.nan
        if not model or not 0 <= usd < math.inf:
            raise BadRequest(f"--price expects model=USD per call, such as gpt-4o=0.01, got {item!r}")
        prices[model] = usd
    return prices


def _refuse_empty(read: Outcomes) -> None:
    from pointsman.errors import DataError

    if read.n == 0:
        raise DataError("there are no prompts to tune on")


def _show(tuned: TunedPolicy, to: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(tuned.reason, highlight=False, markup=False)
    rows = Table("", "measured", "95 % interval", title=f"On {tuned.sample.n_groups} different prompts")
    found = tuned.expected
    low, high = found.quality_loss_ci
    rows.add_row(f"quality loss ({tuned.promise.limit})", f"{found.quality_loss:.2%}", f"{low:.2%} to {high:.2%}")
    rows.add_row("prompts to the strong model", f"{found.strong_share:.1%}", "")
    if found.savings is not None and found.savings_ci is not None:
        low, high = found.savings_ci
        rows.add_row("saved of the strong model's cost", f"{found.savings:.1%}", f"{low:.1%} to {high:.1%}")
    console.print(rows)
    left_out = tuned.sample.n_trained + tuned.sample.n_unscored
    if left_out:
        console.print(
            f"Left out: {tuned.sample.n_trained} prompts the router was trained on, "
            f"{tuned.sample.n_unscored} without a score of every model.",
            highlight=False,
        )
    console.print(f"Written to {to}", highlight=False, markup=False)
