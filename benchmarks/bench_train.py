"""How long training takes at three sizes, and what the learned part adds to one decision.

    python -m benchmarks.bench_train [--sizes 3500 7000 14000]

Prompts are made up: 150 words each, drawn by Zipf's law from 20,000. Times are of this machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from benchmarks.headed import heading
from numpy.typing import NDArray

from pointsman.features import extract_text, open_encoder
from pointsman.learned import Skill
from pointsman.train import Inputs, RouterLearner
from pointsman.vocabulary import Outcomes

N_WORDS = 150
N_VOCABULARY = 20_000
N_DECISIONS = 2_000


def extract(texts: Sequence[str]) -> NDArray[np.float32]:
    """Hand-crafted features of texts."""
    return np.stack([extract_text(text) for text in texts]).astype(np.float32)


def made_up(n: int, generator: np.random.Generator) -> Outcomes:
    """Outcomes of two models on n prompts; the cheap one is worse where a word is rare."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(generator.choice(letters, size=generator.integers(3, 9))) for _ in range(N_VOCABULARY)])
    drawn = np.minimum(generator.zipf(1.3, size=(n, N_WORDS)), N_VOCABULARY) - 1
    hard = (drawn > 1_000).mean(axis=1) > np.median((drawn > 1_000).mean(axis=1))
    p_good = np.column_stack((np.where(hard, 0.5, 0.8), np.full(n, 0.85)))
    unknown = np.full((n, 2), np.nan, dtype=np.float32)
    return Outcomes(
        models=("cheap", "strong"),
        prompt_ids=tuple(map(str, range(n))),
        datasets=("made up",) * n,
        prompts=tuple(" ".join(words[row]) for row in drawn),
        groups=np.arange(n, dtype=np.int64),
        score=(generator.random((n, 2)) < p_good).astype(np.float32),
        cost_usd=unknown,
        confidence=unknown,
    )


def decision_us(skill: Skill, inputs: Inputs) -> tuple[float, float]:
    """Median and 99th percentile of the learned part of one decision, in microseconds."""
    times = []
    for i in range(N_DECISIONS):
        j = i % len(inputs)
        row, vector, text = inputs.features[j : j + 1], inputs.embeddings[j : j + 1], inputs.texts[j : j + 1]
        start = time.perf_counter()
        skill.predict(row, vector, text)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e6, float(np.quantile(times, 0.99)) * 1e6


def main() -> None:
    """Trains at each size and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[3_500, 7_000, 14_000])
    options = parser.parse_args()
    encoder = open_encoder("static")
    print(heading("Training", "benchmarks.bench_train"))
    print("| prompts | reading, s | learning, s | both, s | one decision, µs (p50, p99) |\n|---|---|---|---|---|")
    for n in options.sizes:
        outcomes = made_up(n, np.random.default_rng(0))
        start = time.perf_counter()
        inputs = Inputs.read(outcomes.prompts, extract=extract, encode=encoder.encode)
        read = time.perf_counter() - start
        skill = RouterLearner(extract=extract, encode=encoder.encode).fit(outcomes, inputs).skill_
        both = time.perf_counter() - start
        p50, p99 = decision_us(skill.for_pair(("cheap", "strong")), inputs[np.arange(min(n, 500))])
        print(f"| {n:,} | {read:.1f} | {both - read:.1f} | {both:.1f} | {p50:.0f}, {p99:.0f} |", flush=True)


if __name__ == "__main__":
    main()
