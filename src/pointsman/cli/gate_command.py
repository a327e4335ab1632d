"""`pointsman gate`: fails a candidate that is worse than the baseline on the same recorded prompts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.staging import brought

from .tune_command import named_models, priced

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pointsman.promote import GateResult, Side
    from pointsman.router_artifact import OpenedRouter
    from pointsman.tune import TunedCascade, TunedPolicy
    from pointsman.vocabulary import Outcomes

    from .router_scores import RouterScores


def gate(
    baseline: Annotated[str, typer.Option("--baseline", help="Artifact folder, store, builtin, or POLICY.json.")],
    candidate: Annotated[str, typer.Option("--candidate", help="The same, of what is to take its place.")],
    on: Annotated[
        list[Path],
        typer.Option("--on", help="Outcomes: a file or eval-set folder; repeatable.", parser=brought, metavar="PATH"),
    ],
    models: Annotated[
        str | None, typer.Option("--models", "-m", help="From cheap to strong; the policies' own when left out.")
    ] = None,
    max_regression: Annotated[
        float, typer.Option("--max-regression", min=0.0, max=1.0, help="Smaller losses of quality are tolerated.")
    ] = 0.005,
    max_cost_increase: Annotated[
        float, typer.Option("--max-cost-increase", min=0.0, help="Smaller increases of cost are tolerated (a share).")
    ] = 0.02,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail unless the candidate is shown to be within the tolerances.")
    ] = False,
    confidence: Annotated[float, typer.Option("--confidence", min=0.51, max=0.9999, help="Of all checks.")] = 0.95,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only datasets that fit this pattern; repeatable.")
    ] = None,
    price: Annotated[
        list[str] | None, typer.Option("--price", help="model=USD per call where costs are missing; repeatable.")
    ] = None,
    show: Annotated[int, typer.Option("--show", min=0, max=1000, help="How many changed prompts to list.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two routers or policies prompt by prompt; exit 1 when the candidate is worse with confidence.

    Two artifacts are compared at equal cost over all shares of strong calls, and by the log loss of their forecasts;
    the changed prompts are those at a share of one half. Policies are compared at their own thresholds, in quality and
    in cost; an artifact beside a policy takes that policy's thresholds. A tuned cascade is a policy like any other: its
    plan is carried out on the recorded answers, with every call and judgement paid. Prompts that a router was trained
    on are left out.

    Example: pointsman gate --baseline routers --candidate art --on evals/faq --models haiku,opus
    """
    from pointsman import outcomes
    from pointsman.errors import DataError
    from pointsman.promote import GateSettings
    from pointsman.promote import gate as compare

    policies = [_policy(spec) for spec in (baseline, candidate)]
    read, _ = outcomes.read(
        on,
        models=_models(models, policies),
        datasets=dataset,
        prices=priced(price),
        with_responses=any(_is_cascade(policy) for policy in policies),
    )
    sides = [_scored(spec, policy, read) for spec, policy in zip((baseline, candidate), policies, strict=True)]
    seen = _seen(sides, read)
    n_trained = int(seen.sum())
    if n_trained == read.n:
        raise DataError(f"all {n_trained} prompts were trained on; the gate needs prompts that neither router has seen")
    fresh = outcomes.take(read, ~seen)
    first, second = _sides(sides, ~seen, fresh)
    settings = GateSettings(
        max_regression=max_regression, max_cost_increase=max_cost_increase, level=1 - confidence, strict=strict
    )
    result = compare(fresh, first, second, settings, n_shown=show)
    if as_json:
        typer.echo(json.dumps({**result.to_json(), "n_trained": n_trained}, ensure_ascii=False, indent=2))
    else:
        _show(result, n_trained)
    if not result.passed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Scored:
    spec: str
    policy: TunedPolicy | TunedCascade | None
    scores: RouterScores | None = None
    """None for a fixed policy, which needs none, and for a cascade."""
    answers: OpenedRouter | None = None
    """Scores the answers for a cascade."""


def _policy(spec: str) -> TunedPolicy | TunedCascade | None:
    """The policy in a .json file; None for anything else, which then is an artifact."""
    from pointsman.tune import holds_cascade, read_cascade, read_policy

    if not spec.endswith(".json"):
        return None
    return read_cascade(Path(spec)) if holds_cascade(Path(spec)) else read_policy(Path(spec))


def _is_cascade(policy: TunedPolicy | TunedCascade | None) -> bool:
    """Whether answers are judged; False for a fixed model that tuning of cascades came to."""
    return policy is not None and policy.kind in ("cascade", "cascade_routing")


def _models(given: str | None, policies: Sequence[TunedPolicy | TunedCascade | None]) -> tuple[str, ...] | None:
    """The models to read outcomes of.

    Raises:
        BadRequest: the policies are for different models.
    """
    from pointsman.errors import BadRequest

    own = {policy.models for policy in policies if policy is not None}
    if given is not None:
        own.add(named_models(given))
    if len(own) > 1:
        raise BadRequest("the two sides are for different models: " + " and ".join(map(", ".join, sorted(own))))
    return next(iter(own), None)


