"""A broken promise through the real gateway: the alarm, the safe tier, the restart, and the way back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from pointsman import assembly
from pointsman.cli.main import app as command_line
from pointsman.errors import BadRequest
from pointsman.gateway import GatewayServer, create_app
from pointsman.gateway.reload import Reloader
from pointsman.gateway.server import loader
from pointsman.gateway.state import GATEWAY
from pointsman.gateway.virtual_keys import NO_VIRTUAL_KEYS
from pointsman.record.ledger import SqlLedger
from pointsman.router import Router
from pointsman.testing import Reply, Upstream
from pointsman.testing.exchange import Received
from pointsman.vocabulary import Usage
from pointsman.watching import PolicyWatch, Watching

CHEAP, STRONG = "Lyon", "Paris"
USAGE = Usage(100, 20)
ENOUGH = 30
"""Comparisons, each of them lost, after which a limit of 5 % is broken for certain."""


def prefers(text: str) -> Callable[[Received], Reply]:
    def judge(received: Received) -> Reply:
        asked = str(received.json["messages"][-1]["content"])
        first = asked.index(text) < asked.index(CHEAP if text == STRONG else STRONG)
        return Reply(text=json.dumps({"verdict": "A" if first else "B"}), usage=USAGE)

    return judge


def script(judge: Any) -> dict[str, Any]:
    return {
        "small": Reply(text=CHEAP, usage=USAGE),
        "large": Reply(text=STRONG, usage=USAGE),
        "referee": judge,
    }


def settings(url: str, folder: Path, *, small: str = "small", **shadow: Any) -> dict[str, Any]:
    def model(name: str, of_provider: str) -> dict[str, Any]:
        price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
        return {
            "name": name,
            "provider": "openai-compatible",
            "model": of_provider,
            "base_url": f"{url}/v1",
            "price": price,
            "context_window_tokens": 8_000,
        }

    return {
        "models": [model("small", small), model("large", "large"), model("referee", "referee")],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "fixed", "tier": "cheap"}},
        "ledger": {"url": f"sqlite:///{folder / 'ledger.db'}"},
        "shadow": {"share": 1.0, "judge": "referee", "max_usd_per_day": 1000, "max_quality_loss": 0.05, **shadow},
    }


@dataclass
class Gate:
    """A gateway on a configuration file."""

    url: str
    file: Path
    router: Router
    app: web.Application
    session: aiohttp.ClientSession

    @property
    def watching(self) -> Watching:
        assert self.router.watch is not None
        return self.router.watch

    @property
    def policy(self) -> PolicyWatch:
        return self.watching.watches["auto"]

    async def ask(self, **headers: str) -> tuple[str, str]:
        """Who answered, and why."""
        body = {"model": "auto", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
        async with self.session.post(self.url + "/v1/chat/completions", json=body, headers=headers) as response:
            await response.read()
            assert response.status == 200
            return response.headers["x-pointsman-model"], response.headers["x-pointsman-reason"]

    async def compared(self, n: int) -> None:
        """Asks so many times, each time until the answer has been compared."""
        assert self.router.shadow is not None
        for _ in range(n):
            await self.ask()
            await self.router.shadow.idle()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.text()

    async def metric(self, name: str, **labels: str) -> float | None:
        _, text = await self.get("/metrics")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def doctor(self, *options: str) -> tuple[int, Any]:
        assert isinstance(self.router.ledger, SqlLedger)
        self.router.ledger.flush()
        arguments = ["doctor", "--config", str(self.file), "--offline", "--json", *options]
        result = CliRunner().invoke(command_line, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, json.loads(result.stdout)

    def finding(self, check: str) -> dict[str, Any]:
        _, out = self.doctor()
        (found,) = [each for each in out["checks"] if each["check"] == check]
        return dict(found)


@asynccontextmanager
async def gate(folder: Path, upstream: Upstream, **changes: Any) -> AsyncIterator[Gate]:
    file = folder / "pointsman.yaml"
    file.write_text(yaml.safe_dump(settings(upstream.url, folder, **changes)))
    async with Router.from_config(file) as router, aiohttp.ClientSession() as session:
        app = create_app(router)
        server = GatewayServer(app)
        await server.start()
        try:
            yield Gate(server.url, file, router, app, session)
        finally:
            await session.close()
            await server.drain(grace_s=1.0)


async def test_a_broken_promise_brings_the_strong_tier_until_somebody_sees_to_it(tmp_path: Path) -> None:
    async with Upstream(script(prefers(STRONG))) as upstream:
        async with gate(tmp_path, upstream) as one:
            assert (await one.ask())[0] == "small"
            await one.compared(ENOUGH)
            # The strong tier, with the reason; the process is well, and says what is not.
            model, reason = await one.ask()
            assert model == "large"
            assert reason.startswith("guarantee no longer holds: the strong tier")
            assert (await one.get("/healthz"))[0] == 200
            status, ready = await one.get("/readyz")
            assert status == 200
            assert "guarantee" in json.loads(ready)["degraded"]
            assert await one.metric("pointsman_guarantee_broken", policy="auto") == 1.0
            assert await one.metric("pointsman_quality_loss", policy="auto", bound="estimate") == 1.0
            n = one.policy.bound.n
            assert 5 < n <= ENOUGH + 1
            # What the client chose itself stays its own.
            assert (await one.ask(**{"x-pointsman-tier": "cheap"}))[0] == "small"
            code, _ = one.doctor()
            found = one.finding("guarantee")
            assert (code, found["state"]) == (1, "fault")
            assert "at least" in found["found"] and "--acknowledge auto" in found["advice"]
        # The strong tier is compared with nothing, so nothing but a person ends it; no restart does.
        async with gate(tmp_path, upstream) as two:
            assert two.policy.bound.n == n
            model, reason = await two.ask()
            assert (model, reason.split(":")[0]) == ("large", "guarantee no longer holds")
            following = asyncio.ensure_future(two.watching.follow(every_s=0.02))
            code, done = two.doctor("--acknowledge", "auto")
            assert (code, done["ok"]) == (0, True)
            async with asyncio.timeout(5.0):
                while (await two.ask())[0] != "small":
                    await two.get("/healthz")
            following.cancel()
            assert two.router.shadow is not None
            await two.router.shadow.idle()
            assert two.policy.bound.n == 1
            assert await two.metric("pointsman_guarantee_broken", policy="auto") == 0.0


async def test_another_policy_begins_with_a_clean_slate_and_the_old_one_with_its_alarm(tmp_path: Path) -> None:
    said = script(prefers(STRONG)) | {"small-2027": Reply(text=CHEAP, usage=USAGE)}
    async with Upstream(said) as upstream, gate(tmp_path, upstream) as one:
        await one.compared(ENOUGH)
        assert (await one.ask())[0] == "large"
        begun = assembly.from_config(one.file).settings
        load = loader(one.file, begun, "127.0.0.1", NO_VIRTUAL_KEYS)
        reloader = Reloader(one.app[GATEWAY], load, (one.file,))
        for small, model in (("small-2027", "small"), ("small", "large")):
            one.file.write_text(yaml.safe_dump(settings(upstream.url, tmp_path, small=small)))
            assert isinstance(one.router.ledger, SqlLedger)
            one.router.ledger.flush()
            assert await reloader.reload()
            assert (await one.ask())[0] == model


async def test_with_warn_the_policy_goes_on_and_everything_else_is_told(tmp_path: Path) -> None:
    async with Upstream(script(prefers(STRONG))) as upstream, gate(tmp_path, upstream, on_alarm="warn") as one:
        await one.compared(ENOUGH)
        assert one.policy.alarm is not None
        assert (await one.ask())[0] == "small"
        assert "guarantee" in json.loads((await one.get("/readyz"))[1])["degraded"]
        assert "it goes on deciding" in one.finding("guarantee")["found"]


@pytest.mark.parametrize(
    "judge", [prefers(CHEAP), Reply(text='{"verdict": "tie"}', usage=USAGE)], ids=["better", "tie"]
)
async def test_answers_that_are_as_good_raise_no_alarm(tmp_path: Path, judge: Any) -> None:
    async with Upstream(script(judge)) as upstream, gate(tmp_path, upstream) as one:
        await one.compared(ENOUGH)
        assert (await one.ask())[0] == "small"
        found = one.finding("guarantee")
        assert found["state"] == "ok"
        assert found["found"].endswith("comparisons; 5.0% is allowed, and a breach is not shown")
        assert await one.metric("pointsman_guarantee_broken", policy="auto") == 0.0


async def test_a_policy_without_a_limit_promises_nothing_that_could_break(tmp_path: Path) -> None:
    async with Upstream(script(prefers(STRONG))) as upstream, gate(tmp_path, upstream, max_quality_loss=None) as one:
        await one.compared(ENOUGH)
        assert (await one.ask())[0] == "small"
        assert one.finding("guarantee")["found"].endswith("it promises nothing")


async def test_acknowledging_what_is_not_watched_is_told(tmp_path: Path) -> None:
    async with Upstream(script(prefers(STRONG))) as upstream, gate(tmp_path, upstream) as one:
        with pytest.raises(BadRequest, match="no policy 'best' is watched; watched are: auto"):
            one.doctor("--acknowledge", "best")
