"""A gateway over real sockets: the real router, and an upstream that answers scripts."""

from __future__ import annotations

import gc
import io
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import anthropic
import openai
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pointsman.call.health import Health
from pointsman.call.http import HttpTransport
from pointsman.cascade import Judges
from pointsman.classify import ClassifierSettings
from pointsman.decide import FixedPolicy, Policy
from pointsman.gateway import GatewayLimits, GatewayServer, Keys, create_app
from pointsman.gateway.state import GATEWAY, Gateway
from pointsman.router import Router, utc_now
from pointsman.shadowing import Shadowing, ShadowPlan
from pointsman.sharing import Sharing
from pointsman.testing import FakeClock, MemoryLedger, Upstream
from pointsman.testing.script import Script
from pointsman.vocabulary import Dialect, Limits, Scorer, Tier, Timeouts, Traces, Transport

TRUST = ssl.create_default_context()
"""Made once: reading the system's certificates takes longer than most tests."""
TIMEOUTS = Timeouts(connect_s=5.0, first_byte_s=5.0, idle_s=5.0, total_s=20.0)


@pytest.fixture(scope="session", autouse=True)
def _frozen_imports() -> None:
    """Leaves what the SDKs have imported out of garbage collection: going through it takes a few tenths of a second,
    as long as some of the timeouts that are tested here."""
    gc.collect()
    gc.freeze()


@dataclass
class Stand:
    """Everything a test looks at."""

    url: str
    upstream: Upstream
    ledger: MemoryLedger
    router: Router
    server: GatewayServer
    gateway: Gateway
    session: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    async def metric(self, name: str, **labels: str) -> float:
        """The value of one metric; 0 when it was never counted."""
        _, _, text = await self.send("GET", "/metrics")
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return 0.0

    def openai(self, *, api_key: str = "client-key", max_retries: int = 0) -> openai.AsyncOpenAI:
        """The official client; it does not try again unless told."""
        return openai.AsyncOpenAI(api_key=api_key, base_url=self.url + "/v1", max_retries=max_retries)

    def anthropic(self, *, api_key: str = "client-key", max_retries: int = 0) -> anthropic.AsyncAnthropic:
        """The official client; it does not try again unless told."""
        return anthropic.AsyncAnthropic(api_key=api_key, base_url=self.url, max_retries=max_retries)

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any, bytes]:
        """Status, headers and body of one request. Raw `data` goes as JSON unless the headers say otherwise."""
        given = dict(self.headers) | ({} if headers is None else dict(headers))
        if data is not None and not any(name.lower() == "content-type" for name in given):
            given["Content-Type"] = "application/json"
        if json is not None:
            data = orjson.dumps(json)
            given.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method,
            self.url + path,
            data=None if data is None else io.BytesIO(data),
            headers=given,
            allow_redirects=False,
        ) as response:
            return response.status, response.headers, await response.read()


OpenStand = Callable[..., AbstractAsyncContextManager[Stand]]


@pytest.fixture
def open_stand() -> OpenStand:
    """Opens a gateway with two tiers, "cheap" (small) and "strong" (large, spare); `auto` uses the cheap one."""

    @asynccontextmanager
    async def opened(
        script: Script | None = None,
        *,
        keys: Keys | None = None,
        limits: GatewayLimits | None = None,
        key_limits: Limits | None = None,
        sharing: Sharing | None = None,
        traces: Traces | None = None,
        timeouts: Timeouts = TIMEOUTS,
        tiers: tuple[Tier, ...] = (Tier("cheap", ("small",)), Tier("strong", ("large", "spare"))),
        policies: Mapping[str, Policy] | None = None,
        classifiers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        health: Health | None = None,
        ssl_context: ssl.SSLContext | None = None,
        clock: FakeClock | None = None,
        urls: Mapping[str, str] | None = None,
        judges: Judges | None = None,
        scorer: Scorer | None = None,
        speak: Mapping[str, tuple[Dialect, ...]] | None = None,
        shadow: Mapping[str, Any] | None = None,
        **of_models: Mapping[str, Any],
    ) -> AsyncIterator[Stand]:
        spoken = {} if speak is None else speak
        async with Upstream(script, ssl_context=ssl_context) as upstream:
            models = {
                name: upstream.model(
                    name,
                    url=None if urls is None else urls.get(name),
                    dialects=spoken.get(name, tuple(Dialect)),
                    **({"timeouts": timeouts} | dict(of_models.get(name, {}))),
                )
                for name in ("small", "large", "spare")
            }
            ledger = MemoryLedger()
            times: dict[str, Any] = {} if clock is None else {"clock": clock, "now": clock.now, "sleep": clock.sleep}
            sends = HttpTransport(ssl_context=TRUST) if transport is None else transport
            known_health = Health() if health is None else health
            plan: dict[str, Any] = {"share": 1.0, "max_usd_per_day": 1.0, "judge": models["spare"]}
            shadowing = (
                None
                if shadow is None
                else Shadowing(
                    ShadowPlan(tiers=tiers, models=models, **(plan | dict(shadow))),
                    transport=sends,
                    ledger=ledger,
                    health=known_health,
                    clock=time.monotonic if clock is None else clock,
                    now=utc_now if clock is None else clock.now,
                )
            )
            router = Router(
                tiers=tiers,
                models=models,
                policies={"auto": FixedPolicy("auto", "cheap"), "best": FixedPolicy("best", "strong")}
                | ({} if policies is None else dict(policies)),
                default_policy="auto",
                baseline=models["large"],
                classifiers={
                    policy: ClassifierSettings(models[name])
                    for policy, name in ({} if classifiers is None else classifiers).items()
                },
                transport=sends,
                health=known_health,
                shadow=shadowing,
                scorer=scorer,
                ledger=ledger,
                limits=key_limits,
                sharing=sharing,
                traces=traces,
                judges=judges,
                **times,
            )
            async with router, aiohttp.ClientSession() as session:
                app = create_app(router, keys=keys, limits=limits, clock=time.perf_counter if clock is None else clock)
                server = GatewayServer(app)
                await server.start()
                try:
                    yield Stand(server.url, upstream, ledger, router, server, app[GATEWAY], session)
                finally:
                    upstream.release()
                    await session.close()
                    await server.drain(grace_s=1.0)

    return opened


@pytest.fixture
async def stand(open_stand: OpenStand) -> AsyncIterator[Stand]:
    """An open gateway without keys."""
    async with open_stand() as opened:
        yield opened
