"""A soak of the gateway: streams, retries, fallbacks and clients that leave, in one process, and what is left behind.

python benchmarks/soak_gateway.py --requests 20000 --concurrency 32

Prints memory, open files, tasks and the event loop's lag along the way, and exits 1 when memory grew by more than 5 %
after the first third, or files, tasks or slots were left over. The upstream runs in the same process: its memory and
its share of the loop are in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from pointsman.call.breaker import BreakerPolicy
from pointsman.call.health import Health
from pointsman.call.http import HttpTransport
from pointsman.decide import FixedPolicy
from pointsman.gateway import GatewayServer, create_app
from pointsman.gateway.state import GATEWAY
from pointsman.router import Router
from pointsman.testing import CutAfter, Reply, StallAfter, Upstream, overloaded
from pointsman.testing.exchange import Received
from pointsman.vocabulary import Record, Tier

N_WORDS = 30
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]},
}


class Counting:
    """A ledger that only counts."""

    def __init__(self) -> None:
        self.n_by_status: dict[str, int] = {}

    def write(self, record: Record) -> None:
        self.n_by_status[record.status] = self.n_by_status.get(record.status, 0) + 1

    def write_feedback(self, feedback: object) -> None:
        return

    def write_shadow(self, label: object) -> None:
        return

    def write_watch(self, event: object) -> None:
        return

    async def decision(self, request_id: str) -> None:
        return None

    async def aclose(self) -> None:
        return


def rss_mb() -> float:
    """Resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def n_files() -> int:
    """Open file descriptors."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def answer(chance: random.Random) -> Reply:
    """Most answers are good; some refuse and some break off."""
    drawn = chance.random()
    if drawn < 0.05:
        return overloaded()
    if drawn < 0.10:
        return Reply(status=500)
    text = "word " * N_WORDS
    return Reply(text=text, fault=CutAfter(8)) if drawn < 0.13 else Reply(text=text)


async def one(session: aiohttp.ClientSession, url: str, chance: random.Random) -> None:
    """One request; one in ten clients leaves before the end."""
    path = chance.choice(list(PATHS))
    leaves = chance.random() < 0.1
    more = {"user": "leaves"} if leaves else {}
    body = orjson.dumps({"model": "auto", "stream": leaves or chance.random() < 0.7, **PATHS[path], **more})
    headers = {"Content-Type": "application/json"}
    async with session.post(url + path, data=io.BytesIO(body), headers=headers) as response:
        if leaves:
            await response.content.readany()
            response.close()
        else:
            await response.read()


async def soak(n_requests: int, concurrency: int) -> int:
    """The exit code."""
    chance = random.Random(7)

    def scripted(received: Received) -> Reply:
        if received.json.get("user") == "leaves":
            return Reply(text="word " * N_WORDS, fault=StallAfter(5))
        return answer(chance)

    async with Upstream(scripted) as upstream:
        models = {name: upstream.model(name) for name in ("small", "spare")}
        ledger = Counting()
        health = Health(breaker=BreakerPolicy(failures=50))
        router = Router(
            tiers=(Tier("cheap", ("small", "spare")),),
            models=models,
            policies={"auto": FixedPolicy("auto", "cheap")},
            default_policy="auto",
            transport=HttpTransport(),
            health=health,
            ledger=ledger,
        )
        async with router, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            app = create_app(router)
            async with GatewayServer(app) as server:
                left = n_requests
                rows: list[tuple[float, int, int]] = []
                lags: list[float] = []

                async def client() -> None:
                    nonlocal left
                    while left > 0:
                        left -= 1
                        await one(session, server.url, chance)
                        lags.append(app[GATEWAY].turnstile.lag.lag_s)

                began_s = time.perf_counter()
                for _ in range(6):
                    left = n_requests // 6
                    await asyncio.gather(*(client() for _ in range(concurrency)))
                    await upstream.wait_idle()
                    upstream.requests.clear()
                    upstream.sent.clear()
                    await asyncio.sleep(0.5)
                    gc.collect()
                    rows.append((rss_mb(), n_files(), len(asyncio.all_tasks())))
                    print(f"rss {rows[-1][0]:.1f} MiB   files {rows[-1][1]}   tasks {rows[-1][2]}", flush=True)
                per_s = n_requests / (time.perf_counter() - began_s)
                lags.sort()
                budget, turnstile = health.budget, app[GATEWAY].turnstile
                growth = rows[-1][0] / rows[1][0] - 1
                print(f"{per_s:.0f} requests/s, records {ledger.n_by_status}")
                print(f"attempts {sum(health.counts.attempts.values())}, retries {sum(health.counts.retries.values())}")
                print(
                    f"event loop late by {1e3 * lags[len(lags) // 2]:.1f} ms (median), {1e3 * lags[-1]:.0f} ms at most"
                )
                print(f"memory after the first third {100 * growth:+.1f} %")
                kept = (budget.n_live, budget.n_retrying, turnstile.n_inside, turnstile.n_waiting)
                print(f"left over (live, retrying, inside, waiting): {kept}")
                flat = growth < 0.05 and rows[-1][2] <= rows[1][2] + 2 * concurrency
                recorded = sum(ledger.n_by_status.values()) == n_requests // 6 * 6
                return 0 if flat and kept == (0, 0, 0, 0) and recorded else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=32)
    asked = parser.parse_args()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(soak(asked.requests, asked.concurrency))


if __name__ == "__main__":
    sys.exit(main())