def _scored(spec: str, policy: TunedPolicy | TunedCascade | None, read: Outcomes) -> _Scored:
    from pointsman.errors import ArtifactError
    from pointsman.tune import TunedCascade

    from .cascade_evaluation import artifact_of
    from .router_scores import router_scores

    if policy is None:
        return _Scored(spec, None, router_scores(spec, read))
    if isinstance(policy, TunedCascade):
        return _Scored(spec, policy, answers=artifact_of(policy, Path(spec)))
    if policy.router is None or policy.kind == "fixed":
        return _Scored(spec, policy)
    scores = router_scores(policy.router.path, read)
    if scores.sha256 != policy.router.sha256:
        raise ArtifactError(
            f"{spec} was tuned for another version of {policy.router.path} than the one there now: tune it again"
        )
    return _Scored(spec, policy, scores)


def _seen(sides: list[_Scored], read: Outcomes) -> NDArray[np.bool_]:
    """True where either router was trained on the prompt, shape (n,)."""
    import numpy as np

    seen = np.zeros(read.n, dtype=np.bool_)
    for side in sides:
        if side.scores is not None:
            seen |= np.isin(read.groups.view(np.uint64), side.scores.trained_prompts)
        if side.answers is not None:
            seen |= np.isin(read.groups.view(np.uint64), side.answers.router.trained_prompts)
    return seen


def _sides(sides: list[_Scored], kept: NDArray[np.bool_], fresh: Outcomes) -> tuple[Side, Side]:
    """Decisions and needs of both sides on the kept prompts, which `fresh` holds; the command's help says which
    threshold is whose.

    Raises:
        BadRequest: an artifact stands beside a cascade, whose plan belongs to another.
    """
    import numpy as np

    from pointsman.errors import BadRequest
    from pointsman.promote import Side
    from pointsman.tune import TunedPolicy, served

    thresholds = [side.policy for side in sides if isinstance(side.policy, TunedPolicy)]
    lent = next((policy for policy in thresholds if policy.kind == "threshold"), None)
    if any(side.answers is not None for side in sides) and any(side.policy is None for side in sides):
        raise BadRequest(
            "a cascade's plan belongs to the artifact that it was tuned for; run `pointsman tune` for the other "
            "artifact, and compare the two policies"
        )
    made: list[Side] = []
    for side in sides:
        if not isinstance(side.policy, TunedPolicy | None):
            made.append(_cascade_side(side, fresh))
            continue
        p_good = None if side.scores is None else side.scores.p_good[kept]
        rule = side.policy if side.policy is not None else lent
        need = None if p_good is None or rule is not None else 1.0 - p_good[:, 0]
        decided = None
        if rule is not None:
            decided = served(rule, p_good, int(kept.sum()))
        elif need is not None and p_good is not None:
            decided = np.where(need > np.median(need), p_good.shape[1] - 1, 0)
        p_cheap = None if need is None else 1.0 - need
        made.append(Side(side.spec, served=decided, need=need, p_cheap=p_cheap))
    return made[0], made[1]


def _cascade_side(side: _Scored, fresh: Outcomes) -> Side:
    """What a tuned cascade does with each prompt, and all that it pays for it.

    Prompts that lack a score, which are left out of every comparison, count as answered by the last model.
    """
    import numpy as np

    from pointsman import outcomes
    from pointsman.promote import Side
    from pointsman.tune import TunedCascade

    from .cascade_evaluation import carried_out

    policy = side.policy
    assert isinstance(policy, TunedCascade)
    last = len(policy.models) - 1
    if side.answers is None:
        return Side(side.spec, served=np.full(fresh.n, last if policy.use is None else policy.models.index(policy.use)))
    rows = np.flatnonzero(np.isfinite(fresh.score).all(axis=1))
    served, cost_usd = np.full(fresh.n, last), np.zeros(fresh.n)
    if rows.size:
        done, _ = carried_out(policy, side.answers, outcomes.take(fresh, rows))
        served[rows], cost_usd[rows] = done.served, done.calls_usd + done.judging_usd
    return Side(side.spec, served=served, cost_usd=cost_usd)


def _show(result: GateResult, n_trained: int) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"{'passed' if result.passed else 'failed'}: {result.reason}", highlight=False, markup=False)
    checks = Table("check", "baseline", "candidate", "worse by", "bounds", "tolerated", "outcome")
    for check in result.checks:
        found = check.difference
        checks.add_row(
            check.name.replace("_", " "),
            f"{check.baseline:.3g}",
            f"{check.candidate:.3g}",
            f"{found.mean:+.4f}",
            f"{found.lower:+.4f}\n{found.upper:+.4f}",
            f"{check.tolerance:g}",
            check.outcome,
        )
    console.print(checks)
    console.print(
        f"{result.n_prompts} prompts compared, {result.n_changed} changed side; left out: {n_trained} trained on, "
        f"{result.n_unscored} unscored.",
        highlight=False,
    )
    if result.changed:
        changed = Table("prompt", "from", "to", "score", "text")
        for change in result.changed:
            changed.add_row(
                escape(change.prompt_id),
                escape(change.before),
                escape(change.after),
                f"{change.score_before:g} → {change.score_after:g}",
                escape(change.text),
            )
        console.print(changed)
