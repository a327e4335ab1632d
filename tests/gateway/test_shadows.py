"""Shadows through the real gateway: one answer for the client, one label in the ledger, and no word of it upstream."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from pointsman.call.http import HttpTransport
from pointsman.cascade import Judges
from pointsman.decide import CascadePolicy
from pointsman.limit import MemoryLimits, Window
from pointsman.record import open_reader
from pointsman.router import utc_now
from pointsman.shadowing import Shadowing
from pointsman.testing import CutAfter, FakeClock, FakeJudge, HoldAnswer, Reply, StallAfter, ToolCall, Upstream
from pointsman.testing.exchange import Received
from pointsman.vocabulary import Dialect, KeyTerms, UpstreamAnswer, UpstreamCall, Usage

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

CHEAP, STRONG = "Paris, I think.", "The capital of France is Paris."
ASKED = "What is the capital of France?"
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
DIALECTS = tuple(PATHS)
USAGE = Usage(1_000, 500)
ANSWER_USD = (1_000 * 1.0 + 500 * 2.0) / 1e6
"""What each call costs, at 1 USD per million tokens in and 2 out."""
SHOWN = re.compile(r"<answer_a [^>]*>\n(.*)\n</answer_a.*<answer_b [^>]*>\n(.*)\n</answer_b", re.DOTALL)


def body(dialect: str, **extra: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"model": "auto"} | extra
    if dialect == "responses":
        return {"input": ASKED} | made
    return {"messages": [{"role": "user", "content": ASKED}], "max_tokens": 2_000} | made


def question(received: Received) -> str:
    """What the judge was asked, in whatever dialect."""
    asked: Any = received.json.get("input", received.json.get("messages"))
    return asked if isinstance(asked, str) else str(asked[-1]["content"])


def shown(received: Received) -> tuple[str, str]:
    """The two answers in the order in which the judge saw them."""
    found = SHOWN.search(question(received))
    assert found is not None
    return found[1], found[2]


def verdict(word: str) -> Reply:
    return Reply(text=f'{{"reason": "so it is", "verdict": "{word}"}}', usage=USAGE)


def prefers(text: str) -> Callable[[Received], Reply]:
    """A judge that always finds this text better, wherever it stands."""
    return lambda received: verdict("A" if shown(received)[0] == text else "B")


def script(
    judge: Reply | Callable[[Received], Reply], *, cheap: Reply | None = None, strong: Reply | None = None
) -> dict[str, Any]:
    return {
        "small-2026": Reply(text=CHEAP, usage=USAGE) if cheap is None else cheap,
        "large-2026": Reply(text=STRONG, usage=USAGE) if strong is None else strong,
        "spare-2026": judge,
    }


def calls(upstream: Upstream, model: str) -> list[Received]:
    return [received for received in upstream.requests if received.model == f"{model}-2026"]


def shadow_of(stand: Stand) -> Shadowing:
    assert stand.router.shadow is not None
    return stand.router.shadow


async def ask(
    stand: Stand, dialect: str = "chat", *, headers: Mapping[str, str] | None = None, **extra: Any
) -> tuple[Mapping[str, str], str]:
    status, got, raw = await stand.send("POST", PATHS[dialect], json=body(dialect, **extra), headers=headers)
    assert status == 200, raw
    return got, raw.decode()


async def nothing_compared(stand: Stand) -> bool:
    """True when nothing was drawn: no label, and no call beside those for the client."""
    await shadow_of(stand).aclose()
    return not stand.ledger.shadows and not any(shadow_of(stand).counts.values())


# ---------------------------------------------------------------- what a label says


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_served_cheap_answer_is_compared_blind_and_in_both_orders(
    open_stand: OpenStand, dialect: str, stream: bool
) -> None:
    async with open_stand(script(prefers(STRONG)), shadow={}) as stand:
        extra: dict[str, Any] = {"stream_options": {"include_usage": True}} if dialect == "chat" and stream else {}
        headers, got = await ask(stand, dialect, stream=stream, **extra)
        (label,) = await stand.ledger.wait_shadows()
        (strong,) = calls(stand.upstream, "large")
        judged = calls(stand.upstream, "spare")
        (record,) = stand.ledger.records
    assert headers["x-pointsman-model"] == "small"
    assert "think" in got and "capital of France is" not in got
    assert (label.request_id, label.policy) == (headers["x-pointsman-request-id"], "auto")
    assert (label.model, label.tier, label.strong_model, label.strong_tier) == ("small", "cheap", "large", "strong")
    assert (label.status, label.score, label.orders_agree, label.judge) == ("judged", 0.0, True, "spare")
    # The strong model got the same question, for a whole answer.
    assert strong.json.get("stream", False) is False
    assert "stream_options" not in strong.json
    assert ASKED in strong.body.decode()
    # The judge saw both answers once in each place, and no name of a model.
    assert [shown(received) for received in judged] == [(CHEAP, STRONG), (STRONG, CHEAP)]
    for received in judged:
        assert "small" not in question(received) and "large" not in question(received)
    assert label.strong_cost_usd == pytest.approx(ANSWER_USD)
    assert label.judge_cost_usd == pytest.approx(2 * ANSWER_USD)
    # What the client pays for is its answer.
    assert record.cost.usd == pytest.approx(ANSWER_USD)
    assert [attempt.model for attempt in record.attempts] == ["small"]


@pytest.mark.parametrize(
    ("judge", "score", "agree"),
    [
        (prefers(CHEAP), 1.0, True),
        (prefers(STRONG), 0.0, True),
        (verdict("tie"), 0.5, True),
        (verdict("A"), 0.5, False),
    ],
    ids=["cheap", "strong", "tie", "whatever stands first"],
)
async def test_a_judge_that_contradicts_itself_has_seen_a_tie(
    open_stand: OpenStand, judge: Any, score: float, agree: bool
) -> None:
    async with open_stand(script(judge), shadow={}) as stand:
        await ask(stand)
        (label,) = await stand.ledger.wait_shadows()
    assert (label.score, label.orders_agree) == (score, agree)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tool_calls_are_compared_as_json_and_equal_ones_need_no_judge(
    open_stand: OpenStand, dialect: str, stream: bool
) -> None:
    """The same call with its arguments in another order."""
    named = {"name": "find", "description": "Finds a town."}
    schema = {"type": "object", "properties": {"town": {"type": "string"}}}
    tool = {
        "chat": {"type": "function", "function": named | {"parameters": schema}},
        "responses": {"type": "function"} | named | {"parameters": schema},
        "messages": named | {"input_schema": schema},
    }[dialect]
    cheap = Reply(tool_calls=[ToolCall("find", {"town": "Paris", "n": 1})], usage=USAGE)
    strong = Reply(tool_calls=[ToolCall("find", {"n": 1, "town": "Paris"})], usage=USAGE)
    async with open_stand(script(Reply(status=500), cheap=cheap, strong=strong), shadow={}) as stand:
        await ask(stand, dialect, stream=stream, tools=[tool])
        (label,) = await stand.ledger.wait_shadows()
    assert (label.status, label.score, label.judge, label.judge_cost_usd) == ("judged", 0.5, "", 0.0)


async def test_other_arguments_of_a_tool_call_are_shown_to_the_judge(open_stand: OpenStand) -> None:
    cheap = Reply(tool_calls=[ToolCall("find", {"town": "Lyon"})], usage=USAGE)
    strong = Reply(tool_calls=[ToolCall("find", {"town": "Paris"})], usage=USAGE)
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    async with open_stand(script(verdict("tie"), cheap=cheap, strong=strong), shadow={}) as stand:
        await ask(stand, stream=True, tools=[tool])
        await stand.ledger.wait_shadows()
        first, second = shown(calls(stand.upstream, "spare")[0])
    assert first == '{"arguments":{"town":"Lyon"},"tool_call":"find"}'
    assert second == '{"arguments":{"town":"Paris"},"tool_call":"find"}'


async def test_a_strong_model_of_another_dialect_is_asked_in_its_own(open_stand: OpenStand) -> None:
    speaks = {"large": (Dialect.ANTHROPIC_MESSAGES,)}
    async with open_stand(script(prefers(STRONG)), shadow={}, speak=speaks) as stand:
        await ask(stand, "chat", stream=True)
        (label,) = await stand.ledger.wait_shadows()
        (strong,) = calls(stand.upstream, "large")
    assert strong.path == "/v1/messages"
    assert label.score == 0.0


async def test_the_strong_answer_is_kept_only_with_stored_prompts(open_stand: OpenStand) -> None:
    for stored in (False, True):
        async with open_stand(script(verdict("tie")), shadow={"store_prompts": stored}) as stand:
            await ask(stand)
            (label,) = await stand.ledger.wait_shadows()
        assert label.strong_answer == (STRONG if stored else None)


# ---------------------------------------------------------------- what is drawn


async def test_a_cascades_accepted_answer_is_compared_and_an_escalated_one_is_not(open_stand: OpenStand) -> None:
    for p_good, n in ((0.9, 1), (0.1, 0)):
        cascade = {"auto": CascadePolicy("auto", accept_at=(0.5, None))}
        judges = Judges(FakeJudge(p_good))
        async with open_stand(script(verdict("tie")), shadow={}, policies=cascade, judges=judges) as stand:
            await ask(stand)
            if n:
                await stand.ledger.wait_shadows()
            await shadow_of(stand).aclose()
            assert len(stand.ledger.shadows) == n


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("dialect", "extra", "headers"),
    [
        ("chat", {"model": "small"}, {}),
        ("chat", {"model": "auto:best"}, {}),
        ("chat", {}, {"x-pointsman-tier": "cheap"}),
        ("chat", {}, {"x-pointsman-shadow": "off"}),
        ("chat", {"store": False}, {}),
        ("chat", {"n": 2}, {}),
        ("chat", {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]}]}, {}),
        ("responses", {"tools": [{"type": "web_search"}]}, {}),
        ("messages", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, {}),
        ("responses", {"previous_response_id": "resp_1"}, {}),
        ("chat", {"web_search_options": {}}, {}),
    ],
    ids=[
        "a named model",
        "a strong answer",
        "a pinned tier",
        "the header",
        "store",
        "several answers",
        "an image",
        "hosted tool of OpenAI",
        "hosted tool of Anthropic",
        "state",
        "a search by the provider",
    ],
)
async def test_these_requests_are_never_sent_a_second_time(
    open_stand: OpenStand, dialect: str, extra: dict[str, Any], headers: dict[str, str]
) -> None:
    async with open_stand(script(verdict("tie")), shadow={}) as stand:
        await ask(stand, dialect, headers=headers, **extra)
        assert await nothing_compared(stand)
        assert len(stand.upstream.requests) == 1


async def test_the_header_must_say_on_or_off(open_stand: OpenStand) -> None:
    async with open_stand(script(verdict("tie")), shadow={}) as stand:
        status, _, raw = await stand.send("POST", PATHS["chat"], json=body("chat"), headers={"x-pointsman-shadow": "0"})
        assert status == 400 and b"x-pointsman-shadow must be on or off" in raw
        await ask(stand, headers={"x-pointsman-shadow": "on"})
        await stand.ledger.wait_shadows()


async def test_an_answer_that_did_not_reach_its_client_whole_is_not_compared(open_stand: OpenStand) -> None:
    cut = Reply(text=CHEAP, fault=CutAfter(2))
    async with open_stand(script(verdict("tie"), cheap=cut), shadow={}) as stand:
        await stand.send("POST", PATHS["chat"], json=body("chat", stream=True))
        assert await nothing_compared(stand)


# ---------------------------------------------------------------- money


async def test_the_callers_budget_does_not_pay_and_the_days_cap_is_never_passed(open_stand: OpenStand) -> None:
    limits = MemoryLimits(lambda _: KeyTerms(usd_per_day=1.0), budget=KeyTerms(), clock=time.monotonic, now=utc_now)
    async with open_stand(script(prefers(STRONG)), key_limits=limits, shadow={"max_usd_per_day": 0.05}) as stand:
        for n in range(1, 3):
            await ask(stand)
            await stand.ledger.wait_shadows(n)
        assert limits.spent_usd(None, Window.DAY) == pytest.approx(2 * ANSWER_USD)
        spent = shadow_of(stand).spent_today_usd
        assert spent == pytest.approx(2 * 3 * ANSWER_USD)
        while not shadow_of(stand).counts["over_budget"]:
            await ask(stand)
            await shadow_of(stand).idle()
        assert shadow_of(stand).spent_today_usd <= 0.05
        assert await stand.metric("pointsman_shadows_total", outcome="over_budget") == 1.0
        assert await stand.metric("pointsman_shadow_cost_usd_total") == pytest.approx(
            sum(label.cost_usd for label in stand.ledger.shadows)
        )


async def test_a_new_day_has_new_money(open_stand: OpenStand) -> None:
    clock = FakeClock()
    async with open_stand(script(verdict("tie")), shadow={"max_usd_per_day": 0.03}, clock=clock) as stand:
        shadow = shadow_of(stand)
        await ask(stand)
        await stand.ledger.wait_shadows()
        while not shadow.counts["over_budget"]:
            await ask(stand)
            await shadow.idle()
        n = len(stand.ledger.shadows)
        clock.advance(24 * 3600.0)
        assert shadow.spent_today_usd == 0.0
        await ask(stand)
        await stand.ledger.wait_shadows(n + 1)


@pytest.mark.parametrize(
    ("judge", "strong", "status", "error", "n_calls"),
    [
        (verdict("tie"), Reply(status=500), "strong_failed", "status 500", 0),
        (verdict("tie"), Reply(body=b"<html>", content_type="text/html"), "strong_failed", "unreadable", 0),
        (Reply(status=500), None, "judge_failed", "status 500", 1),
        (Reply(text="I cannot say.", usage=USAGE), None, "judge_failed", "the judge's verdict cannot be read", 2),
    ],
    ids=["strong error", "strong rubbish", "judge error", "judge rubbish"],
)
async def test_what_fails_in_the_background_is_a_label_without_a_score(
    open_stand: OpenStand, judge: Reply, strong: Reply | None, status: str, error: str, n_calls: int
) -> None:
    async with open_stand(script(judge, strong=strong), shadow={}) as stand:
        await ask(stand)
        (label,) = await stand.ledger.wait_shadows()
        assert len(calls(stand.upstream, "spare")) == n_calls
    assert (label.status, label.score, label.error) == (status, None, error)
    # An error costs nothing; what cannot be read may be billed to the last token.
    assert (label.strong_cost_usd > 0) == (error != "status 500" or status == "judge_failed")


# ---------------------------------------------------------------- never in the way


async def test_a_strong_call_that_hangs_delays_no_client_and_no_stop(open_stand: OpenStand) -> None:
    async with open_stand(script(verdict("tie"), strong=Reply(fault=HoldAnswer())), shadow={"concurrency": 1}) as stand:
        for _ in range(3):
            await ask(stand)
        async with asyncio.timeout(3.0):
            await stand.upstream.wait_requests(4)
            await stand.server.drain(grace_s=30.0)
            await stand.upstream.wait_cancelled()
        (label,) = stand.ledger.shadows
        assert shadow_of(stand).counts["stopped"] == 3
    # It was cut off and may be billed: the day's cap counts it at the most.
    assert (label.status, label.error) == ("strong_failed", "stopped")
    assert label.strong_cost_usd > ANSWER_USD


class Faulty:
    """A transport with a fault of its own in calls of one model."""

    def __init__(self) -> None:
        self.n_faults = 0
        self._inner = HttpTransport(ssl_context=ssl.create_default_context())

    async def send(self, call: UpstreamCall) -> UpstreamAnswer:
        if call.model.name == "large":
            self.n_faults += 1
            raise RuntimeError("this was not foreseen")
        return await self._inner.send(call)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_a_fault_of_our_own_ends_one_comparison_and_not_the_next(open_stand: OpenStand) -> None:
    transport = Faulty()
    plan = {"concurrency": 1}
    async with open_stand(script(verdict("tie")), shadow=plan, transport=transport) as stand:
        for n in range(1, 3):
            await ask(stand)
            await stand.ledger.wait_shadows(n)
        assert (transport.n_faults, shadow_of(stand).counts["failed"]) == (2, 2)
        # What was set aside counts as spent, in the ledger too: the call may have been made.
        assert [label.error for label in stand.ledger.shadows] == ["failed"] * 2
        assert shadow_of(stand).spent_today_usd == pytest.approx(sum(label.cost_usd for label in stand.ledger.shadows))


async def test_the_queue_is_bounded_and_what_finds_no_room_is_counted(open_stand: OpenStand) -> None:
    held = Reply(text=STRONG, fault=HoldAnswer())
    plan = {"concurrency": 1, "max_queued": 2}
    async with open_stand(script(verdict("tie"), strong=held), shadow=plan) as stand:
        await ask(stand)
        await stand.upstream.wait_requests(2)
        for _ in range(4):
            await ask(stand)
        assert (shadow_of(stand).n_waiting, shadow_of(stand).counts["queue_full"]) == (2, 2)
        assert await stand.metric("pointsman_shadows_queued") == 2.0
        stand.upstream.release()
        await stand.ledger.wait_shadows(3)


async def test_a_strong_tier_in_trouble_is_left_alone(open_stand: OpenStand) -> None:
    async with open_stand(script(verdict("tie"), strong=Reply(status=500)), shadow={}) as stand:
        for _ in range(4):
            await stand.send("POST", PATHS["chat"], json=body("chat", model="large"))
        n = len(calls(stand.upstream, "large"))
        # Of the strong tier, the next model that is well stands in.
        await ask(stand)
        (label,) = await stand.ledger.wait_shadows()
        assert (label.strong_model, len(calls(stand.upstream, "large"))) == ("spare", n)


async def test_a_client_that_leaves_has_nothing_compared(open_stand: OpenStand) -> None:
    stalled = Reply(text=CHEAP, fault=StallAfter(2))
    async with open_stand(script(verdict("tie"), cheap=stalled), shadow={}) as stand:
        async with stand.session.post(stand.url + PATHS["chat"], json=body("chat", stream=True)) as response:
            await response.content.readany()
        await stand.ledger.wait_records()
        assert await nothing_compared(stand)


# ---------------------------------------------------------------- the whole process

CONFIG = """
models:
  - {{name: small, provider: openai-compatible, model: small-2026, base_url: "{url}/v1", api_key: k,
     price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
  - {{name: large, provider: openai-compatible, model: large-2026, base_url: "{url}/v1", api_key: k,
     price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
tiers: [{{name: cheap, models: [small]}}, {{name: strong, models: [large]}}]
policies: {{auto: {{kind: fixed, tier: cheap}}}}
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
shadow: {{share: 1.0, max_usd_per_day: 10}}
"""


@pytest.mark.slow
async def test_a_process_with_a_shadow_under_way_stops_at_once_and_has_it_on_record(tmp_path: Path) -> None:
    """The strong model never answers; stopping does not wait for it, though answers would have 30 s."""
    config = tmp_path / "pointsman.yaml"
    async with Upstream(script(verdict("tie"), strong=Reply(fault=HoldAnswer()))) as upstream:
        config.write_text(CONFIG.format(url=upstream.url, folder=tmp_path))
        arguments = ("-m", "pointsman", "serve", "--config", str(config), "--port", "0")
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        try:
            async with asyncio.timeout(30.0):
                started = json.loads(await process.stderr.readline())
                async with (
                    aiohttp.ClientSession() as session,
                    session.post(started["url"] + PATHS["chat"], json=body("chat")) as response,
                ):
                    assert response.status == 200
                await upstream.wait_requests(2, within_s=20.0)
                process.terminate()
            async with asyncio.timeout(10.0):
                rest = (await process.stderr.read()).decode()
                assert await process.wait() == 0, rest
                await upstream.wait_cancelled()
        finally:
            if process.returncode is None:
                process.kill()
    reader = open_reader(f"sqlite:///{tmp_path / 'ledger.db'}")
    (exported,) = [entry for block in reader.export() for entry in block]
    reader.close()
    assert exported["status"] == "ok"
    assert (exported["shadow"]["status"], exported["shadow"]["error"]) == ("strong_failed", "stopped")
    assert exported["shadow"]["strong_cost_usd"] > 0
