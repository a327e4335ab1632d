"""How often does the gate catch a router that was broken, and how often does it stop one that is as good?

    python -m benchmarks.gate_error_rates DATA_DIR [--seeds 20]

For each source a logistic regression on the built-in static embedding is trained on half of the prompts; the gate
decides on the other half. Candidates:

- copy: the same weights;
- equal: baseline and candidate each trained on nine tenths of the training prompts, drawn anew, so that neither is
  expected to be better;
- zeroed: 10 % of the weights, drawn at random, set to zero;
- largest: the largest 10 % of the weights set to zero.

Beside the share stopped stands what the damage costs, measured on the same prompts: quality lost at equal cost in
share of the quality gap, on average over the candidates and at most.
Needs `pip install 'pointsman[train]'`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.simulate_guarantee import FALLBACK_USD, PAIRS
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pointsman.features import open_encoder
from pointsman.outcomes import complete, read, split, take
from pointsman.promote import GateSettings, Side, gate

Weights = tuple[NDArray[np.float64], float]
SHARE = 0.1


def fitted(vectors: NDArray[np.float32], good: NDArray[np.bool_]) -> Weights:
    """Weights and bias."""
    model = LogisticRegression(C=1.0, max_iter=500).fit(vectors, good)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def zeroed(weights: Weights, places: NDArray[np.int64]) -> Weights:
    """The weights with some of them at zero."""
    kept = weights[0].copy()
    kept[places] = 0.0
    return kept, weights[1]


def side(vectors: NDArray[np.float32], weights: Weights) -> Side:
    """What a router says of the prompts."""
    p_cheap = 1 / (1 + np.exp(-(vectors @ weights[0] + weights[1])))
    return Side("router", need=1 - p_cheap, p_cheap=p_cheap)


def candidates(
    vectors: NDArray[np.float32], good: NDArray[np.bool_], seeds: int
) -> Iterator[tuple[str, Weights, Weights]]:
    """Kind, baseline and candidate."""
    whole = fitted(vectors, good)
    n_zeroed = round(SHARE * whole[0].size)
    yield "copy", whole, whole
    yield "largest", whole, zeroed(whole, np.argsort(-np.abs(whole[0]))[:n_zeroed])
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        yield "zeroed", whole, zeroed(whole, rng.permutation(whole[0].size)[:n_zeroed])
        one, other = (rng.permutation(good.size)[: good.size * 9 // 10] for _ in range(2))
        yield "equal", fitted(vectors[one], good[one]), fitted(vectors[other], good[other])


def main() -> None:
    """Prints one line per source and kind of candidate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    encoder = open_encoder("static")
    print("| source | prompts | candidate | stopped | not shown as good (strict) | lost at equal cost | at most |")
    print("|---|---|---|---|---|---|---|")
    for pattern, cheap, strong in PAIRS:
        for file in sorted(options.data.glob(f"{pattern}.parquet")):
            prices = {cheap: FALLBACK_USD[0], strong: FALLBACK_USD[1]}
            world = complete(read(file, models=(cheap, strong), prices=prices)[0])
            vectors = encoder.encode(world.prompts)
            good = world.score[:, 0] >= world.score[:, 1]
            learn, ask = split(world, 0.5, 0)
            on = take(world, ask)
            found: dict[str, list[tuple[bool, bool, float]]] = {}
            for kind, first, second in candidates(vectors[learn], good[learn], options.seeds):
                before, after = (side(vectors[ask], first), side(vectors[ask], second))
                result = gate(on, before, after, GateSettings())
                strict = gate(on, before, after, GateSettings(strict=True))
                lost = result.checks[0].difference.mean
                found.setdefault(kind, []).append((not result.passed, not strict.passed, lost))
            for kind, rows in sorted(found.items()):
                stopped, not_shown, lost_mean = np.mean(np.array(rows, dtype=np.float64), axis=0)
                print(
                    f"| {file.stem} | {on.n} | {kind} | {stopped * len(rows):.0f} of {len(rows)} | "
                    f"{not_shown * len(rows):.0f} | {lost_mean:+.4f} | {max(row[2] for row in rows):+.4f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
