"""A gateway with its dashboard, in a thread of its own, over a real ledger; browsers and sockets may visit it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman import assembly
from pointsman.dashboard import pages
from pointsman.gateway import GatewayServer, create_app
from pointsman.gateway.server import configured_keys
from pointsman.gateway.state import GatewayLimits
from pointsman.gateway.virtual_keys import VirtualKeys
from pointsman.record import SqlLedger
from pointsman.router import Router
from pointsman.vocabulary import Record

ADMIN_KEY = "admin-key-of-these-tests"
PRICES = {
    "small": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 5.0},
    "large": {"input_usd_per_mtok": 5.0, "output_usd_per_mtok": 25.0},
}


@dataclass
class Stand:
    """A running gateway."""

    url: str
    ledger: SqlLedger
    folder: Path

    @property
    def dashboard(self) -> str:
        """Where the pages are."""
        return f"{self.url}/dashboard"


def config(folder: Path, **changes: Any) -> dict[str, Any]:
    """A configuration of two simulated models, with an admin key and a trained router."""
    return {
        "models": [{"name": name, "provider": "sim", "price": price} for name, price in PRICES.items()],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "threshold", "max_quality_loss": 0.02}},
        "keys": {"admin_key": ADMIN_KEY, "clients": [{"name": "ci", "key": "client-key-of-ci"}]},
        "budgets": {"usd_per_day": 20, "usd_per_month": 300},
        "ledger": {"url": f"sqlite:///{folder}/ledger.db", "store_prompts": True},
    } | changes


@contextmanager
def running(
    folder: Path, *, records: Iterable[Record] = (), settings: Mapping[str, Any] | None = None
) -> Iterator[Stand]:
    """The gateway, with these records in its ledger."""
    started: threading.Event = threading.Event()
    box: dict[str, Any] = {}

    async def serve() -> None:
        parts = assembly.from_config(config(folder) if settings is None else settings, environ={})
        ledger = assembly.open_ledger(parts)
        for record in records:
            ledger.write(record)
        ledger.flush()
        store = assembly.open_keys(parts)
        virtual = VirtualKeys(store)
        virtual.load()
        keys = configured_keys(parts.settings, virtual)
        router = Router(
            **parts.for_router(),
            transport=assembly.open_transport(parts),
            health=assembly.health(parts),
            ledger=ledger,
            limits=assembly.open_limits(parts, ledger, virtual=virtual.terms),
        )
        stop = asyncio.Event()
        box.update({"loop": asyncio.get_running_loop(), "stop": stop, "ledger": ledger})
        async with router:
            app = create_app(
                router, keys=keys, limits=GatewayLimits.of(parts.settings.limits), pages=pages(parts, ledger, store)
            )
            async with GatewayServer(app) as server:
                box["url"] = server.url
                started.set()
                await stop.wait()
        store.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            box["error"] = error
            started.set()

    thread = threading.Thread(target=run, name="dashboard-under-test")
    thread.start()
    started.wait()
    if "error" in box:
        raise box["error"]
    try:
        yield Stand(box["url"], box["ledger"], folder)
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join()
        if "error" in box:
            raise box["error"]
