"""Memory of a gateway process for each stream that is open: the slope between few and many held streams.

python -m benchmarks.stream_memory [--streams 100 300 500]

The gateway is a process of its own (`pointsman serve`, policy `fixed`); the upstream here sends a stream's first events
and holds the rest. A request has a prompt of 1,500 characters.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import numpy as np
from benchmarks.headed import heading

from pointsman.testing import Reply, Upstream
from pointsman.testing.faults import HoldAfter

WARM_UP = 200


def config(upstream: str) -> dict[str, object]:
    """Two models at the upstream, the first always chosen."""
    model = {
        "provider": "openai-compatible",
        "base_url": f"{upstream}/v1",
        "price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0},
        "timeout_s": {"idle_s": 3_600, "total_s": 3_600, "first_byte_s": 3_600},
    }
    return {
        "models": [{"name": name, "model": name, **model} for name in ("small", "large")],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "fixed", "tier": "cheap"}},
        "default_policy": "auto",
        "baseline": "strong",
        "limits": {"max_requests": 4_096},
    }


def private_mib(pid: int) -> float:
    """Memory that is the process's own (anonymous pages), in MiB."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1_024


async def measured(steps: Sequence[int]) -> list[tuple[int, float]]:
    """(streams open, MiB) at each step."""
    async with Upstream(Reply(text="word " * 50)) as upstream:
        folder = Path(tempfile.mkdtemp(prefix="pointsman-streams-"))
        (folder / "pointsman.yaml").write_text(json.dumps(config(upstream.url)))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pointsman",
            "serve",
            "-c",
            "pointsman.yaml",
            "--port",
            "0",
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(os.environ),
        )
        assert process.stdout is not None
        try:
            url = None
            while url is None:
                line = (await process.stdout.readline()).decode()
                assert line, "the gateway ended"
                found = re.search(r"http://[\d.]+:\d+", line)
                url = None if found is None else found[0]
            drained = asyncio.ensure_future(process.stdout.read())
            body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "railway " * 187}]}
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                target = f"{url}/v1/chat/completions"
                for _ in range(WARM_UP):
                    async with session.post(target, json=body) as answer:
                        await answer.read()
                upstream.play(Reply(text="word " * 50, fault=HoldAfter(5)))
                rows: list[tuple[int, float]] = []
                held: list[aiohttp.ClientResponse] = []
                for n in steps:
                    while len(held) < n:
                        answer = await session.post(target, json=body)
                        assert answer.status == 200, await answer.text()
                        await answer.content.readany()
                        held.append(answer)
                    await asyncio.sleep(1)
                    rows.append((n, private_mib(process.pid)))
                for answer in held:
                    answer.close()
            drained.cancel()
            return rows
        finally:
            process.kill()
            await process.wait()


def main() -> None:
    """Prints the table and the slope."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 100, 200, 400, 800])
    rows = asyncio.run(measured(parser.parse_args().streams))
    print(heading("Memory for each open stream", "benchmarks.stream_memory"))
    print("| streams open | private memory, MiB |\n|---|---|")
    for n, mib in rows:
        print(f"| {n} | {mib:.1f} |")
    slope = float(np.polyfit([n for n, _ in rows], [mib for _, mib in rows], 1)[0])
    print(f"\n{slope * 1_024:.0f} KiB a stream")


if __name__ == "__main__":
    main()
