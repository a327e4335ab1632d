"""Does the verdict say no where routing cannot help?

    python -m benchmarks.honest_verdicts DATA_DIR [--shuffles 200] [--per-fit 20] [--only cascades ...] [--check]

1. Outcomes shuffled across the prompts of a source: nothing about a prompt tells any more what it will get, so every
   "routing helps" is a false one. The product promises at most 5 % of them (docs/evaluation.md). Each shuffle is
   learned from and measured out of fold in five folds. What is read of prompts does not depend on outcomes, so several
   shuffles are learned in one fit, as pairs of models of one set of outcomes; `--per-fit 1` fits each alone. Beside it
   stand scores learned before the shuffle, the same for all shuffles.
2. Tasks on which the cheap model does as well (TextClass misinformation and technology): "always cheap".
3. Every source with the cheap model's scores set to 0: "always strong".

With --check the exit status is 1 when one of the three is not so.
Needs `pip install 'pointsman[train]'`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from benchmarks.headed import heading
from benchmarks.recorded_pairs import GPT_4O, HAIKU, MINI, RecordedPair, files, recorded
from numpy.typing import NDArray

from pointsman.evaluate import ScoredPolicy, Verdict, evaluate
from pointsman.study import held_out_scores, learner_for
from pointsman.train import Inputs, group_folds, out_of_fold
from pointsman.vocabulary import Outcomes

SHUFFLED = (
    RecordedPair("cascades", "gpt-4o-mini", "gpt-4o"),
    RecordedPair("zeroeval", MINI, GPT_4O),
    RecordedPair("bfcl", HAIKU, "claude-3-5-sonnet-20240620"),
)
CHEAP_IS_ENOUGH = (
    RecordedPair("textclass", MINI, GPT_4O, ("misinformation_*",), "misinformation"),
    RecordedPair("textclass", MINI, GPT_4O, ("technology_*",), "technology"),
    RecordedPair("textclass", "gpt-4.1-nano-2025-04-14", "gpt-5-2025-08-07", ("technology_*",), "technology"),
)
PROMISED = 0.05
N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Shuffles:
    """What was said of the shuffles of one source."""

    name: str
    n: int
    helps: int
    """With scores learned from the shuffled outcomes."""
    helps_before: int
    """With scores learned before the shuffle."""
    of: int
    said: Counter[str]
    """How often each answer was given, scores learned from the shuffled outcomes."""

    @property
    def kept(self) -> bool:
        """True when neither share is above what is promised."""
        return max(self.helps, self.helps_before) <= PROMISED * self.of


def answer(verdict: Verdict) -> str:
    """The verdict in two words."""
    return "routing helps" if verdict.routing_helps else verdict.policy


def shuffled(outcomes: Outcomes, order: NDArray[np.int64]) -> Outcomes:
    """The same prompts with each other's outcomes: scores and costs of both models move together."""
    return replace(outcomes, score=outcomes.score[order], cost_usd=outcomes.cost_usd[order])


def side_by_side(worlds: list[Outcomes]) -> Outcomes:
    """Several outcomes of the same two models on the same prompts as one: models are numbered by world."""
    models = tuple(f"{model} {place}" for place in range(len(worlds)) for model in worlds[0].models)
    return replace(
        worlds[0],
        models=models,
        score=np.concatenate([world.score for world in worlds], axis=1),
        cost_usd=np.concatenate([world.cost_usd for world in worlds], axis=1),
        confidence=np.concatenate([world.confidence for world in worlds], axis=1),
        responses=None,
        data_hash="",
    )


def learned_from(worlds: list[Outcomes], inputs: Inputs, seed: int) -> NDArray[np.floating]:
    """P(cheap does as well as strong) out of fold in each world, shape (n, worlds)."""
    joined = side_by_side(worlds)
    learner = learner_for(joined.models, seed=seed)
    learner.pairs = [(joined.models[2 * place], joined.models[2 * place + 1]) for place in range(len(worlds))]
    fold = group_folds(joined.groups, N_FOLDS, generator=np.random.default_rng(seed))
    return out_of_fold(learner, joined, fold=fold, inputs=inputs).p_cheap


