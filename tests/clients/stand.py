"""A gateway process in front of our upstream, and clients that know nothing of it but its address."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.clients.counted import PRICES, counted_usd

from pointsman.testing import Upstream
from pointsman.testing.script import Script
from pointsman.vocabulary import Dialect

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLIENT_KEY = "sk-client-of-the-tests-0123456789"
UPSTREAM_KEY = "sk-key-of-the-upstream"
WITHIN_S = 240.0
"""How long one client may take; agents on a busy machine start slowly."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a client printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def last_line(self) -> Any:
        """The JSON of the last line."""
        assert self.status == 0, f"{self.out[-4_000:]}\n{self.err[-4_000:]}"
        return json.loads(self.out.strip().splitlines()[-1])


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the ledger."""

    endpoint: str
    requested_model: str
    model: str | None
    status: str
    http_status: int | None
    cost_usd: float | None
    estimated: bool | None
    reason_code: str | None


@dataclass
class Stand:
    """A running gateway and what is around it."""

    url: str
    upstream: Upstream
    folder: Path
    home: Path
    process: asyncio.subprocess.Process
    logged: asyncio.Task[bytes]
    """What it writes to its log, once it has ended."""
    log: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What a client's process sees: an empty home, no key but the gateway's, nobody to report to."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "NO_PROXY": "*",
            "IS_SANDBOX": "1",
        }

    async def run(
        self, command: Sequence[str | Path], *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Ran:
        """Runs a client to its end."""
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home if cwd is None else cwd,
            env=self.environment | ({} if environ is None else dict(environ)),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(WITHIN_S):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    async def stop(self) -> None:
        """Stops the gateway, so that its ledger is whole; fails when it does not end well."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            self.log = (await self.logged).decode()
            assert await self.process.wait() == 0, self.log

    async def records(self) -> list[Recorded]:
        """The ledger's records, in order; stops the gateway."""
        await self.stop()
        with sqlite3.connect(self.folder / "ledger.db") as ledger:
            rows = ledger.execute(
                "select endpoint, requested_model, model, status, http_status, cost_usd, usage_estimated, reason_code "
                "from records order by id"
            ).fetchall()
        return [Recorded(*row) for row in rows]

    async def assert_books_agree(self) -> list[Recorded]:
        """The records, whose costs add up to what the upstream's own usage comes to."""
        records = await self.records()
        told_usd = sum(record.cost_usd for record in records if record.cost_usd is not None)
        assert told_usd == pytest.approx(counted_usd(self.upstream), abs=1e-9)
        failed = [line for line in self.log.splitlines() if json.loads(line).get("level") == "error"]
        assert failed == []
        return records


@asynccontextmanager
async def stand(
    folder: Path,
    script: Script,
    *,
    dialects: Sequence[Dialect] = tuple(Dialect),
    policy: Mapping[str, Any] | None = None,
) -> AsyncIterator[Stand]:
    """A gateway with everything on: policy `auto`, the bundled router, a ledger, metrics, one key.

    Args:
        folder: where its configuration and ledger go, and the home of its clients.
        dialects: what its upstream speaks.
        policy: in place of the threshold policy `auto`.
    """
    home = folder / "home"
    home.mkdir()
    async with Upstream(script) as upstream:
        config = folder / "pointsman.yaml"
        config.write_text(json.dumps(_config(upstream.url, folder, dialects, policy)))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pointsman", "serve", "--config", str(config), "--port", "0"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(60.0):
                started = json.loads(await process.stderr.readline())
                assert started["event"] == "listening", started
            logged = asyncio.create_task(process.stderr.read())
            made = Stand(started["url"], upstream, folder, home, process, logged)
            yield made
            await made.stop()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _config(url: str, folder: Path, dialects: Sequence[Dialect], policy: Mapping[str, Any] | None) -> dict[str, object]:
    return {
        "models": [
            {
                "name": name,
                "provider": "openai-compatible",
                "model": f"{name}-2026",
                "base_url": f"{url}/v1",
                "api_key": UPSTREAM_KEY,
                "dialects": [dialect.value for dialect in dialects],
                "context_window_tokens": 200_000,
                "price": price.as_config(),
            }
            for name, price in PRICES.items()
        ],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "threshold", "max_quality_loss": 0.01} if policy is None else dict(policy)},
        "baseline": "strong",
        "keys": {"clients": [{"name": "tests", "key": CLIENT_KEY}]},
        "ledger": {"url": f"sqlite:///{folder}/ledger.db"},
    }
