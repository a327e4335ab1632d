"""`pointsman tune --policy cascade|cascade_routing`: the cheapest cascade that keeps a quality limit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pointsman.learned import PlanKind
    from pointsman.tune import TunedCascade, TuneSettings
    from pointsman.vocabulary import Outcomes

N_FOLDS = 5


def tune_cascade(
    read: Outcomes,
    kind: PlanKind,
    settings: TuneSettings,
    *,
    folds: int | None,
    judge_usd: float,
    to: Path,
    as_json: bool,
) -> None:
    """Tunes out of fold, writes the policy and tells of it.

    Raises:
        DataError: too few outcomes, no costs, or nothing to judge answers by.
    """
    from rich.console import Console
    from rich.progress import Progress

    from pointsman import cascade_study, outcomes, tune

    whole = outcomes.complete(read)
    n_folds = N_FOLDS if folds is None else folds
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("training on the other folds", total=n_folds + 1)
        parts = cascade_study.known_folds(
            whole, n_folds=n_folds, seed=settings.seed, learned=lambda _: progress.advance(task)
        )
        tried = cascade_study.tried(whole, parts, kind, judge_usd=judge_usd, seed=settings.seed, choose=False)
        progress.advance(task)
    priced = cascade_study.with_costs(whole)
    path = tune.CascadePath(kind, tried.rates, tried.served, tried.cost_usd + judge_usd * tried.n_judged)
    choice = tune.choose_cascade(priced, [path], settings)
    plan = None
    if choice.chosen is not None:
        plan = cascade_study.plan_at(whole, parts, kind, tried.rates[choice.chosen[1]], judge_usd=judge_usd)
    policy = tune.tuned_cascade(
        choice,
        models=whole.models,
        plan=plan,
        sample=tune.Sample(
            n_prompts=whole.n,
            n_groups=choice.n_groups,
            n_unscored=read.n - whole.n,
            n_trained=0,
            scores_from="out-of-fold",
            data_hash=whole.data_hash,
            seed=settings.seed,
        ),
        settings=settings,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    tune.write_cascade(to, policy)
    if as_json:
        typer.echo(policy.model_dump_json(indent=2))
    else:
        _show(policy, to)


def _show(policy: TunedCascade, to: Path) -> None:
    from rich.console import Console

    console = Console()
    found = policy.expected
    low, high = found.quality_loss_ci
    for line in (
        policy.reason,
        f"On {policy.sample.n_groups} different prompts: quality loss {found.quality_loss:.2%} "
        f"({low:.2%} to {high:.2%}), {found.strong_share:.1%} of answers by {policy.models[-1]}.",
        f"Written to {to}",
    ):
        console.print(line, highlight=False, markup=False)
