"""How often does the gate catch a router that was broken, and how often does it stop one that is as good?

    python -m benchmarks.gate_error_rates DATA_DIR [--router embedding|learned] [--seeds 20]

For each source a router is trained on half of the prompts (of 5,000 at most, with what `pointsman train` trains); the
gate decides on the other half. The router is a logistic regression on the built-in static embedding, or the one that
`pointsman train` makes. Candidates:

- copy: the same weights;
- equal: baseline and candidate each trained on nine tenths of the training prompts, drawn anew, so that neither is
  expected to be better;
- zeroed: 10 % of the weights, drawn at random, set to zero (of the learned router, those of every table that learning
  filled, calibration left out);
- largest: the largest 10 % of the weights set to zero (embedding only).

Beside the share stopped stands what the damage costs, measured on the same prompts: score points lost at
equal cost (averaged over all shares of strong calls), on average over the candidates and at most.
Needs `pip install 'pointsman[train]'`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.headed import heading
from benchmarks.recorded_pairs import GPT_4, GPT_4O, HAIKU, MINI, MIXTRAL, RecordedPair, files, recorded
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pointsman.features import open_encoder
from pointsman.learned.skill import Skill
from pointsman.outcomes import split, take
from pointsman.promote import GateSettings, Side, gate
from pointsman.reading import read_inputs
from pointsman.study import learner_for
from pointsman.train import Inputs
from pointsman.vocabulary import Outcomes

Weights = tuple[NDArray[np.float64], float]
SHARE = 0.1
MOST_PROMPTS = 5_000
CHOSEN_WITH = (
    RecordedPair("routellm", MIXTRAL, GPT_4),
    RecordedPair("zeroeval", MINI, GPT_4O),
    RecordedPair("mmlu_pro", "gemini-1.5-flash-002", "gemini-1.5-pro-002"),
    RecordedPair("textclass", "gpt-4.1-nano-2025-04-14", "gpt-5-2025-08-07"),
    RecordedPair("cascades", "gpt-4o-mini", "gpt-4o"),
)
"""Checks and tolerances were chosen with these in view."""
NOT_CHOSEN_WITH = (
    RecordedPair("zeroeval", HAIKU, "claude-3-opus-20240229"),
    RecordedPair("textclass", MINI, GPT_4O),
    RecordedPair("llmrouter", "llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"),
    RecordedPair("bfcl", HAIKU, "claude-3-5-sonnet-20240620"),
)


def fitted(vectors: NDArray[np.float32], good: NDArray[np.bool_]) -> Weights:
    """Weights and bias."""
    model = LogisticRegression(C=1.0, max_iter=500).fit(vectors, good)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def zeroed(weights: Weights, places: NDArray[np.int64]) -> Weights:
    """The weights with some of them at zero."""
    kept = weights[0].copy()
    kept[places] = 0.0
    return kept, weights[1]


def embedding_side(vectors: NDArray[np.float32], weights: Weights) -> Side:
    """What a logistic regression says of the prompts."""
    p_cheap = 1 / (1 + np.exp(-(vectors @ weights[0] + weights[1])))
    return Side("router", need=1 - p_cheap, p_cheap=p_cheap)


def embedding_candidates(learn: Outcomes, ask: Outcomes, seeds: int) -> Iterator[tuple[str, Side, Side]]:
    """Kind, baseline and candidate."""
    encoder = open_encoder("static")
    vectors, asked = encoder.encode(learn.prompts), encoder.encode(ask.prompts)
    good = learn.score[:, 0] >= learn.score[:, 1]
    whole = fitted(vectors, good)
    n_zeroed = round(SHARE * whole[0].size)
    before = embedding_side(asked, whole)
    yield "copy", before, embedding_side(asked, whole)
    yield "largest", before, embedding_side(asked, zeroed(whole, np.argsort(-np.abs(whole[0]))[:n_zeroed]))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        yield "zeroed", before, embedding_side(asked, zeroed(whole, rng.permutation(whole[0].size)[:n_zeroed]))
        one, other = (rng.permutation(good.size)[: good.size * 9 // 10] for _ in range(2))
        first, second = (embedding_side(asked, fitted(vectors[part], good[part])) for part in (one, other))
        yield "equal", first, second


def learned_side(skill: Skill, asked: Inputs) -> Side:
    """What a trained router says of the prompts."""
    p_cheap = skill.predict(asked.features, asked.embeddings, asked.texts).p_cheap[:, 0].astype(np.float64)
    return Side("router", need=1 - p_cheap, p_cheap=p_cheap)


def damaged(skill: Skill, rng: np.random.Generator) -> Skill:
    """The router with a tenth of its weights at zero."""
    kept = skill.arrays()
    for name, values in kept.items():
        if name.endswith("_weights"):
            kept[name] = np.where(rng.random(values.shape) < SHARE, np.zeros_like(values), values)
    return Skill.from_arrays(kept, models=skill.models, pairs=skill.pairs)


def learned_candidates(learn: Outcomes, ask: Outcomes, seeds: int) -> Iterator[tuple[str, Side, Side]]:
    """Kind, baseline and candidate."""
    inputs, asked = read_inputs(learn.prompts, "static"), read_inputs(ask.prompts, "static")

    def trained(places: NDArray[np.int64]) -> Skill:
        learner = learner_for(learn.models)
        skill = learner.fit(learn.at(places), inputs[places]).skill_
        return skill.for_pair((learn.models[0], learn.models[-1]))

    whole = trained(np.arange(learn.n))
    before = learned_side(whole, asked)
    yield "copy", before, learned_side(whole, asked)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        yield "zeroed", before, learned_side(damaged(whole, rng), asked)
        one, other = (np.sort(rng.permutation(learn.n)[: learn.n * 9 // 10]) for _ in range(2))
        yield "equal", learned_side(trained(one), asked), learned_side(trained(other), asked)


CANDIDATES = {"embedding": embedding_candidates, "learned": learned_candidates}


def worlds(data: Path) -> Iterator[tuple[str, Outcomes]]:
    """Name and outcomes of every source, 5,000 prompts at most; first those that the checks were chosen with."""
    for pair in CHOSEN_WITH + NOT_CHOSEN_WITH:
        if not files(data, pair):
            continue
        world = recorded(data, pair)
        some = np.sort(np.random.default_rng(0).permutation(world.n)[:MOST_PROMPTS])
        yield f"{pair.name}, {pair.cheap} → {pair.strong}", take(world, some)


def main() -> None:
    """Prints one line per source and kind of candidate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--router", choices=tuple(CANDIDATES), default="learned")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    print(heading("The gate on real outcomes", "benchmarks.gate_error_rates"))
    print(
        "| source | prompts | candidate | stopped | not shown as good (strict) | points lost at equal cost | at most |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, world in worlds(options.data):
        learn, ask = (take(world, part) for part in split(world, 0.5, 0))
        found: dict[str, list[tuple[bool, bool, float]]] = {}
        for kind, before, after in CANDIDATES[options.router](learn, ask, options.seeds):
            result = gate(ask, before, after, GateSettings())
            strict = gate(ask, before, after, GateSettings(strict=True))
            lost = result.checks[0].difference.mean
            found.setdefault(kind, []).append((not result.passed, not strict.passed, lost))
        for kind, rows in sorted(found.items()):
            stopped, not_shown, lost_mean = np.mean(np.array(rows, dtype=np.float64), axis=0)
            print(
                f"| {name} | {ask.n} | {kind} | {stopped * len(rows):.0f} of {len(rows)} | "
                f"{not_shown * len(rows):.0f} | {100 * lost_mean:+.2f} | {100 * max(row[2] for row in rows):+.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
