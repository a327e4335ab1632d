"""What the policy llm_classifier adds of its own: decisions remembered, and asked without a network.

python benchmarks/bench_classifier.py [--prompts 400] [--rounds 5]

The classifier's model answers at once from memory, so that what is measured is our work: key, question, body, reading.
Prints medians over rounds in microseconds per decision, and each as a multiple of the trained router's in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Any

from pointsman.router import Router
from pointsman.testing import FakeTransport, MemoryLedger, Reply
from pointsman.vocabulary import Request, Usage
from pointsman.wire import build_request

TEXT = "explain why the sky looks blue at noon and red in the evening, step by step. " * 8


def model(name: str, usd: float) -> dict[str, Any]:
    price = {"input_usd_per_mtok": usd, "output_usd_per_mtok": 2 * usd}
    return {
        "name": name,
        "provider": "openai-compatible",
        "model": name,
        "base_url": "http://127.0.0.1:9/v1",
        "price": price,
    }


CONFIG: dict[str, Any] = {
    "models": [model("small", 1.0), model("large", 10.0), model("tiny", 0.1)],
    "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
    "policies": {
        "trained": {"kind": "threshold", "max_quality_loss": 0.02},
        "smart": {"kind": "llm_classifier", "model": "tiny", "max_quality_loss": 0.02},
    },
    "default_policy": "trained",
}


def fresh() -> Router:
    """A router that remembers nothing."""
    answer = Reply(text="cheap", usage=Usage(300, 1))
    return Router.from_config(CONFIG, transport=FakeTransport({"tiny": answer}), ledger=MemoryLedger())


async def per_decision_us(router: Router, requests: Sequence[Request]) -> float:
    started_s = time.perf_counter()
    for request in requests:
        await router.advise(request)
    return (time.perf_counter() - started_s) / len(requests) * 1e6


async def run(n_prompts: int, n_rounds: int) -> None:
    prompts = [f"Question {number}: {TEXT}" for number in range(n_prompts)]
    trained, smart = (
        [build_request(prompt=prompt, model=f"auto:{policy}") for prompt in prompts] for policy in ("trained", "smart")
    )
    seen = fresh()
    await per_decision_us(seen, smart)
    times: dict[str, list[float]] = {"trained": [], "remembered": [], "asked": []}
    for _ in range(n_rounds):
        times["trained"].append(await per_decision_us(seen, trained))
        times["remembered"].append(await per_decision_us(seen, smart))
        times["asked"].append(await per_decision_us(fresh(), smart))
    base = statistics.median(times["trained"])
    for name, each in times.items():
        median = statistics.median(each)
        print(f"{name:<12}{median:8.0f} µs  {median / base:5.2f} ×")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    asyncio.run(run(chosen.prompts, chosen.rounds))


if __name__ == "__main__":
    main()
