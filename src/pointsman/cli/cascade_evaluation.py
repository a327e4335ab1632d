"""`pointsman evaluate --policy cascade|cascade_routing`: trained and measured out of fold, beside direct routing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointsman.engine import LOCAL, Engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from pointsman.cascade_study import Fold, Tried
    from pointsman.evaluate import BesideDirect, DecidedPolicy, Evaluation
    from pointsman.judge import Errs
    from pointsman.learned import PlanKind
    from pointsman.router_artifact import OpenedRouter
    from pointsman.tune import TunedCascade
    from pointsman.vocabulary import Outcomes

ERRORS_TRIED = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Of the simulated judge, to find where a cascade stops to pay."""
JUDGE_SHARE = 0.2
"""Of a mean call of the reference model: what judging one answer is taken to cost when a judge is simulated, or its
verdicts are recorded, and no price is given. A small model that reads prompt and answer comes to 0.11 on recorded
gpt-4o-mini and gpt-4o traffic, the strong model itself to 1.1 or more (docs/cascade.md)."""
LEVEL = 0.99
"""Share of the reference's quality at which the cascade is set beside direct routing."""


@dataclass(frozen=True, slots=True)
class CascadeSettings:
    """What the command line says of a cascade."""

    kind: PlanKind
    folds: int = 5
    encoder: str = "static"
    seed: int = 0
    judge_price_usd: float | None = None
    """Per judged answer; None: nothing for what can be read off an answer, `JUDGE_SHARE` for a judge."""
    judge_error: float | None = None
    judge_errs: Errs = "agreeing"
    max_quality_loss: float | None = None
    resamples: int = 2_000


@dataclass(frozen=True, slots=True)
class Judging:
    """What is known of judging: its price, and how well it must be done."""

    usd: float
    """Per judged answer."""
    is_assumed: bool
    reference_usd: float
    """Mean cost of a call of the reference model."""
    recorded: Mapping[str, float] | None
    """`cascade_study.recorded_verdicts`."""
    break_even_errors: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, eq=False)
class CascadeEvaluation:
    """The evaluation, the comparison with direct routing, and what was measured."""

    result: Evaluation
    beside: BesideDirect
    measured: Outcomes
    p_answer: NDArray[np.floating]
    """P(good) of each model's answer but the last's, out of fold, shape (n, m - 1)."""
    served: NDArray[np.int64]
    """Whose answer each prompt gets at the operating point, shape (n,)."""


def evaluate_cascade(
    read: Outcomes,
    settings: CascadeSettings,
    *,
    ids: frozenset[str] | None,
    console: Console,
    router: OpenedRouter | None = None,
    engine: Engine = LOCAL,
) -> CascadeEvaluation:
    """Trains on the other folds, chooses thresholds there, measures here; see `pointsman.cascade_study`.

    Args:
        router: scores answers and gives what to plan from, in place of training out of fold; its own training prompts
            are left out.
        engine: reads prompts and answers, and learns each fold.

    Raises:
        ArtifactError: the router does not know these models' answers.
        DataError: too few outcomes, no costs, or nothing to judge answers by.
    """
    import numpy as np
    from rich.progress import Progress

    from pointsman import cascade_study, outcomes

    whole = outcomes.complete(read if router is None else unseen(read, router))
    with Progress(console=console, transient=True) as progress:
        if router is None:
            task = progress.add_task("training on the other folds", total=settings.folds + 3)
            free = cascade_study.known_folds(
                whole,
                n_folds=settings.folds,
                encoder=settings.encoder,
                seed=settings.seed,
                learned=lambda _: progress.advance(task),
                engine=engine,
            )
        else:
            task = progress.add_task("scoring answers", total=4)
            free = [cascade_study.artifact_fold(whole, router, engine=engine)]
            progress.advance(task)
        folds = free
        if settings.judge_error is not None:
            generator = np.random.default_rng([settings.seed, 2])
            folds = cascade_study.with_simulated_judge(
                whole, free, settings.judge_error, generator=generator, errs=settings.judge_errs
            )
        said = cascade_study.recorded_verdicts(whole) if settings.judge_error is None else None
        price_is_assumed = settings.judge_price_usd is None and (settings.judge_error is not None or said is not None)
        reference_usd = float(cascade_study.with_costs(whole).cost_usd[:, -1].mean(dtype=np.float64))
        given = 0.0 if settings.judge_price_usd is None else settings.judge_price_usd
        judge_usd = JUDGE_SHARE * reference_usd if price_is_assumed else given
        cascade = cascade_study.tried(whole, folds, settings.kind, judge_usd=judge_usd, seed=settings.seed)
        progress.advance(task)
        direct = cascade_study.tried(whole, free, "direct", seed=settings.seed)
        progress.advance(task)
        errors = _break_even_errors(whole, free, settings, direct, judge_usd)
        progress.advance(task)
    p_answer = np.empty((whole.n, len(whole.models) - 1))
    for part in folds:
        p_answer[part.here] = part.known.p_answer[:, :-1]
    if ids is not None:
        rows = _rows_of(whole, ids)
        whole, cascade, direct, p_answer = outcomes.take(whole, rows), cascade.at(rows), direct.at(rows), p_answer[rows]
    with console.status("resampling"):
        result, beside = _measured(
            whole,
            cascade,
            direct,
            settings,
            Judging(
                usd=judge_usd,
                is_assumed=price_is_assumed,
                reference_usd=reference_usd,
                recorded=said,
                break_even_errors=errors,
            ),
        )
    served = cascade.served[cascade.chosen(_share(settings)), np.arange(whole.n)]
    return CascadeEvaluation(result, beside, whole, p_answer, served)


