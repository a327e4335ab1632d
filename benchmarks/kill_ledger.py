"""kill -9 of the real gateway under load, again and again on one ledger: is anything lost beyond the window?

Each round starts `pointsman serve` with simulated models on the ledger that the rounds before left behind, sends
requests over HTTP as fast as they are answered, kills the gateway with SIGKILL at a random moment, and looks at the
file: does it open, is it sound, and is every request on record that was answered more than half a second before the
kill? An answer counts as acknowledged when its last byte has reached the client.

    python benchmarks/kill_ledger.py --rounds 20 [--concurrency 32] [--seed 1] [--ledger FILE] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

WINDOW_S = 0.5
START_TIMEOUT_S = 60.0

CONFIG = """\
models:
  - {name: small, provider: sim, simulate: {skill: 0.5, latency_ms: 5, tokens_per_s: 100000}}
  - {name: large, provider: sim, simulate: {skill: 0.9, latency_ms: 5, tokens_per_s: 100000}}
tiers:
  - {name: cheap, models: [small]}
  - {name: strong, models: [large]}
rules: builtin
policies: {auto: {kind: rules, otherwise: strong}}
default_policy: auto
baseline: strong
"""


@dataclass(frozen=True, slots=True)
class Round:
    """What one kill left behind.

    Attributes:
        n_acknowledged: requests answered before the kill.
        n_missing: those of them that are not on record.
        n_missing_beyond_window: those of the missing that were answered more than the window before the kill.
        oldest_missing_s: how long before the kill the oldest missing one was answered; 0 when none is missing.
        load_s: how long the load lasted.
        sound: SQLite's integrity check says ok.
        n_incomplete: records without their attempts; a transaction that was torn apart would leave such.
        n_on_record: records in the ledger, all rounds so far together.
        lost_earlier: records of earlier rounds that were there and are gone.
    """

    n_acknowledged: int
    n_missing: int
    n_missing_beyond_window: int
    oldest_missing_s: float
    load_s: float
    sound: bool
    n_incomplete: int
    n_on_record: int
    lost_earlier: int

    @property
    def good(self) -> bool:
        """Nothing is lost that should not be."""
        return self.sound and not (self.n_missing_beyond_window or self.n_incomplete or self.lost_earlier)


class Gateway:
    """A `pointsman serve` process, in a group of its own."""

    def __init__(self, folder: Path, ledger: Path) -> None:
        config = folder / "pointsman.yaml"
        config.write_text(CONFIG, encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pointsman",
            "serve",
            "-c",
            str(config),
            "--port",
            "0",
            "--ledger",
            str(ledger),
        ]
        self.log = folder / "gateway.log"
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(command, stderr=file, stdout=subprocess.DEVNULL)

    async def url(self) -> str:
        """Where it listens, once it does.

        Raises:
            RuntimeError: it ended instead.
        """
        while True:
            ended = self.process.poll() is not None
            for line in self.log.read_text(encoding="utf-8").splitlines():
                if '"listening"' in line:
                    return str(json.loads(line)["url"])
            if ended:
                raise RuntimeError(f"the gateway did not start:\n{self.log.read_text(encoding='utf-8')}")
            await asyncio.sleep(0.02)

    def kill(self) -> float:
        """SIGKILL; returns the monotonic second at which it was sent."""
        at_s = time.monotonic()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return at_s


async def load(url: str, acknowledged: dict[str, float], begun: asyncio.Event, *, concurrency: int) -> None:
    """Sends requests until the gateway is gone; notes when the last byte of each answer came."""

    async def client(session: aiohttp.ClientSession, n: int) -> None:
        while True:
            body = {
                "model": "auto",
                "stream": n % 3 == 0,
                "messages": [{"role": "user", "content": f"Is this a greeting: hello {n}? Answer yes or no."}],
            }
            try:
                async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
                    await answer.read()
                    if answer.status != 200:
                        raise RuntimeError(f"status {answer.status}: {await answer.text()}")
                    acknowledged[answer.headers["x-pointsman-request-id"]] = time.monotonic()
                    begun.set()
            except aiohttp.ClientError:
                return
            n += concurrency

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for n in range(concurrency):
            group.create_task(client(session, n))


async def play_round(
    folder: Path, ledger: Path, known: set[str], *, load_s: float, concurrency: int
) -> tuple[Round, set[str]]:
    """One start, load, kill and look; returns what was found and every request on record.

    Args:
        known: what was on record before.
        load_s: how long after the first answer the kill comes.
    """
    gateway = Gateway(folder, ledger)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            url = await gateway.url()
    except BaseException:
        gateway.kill()
        raise
    acknowledged: dict[str, float] = {}
    begun = asyncio.Event()
    sending = asyncio.create_task(load(url, acknowledged, begun, concurrency=concurrency))
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await begun.wait()
        await asyncio.sleep(load_s)
    finally:
        killed_at_s = gateway.kill()
    await sending
    return look(ledger, acknowledged, killed_at_s, known, load_s=load_s)


def look(
    ledger: Path, acknowledged: dict[str, float], killed_at_s: float, known: set[str], *, load_s: float
) -> tuple[Round, set[str]]:
    """What is in the file."""
    with closing(sqlite3.connect(ledger)) as connection:
        sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        on_record = {row[0] for row in connection.execute("SELECT request_id FROM records")}
        (n_incomplete,) = connection.execute(
            "SELECT count(*) FROM records WHERE request_id NOT IN (SELECT request_id FROM attempts)"
        ).fetchone()
    ages_s = [killed_at_s - at_s for id_, at_s in acknowledged.items() if id_ not in on_record]
    found = Round(
        n_acknowledged=len(acknowledged),
        n_missing=len(ages_s),
        n_missing_beyond_window=sum(age_s > WINDOW_S for age_s in ages_s),
        oldest_missing_s=max(ages_s, default=0.0),
        load_s=load_s,
        sound=sound,
        n_incomplete=n_incomplete,
        n_on_record=len(on_record),
        lost_earlier=len(known - on_record),
    )
    return found, on_record


def play(folder: Path, ledger: Path, *, rounds: int, concurrency: int, seed: int) -> list[Round]:
    """So many rounds on one ledger, killed at moments drawn from the seed."""
    moments = random.Random(seed)
    known: set[str] = set()
    out: list[Round] = []
    for number in range(1, rounds + 1):
        load_s = moments.uniform(0.7, 2.0)
        found, known = asyncio.run(play_round(folder, ledger, known, load_s=load_s, concurrency=concurrency))
        out.append(found)
        print(
            f"round {number:2}: {found.n_acknowledged:5} answered in {found.load_s:.2f} s, "
            f"{found.n_missing:4} missing, the oldest answered {found.oldest_missing_s * 1e3:3.0f} ms before the kill, "
            f"{'good' if found.good else 'BAD'}",
            file=sys.stderr,
        )
        if not found.good:
            print((folder / "gateway.log").read_text(encoding="utf-8"), file=sys.stderr)
    return out


def main() -> int:
    """Plays the rounds; 0 when all are good, else 1."""
    parser = argparse.ArgumentParser(description="kill -9 of the gateway under load; is any record lost?")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ledger", type=Path, help="keep the ledger here instead of in a temporary folder")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder, "ledger.db") if asked.ledger is None else asked.ledger
        found = play(Path(folder), ledger, rounds=asked.rounds, concurrency=asked.concurrency, seed=asked.seed)
    good = all(one.good for one in found)
    if asked.json:
        print(json.dumps({"good": good, "rounds": [asdict(one) for one in found]}, indent=2))
    else:
        print(
            f"{sum(one.good for one in found)} of {len(found)} rounds good; "
            f"{sum(one.n_acknowledged for one in found)} requests answered, "
            f"{sum(one.n_missing for one in found)} missing within the window, "
            f"{sum(one.n_missing_beyond_window for one in found)} beyond it; oldest missing "
            f"{max(one.oldest_missing_s for one in found) * 1e3:.0f} ms before its kill "
            f"(median {statistics.median(one.oldest_missing_s for one in found) * 1e3:.0f} ms); "
            f"{found[-1].n_on_record} on record"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
