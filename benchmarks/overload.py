"""Three times as many clients as the gateway serves at once: who is turned away, how fast, and what the others notice.

python -m benchmarks.overload --seconds 60

The gateway is `pointsman serve` in a process of its own, with `limits.max_requests` of 64, a queue of 32 and an
upstream that takes half a second. First 64 clients ask, one request after another; then 192 do, for the time given;
then again 64. Exits 1 when the process ends, an answer is neither 200 nor 503 with Retry-After, the slowest tenth of
the 503s takes more than 10 ms longer than that of the health page meanwhile, the 99th percentile of the accepted ones
rises by more than the wait in the queue allows, or requests are still turned away 5 s after the crowd has gone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import uvloop

from pointsman.testing import Reply, Upstream

INSIDE, QUEUE, TIMES = 64, 32, 3
ANSWER_S = 0.5
SHED_MS = 10.0
RECOVERED_S = 5.0
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}).encode()
CONFIG = """
models:
  - {{name: small, provider: openai-compatible, model: m, base_url: "{url}/v1", api_key: k,
     price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
tiers: [{{name: cheap, models: [small]}}]
policies: {{auto: {{kind: fixed, tier: cheap}}}}
baseline: cheap
limits: {{max_requests: {inside}, max_queued_requests: {queue}, queue_wait_s: 5}}
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
server: {{port: 0}}
"""


@dataclass
class Seen:
    """What clients saw, times in ms."""

    served_ms: list[float] = field(default_factory=list)
    shed_ms: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    last_shed_s: float = 0.0

    def __str__(self) -> str:
        text = f"{len(self.served_ms)} served, p50 {_at(self.served_ms, 50):.0f}, p99 {_at(self.served_ms, 99):.0f} ms"
        if self.shed_ms:
            text += f"; {len(self.shed_ms)} turned away,"
            text += f" p50 {_at(self.shed_ms, 50):.1f}, p90 {_at(self.shed_ms, 90):.1f} ms"
        return f"{text}; others {dict(Counter(self.others))}"


def _at(times_ms: list[float], percent: int) -> float:
    return statistics.quantiles(times_ms, n=100, method="inclusive")[percent - 1] if len(times_ms) > 1 else 0.0


async def crowd(session: aiohttp.ClientSession, url: str, n_clients: int, seconds: float) -> Seen:
    """So many clients; each asks again as soon as it has its answer, or half a second after it was turned away."""
    seen, until_s = Seen(), time.perf_counter() + seconds
    headers, chance = {"Content-Type": "application/json"}, random.Random(1)

    async def client() -> None:
        while time.perf_counter() < until_s:
            began_s = time.perf_counter()
            try:
                async with session.post(f"{url}/v1/chat/completions", data=BODY, headers=headers) as answer:
                    await answer.read()
                    took_ms = 1e3 * (time.perf_counter() - began_s)
                    if answer.status == 200:
                        seen.served_ms.append(took_ms)
                    elif answer.status == 503 and "Retry-After" in answer.headers:
                        seen.shed_ms.append(took_ms)
                        seen.last_shed_s = time.perf_counter()
                    else:
                        seen.others.append(str(answer.status))
                    shed = answer.status == 503
            except aiohttp.ClientError as error:
                seen.others.append(type(error).__name__)
                shed = True
            if shed:
                await asyncio.sleep(ANSWER_S * chance.uniform(0.5, 1.5))

    await asyncio.gather(*(client() for _ in range(n_clients)))
    return seen


async def probes(session: aiohttp.ClientSession, url: str) -> list[float]:
    """Times of the health page until it is cancelled, in ms: what machine and load generator take by themselves."""
    times_ms: list[float] = []
    try:
        while True:
            began_s = time.perf_counter()
            async with session.get(f"{url}/healthz") as answer:
                await answer.read()
            times_ms.append(1e3 * (time.perf_counter() - began_s))
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        return times_ms


async def measure(seconds: float) -> int:
    """The exit code."""
    connector = aiohttp.TCPConnector(limit=0)
    async with Upstream(Reply(text="fine", delay_s=ANSWER_S)) as upstream:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pointsman.yaml"
            file.write_text(CONFIG.format(url=upstream.url, folder=folder, inside=INSIDE, queue=QUEUE))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pointsman", "serve", "--config", str(file)), stderr=subprocess.PIPE
            )
            assert process.stderr is not None
            url = json.loads(await process.stderr.readline())["url"]
            following = asyncio.ensure_future(process.stderr.read())
            async with aiohttp.ClientSession(connector=connector) as session:
                await crowd(session, url, INSIDE, 2.0)
                before = await crowd(session, url, INSIDE, max(5.0, seconds / 6))
                probing = asyncio.ensure_future(probes(session, url))
                during = await crowd(session, url, TIMES * INSIDE, seconds)
                probing.cancel()
                health_ms = await probing
                gone_s = time.perf_counter()
                after = await crowd(session, url, INSIDE, max(5.0, seconds / 6))
            alive = process.returncode is None
            process.terminate()
            code = await process.wait()
            await following
    extra_ms = _at(during.shed_ms, 90) - _at(health_ms, 90)
    recovered_s = max(0.0, after.last_shed_s - gone_s)
    print(f"before: {before}\nduring: {during}\nafter:  {after}")
    print(f"health page meanwhile: p50 {_at(health_ms, 50):.1f}, p90 {_at(health_ms, 90):.1f} ms")
    print(
        f"p90 of 503s less that: {extra_ms:.1f} ms; last one {recovered_s:.1f} s after the crowd had gone; exit {code}"
    )
    # Whoever waits its turn waits for QUEUE others at most.
    bound_ms = 2 * (1 + QUEUE / INSIDE) * _at(before.served_ms, 99)
    good = (
        alive
        and code == 0
        and not (before.others or during.others or after.others)
        and bool(during.shed_ms)
        and extra_ms <= SHED_MS
        and _at(during.served_ms, 99) <= bound_ms
        and recovered_s <= RECOVERED_S
    )
    return 0 if good else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure(parser.parse_args().seconds))


if __name__ == "__main__":
    sys.exit(main())
