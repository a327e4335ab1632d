"""Several workers: one killed is started anew while the others serve, and all count as one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pointsman.errors import ConfigError
from pointsman.gateway.fellows import Fellows, Figures, tell_workers
from pointsman.gateway.listening import Sockets, listen
from pointsman.gateway.metrics import Metrics
from pointsman.testing import HoldAfter, Reply, Upstream

PATH = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
CONFIG = """
models:
  - {{name: small, provider: openai-compatible, model: m, base_url: "{url}/v1", api_key: k,
     price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
tiers: [{{name: cheap, models: [small]}}]
policies: {{auto: {{kind: fixed, tier: cheap}}}}
baseline: cheap
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
server: {{port: 0, watch: false}}
"""


@dataclass
class Process:
    """A `pointsman serve` that runs."""

    url: str
    pid: int
    events: list[dict[str, Any]]
    session: aiohttp.ClientSession
    process: asyncio.subprocess.Process
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def ask(self) -> int:
        """The status of one answer over a connection of its own; 0 when the connection broke."""
        try:
            async with self.session.post(self.url + PATH, json=BODY) as response:
                await response.read()
                return response.status
        except aiohttp.ClientError:
            return 0

    async def metric(self, name: str, **labels: str) -> float:
        async with self.session.get(self.url + "/metrics") as response:
            text = await response.text()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return 0.0

    def workers(self) -> list[int]:
        """Process ids of the workers, oldest first."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    async def told(self, event: str, n: int = 1) -> None:
        """Returns when the log has said this so many times."""
        async with asyncio.timeout(60.0), self.changed:
            await self.changed.wait_for(lambda: sum(each["event"] == event for each in self.events) >= n)


async def start(file: Path, *flags: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pointsman",
        "serve",
        "--config",
        str(file),
        *flags,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def serving(file: Path, *flags: str) -> AsyncIterator[Process]:
    process = await start(file, *flags)
    assert process.stderr is not None
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            async with asyncio.timeout(60.0):
                started = json.loads(await process.stderr.readline())
            gateway = Process(started["url"], process.pid, [started], session, process)

            async def follow() -> None:
                assert process.stderr is not None
                async for line in process.stderr:
                    async with gateway.changed:
                        gateway.events.append(json.loads(line))
                        gateway.changed.notify_all()

            following = asyncio.ensure_future(follow())
            yield gateway
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(60.0):
                await process.wait()
                await following
        finally:
            if process.returncode is None:
                process.kill()


def config(folder: Path, url: str, more: str = "") -> Path:
    file = folder / "pointsman.yaml"
    file.write_text(CONFIG.format(url=url, folder=folder) + more)
    return file


@pytest.mark.slow
@pytest.mark.row("D2.55")
async def test_a_killed_worker_is_started_anew_while_the_other_serves_and_nothing_counted_is_lost(
    tmp_path: Path,
) -> None:
    async with (
        Upstream(Reply(text="one two")) as upstream,
        serving(config(tmp_path, upstream.url), "-w", "2") as gateway,
    ):
        assert gateway.events[0]["workers"] == 2
        assert {await gateway.ask() for _ in range(20)} == {200}
        assert await gateway.metric("pointsman_requests_total", endpoint=PATH) == 20
        first, second = gateway.workers()
        os.kill(first, signal.SIGKILL)
        # A connection that the kernel had dealt to the dead one waits until another takes its place.
        statuses = [await gateway.ask() for _ in range(20)]
        await gateway.told("worker ended, another is started")
        assert statuses.count(200) >= 19, "at most the one request that it was reading goes with it"
        assert len(gateway.workers()) == 2 and second in gateway.workers() and first not in gateway.workers()
        assert await gateway.metric("pointsman_requests_total", endpoint=PATH) == 20 + statuses.count(200)
        assert await gateway.metric("pointsman_worker_restarts_total", why="crashed") == 1
        os.kill(gateway.workers()[0], signal.SIGTERM)
        await gateway.told("worker ended, another is started", 2)
        assert await gateway.metric("pointsman_worker_restarts_total", why="ended") == 1
        assert await gateway.metric("pointsman_workers") == 2
    assert gateway.process.returncode == 0


@pytest.mark.slow
@pytest.mark.row("D2.45", "D2.47", "D2.55")
async def test_signals_to_the_parent_reload_and_drain_every_worker(tmp_path: Path) -> None:
    async with Upstream(Reply(text="one two", fault=HoldAfter(2))) as upstream:
        file = config(tmp_path, upstream.url)
        async with serving(file, "-w", "2") as gateway:
            gateway.process.send_signal(signal.SIGHUP)
            await gateway.told("configuration loaded", 2)
            assert {each["worker"] for each in gateway.events[1:]} == {0, 1}
            async with gateway.session.post(gateway.url + PATH, json=BODY | {"stream": True}) as response:
                begun = await response.content.readany()
                # As a terminal does: every process of the group gets it.
                for pid in (gateway.pid, *gateway.workers()):
                    os.kill(pid, signal.SIGINT)
                await gateway.told("stopping", 2)
                assert await gateway.ask() == 0, "new connections are refused at once"
                upstream.release()
                assert (begun + await response.content.read()).endswith(b"data: [DONE]\n\n")
        assert gateway.process.returncode == 0


@pytest.mark.slow
@pytest.mark.row("D2.55")
async def test_workers_whose_parent_is_killed_stop_by_themselves(tmp_path: Path) -> None:
    async with Upstream() as upstream, serving(config(tmp_path, upstream.url), "-w", "2") as gateway:
        gateway.process.kill()
        await gateway.told("stopped", 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("budgets: {usd_per_day: 5}", "budgets.usd_per_day"),
        ("limits: {key_requests_per_min: 5}", "limits.key_requests_per_min"),
        ("keys: {clients: [{name: ci, key: secret-123, max_concurrent: 1}]}", "the terms of ci"),
    ],
)
async def test_what_each_worker_would_count_for_itself_is_refused(tmp_path: Path, more: str, said: str) -> None:
    process = await start(config(tmp_path, "http://127.0.0.1:9", more), "--workers", "2")
    async with asyncio.timeout(60.0):
        _, err = await process.communicate()
    assert process.returncode == 2
    assert said.encode() in b" ".join(err.split()) and b"secret-123" not in err


def test_sockets_share_a_port_only_when_told() -> None:
    first = Sockets(listen("127.0.0.1", 0, shared=True))
    second = Sockets(listen("127.0.0.1", first.port, shared=True))
    assert second.port == first.port and first.admin_port is None
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {first.port}"):
        listen("127.0.0.1", first.port)
    first.close()
    second.close()


def figures(requests: int, under_way: int, lag: float, saved: float) -> Figures:
    registry = CollectorRegistry()
    Counter("pointsman_requests", "n", ("status",), registry=registry).labels("200").inc(requests)
    Gauge("pointsman_requests_under_way", "n", registry=registry).set(under_way)
    Gauge("pointsman_event_loop_lag_seconds", "s", registry=registry).set(lag)
    Gauge("pointsman_saved_usd", "usd", registry=registry).set(saved)
    Histogram("pointsman_request_seconds", "s", buckets=(1.0,), registry=registry).observe(requests)
    return Figures.of(registry.collect())


def values(of: Figures) -> dict[str, float]:
    return {
        sample.name + sample.labels.get("le", ""): sample.value
        for metric in of.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_counters_add_up_and_what_a_worker_is_like_is_the_worst_of_all() -> None:
    total = figures(3, 2, 0.5, 0.25)
    total.add(Figures.read(figures(4, 1, 0.125, 0.5).written()))
    assert values(total) == {
        "pointsman_requests_total": 7,
        "pointsman_requests_under_way": 3,
        "pointsman_event_loop_lag_seconds": 0.5,
        "pointsman_saved_usd": 0.75,
        "pointsman_request_seconds_bucket1.0": 0,
        "pointsman_request_seconds_bucket+Inf": 2,
        "pointsman_request_seconds_count": 2,
        "pointsman_request_seconds_sum": 7,
    }
    total.add(figures(1, 9, 9.0, 0.25), counted_only=True)
    after = values(total)
    assert after["pointsman_requests_total"] == 8 and after["pointsman_saved_usd"] == 1.0
    assert after["pointsman_requests_under_way"] == 3 and after["pointsman_event_loop_lag_seconds"] == 0.5


async def test_a_worker_goes_on_counting_where_the_one_before_it_ended(tmp_path: Path) -> None:
    tell_workers(tmp_path, n_workers=2, n_up=1, restarts={"crashed": 1})
    before = Metrics()
    before.answered(PATH, 200, 0.5)
    gone = Fellows(tmp_path, 0, 2, before)
    await gone.start()
    await gone.stop()
    other = Metrics()
    other.answered(PATH, 200, 0.5)
    fellows = [Fellows(tmp_path, 1, 2, other)]
    await fellows[0].start()
    line = f'pointsman_requests_total{{endpoint="{PATH}",status="200"}} '.encode()
    assert line + b"2.0" in await fellows[0].text(), "what the dead one kept stands for it"
    after = Metrics()
    after.answered(PATH, 200, 0.5)
    fellows.append(Fellows(tmp_path, 0, 2, after))
    await fellows[1].start()
    for each in fellows:
        text = await each.text()
        assert line + b"3.0" in text and b'pointsman_worker_restarts_total{why="crashed"} 1.0' in text
    # The text is as the library writes it.
    assert generate_latest(CollectorRegistry()) == b"" and list(text_string_to_metric_families(text.decode()))
    for each in fellows:
        await each.stop()