def unseen(read: Outcomes, router: OpenedRouter) -> Outcomes:
    """The prompts that a router was not trained on.

    Raises:
        DataError: it was trained on all of them.
    """
    import numpy as np

    from pointsman import outcomes
    from pointsman.errors import DataError

    kept = ~np.isin(read.groups.view(np.uint64), router.router.trained_prompts)
    if not kept.any():
        raise DataError(
            f"{router.folder} was trained on all {read.n:,} prompts: measure on others, or train on a part with "
            "--train-size"
        )
    return outcomes.take(read, kept)


def tuned_decisions(
    read: Outcomes, file: Path, *, router: str | None, engine: Engine = LOCAL
) -> tuple[Outcomes, DecidedPolicy, NDArray[np.floating], str]:
    """The prompts that a tuned cascade's router was not trained on, what it does with them, P(good) of the answers of
    all models but the last (0 where nothing scored them), and the router's name.

    Args:
        router: the artifact that it was tuned for, where it does not stand where the file says.
        engine: reads prompts and answers.

    Raises:
        ArtifactError: the router does not load, or is not the one that the policy was tuned for.
        DataError: the file cannot be used, or the policy has no artifact.
    """
    import numpy as np

    from pointsman import outcomes, tune
    from pointsman.errors import DataError
    from pointsman.evaluate import DecidedPolicy

    policy = tune.read_cascade(file)
    if policy.models != read.models:
        raise DataError(f"{file} was tuned for {', '.join(policy.models)}; give --models in that order")
    whole = outcomes.complete(read)
    opened = artifact_of(policy, file, router=router)
    if opened is None:
        place = policy.models.index(policy.use or policy.models[-1])
        always = DecidedPolicy(file.stem, "fixed", np.full(whole.n, place))
        return whole, always, np.zeros((whole.n, len(policy.models) - 1)), "none"
    whole = outcomes.complete(unseen(read, opened))
    walked, fold = carried_out(policy, opened, whole, engine=engine)
    plan_kind: PlanKind = "cascade" if policy.kind == "cascade" else "cascade_routing"
    decided_here = DecidedPolicy(
        file.stem, plan_kind, walked.served, cost_usd=walked.calls_usd, judge_cost_usd=walked.judging_usd
    )
    return whole, decided_here, fold.known.p_answer[:, :-1], opened.router.router


