"""How long the dashboard's pages take over a ledger that is there already, such as `make_big_ledger.py` makes.

    python benchmarks/bench_dashboard.py LEDGER [--rounds 5] [--check]

LEDGER is a file, or an address such as postgresql://user@host/database.

A gateway in this process serves them over loopback; times are wall clock, to the page's last byte, and beside them the
processor time of the whole process, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

import aiohttp

from pointsman import assembly
from pointsman.dashboard import pages
from pointsman.gateway import GatewayServer, create_app
from pointsman.router import Router

BAR_MS = 300.0
PATHS = (
    "",
    "?span=7d",
    "?span=30d",
    "?span=90d",
    "/decisions",
    "/decisions?status=error",
    "/decisions?model=large&policy=best&key=key-3",
    "/decisions?key=nobody",
    "/decisions?tag=support",
    "/decisions?tag=nothing-has-this",
    "/decisions?q=nothing+has+these+words",
    "/decisions?tier=none&span=90d",
    "/evidence?span=90d",
    "/routers",
    "/models?span=90d",
    "/keys",
)


def configuration(ledger: str) -> dict[str, object]:
    """Two simulated models at the prices of the made-up records."""
    prices = {"small": (1.0, 5.0), "large": (5.0, 25.0)}
    return {
        "models": [
            {"name": name, "provider": "sim", "price": {"input_usd_per_mtok": read, "output_usd_per_mtok": written}}
            for name, (read, written) in prices.items()
        ],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "threshold", "max_quality_loss": 0.02}},
        "ledger": {"url": ledger if "://" in ledger else f"sqlite:///{Path(ledger).resolve()}"},
    }


async def measure(where: str, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """(wall, processor) milliseconds of each visit, by path; the first is the first of all."""
    parts = assembly.from_config(configuration(where), environ={})
    ledger = assembly.open_ledger(parts)
    store = assembly.open_keys(parts)
    found: dict[str, list[tuple[float, float]]] = {path: [] for path in PATHS}
    async with Router(**parts.for_router(), ledger=ledger) as router:
        app = create_app(router, pages=pages(parts, ledger, store))
        async with GatewayServer(app) as server, aiohttp.ClientSession() as session:
            async with session.get(f"{server.url}/dashboard/decisions") as answer:
                text = await answer.text()
            request_id = text.partition("/dashboard/decisions/")[2].partition('"')[0]
            found[f"/decisions/{request_id}"] = []
            for _ in range(rounds):
                for path, times in found.items():
                    started_s, cpu_s = time.perf_counter(), time.process_time()
                    async with session.get(f"{server.url}/dashboard{path}") as answer:
                        await answer.read()
                        assert answer.status == 200, (path, answer.status)
                    times.append((1000 * (time.perf_counter() - started_s), 1000 * (time.process_time() - cpu_s)))
    store.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledger")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help=f"exit 1 when a page's median is above {BAR_MS:.0f} ms")
    chosen = parser.parse_args()
    found = asyncio.run(measure(chosen.ledger, chosen.rounds))
    print(f"{'page':55} {'first':>8} {'median':>8} {'longest':>8} {'cpu':>8}  ms")
    slow = []
    for path, visits in found.items():
        wall, cpu = zip(*visits, strict=True)
        median = statistics.median(wall)
        slow += [path] if median > BAR_MS else []
        print(f"{path or '/':55} {wall[0]:8.0f} {median:8.0f} {max(wall):8.0f} {statistics.median(cpu):8.0f}")
    return 1 if chosen.check and slow else 0


if __name__ == "__main__":
    sys.exit(main())
