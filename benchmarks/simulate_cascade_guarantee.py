"""Does tuning a cascade keep its promise? Recorded outcomes are the world; users label samples of it by hundreds.

    python benchmarks/simulate_cascade_guarantee.py OUTCOMES --models a,b[,c] [--worlds 300] [--limit 0.01 0.02 0.05]

As `simulate_guarantee.py`: every prompt with its out-of-fold decisions at all rates and its outcomes is the population;
a user draws n of them with replacement, tunes, and the answer's quality loss is taken on the whole population. "Joint"
lets the user choose among cascade, cascade routing and direct routing at once. Needs `pip install 'pointsman[train]'`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from scipy.stats import beta

from pointsman.cascade_study import known_folds, tried, with_costs
from pointsman.learned import PlanKind
from pointsman.outcomes import complete, read
from pointsman.tune import CascadePath, QualityLimit, TuneSettings, choose_cascade

CONFIDENCE = 0.95


def main() -> None:
    """Prints one line per choice, limit and sample size; fails when a promise is broken more often than it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outcomes", type=Path)
    parser.add_argument("--models", required=True)
    parser.add_argument("--worlds", type=int, default=300)
    parser.add_argument("--limit", type=float, nargs="+", default=[0.01, 0.02, 0.05])
    parser.add_argument("--n", type=int, nargs="+", default=[1_000])
    options = parser.parse_args()
    given, _ = read(options.outcomes, models=options.models.split(","), with_responses=True)
    world = with_costs(complete(given))
    folds = known_folds(world)
    score = world.score.astype(np.float64)
    rows = np.arange(world.n)
    paths, losses = [], []
    for kind in get_args(PlanKind):
        found = tried(world, folds, kind, choose=False)
        paths.append(CascadePath(kind, found.rates, found.served, found.cost_usd))
        losses.append([1 - score[rows, served].mean() / score[:, -1].mean() for served in found.served])
    print("| choice | limit | labels | broken | of | upper 95 % | routed | saves |\n|---|---|---|---|---|---|---|---|")
    worst = 0.0
    for name, members in (*((path.kind, [i]) for i, path in enumerate(paths)), ("joint", [*range(len(paths))])):
        for limit in options.limit:
            for n in options.n:
                broken, routed, saved = 0, 0, 0.0
                for draw in range(options.worlds):
                    drawn = np.random.default_rng([draw, n]).integers(0, world.n, n)
                    names = tuple(map(str, range(n)))
                    sample = replace(
                        world,
                        prompt_ids=names,
                        datasets=("world",) * n,
                        prompts=names,
                        groups=np.arange(n),
                        score=world.score[drawn],
                        cost_usd=world.cost_usd[drawn],
                        confidence=world.confidence[drawn],
                        responses=None,
                    )
                    some = [
                        replace(paths[i], served=paths[i].served[:, drawn], cost_usd=paths[i].cost_usd[:, drawn])
                        for i in members
                    ]
                    choice = choose_cascade(sample, some, TuneSettings(QualityLimit(limit), CONFIDENCE, seed=draw))
                    if choice.chosen is not None:
                        place, rate = choice.chosen
                        routed += 1
                        broken += losses[members[place]][rate] > limit + 1e-9
                        usd = paths[members[place]].cost_usd[rate].mean()
                        saved += 1 - float(usd) / float(world.cost_usd[:, -1].mean(dtype=np.float64))
                upper = 1.0 if broken == options.worlds else float(beta.ppf(0.95, broken + 1, options.worlds - broken))
                worst = max(worst, broken / options.worlds)
                print(
                    f"| {name} | {limit:g} | {n} | {broken} | {options.worlds} | {upper:.3f} | {routed} | "
                    f"{saved / options.worlds:.3f} |",
                    flush=True,
                )
    noise = 2.33 * float(np.sqrt((1 - CONFIDENCE) * CONFIDENCE / options.worlds))
    print(f"\nworst share of broken promises {worst:.3f}; promised {1 - CONFIDENCE:.2f}, simulation error {noise:.3f}")
    if worst > 1 - CONFIDENCE + noise:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