@dataclass(frozen=True, slots=True, eq=False)
class CarriedOut:
    """What a tuned cascade did with n recorded prompts."""

    served: NDArray[np.int64]
    """Shape (n,)."""
    calls_usd: NDArray[np.float64]
    """All calls, those whose answer was thrown away included, shape (n,)."""
    judging_usd: NDArray[np.float64]
    """Shape (n,)."""


def artifact_of(policy: TunedCascade, file: Path, *, router: str | None = None) -> OpenedRouter | None:
    """The artifact that scores answers for a tuned cascade; None for a fixed policy, which needs none.

    Args:
        router: where it stands, if not where the file says.

    Raises:
        ArtifactError: it does not load, or is not the one that the policy was tuned for.
        DataError: the policy has none.
    """
    from pointsman.errors import ArtifactError, DataError
    from pointsman.router_artifact import open_router

    if policy.use is not None:
        return None
    if policy.router is None:
        raise DataError(f"{file} was tuned with scorers that no artifact holds; tune it again with --router")
    opened = open_router(policy.router.path if router is None else router)
    if opened.card_sha256 != policy.router.sha256:
        raise ArtifactError(
            f"{file} was tuned for the router {policy.router.name} ({policy.router.sha256[:12]}), but {opened.folder} "
            f"holds {opened.router.router} ({opened.card_sha256[:12]})"
        )
    return opened


def carried_out(
    policy: TunedCascade, opened: OpenedRouter, whole: Outcomes, *, engine: Engine = LOCAL
) -> tuple[CarriedOut, Fold]:
    """What the cascade does with prompts whose answers are all on record, and what its artifact says of them.

    Args:
        engine: reads prompts and answers.

    Raises:
        ArtifactError: the artifact does not know these models' answers.
        DataError: a model's cost is known nowhere, or nothing to judge its answers by.
    """
    import numpy as np

    from pointsman import cascade_study
    from pointsman.learned import walk

    plan = policy.read_plan()
    assert plan is not None, "a policy that is not fixed has a plan"
    fold = cascade_study.artifact_fold(whole, opened, engine=engine)
    priced = cascade_study.with_costs(whole)
    walked = walk(plan, fold.known, priced.cost_usd.astype(np.float64))
    judging_usd = plan.judge_usd * walked.n_judged.astype(np.float64)
    return CarriedOut(walked.served, walked.cost_usd, judging_usd), fold


def _share(settings: CascadeSettings) -> float:
    return LEVEL if settings.max_quality_loss is None else 1 - settings.max_quality_loss


def _measured(
    whole: Outcomes, cascade: Tried, direct: Tried, settings: CascadeSettings, judging: Judging
) -> tuple[Evaluation, BesideDirect]:
    import numpy as np

    from pointsman import evaluate as stage

    score = whole.score.astype(np.float64)
    place, rows = cascade.chosen(_share(settings)), np.arange(whole.n)
    paid = cascade.cost_usd + judging.usd * cascade.n_judged
    found = stage.beside_direct(
        quality=score[rows, cascade.served[place, rows]],
        cost=paid[place, rows],
        n_judged=cascade.n_judged[place, rows].astype(np.float64),
        n_calls=cascade.n_calls[place, rows].astype(np.float64),
        direct_quality=np.stack([score[rows, served] for served in direct.served]),
        direct_cost=direct.cost_usd,
        groups=whole.groups,
        judge_price_usd=judging.usd,
        judge_price_is_assumed=judging.is_assumed,
        reference_cost_usd=judging.reference_usd,
        judge_error=settings.judge_error,
        judge_errs=None if settings.judge_error is None else settings.judge_errs,
        recorded_verdicts=judging.recorded,
        break_even_judge_errors=judging.break_even_errors,
    )
    results = [
        stage.evaluate(
            whole,
            [policy],
            seed=settings.seed,
            n_resamples=settings.resamples,
            max_quality_loss=settings.max_quality_loss,
        )
        for policy in (
            decided(cascade, settings.kind, judging.usd),
            decided(direct, "direct routing", 0.0),
        )
    ]
    return stage.with_direct(results[0], results[1], found), found


