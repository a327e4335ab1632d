"""How long an evaluation takes and how much memory, at three sizes: outcomes read, and a router measured on them.

    python -m benchmarks.bench_evaluate [--rows 250000 500000 1000000] [--models 2] [--check]

A row is one model's outcome on one prompt. Outcomes are made up and written as Parquet: ten datasets, one prompt in
twenty stands there twice, costs by model and prompt. Each size is a process of its own that reads the file and calls
`evaluate` with scores at hand and 2,000 resamples; peak memory is that process's largest resident set. Scoring prompts
is not part of it: `bench_train` and `bench_decide` time that.

With --check the exit status is 1 when the largest size takes over 60 s or 4 GB, or a doubling over 2.5 times the
processor time (another program on the machine must not look like growth).
Needs `pip install 'pointsman[train]'`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.headed import heading

from pointsman.evaluate import ScoredPolicy, evaluate
from pointsman.outcomes import read

N_DATASETS = 10
EQUAL_EVERY = 20
N_RESAMPLES = 2_000
MAX_S = 60.0
MAX_GB = 4.0
MAX_GROWTH_PER_DOUBLING = 2.5


@dataclass(frozen=True, slots=True)
class Measured:
    """One size."""

    rows: int
    models: int
    read_s: float
    evaluate_s: float
    cpu_s: float
    """Processor time of both, all threads: what a busy machine does not stretch."""
    peak_gb: float

    @property
    def both_s(self) -> float:
        """Seconds from file to result."""
        return self.read_s + self.evaluate_s


def model_names(m: int) -> list[str]:
    """From cheap to strong."""
    return [f"model-{place:02}" for place in range(m)]


def written(path: Path, rows: int, m: int) -> None:
    """Writes outcomes of m models on rows / m prompts."""
    generator = np.random.default_rng(0)
    n = rows // m
    prompt = np.arange(n)
    prompt[::EQUAL_EVERY] = np.maximum(prompt[::EQUAL_EVERY] - 1, 0)
    hard = (np.random.default_rng(1).random(n) < 0.4)[prompt]
    columns = {
        "dataset": [f"set-{place % N_DATASETS}" for place in prompt],
        "prompt_id": [f"p{place}" for place in range(n)],
        "prompt": [f"Question {place}: what is the answer to case {place * 7919 % n} of the list?" for place in prompt],
    }
    frames = []
    for place, name in enumerate(model_names(m)):
        p_good = np.where(hard, 0.3, 0.8) + 0.15 * place / max(1, m - 1)
        frames.append(
            pl.DataFrame(
                {
                    **columns,
                    "model": name,
                    "score": (generator.random(n) < p_good).astype(np.float32),
                    "cost_usd": (1e-4 * (1 + 9 * place) * generator.gamma(2.0, 0.5, n)).astype(np.float32),
                }
            )
        )
    pl.concat(frames).write_parquet(path)


def measured(path: Path, rows: int, m: int) -> Measured:
    """Reads and evaluates in this process."""
    cpu = time.process_time()
    start = time.perf_counter()
    outcomes, _ = read(path, models=model_names(m))
    read_s = time.perf_counter() - start
    generator = np.random.default_rng(2)
    p_good = np.clip(0.5 + 0.2 * outcomes.score[:, :-1] + 0.3 * generator.normal(size=(outcomes.n, m - 1)), 0, 1)
    start = time.perf_counter()
    evaluate(outcomes, [ScoredPolicy("made up", p_good)], n_resamples=N_RESAMPLES)
    evaluate_s = time.perf_counter() - start
    return Measured(rows, m, read_s, evaluate_s, time.process_time() - cpu, peak_gb())


def peak_gb() -> float:
    """The largest resident set of this process so far, in GB; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def in_own_process(path: Path, rows: int, m: int) -> Measured:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bench_evaluate", "--rows", str(rows), "--models", str(m)]
    done = subprocess.run([*command, "--file", str(path)], stdout=subprocess.PIPE, check=True, text=True)
    return Measured(**json.loads(done.stdout))


def faults(found: list[Measured]) -> list[str]:
    """What is not as it must be."""
    out = []
    last = found[-1]
    if last.both_s > MAX_S:
        out.append(f"{last.rows:,} rows take {last.both_s:.1f} s, more than {MAX_S:g}")
    if last.peak_gb > MAX_GB:
        out.append(f"{last.rows:,} rows take {last.peak_gb:.2f} GB, more than {MAX_GB:g}")
    for small, large in pairwise(found):
        doublings = np.log2(large.rows / small.rows)
        growth = large.cpu_s / small.cpu_s
        if growth > MAX_GROWTH_PER_DOUBLING**doublings:
            out.append(f"from {small.rows:,} to {large.rows:,} rows the processor time grows {growth:.1f} times")
    return out


def main() -> None:
    """Prints one line per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--models", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.file is not None:
        print(json.dumps(asdict(measured(options.file, options.rows[0], options.models))))
        return
    print(heading(f"`evaluate` with {N_RESAMPLES:,} resamples", "benchmarks.bench_evaluate"))
    print("| rows | models | reading, s | evaluating, s | both, s | CPU, s | peak, GB |\n|---|---|---|---|---|---|---|")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in sorted(options.rows):
            path = Path(folder) / f"{rows}.parquet"
            written(path, rows, options.models)
            one = in_own_process(path, rows, options.models)
            path.unlink()
            found.append(one)
            print(
                f"| {one.rows:,} | {one.models} | {one.read_s:.1f} | {one.evaluate_s:.1f} | {one.both_s:.1f} | "
                f"{one.cpu_s:.1f} | {one.peak_gb:.2f} |",
                flush=True,
            )
    wrong = faults(found)
    print(f"\n{'; '.join(wrong) if wrong else 'Within the limits'}.")
    if options.check and wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
