"""Does "80 % good" mean good in 80 % of cases? Out-of-fold calibration error on every source of over 2,000 prompts.

    python -m benchmarks.calibration_error DATA_DIR [--check]

Scores come from five folds, equal prompts together, as `pointsman evaluate --folds 5` makes them. Errors are in 15
bins, of equal width (Guo et al. 2017, arXiv 1706.04599, equation 3) and with equally many prompts (Nixon et al. 2019,
arXiv 1904.01685), of three statements: P(the cheap model does as well), which decides; P(the cheap model is good);
P(the strong model is good). "By chance" is the mean error, equally many prompts in each bin, of a router whose
statements are all true, on as many prompts: what noise alone gives.

With --check the exit status is 1 when the first statement's error is above 0.03 in bins of equal width.
Needs `pip install 'pointsman[train]'`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.headed import heading
from benchmarks.recorded_pairs import chosen, recorded
from numpy.typing import NDArray

from pointsman.evaluate import Calibration, calibration
from pointsman.study import held_out_scores
from pointsman.vocabulary import Outcomes

MIN_PROMPTS = 2_000
LIMIT = 0.03
N_DRAWS = 200

Floats = NDArray[np.float64]


def statements(outcomes: Outcomes) -> Iterator[tuple[str, Floats, Floats]]:
    """Each statement with P, shape (n,), and what came, shape (n,)."""
    p_cheap, predicted = held_out_scores(outcomes)
    cheap, strong = outcomes.score[:, 0].astype(np.float64), outcomes.score[:, -1].astype(np.float64)
    yield "cheap does as well", p_cheap[:, 0].astype(np.float64), (cheap >= strong).astype(np.float64)
    yield "cheap is good", predicted.p_good[:, 0].astype(np.float64), cheap
    yield "strong is good", predicted.p_good[:, -1].astype(np.float64), strong


def by_chance(p: Floats, n_draws: int, generator: np.random.Generator) -> Calibration:
    """The errors of true statements, averaged over `n_draws` draws; the rest is of the last draw."""
    drawn = [calibration("true", p, (generator.random(p.size) < p).astype(np.float64)) for _ in range(n_draws)]
    return Calibration(
        "true",
        float(np.mean([each.ece_equal_width for each in drawn])),
        float(np.mean([each.ece_equal_mass for each in drawn])),
        drawn[-1].auc,
        drawn[-1].diagram,
    )


def main() -> None:
    """Prints one line per source, pair and statement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", default=[], help="sources whose name holds one of these")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    print(heading("Calibration out of fold, 15 bins", "benchmarks.calibration_error"))
    print("| source | pair | prompts | statement | equal width | equally many | by chance | AUC |")
    print("|---|---|---|---|---|---|---|---|")
    above = []
    for pair in chosen(options.data, options.only):
        if pair.part:
            continue
        outcomes = recorded(options.data, pair)
        if outcomes.n <= MIN_PROMPTS:
            continue
        for place, (name, p, came) in enumerate(statements(outcomes)):
            found = calibration(name, p, came)
            chance = by_chance(p, N_DRAWS, np.random.default_rng(0))
            auc = "-" if found.auc is None else f"{found.auc:.3f}"
            errors = (found.ece_equal_width, found.ece_equal_mass, chance.ece_equal_mass)
            shown = " | ".join(f"{error:.4f}" for error in errors)
            print(
                f"| {pair.name} | {pair.cheap} → {pair.strong} | {outcomes.n:,} | {name} | {shown} | {auc} |",
                flush=True,
            )
            if place == 0 and found.ece_equal_width > LIMIT:
                above.append(f"{pair.name}, {pair.cheap} → {pair.strong}")
    print(f"\nAbove {LIMIT}: {'; '.join(above) if above else 'none'}.")
    if options.check and above:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
