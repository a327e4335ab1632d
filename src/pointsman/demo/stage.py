"""Sets the demo up: a router on the example or the user's configuration, a gateway on loopback, a client before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from pointsman.assembly import example_yaml, from_config, open_ledger, open_transport
from pointsman.call.sim import SimTransport
from pointsman.gateway import GatewayServer, create_app
from pointsman.router import Router
from pointsman.vocabulary import Dialect, JSONObject, Transport
from pointsman.wire import endpoint_of

from .beside import Way, ways
from .mix import MixItem
from .run import Post, Sent, Summary, run

DIFFICULTY = {"cheap": 0.3, "strong": 0.75}
"""How hard a simulated model finds an item, by the tier the mix calls ideal: the small one (skill 0.55) answers the
first kind well in 95 % of cases and the second in 8 %, the large one (0.95) in 100 % and 92 %."""


async def play(
    items: Sequence[MixItem],
    *,
    config: Path | None,
    live: bool,
    ledger: Path,
    concurrency: int = 16,
    max_usd: float | None = None,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Summary, tuple[Way, ...]]:
    """Sends the items through a gateway that listens on loopback while this runs.

    Simulated items are sent a second time, through a cascade; the second part of the answer compares the two, and is
    empty with `live` models.

    Raises:
        ConfigError, ArtifactError, LedgerError: the router cannot be made.
    """
    import yaml

    parts = from_config(config if live else yaml.safe_load(example_yaml()))
    simulation = _simulation(items)
    transport: Transport = open_transport(parts) if live else SimTransport(**simulation)
    router = Router(**parts.for_router(), transport=transport, ledger=open_ledger(parts, url=f"sqlite:///{ledger}"))
    async with router, GatewayServer(create_app(router)) as server:

        async def sent(model: str) -> Summary:
            return await run(
                items,
                post=_client(server.url),
                record_of=router.decision_record,
                cheap_tier=router.tiers[0].name,
                strong_tier=router.tiers[-1].name,
                concurrency=concurrency,
                max_usd=max_usd,
                model=model,
                advance=advance,
            )

        direct = await sent("auto")
        if live:
            return direct, ()
        return direct, ways(
            direct, await sent("auto:cascade"), router.models, router.models[parts.baseline.name], simulation
        )


@asynccontextmanager
async def _client(address: str) -> AsyncIterator[Post]:
    """Posts to the gateway over HTTP, as any client would."""
    async with aiohttp.ClientSession(address, timeout=aiohttp.ClientTimeout(total=600)) as session:

        async def post(dialect: Dialect, body: JSONObject, headers: Mapping[str, str]) -> Sent:
            async with session.post(
                endpoint_of(dialect), data=orjson.dumps(body), headers={"content-type": "application/json", **headers}
            ) as response:
                return Sent(response.status, response.headers.get("x-pointsman-request-id", ""), await response.read())

        yield post


def _simulation(items: Sequence[MixItem]) -> dict[str, Any]:
    by_content = {_content(item.input): item for item in items}

    def answer_of(body: Mapping[str, Any]) -> str | None:
        item = by_content.get(_content(body))
        return None if item is None else item.ideal_output

    def difficulty_of(body: Mapping[str, Any]) -> float | None:
        item = by_content.get(_content(body))
        return None if item is None else DIFFICULTY[item.ideal_tier]

    return {"answer_of": answer_of, "difficulty_of": difficulty_of}


def _content(body: Mapping[str, Any]) -> bytes:
    """What a body says, whichever model it goes to."""
    kept = {key: value for key, value in body.items() if key not in ("model", "stream", "stream_options")}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
