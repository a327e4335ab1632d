"""An evaluation from outcomes and policies: the policies, the controls beside them, the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pointsman.errors import DataError
from pointsman.vocabulary import Outcomes

from .agreement import agreement, ideal
from .calibration import Calibration, calibration
from .columns import Columns
from .control_lines import always, chord_of, oracle_line, random_and_shuffled
from .controls import oracle, task_mean
from .crossfit import N_FOLDS, fold_of_prompts
from .measured import Measured, add_columns, line_of, measured, operating_line
from .paired import Paired, paired
from .per_dataset import per_dataset
from .policies import Points, Policy, points
from .resample import resampled_means
from .result import LEVELS, Evaluation, Line
from .verdict import Test, compare, holm, verdict

PRIMARY = "0.99"
N_RESAMPLES = 2000
MIN_RESAMPLES = 200


def evaluate(
    outcomes: Outcomes,
    policies: Sequence[Policy],
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    max_quality_loss: float | None = None,
    margin: float = 0.01,
    confidence: float = 0.95,
    good_enough: float = 0.5,
) -> Evaluation:
    """The evaluation of the policies on the outcomes.

    A policy's line stands at an operating point chosen on other prompts than those it is measured on (cross-fitted in
    five folds, groups together): 0.99 of the strong model's quality, or what `max_quality_loss` says. A policy with a
    single point is measured as it is.

    Args:
        outcomes: what the models scored; prompts that lack a score are left out and counted.
        policies: those to measure; none gives the controls and a verdict between the models.
        seed: of folds, resampling and permutations.
        n_resamples: bootstrap replicates.
        max_quality_loss: a share of the strong model's quality, for the first operating point.
        margin: share of the strong model's quality that counts as no loss.
        confidence: of the verdict's statements.
        good_enough: the score from which an answer is good, for ideal models.

    Raises:
        DataError: too few prompts or models, prices for some models only, or scores that do not fit the outcomes.
    """
    if n_resamples < MIN_RESAMPLES:
        raise DataError(f"{n_resamples} resamples: at least {MIN_RESAMPLES} are needed for intervals and tests")
    data = paired(outcomes)
    generator = np.random.default_rng(seed)
    fold = fold_of_prompts(data, min(N_FOLDS, data.n_groups), generator)
    targets = _targets(max_quality_loss)
    given = [measured(points(policy, data, outcomes.n), data, fold, targets) for policy in policies]
    tasks = measured(points(task_mean(data, fold, outcomes.n), data, outcomes.n), data, fold, targets)
    columns = _columns(data, given, tasks)
    matrix = columns.matrix()
    exact = columns.means(matrix.mean(axis=0, dtype=np.float64)[None, :])
    replicates = columns.means(resampled_means(matrix, data, n_resamples, generator))
    del matrix
    lines = [
        [operating_line(each, f"p{i}", place, data, exact, replicates) for place in range(len(each.operating))]
        for i, each in enumerate(given)
    ]
    tests = holm(
        [
            compare(f"p{i}", place, i, chord_of(data, each, place), exact, replicates)
            for i, each in enumerate(given)
            for place in range(len(each.operating))
        ],
        # Half of it: "helps" is the claim that a wrong answer costs most on, and two-sided is how its interval reads.
        (1 - confidence) / 2,
    )
    controls = [*always(data, replicates), *random_and_shuffled(data, given, exact, replicates, generator)]
    controls.append(line_of(tasks, "tasks", data, exact, replicates, n_operating=1))
    controls.append(oracle_line(data, replicates))
    first = given[0] if given else None
    return Evaluation(
        n=data.n,
        n_groups=data.n_groups,
        n_left_out=data.n_left_out,
        models=data.models,
        data_hash=outcomes.data_hash,
        seed=seed,
        n_resamples=n_resamples,
        priced=data.priced,
        policies=tuple(
            _with_tests(
                line_of(each, f"p{i}", data, exact, replicates), [test for test in tests if test.policy == i], each
            )
            for i, each in enumerate(given)
        ),
        controls=tuple(controls),
        curve=(first if first is not None else tasks).curve(),
        verdict=verdict(
            data, list(zip(given, lines, strict=True)), tests, replicates, margin=margin, confidence=confidence
        ),
        per_dataset=per_dataset(data, first),
        calibration=() if first is None else _calibrations(data, first.points),
        agreement=None if first is None else agreement(first.primary.served, ideal(data, good_enough), data.models),
        warnings=_warnings(data),
    )


def _calibrations(data: Paired, of: Points) -> tuple[Calibration, ...]:
    """How well each model's P agrees with what it is the probability of."""
    if of.p_good is None:
        return ()
    met = data.score[:, :-1] if of.p_of == "good" else (data.score[:, :-1] >= data.score[:, -1:]).astype(np.float64)
    return tuple(calibration(data.models[j], of.p_good[:, j], met[:, j]) for j in range(data.m - 1))


def _targets(max_quality_loss: float | None) -> dict[str, float]:
    if max_quality_loss is None:
        first = {PRIMARY: LEVELS[PRIMARY]}
    else:
        if not 0 <= max_quality_loss < 1:
            raise DataError(f"a quality loss of {max_quality_loss} is not between 0 and 1 (a share)")
        first = {f"loss {max_quality_loss:g}": 1 - max_quality_loss}
    return {**first, **{label: share for label, share in LEVELS.items() if label not in first}}


def _columns(data: Paired, given: Sequence[Measured], tasks: Measured) -> Columns:
    columns = Columns()
    strong_cost = float(data.cost[:, -1].mean())
    scale = strong_cost if strong_cost > 0 else 1.0
    columns.add("score", data.score.T)
    columns.add("cost", data.cost.T / scale)
    best = oracle(data)
    rows = np.arange(data.n)
    columns.add("oracle quality", data.score[rows, best])
    columns.add("oracle cost", data.cost[rows, best] / scale)
    for i, each in enumerate(given):
        add_columns(columns, f"p{i}", each, data)
    add_columns(columns, "tasks", tasks, data, n_operating=1)
    return columns


def _with_tests(line: Line, tests: Sequence[Test], policy: Measured) -> Line:
    extra = dict(line.extra)
    extra["tests"] = [
        {
            "operating_point": policy.operating[test.place].label,
            "over_random": test.over_random,
            "over_shuffled": test.over_shuffled,
            "p_value": test.p_value,
            "significant": test.significant,
        }
        for test in tests
    ]
    return replace(line, extra=extra)


def _warnings(data: Paired) -> tuple[str, ...]:
    out = []
    if data.n_left_out:
        out.append(f"{data.n_left_out:,} prompts lack the score of some model and are left out.")
    if data.n_costs_filled:
        out.append(f"{data.n_costs_filled:,} costs are not known; the mean of the model in the dataset stands in.")
    if not data.priced:
        out.append("No cost is known: shares of strong calls stand for cost, and savings are not given (see --price).")
    for j, model in enumerate(data.models):
        if np.ptp(data.score[:, j]) == 0:
            out.append(f"{model} has the score {data.score[0, j]:g} on every prompt.")
    if data.score[:, -1].mean() <= data.score[:, 0].mean():
        out.append(f"{data.models[-1]} is not better than {data.models[0]}: APGR and CPT have no meaning here.")
    if data.n_groups < 300:
        out.append(f"{data.n_groups} different prompts are few: expect wide intervals.")
    return tuple(out)
