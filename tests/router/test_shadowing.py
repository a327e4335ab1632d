"""Shadows of a configured router: the draw, the day's money over a restart, a new plan, and what is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman import assembly
from pointsman.comparing import Drawn, Served
from pointsman.errors import ConfigError
from pointsman.record.ledger import SqlLedger
from pointsman.record.savings import SavingsBy
from pointsman.record.sqlite import SqliteFile
from pointsman.record.upkeep import prune
from pointsman.router import Router
from pointsman.shadowing import Shadowing, draw
from pointsman.testing import MemoryLedger, Reply, Upstream
from pointsman.vocabulary import Answer, ShadowLabel, ShadowStatus, Usage
from pointsman.wire import build_request

USAGE = Usage(1_000, 500)
CALL_USD = 0.002
"""At 1 and 2 USD per million tokens, small and judge."""
STRONG_USD = 0.020


def settings(url: str = "http://127.0.0.1:9", **shadow: Any) -> dict[str, Any]:
    def model(name: str, usd: float) -> dict[str, Any]:
        price = {"input_usd_per_mtok": usd, "output_usd_per_mtok": 2 * usd}
        return {
            "name": name,
            "provider": "openai-compatible",
            "model": name,
            "base_url": f"{url}/v1",
            "price": price,
            "context_window_tokens": 8_000,
        }

    return {
        "models": [model("small", 1.0), model("large", 10.0), model("referee", 1.0)],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "fixed", "tier": "cheap"}},
        "shadow": {"share": 1.0, "judge": "referee", **shadow},
    }


SCRIPT = {
    "small": Reply(text="Lyon", usage=USAGE),
    "large": Reply(text="Paris", usage=USAGE),
    "referee": Reply(text='{"verdict": "tie"}', usage=USAGE),
}


def open_router(config: Mapping[str, Any], ledger: Path) -> Router:
    return Router.from_config(config, ledger_url=f"sqlite:///{ledger}")


def shadow_of(router: Router) -> Shadowing:
    assert router.shadow is not None
    return router.shadow


async def settled(router: Router) -> None:
    """Returns when every drawn answer has come to something."""
    async with asyncio.timeout(10.0):
        await shadow_of(router).idle()


def test_the_draw_belongs_to_the_id_and_is_even() -> None:
    draws = [draw(f"req_{n:032x}") for n in range(20_000)]
    assert draws == [draw(f"req_{n:032x}") for n in range(20_000)]
    # Four standard deviations of a share of 20,000.
    for share in (0.02, 0.3, 0.9):
        assert sum(each < share for each in draws) / 20_000 == pytest.approx(share, abs=4 * 0.5 / 20_000**0.5)
    assert draw("req_1") == pytest.approx(0.9126, abs=5e-5)


async def test_what_today_has_cost_is_known_after_a_restart(tmp_path: Path) -> None:
    async with Upstream(SCRIPT) as upstream:
        async with open_router(settings(upstream.url, max_usd_per_day=10.0), tmp_path / "ledger.db") as router:
            await router.complete(prompt="What is the capital of France?")
            await settled(router)
        async with open_router(settings(upstream.url, max_usd_per_day=0.03), tmp_path / "ledger.db") as again:
            assert shadow_of(again).spent_today_usd == pytest.approx(STRONG_USD + 2 * CALL_USD)
            await again.complete(prompt="What is the capital of France?")
            await settled(again)
            assert shadow_of(again).counts["over_budget"] == 1


async def test_savings_are_net_of_shadows_and_the_record_tells_of_them(tmp_path: Path) -> None:
    async with (
        Upstream(SCRIPT) as upstream,
        open_router(settings(upstream.url, max_usd_per_day=10.0), tmp_path / "ledger.db") as router,
    ):
        done = await router.complete(prompt="What is the capital of France?")
        await settled(router)
        ledger = router.ledger
        assert isinstance(ledger, SqlLedger)
        ledger.flush()
        total = ledger.reader.savings(by=SavingsBy.TIER).real.groups[0]
        shown = await router.decision_record(done.request_id)
        exported = [entry for block in ledger.reader.export() for entry in block]
    assert total.name == "cheap"
    assert total.shadow_usd == pytest.approx(STRONG_USD + 2 * CALL_USD)
    assert total.spent_usd == pytest.approx(CALL_USD + STRONG_USD + 2 * CALL_USD)
    assert total.baseline_usd == pytest.approx(STRONG_USD)
    # The shadow ate up what the cheap answer had saved, and a little more.
    assert total.saved_usd == pytest.approx(STRONG_USD - CALL_USD - STRONG_USD - 2 * CALL_USD)
    assert shown is not None
    for record in (shown, exported[0]):
        assert record["shadow"]["score"] == 0.5
        assert (record["shadow"]["strong_model"], record["shadow"]["judge"]) == ("large", "referee")
        assert record["shadow"]["orders_agree"] is True
        assert "strong_answer" not in record["shadow"]


async def test_a_reload_goes_on_with_the_same_money_and_another_plan(tmp_path: Path) -> None:
    async with (
        Upstream(SCRIPT) as upstream,
        open_router(settings(upstream.url, max_usd_per_day=10.0), tmp_path / "ledger.db") as router,
    ):
        await router.complete(prompt="What is the capital of France?")
        await settled(router)
        parts = assembly.from_config(settings(upstream.url, share=0.0))
        replaced = router.replaced_by(parts)
        shadow_of(router).configure(assembly.shadow_plan(parts))
        await replaced.complete(prompt="What is the capital of France?")
        assert shadow_of(replaced) is shadow_of(router)
        assert shadow_of(replaced).n_waiting == 0
        assert sum(shadow_of(replaced).counts.values()) == 1
        assert shadow_of(replaced).spent_today_usd > 0


def test_a_policy_has_another_fingerprint_when_its_promise_hangs_on_something_else() -> None:
    def fingerprint(config: dict[str, Any]) -> str:
        return assembly.shadow_plan(assembly.from_config(config)).fingerprints["auto"]

    plain = settings()
    assert fingerprint(plain) == fingerprint(settings(share=0.5))
    other_model, other_price = settings(), settings()
    other_model["models"][0]["model"] = "small-2027"
    other_price["models"][0]["price"]["input_usd_per_mtok"] = 9.0
    policy = settings()
    policy["policies"] = {"auto": {"kind": "fixed", "tier": "strong"}}
    assert len({fingerprint(each) for each in (plain, other_model, policy)}) == 3
    assert fingerprint(plain) == fingerprint(other_price)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("models", 2, "price", None), r"shadow\.judge: referee has no price"),
        (("models", 1, "price", None), "shadow: no model of tier strong has a price"),
    ],
    ids=["judge", "strong"],
)
def test_a_cap_that_cannot_be_kept_is_refused(change: tuple[str, int, str, None], message: str, tmp_path: Path) -> None:
    config = settings()
    del config[change[0]][change[1]][change[2]]
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(config))
    with pytest.raises(ConfigError, match=rf"p\.yaml:\d+: {message}"):
        assembly.from_config(file)
    config["shadow"]["share"] = 0.0
    assembly.from_config(config)


async def test_pruning_takes_the_label_with_its_record(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with (
        Upstream(SCRIPT) as upstream,
        open_router(settings(upstream.url, max_usd_per_day=10.0), path) as router,
    ):
        await router.complete(prompt="What is the capital of France?")
        await settled(router)
        assert isinstance(router.ledger, SqlLedger)
        router.ledger.flush()
        reader = router.ledger.reader
        before = datetime.now(UTC) - timedelta(days=1)
        assert reader.shadow_spending(before) > 0
        assert prune(SqliteFile(path), datetime.now(UTC) + timedelta(seconds=1)) == 1
        assert reader.shadow_spending(before) == 0.0


def test_a_label_adds_its_costs_up() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    label = ShadowLabel(
        "req_1",
        at,
        "auto",
        "",
        "score",
        "small",
        "cheap",
        "large",
        "strong",
        "",
        ShadowStatus.JUDGED,
        0.5,
        True,
        0.1,
        0.25,
        0.5,
    )
    assert label.cost_usd == 0.75
    assert replace(label, judge_cost_usd=0.0).cost_usd == 0.25


async def test_an_answer_that_comes_just_as_the_last_worker_ends_is_compared_too() -> None:
    """It is offered after the worker has looked at the empty queue, and before its task is known to be over."""
    loop, ledger = asyncio.get_running_loop(), MemoryLedger()
    async with Upstream(SCRIPT) as upstream:
        parts = assembly.from_config(settings(upstream.url, concurrency=1))
        transport = assembly.open_transport(parts)
        request = build_request(prompt="What is the capital of France?", max_tokens=100)
        answer = Answer("Lyon", "stop", USAGE, None)
        first = Served(request, "req_1", "auto", "score", "small", "cheap", answer, Drawn("f", 1.0), {})

        def offer_another(label: ShadowLabel) -> None:
            if label.request_id == "req_1":
                loop.call_soon(shadow.offer, replace(first, request_id="req_2"))

        shadow = Shadowing(
            assembly.shadow_plan(parts),
            transport=transport,
            ledger=ledger,
            health=assembly.health(parts),
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
            tell=offer_another,
        )
        shadow.offer(first)
        await ledger.wait_shadows(2, within_s=5.0)
        await shadow.aclose()
        await transport.aclose()