def verdict_of(outcomes: Outcomes, p_cheap: NDArray[np.floating], seed: int) -> str:
    """What the product says of these outcomes with these scores."""
    return answer(evaluate(outcomes, [ScoredPolicy("router", p_cheap)], seed=seed).verdict)


def shuffles_of(pair: RecordedPair, outcomes: Outcomes, n_shuffles: int, per_fit: int) -> Shuffles:
    """All shuffles of one source."""
    learner = learner_for(outcomes.models)
    inputs = Inputs.read(outcomes.prompts, extract=learner.extract, encode=learner.encode)
    before = out_of_fold(learner, outcomes, n_folds=N_FOLDS, inputs=inputs).p_cheap
    said: Counter[str] = Counter()
    helps_before = 0
    for first in range(0, n_shuffles, per_fit):
        seeds = range(first, min(first + per_fit, n_shuffles))
        worlds = [shuffled(outcomes, np.random.default_rng(seed).permutation(outcomes.n)) for seed in seeds]
        learned = learned_from(worlds, inputs, first)
        for place, (seed, world) in enumerate(zip(seeds, worlds, strict=True)):
            said[verdict_of(world, learned[:, place], seed)] += 1
            helps_before += verdict_of(world, before, seed) == "routing helps"
    return Shuffles(pair.name, outcomes.n, said["routing helps"], helps_before, n_shuffles, said)


def cheap_never_right(outcomes: Outcomes) -> Outcomes:
    """The outcomes with the cheap model wrong everywhere."""
    score = outcomes.score.copy()
    score[:, 0] = 0
    return replace(outcomes, score=score)


def expected_answers(data: Path) -> Iterator[tuple[str, Outcomes, str]]:
    """Name, outcomes and the right answer of each set whose answer is known."""
    for pair in CHEAP_IS_ENOUGH:
        if files(data, pair):
            yield f"{pair.name}, {pair.cheap} → {pair.strong}", recorded(data, pair), f"always:{pair.cheap}"
    for pair in SHUFFLED:
        if files(data, pair):
            yield f"{pair.name}, cheap never right", cheap_never_right(recorded(data, pair)), f"always:{pair.strong}"


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--shuffles", type=int, default=200)
    parser.add_argument("--per-fit", type=int, default=20)
    parser.add_argument("--only", nargs="+", default=[], help="shuffled sources whose name holds one of these")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    wrong = 0
    print(heading("Sets whose verdict is known", "benchmarks.honest_verdicts"))
    print("| set | prompts | quality, cheap and strong | verdict |\n|---|---|---|---|")
    for name, outcomes, right in expected_answers(options.data):
        said = verdict_of(outcomes, held_out_scores(outcomes)[0], 0)
        wrong += said != right
        cheap, strong = outcomes.score.mean(axis=0, dtype=np.float64)
        note = said if said == right else f"{said}, expected {right}"
        print(f"| {name} | {outcomes.n:,} | {cheap:.3f}, {strong:.3f} | {note} |", flush=True)
    print(
        "\n| source, outcomes shuffled | prompts | shuffles | routing helps | with scores from before | other answers |"
    )
    print("|---|---|---|---|---|---|")
    for pair in SHUFFLED:
        if not files(options.data, pair) or (options.only and not any(word in pair.name for word in options.only)):
            continue
        found = shuffles_of(pair, recorded(options.data, pair), options.shuffles, options.per_fit)
        others = ", ".join(f"{said} {n}" for said, n in sorted(found.said.items()) if said != "routing helps")
        shares = " | ".join(f"{helps} ({helps / found.of:.1%})" for helps in (found.helps, found.helps_before))
        name = f"{found.name}, {pair.cheap} → {pair.strong}"
        print(f"| {name} | {found.n:,} | {found.of} | {shares} | {others} |", flush=True)
        wrong += not found.kept
    print(f"\n{'All as they must be' if wrong == 0 else f'{wrong} are not as they must be'}.")
    if options.check and wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
