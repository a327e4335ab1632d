"""What `buffer` adds to the time to first byte: a cascade that judges, beside the cheap model alone, on loopback.

    python benchmarks/bench_cascade_buffer.py [--n 40] [--words 200] [--pace-ms 3] [--json OUT]

Both ways stream the same answer of the same upstream through the same gateway, turn by turn. The cheap answer itself
takes until its last byte when the client asks for it directly; the cascade's first byte comes once that answer has been
judged. `added` is what the cascade adds: from the moment that the whole answer is there until the client has its first
byte. The two medians are beside it for scale; their difference holds the noise of the machine, and that the upstream
also sends token probabilities to the cascade.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path

import aiohttp

from pointsman.call.http import HttpTransport
from pointsman.cascade import Judges
from pointsman.decide import CascadePolicy, FixedPolicy
from pointsman.gateway import GatewayServer, create_app
from pointsman.judge import FreeJudge
from pointsman.router import Router
from pointsman.testing import MemoryLedger, Reply, Upstream
from pointsman.vocabulary import Answer, Request, Tier, Verdict

PATH = "/v1/chat/completions"


class TimedJudge(FreeJudge):
    """Remembers when it was last handed an answer: the moment that the cheap answer was there, whole and read."""

    called_s = 0.0

    def judge(
        self, request: Request, answer: Answer, *, model: str, p_ahead: float | None = None, early: bool = False
    ) -> Verdict:
        self.called_s = time.perf_counter()
        return super().judge(request, answer, model=model, p_ahead=p_ahead, early=early)


async def timed(session: aiohttp.ClientSession, url: str, policy: str) -> tuple[float, float, float]:
    """When one streamed answer was asked for, and when its first and last bytes came, seconds."""
    body = {"model": f"auto:{policy}", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    started_s = time.perf_counter()
    first_s: float | None = None
    async with session.post(url + PATH, json=body) as response:
        async for _ in response.content.iter_any():
            first_s = time.perf_counter() if first_s is None else first_s
    assert response.status == 200 and first_s is not None
    return started_s, first_s, time.perf_counter()


async def measure(n: int, n_words: int, pace_ms: float) -> dict[str, float]:
    """Medians and 90th percentiles over `n` pairs, milliseconds."""
    words = " ".join(f"word{place}" for place in range(n_words))
    reply = Reply(text=words, logprobs=[-0.05] * n_words, chunk_delay_s=pace_ms / 1e3)
    judge = TimedJudge()
    async with Upstream(reply) as upstream:
        models = {name: upstream.model(name) for name in ("small", "large")}
        router = Router(
            tiers=(Tier("cheap", ("small",)), Tier("strong", ("large",))),
            models=models,
            policies={
                "direct": FixedPolicy("direct", "cheap"),
                "cascade": CascadePolicy("cascade", (0.5, None)),
            },
            default_policy="direct",
            baseline=models["large"],
            transport=HttpTransport(),
            ledger=MemoryLedger(),
            judges=Judges(judge),
        )
        async with router, GatewayServer(create_app(router)) as server, aiohttp.ClientSession() as session:
            for policy in ("direct", "cascade"):
                for _ in range(5):
                    await timed(session, server.url, policy)
            direct_ms, cascade_ms, added_ms = [], [], []
            for _ in range(n):
                started_s, _, last_s = await timed(session, server.url, "direct")
                direct_ms.append((last_s - started_s) * 1e3)
                started_s, first_s, _ = await timed(session, server.url, "cascade")
                cascade_ms.append((first_s - started_s) * 1e3)
                added_ms.append((first_s - judge.called_s) * 1e3)
    return {
        "n": n,
        "words": n_words,
        "pace_ms": pace_ms,
        "cheap_last_byte_p50_ms": statistics.median(direct_ms),
        "buffer_first_byte_p50_ms": statistics.median(cascade_ms),
        "added_p50_ms": statistics.median(added_ms),
        "added_p90_ms": statistics.quantiles(added_ms, n=10)[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=40)
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--pace-ms", type=float, default=3.0, help="between two events; 0 sends all at once")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = asyncio.run(measure(given.n, given.words, given.pace_ms))
    print(json.dumps(found, indent=2))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
