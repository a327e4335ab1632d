"""What labels are worth: APGR on the rest of the prompts after training on 100 to 5,000 of them.

    python -m benchmarks.learning_curve DATA_DIR [--pair "routellm MMLU"] [--sizes 100 200 ...] [--seeds 5]

Each seed draws its training prompts anew, equal prompts together; all others are measured on. APGR is RouteLLM's, the
score P(the cheap model does as well), as in serving.
Needs `pip install 'pointsman[train]'`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from benchmarks.headed import heading
from benchmarks.recorded_pairs import PAIRS, recorded
from benchmarks.tie_averaged import mean_apgr

from pointsman.learned import Predicted
from pointsman.study import learner_for
from pointsman.train import Inputs, learning_curve
from pointsman.train.curve import DEFAULT_SIZES
from pointsman.vocabulary import Outcomes


def measure(outcomes: Outcomes, predicted: Predicted) -> float:
    """APGR of the score that decides in serving."""
    return mean_apgr(outcomes, 1.0 - predicted.p_cheap[:, 0].astype(np.float64))


def main() -> None:
    """Prints one line per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pair", default="routellm MMLU", choices=sorted({pair.name for pair in PAIRS}))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(DEFAULT_SIZES))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    pair = next(pair for pair in PAIRS if pair.name == options.pair)
    outcomes = recorded(options.data, pair)
    learner = learner_for(outcomes.models)
    inputs = Inputs.read(outcomes.prompts, extract=learner.extract, encode=learner.encode)
    print(heading(f"{pair.name}, {pair.cheap} → {pair.strong}: APGR by labels", "benchmarks.learning_curve"))
    print("| labels | measured on | mean APGR | lowest | highest | seeds |\n|---|---|---|---|---|---|")
    for size in options.sizes:
        seeds = range(options.seeds)
        for point in learning_curve(learner, outcomes, measure, sizes=(size,), seeds=seeds, inputs=inputs):
            values = point.values
            print(
                f"| {size:,} | {outcomes.n - size:,} | {np.mean(values):.3f} | {min(values):.3f} | {max(values):.3f} | "
                f"{', '.join(f'{value:.3f}' for value in values)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
