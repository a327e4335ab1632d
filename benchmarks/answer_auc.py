"""How well an answer is told good from bad by its text: out-of-fold AUC of "the cheap model's answer is right".

    python -m benchmarks.answer_auc DATA_DIR [--check] [--seeds 2]

From prompt and answer text alone: recorded confidences are put aside. Five folds, equal prompts together, everything
learned on the other folds; the mean over draws of folds, with their range. "By the prompt" is the same learner before
any call. With --check the exit status is 1 when one is below its bar. Needs `pip install 'pointsman[train]'`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from benchmarks.headed import heading
from numpy.typing import NDArray

from pointsman.cascade_study import answer_readers
from pointsman.evaluate.calibration import auc
from pointsman.outcomes import read
from pointsman.train import AnswerInputs, AnswerLearner, group_folds, predicted
from pointsman.vocabulary import Outcomes

N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Case:
    """One model's answers to one set of prompts, and the AUC that they should reach."""

    source: str
    dataset: str
    model: str
    beside: str
    """Another model, because outcomes are read of two or more; its answers are not looked at."""
    least: float


CASES: Final = (
    Case("zeroeval", "math-l5", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", 0.75),
    Case("zeroeval", "crux", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", 0.75),
    Case("mmlu_pro", "*", "gemini-1.5-flash-002", "gemini-1.5-pro-002", 0.78),
)


def one_model(outcomes: Outcomes) -> Outcomes:
    """The first model's answers alone, without their confidence."""
    return replace(
        outcomes,
        models=outcomes.models[:1],
        score=outcomes.score[:, :1],
        cost_usd=outcomes.cost_usd[:, :1],
        confidence=np.full((outcomes.n, 1), np.nan, dtype=np.float32),
        responses=None if outcomes.responses is None else tuple(row[:1] for row in outcomes.responses),
    )


def out_of_fold(outcomes: Outcomes, inputs: AnswerInputs, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(good) of each answer by its text, and by its prompt alone, shape (n,) each."""
    fold = group_folds(outcomes.groups, N_FOLDS, generator=np.random.default_rng(seed))
    by_text, by_prompt = np.empty(outcomes.n), np.empty(outcomes.n)
    for each in range(N_FOLDS):
        here, others = np.flatnonzero(fold == each), np.flatnonzero(fold != each)
        learner = AnswerLearner(readers=answer_readers(), seed=seed).fit(outcomes.at(others), inputs[others])
        ahead, p_answer = predicted(learner.answer_skill_, inputs[here])
        by_text[here], by_prompt[here] = p_answer[:, 0], ahead.p_good[:, 0]
    return by_text, by_prompt


def main() -> None:
    """Prints one line per case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    print(heading("Answers told good from bad by their text", "benchmarks.answer_auc"))
    print("| source | model | answers | good | by the prompt | by prompt and answer | range | bar |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    missed = []
    for case in CASES:
        (path,) = options.data.glob(f"{case.source}*.parquet")
        given, _ = read(path, models=(case.model, case.beside), datasets=(case.dataset,), with_responses=True)
        outcomes = one_model(given.at(np.flatnonzero(np.isfinite(given.score[:, 0]))))
        inputs = AnswerInputs.read(outcomes, answer_readers())
        good = outcomes.score[:, 0] >= 0.5
        found = [[auc(p, good) for p in out_of_fold(outcomes, inputs, seed)] for seed in range(options.seeds)]
        text, prompt = ([float(each[place] or np.nan) for each in found] for place in (0, 1))
        mean = float(np.mean(text))
        missed += [case] if mean < case.least else []
        print(
            f"| {case.source} {', '.join(sorted(set(outcomes.datasets)))[:40]} | {case.model} | {outcomes.n:,} | "
            f"{good.mean():.0%} | {np.mean(prompt):.3f} | {mean:.3f} | {min(text):.3f} to {max(text):.3f} | "
            f"{case.least} |",
            flush=True,
        )
    if options.check and missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
