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
    router: str | None = None,
) -> None:
    """Tunes, writes the policy and tells of it.

    Args:
        router: an artifact whose scorer and precedents make the plans; they are tested on prompts that it has not seen.
            Without it both are learned here, out of fold.

    Raises:
        ArtifactError: the router does not load, or does not know these models' answers.
        DataError: too few outcomes, no costs, or nothing to judge answers by.
    """
    from rich.console import Console
    from rich.progress import Progress

    from pointsman import cascade_study, outcomes, tune
    from pointsman.router_artifact import open_router

    from .cascade_evaluation import unseen

    opened = None if router is None else open_router(router)
    whole = outcomes.complete(read if opened is None else unseen(read, opened))
    n_scored = outcomes.complete(read).n
    n_folds = N_FOLDS if folds is None else folds
    with Progress(console=Console(stderr=True), transient=True) as progress:
        if opened is None:
            task = progress.add_task("training on the other folds", total=n_folds + 1)
            parts = cascade_study.known_folds(
                whole, n_folds=n_folds, seed=settings.seed, learned=lambda _: progress.advance(task)
            )
        else:
            task = progress.add_task("scoring answers", total=2)
            parts = [cascade_study.artifact_fold(whole, opened)]
            progress.advance(task)
        tried = cascade_study.tried(whole, parts, kind, judge_usd=judge_usd, seed=settings.seed, choose=False)
        progress.advance(task)
    priced = cascade_study.with_costs(whole)
    path = tune.CascadePath(kind, tried.rates, tried.served, tried.cost_usd + judge_usd * tried.n_judged)
    choice = tune.choose_cascade(priced, [path], settings)
    plan = None
    if choice.chosen is not None:
        # An artifact's plans were the ones tested; those made out of fold are fitted once more, on all prompts.
        precedents = cascade_study.pooled(whole, parts) if opened is None else parts[0].precedents
        plan = cascade_study.plan_at(precedents, kind, tried.rates[choice.chosen[1]], judge_usd=judge_usd)
    policy = tune.tuned_cascade(
        choice,
        models=whole.models,
        plan=plan,
        sample=tune.Sample(
            n_prompts=whole.n,
            n_groups=choice.n_groups,
            n_unscored=read.n - n_scored,
            n_trained=n_scored - whole.n,
            scores_from="out-of-fold" if opened is None else "held-out",
            data_hash=whole.data_hash,
            seed=settings.seed,
        ),
        settings=settings,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        router=None
        if opened is None or router is None
        else tune.RouterName(name=opened.router.router, sha256=opened.card_sha256, path=router),
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
