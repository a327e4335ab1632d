"""What one decision costs: features, embedding, classifier and explanation, through `Router.decide`.

    python benchmarks/bench_decide.py [--decisions 5000] [--check] [--json]

One process on one core. Every prompt is different: English-like sentences drawn from the package's word list with a
seed, two words in a hundred made up and three of them numbers, so that neither a cache of texts nor one of words
carries the figures. A request is read from its JSON before the clock starts, except in the line that says otherwise.
In the lines "with rules" the 14 built-in rules are evaluated too, all of them observed, so that every decision still
goes on to the router. `--check` exits with 1 when a bar is missed.

The bars are held against wall time. CPU time stands beside it: where the two differ, other programs had the core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, TypeVar

import numpy as np
import yaml

from pointsman.router import Router
from pointsman.vocabulary import Request
from pointsman.wire import build_request

T = TypeVar("T")

SEED = 20261123
PROMPT_TOKENS = 300
SIZES_TOKENS = (100, 1_000, 10_000, 100_000)
N_PER_SIZE = 30
N_WARM_UP = 300
BATCH_REQUESTS = 256

MAX_P50_MS = 0.5
MAX_P99_MS = 2.0
MIN_BATCH_PER_S = 2_000.0
MAX_LARGEST_MS = 20.0
SLACK = 1.25
"""How much above a straight line through the size before a time may lie: timings of 30 prompts scatter."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Milliseconds per decision."""

    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Quantiles:
        p50, p90, p99 = np.percentile(times_ms, (50, 90, 99)).tolist()
        return cls(p50, p90, p99)


@dataclass(frozen=True, slots=True)
class Timing:
    """One thing timed by two clocks: the thread's own and the wall's."""

    cpu_ms: Quantiles
    wall_ms: Quantiles


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured."""

    n_decisions: int
    mean_prompt_tokens: float
    decide: Timing
    decide_with_rules: Timing
    read_and_decide: Timing
    """Building the request's JSON from a prompt, reading it and deciding."""
    batch_per_s: float
    """Prompts scored per second of CPU time."""
    batch_per_wall_s: float
    size_ms: Mapping[int, Timing]
    """By the prompt's tokens."""

    def misses(self) -> list[str]:
        """The bars that were missed, in words."""
        out = []
        if self.decide.wall_ms.p50 > MAX_P50_MS:
            out.append(f"p50 is {self.decide.wall_ms.p50:.3f} ms, above {MAX_P50_MS} ms")
        if self.decide.wall_ms.p99 > MAX_P99_MS:
            out.append(f"p99 is {self.decide.wall_ms.p99:.3f} ms, above {MAX_P99_MS} ms")
        if self.batch_per_wall_s < MIN_BATCH_PER_S:
            out.append(f"a batch scores {self.batch_per_wall_s:.0f} prompts/s, fewer than {MIN_BATCH_PER_S:.0f}")
        medians = {n_tokens: timing.wall_ms.p50 for n_tokens, timing in sorted(self.size_ms.items())}
        for small, large in itertools.pairwise(medians):
            if medians[large] > SLACK * medians[small] * large / small:
                out.append(f"time grows faster than the prompt from {small:,} to {large:,} tokens")
        largest = max(medians)
        if medians[largest] > MAX_LARGEST_MS:
            out.append(f"{largest:,} tokens take {medians[largest]:.1f} ms, above {MAX_LARGEST_MS} ms")
        return out


class Prompts:
    """Endless different prompts, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        lines = resources.files("pointsman.features").joinpath("ranks.txt").read_text(encoding="utf-8").splitlines()
        self._words = [word for line in lines if not line.startswith("#") for word in line.split()]
        # Zipf's law: a word's frequency falls with its rank.
        weights = [1.0 / (rank + 2.7) for rank in range(len(self._words))]
        self._cumulative = np.cumsum(weights).tolist()

    def of(self, n_tokens: int) -> str:
        """A prompt of about `n_tokens` by the package's own estimate."""
        parts: list[str] = []
        n_chars = 0
        while n_chars < _CHARS_PER_TOKEN * n_tokens:
            sentence = self._sentence()
            parts.append(sentence)
            n_chars += len(sentence) + 1
        return " ".join(parts)

    def _sentence(self) -> str:
        draw = self._random
        words = draw.choices(self._words, cum_weights=self._cumulative, k=draw.randint(7, 19))
        for i in range(len(words)):
            lot = draw.random()
            if lot < 0.02:
                words[i] = "".join(draw.choices("aeiourstlnmdpkbgv", k=draw.randint(4, 10)))
            elif lot < 0.05:
                words[i] = str(draw.randint(1, 9_999))
            elif lot < 0.10:
                words[i] += ","
        words[0] = words[0].capitalize()
        return " ".join(words) + draw.choice((".", ".", ".", "?", ".\n", ":\n- "))


_CHARS_PER_TOKEN = 4.6
"""Of these prompts, by `pointsman.wire.tokens`."""