def decided(tried: Tried, name: str, judge_price_usd: float) -> DecidedPolicy:
    """Plans at all their rates as a policy that the evaluation measures."""
    from pointsman.evaluate import DecidedPolicy

    return DecidedPolicy(
        name=name.replace("_", " "),
        kind=tried.kind,
        served=tried.served,
        cost_usd=tried.cost_usd,
        judge_cost_usd=judge_price_usd * tried.n_judged,
        chosen=tried.chosen,
    )


def _break_even_errors(
    whole: Outcomes, free: Sequence[Fold], settings: CascadeSettings, direct: Tried, judge_usd: float
) -> dict[str, float | None]:
    """By how a judge's errors fall, the error from which on it does not pay; empty with more than four models."""
    from typing import get_args

    import numpy as np

    from pointsman import cascade_study
    from pointsman.evaluate import break_even_error
    from pointsman.judge import Errs
    from pointsman.train import RATES

    if len(whole.models) > 4:
        return {}
    score = whole.score.astype(np.float64)
    target = _share(settings) * float(score[:, -1].mean())

    def least(tried: Tried, judge_usd: float) -> float | None:
        quality = np.take_along_axis(score.T, tried.served, axis=0).mean(axis=1)
        cost = (tried.cost_usd + judge_usd * tried.n_judged).mean(axis=1)
        return float(cost[quality >= target - 1e-12].min()) if (quality >= target - 1e-12).any() else None

    def with_error(error: float, errs: Errs) -> float | None:
        generator = np.random.default_rng([settings.seed, 3])
        judged = cascade_study.with_simulated_judge(whole, free, error, generator=generator, errs=errs)
        tried = cascade_study.tried(whole, judged, settings.kind, judge_usd=judge_usd, rates=RATES[::4], choose=False)
        return least(tried, judge_usd)

    of_direct = least(direct, 0.0)
    found: dict[str, float | None] = {}
    for errs in get_args(Errs):
        found[errs] = break_even_error(ERRORS_TRIED, [with_error(error, errs) for error in ERRORS_TRIED], of_direct)
    return found


def _rows_of(whole: Outcomes, ids: frozenset[str]) -> NDArray[np.int64]:
    import numpy as np

    from pointsman.errors import DataError

    rows = np.flatnonzero([id_ in ids for id_ in whole.prompt_ids])
    if not rows.size:
        raise DataError(f"none of the {whole.n:,} prompts has an id of the {len(ids):,} in --test-ids")
    return rows


def show_beside_direct(console: Console, found: BesideDirect, reference: str) -> None:
    """Prints the advice and what judging may cost."""
    judged = f"{found.n_calls:.2f} calls and {found.n_judged:.2f} judged answers a request, judging at "
    judged += _price(found.judge_price_usd, found.reference_cost_usd, reference)
    lines = [found.reason, f"{judged}{' (assumed: give --judge-price)' if found.judge_price_is_assumed else ''}."]
    if found.recorded_verdicts is not None:
        lines.append(
            "What is recorded of the answers is a judge's yes or no: {error:.0%} of its verdicts are wrong; it rejects "
            "{rejects:.0%} of the good answers and accepts {accepts:.0%} of the bad.".format(**found.recorded_verdicts)
        )
    price = found.break_even_judge_price_usd
    lines.append(
        "Break-even price of judging one answer: "
        + ("not known" if price is None else _price(price, found.reference_cost_usd, reference))
        + (" (the cascade does not pay even when judging is free)." if price is not None and price < 0 else ".")
    )
    if found.break_even_judge_errors:
        told = ", ".join(
            f"{'no error up to 50%' if error is None else f'{error:.0%}'} where it errs "
            f"{'by agreeing' if errs == 'agreeing' else errs}"
            for errs, error in found.break_even_judge_errors.items()
        )
        lines.append(f"Break-even error of a judge that says good or bad, at this price: {told}.")
    for line in lines:
        console.print(line, markup=False, highlight=False)


def _price(usd: float, reference_usd: float | None, reference: str) -> str:
    share = "" if not reference_usd else f", {usd / reference_usd:.0%} of a call of {reference}"
    return f"${usd:.3g}{share}" if usd else "no price"