def threshold_router(*, with_rules: bool) -> Router:
    """The example configuration with a threshold on the built-in router; the built-in rules observed or left out."""
    example = resources.files("pointsman").joinpath("demo", "pointsman.yaml").read_text(encoding="utf-8")
    builtin = resources.files("pointsman.rules").joinpath("builtin.yaml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(example)
    config["rules"] = [{**rule, "mode": "observe"} for rule in yaml.safe_load(builtin)] if with_rules else []
    config["policies"] = {"auto": {"kind": "threshold", "threshold": 0.5}}
    return Router.for_decisions(config)


def pin_to_one_core() -> int | None:
    """The core this process now runs on; None where the system has no such call."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def measure(router: Router, ruled: Router, n_decisions: int, seed: int) -> Result:
    """All the numbers, of a router without rules and of one with them.

    Raises:
        RuntimeError: a decision was made without a score.
    """
    prompts = Prompts(seed)
    for _ in range(N_WARM_UP):
        decide(router, build_request(prompt=prompts.of(PROMPT_TOKENS)))
        decide(ruled, build_request(prompt=prompts.of(PROMPT_TOKENS)))
    requests = [build_request(prompt=prompts.of(PROMPT_TOKENS)) for _ in range(n_decisions)]
    one_by_one = timed(lambda request: decide(router, request), requests)
    with_rules = timed(
        lambda request: decide(ruled, request),
        [build_request(prompt=prompts.of(PROMPT_TOKENS)) for _ in range(n_decisions)],
    )
    read_and_decide = timed(lambda text: router.route(prompt=text), [prompts.of(PROMPT_TOKENS) for _ in requests])
    batch_per_s, batch_per_wall_s = rates(
        router, [build_request(prompt=prompts.of(PROMPT_TOKENS)) for _ in range(n_decisions)]
    )
    return Result(
        n_decisions=n_decisions,
        mean_prompt_tokens=statistics.fmean(request.n_prompt_tokens for request in requests),
        decide=one_by_one,
        decide_with_rules=with_rules,
        read_and_decide=read_and_decide,
        batch_per_s=batch_per_s,
        batch_per_wall_s=batch_per_wall_s,
        size_ms={
            n_tokens: timed(
                lambda request: decide(router, request),
                [build_request(prompt=prompts.of(n_tokens)) for _ in range(N_PER_SIZE)],
            )
            for n_tokens in SIZES_TOKENS
        },
    )


def decide(router: Router, request: Request) -> None:
    """One decision, which must have come from the router's score.

    Raises:
        RuntimeError: it did not.
    """
    decision = router.decide(request)
    if decision.reason_code != "score" or not decision.moved:
        raise RuntimeError(f"a decision was made without a score: {decision.reason}")


def timed(do: Callable[[T], object], items: Sequence[T]) -> Timing:
    """The times of each call."""
    wall_ms, cpu_ms = [], []
    for item in items:
        cpu_ns, wall_ns = time.thread_time_ns(), time.perf_counter_ns()
        do(item)
        wall_ms.append((time.perf_counter_ns() - wall_ns) / 1e6)
        cpu_ms.append((time.thread_time_ns() - cpu_ns) / 1e6)
    return Timing(Quantiles.of(cpu_ms), Quantiles.of(wall_ms))


def rates(router: Router, requests: Sequence[Request]) -> tuple[float, float]:
    """Requests scored per second of CPU and of wall time, with explanations, in batches of `BATCH_REQUESTS`."""
    assert router.scorer is not None
    cpu_s, wall_s = time.thread_time(), time.perf_counter()
    for start in range(0, len(requests), BATCH_REQUESTS):
        router.scorer.score_batch(requests[start : start + BATCH_REQUESTS])
    return len(requests) / (time.thread_time() - cpu_s), len(requests) / (time.perf_counter() - wall_s)


def rows(result: Result) -> Iterator[tuple[str, str, str, str]]:
    """The table: what, by wall time, by CPU time, and the bar."""
    for name, timing, bars in (
        ("decide", result.decide, (f"≤ {MAX_P50_MS} ms", "", f"≤ {MAX_P99_MS} ms")),
        ("with rules", result.decide_with_rules, ("", "", "")),
        ("read JSON and decide", result.read_and_decide, ("", "", "")),
    ):
        for quantile, bar in zip(("p50", "p90", "p99"), bars, strict=True):
            cpu_ms, wall_ms = getattr(timing.cpu_ms, quantile), getattr(timing.wall_ms, quantile)
            yield f"{name}, {quantile}", f"{wall_ms:.3f} ms", f"{cpu_ms:.3f} ms", bar
    yield (
        "score_batch",
        f"{result.batch_per_wall_s:,.0f} prompts/s",
        f"{result.batch_per_s:,.0f} prompts/s",
        f"≥ {MIN_BATCH_PER_S:,.0f} prompts/s",
    )
    for n_tokens, timing in result.size_ms.items():
        bar = f"≤ {MAX_LARGEST_MS:g} ms" if n_tokens == max(result.size_ms) else ""
        yield f"decide, {n_tokens:,} tokens, p50", f"{timing.wall_ms.p50:.3f} ms", f"{timing.cpu_ms.p50:.3f} ms", bar


def as_json(result: Result, core: int | None) -> dict[str, Any]:
    """The numbers and what they were measured on."""
    return {
        **asdict(result),
        "misses": result.misses(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "core": core,
    }


def main() -> int:
    """Measures and prints; 1 when `--check` finds a bar missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=5_000, help="decisions that are timed one by one")
    parser.add_argument("--seed", type=int, default=SEED, help="of the prompts")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.decisions < 1:
        parser.error("--decisions must be at least 1")
    core = pin_to_one_core()
    result = measure(
        threshold_router(with_rules=False), threshold_router(with_rules=True), arguments.decisions, arguments.seed
    )
    misses = result.misses()
    if arguments.json:
        print(json.dumps(as_json(result, core), indent=2))
    else:
        print(f"{result.n_decisions:,} decisions on prompts of {result.mean_prompt_tokens:.0f} tokens, one core")
        print(f"  {'':<30}{'wall time':>18}{'CPU time':>18}   bar (wall time)")
        for name, wall, cpu, bar in rows(result):
            print(f"  {name:<30}{wall:>18}{cpu:>18}   {bar}".rstrip())
        print("Every bar is met." if not misses else "Missed: " + "; ".join(misses) + ".")
    return 1 if arguments.check and misses else 0


if __name__ == "__main__":
    sys.exit(main())
