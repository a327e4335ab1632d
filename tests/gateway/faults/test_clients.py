"""D2, rows 36 to 38, 40, 48, 51 and 52: clients that leave, dawdle or come in crowds; clocks; scoring; odd requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.gateway.conftest import Stand

from pointsman.call.breaker import BreakerPolicy
from pointsman.call.health import Health
from pointsman.decide import ThresholdPolicy
from pointsman.errors import ArtifactError
from pointsman.gateway import GatewayLimits, serve
from pointsman.scoring import GuardedScoring
from pointsman.testing import FakeClock, HoldAnswer, NeverAnswer, Reply, StallAfter, rate_limited
from pointsman.vocabulary import Request, Score, Tier
from pointsman.wire import build_request

from .conftest import BODIES, CHAT, HI, PATIENT, ask, paths, row

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

ONE_SLOT: Any = {"max_concurrency": 1}


async def leave(stand: Stand, path: str, body: dict[str, Any], *, after_events: int) -> float:
    """A client that leaves: at once, or once it has read so many events. Returns how long the upstream took to hear."""
    if after_events:
        async with stand.session.post(stand.url + path, json=body) as response:
            got = b""
            while got.count(b"\n\n") < after_events:
                got += await response.content.readany()
            left_s = time.perf_counter()
            response.close()
    else:
        asking = asyncio.ensure_future(stand.send("POST", path, json=body))
        await stand.upstream.wait_requests()
        left_s = time.perf_counter()
        asking.cancel()
    await stand.upstream.wait_cancelled(within_s=1.0)
    return time.perf_counter() - left_s


WAYS: dict[str, tuple[Reply, bool, int]] = {
    "before the first byte": (Reply(fault=NeverAnswer()), True, 0),
    "in mid-stream": (Reply(text="one two three", fault=StallAfter(4)), True, 3),
    "a plain call": (Reply(fault=NeverAnswer()), False, 0),
}


@row("D2.36")
@paths
@pytest.mark.parametrize(("reply", "stream", "after_events"), WAYS.values(), ids=WAYS)
async def test_a_client_that_leaves_frees_everything_within_a_second(
    open_stand: OpenStand, path: str, reply: Reply, stream: bool, after_events: int
) -> None:
    async with open_stand(reply, timeouts=PATIENT, small=ONE_SLOT | {"timeouts": PATIENT}) as stand:
        body = {"model": "small", "stream": stream, **BODIES[path]}
        assert await leave(stand, path, body, after_events=after_events) < 1.0
        (record,) = await stand.ledger.wait_records(1)
        assert (record.status, [attempt.status for attempt in record.attempts]) == ("cancelled", ["cancelled"])
        assert record.usage is not None and record.usage.estimated and record.usage.input_tokens > 0
        assert record.cost.usd is not None and record.cost.usd > 0
        stand.upstream.play(Reply(text="next"))
        assert (await ask(stand, path)).text == "next", "its slot is free"
        assert stand.router.health.budget.n_live == 0
        assert await stand.metric("pointsman_requests_under_way") == 1, "this very scrape"
        assert await stand.metric("pointsman_attempts_total", model="small", outcome="cancelled") == 1


@row("D2.36")
async def test_a_client_that_leaves_while_we_wait_to_try_again_is_recorded_as_cancelled(open_stand: OpenStand) -> None:
    async with open_stand(rate_limited("2")) as stand:
        asking = asyncio.ensure_future(stand.send("POST", CHAT, json={"model": "small", "messages": HI}))
        while stand.router.health.budget.n_retrying == 0:
            await stand.send("GET", "/healthz")
        asking.cancel()
        (record,) = await stand.ledger.wait_records(1)
        assert (record.status, record.error, len(record.attempts)) == ("cancelled", "client_left", 1)
        assert (stand.router.health.budget.n_live, stand.router.health.budget.n_retrying) == (0, 0)
        assert len(stand.upstream.requests) == 1


async def _connected(stand: Stand) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(stand.url.rsplit(":", 1)[1]), limit=1024)


def _raw(path: str, body: dict[str, Any]) -> bytes:
    sent = orjson.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    return head.encode() + sent


@row("D2.37")
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_client_that_never_reads_is_cut_off_and_others_are_served(open_stand: OpenStand, stream: bool) -> None:
    limits = GatewayLimits(write_within_s=0.3)
    big = Reply(text="w", chunks=["w" * 50_000] * 600) if stream else Reply(text="w" * 20_000_000)
    async with open_stand({"small-2026": big}, limits=limits, timeouts=PATIENT) as stand:
        reader, writer = await _connected(stand)
        writer.write(_raw(CHAT, {"model": "small", "messages": HI, "stream": stream}))
        assert await reader.readuntil(b"\r\n\r\n")
        # From here on asyncio reads no more than twice the limit of its buffer, and the gateway's fill up.
        assert (await ask(stand, CHAT, model="large")).status == 200
        if stream:
            await stand.upstream.wait_cancelled()
            assert len(stand.upstream.sent[0].chunks) < 600
            record = next(one for one in await stand.ledger.wait_records(2) if one.attempts[0].model == "small")
            assert record.status == "cancelled"
        else:
            await asyncio.sleep(0.6)
        n_bytes = 0
        with pytest.raises(ConnectionError):
            while got := await reader.read(2**20):
                n_bytes += len(got)
            raise ConnectionResetError("the end, before the whole")
        assert n_bytes < 20_000_000
        writer.transport.abort()


@row("D2.38")
@pytest.mark.parametrize(
    "begins", [b"", b"POST /v1/chat/completions HTTP/1.1\r\nHost:", "dripping"], ids=["silent", "half a head", "drip"]
)
async def test_a_head_that_does_not_come_closes_the_connection(open_stand: OpenStand, begins: Any) -> None:
    async with open_stand(limits=GatewayLimits(header_within_s=0.3)) as stand:
        reader, writer = await _connected(stand)
        connected_s = time.perf_counter()

        async def drip() -> None:
            writer.write(b"GET / HTTP/1.1\r\nX-Padding: ")
            while True:
                writer.write(b"a")
                await asyncio.sleep(0.02)

        dripping = asyncio.ensure_future(drip()) if begins == "dripping" else None
        if dripping is None:
            writer.write(begins)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert 0.25 < time.perf_counter() - connected_s < 10.0
        if dripping is not None:
            dripping.cancel()
        writer.close()
        assert (await ask(stand, CHAT)).status == 200


@row("D2.38")
async def test_a_second_head_that_does_not_come_closes_the_connection_too(open_stand: OpenStand) -> None:
    async with open_stand(limits=GatewayLimits(header_within_s=0.3)) as stand:
        reader, writer = await _connected(stand)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"}")
        await asyncio.sleep(0.4)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"}"), "idle is not late: the head came at once"
        writer.write(b"GET /healthz HTT")
        assert await reader.read() == b""
        writer.close()


@row("D2.38")
@paths
async def test_a_body_that_stops_coming_is_408_and_one_that_comes_slowly_is_served(
    open_stand: OpenStand, path: str
) -> None:
    async with open_stand(limits=GatewayLimits(body_idle_s=0.4, header_within_s=0.4)) as stand:
        raw = _raw(path, {"model": "small", **BODIES[path]})
        reader, writer = await _connected(stand)
        writer.write(raw[:-10])
        assert b" 408 " in await reader.readline()
        writer.close()
        reader, writer = await _connected(stand)
        writer.write(raw[:-10])
        for byte in raw[-10:]:
            await asyncio.sleep(0.06)
            writer.write(bytes([byte]))
        assert b" 200 " in await reader.readline()
        writer.close()
        assert stand.upstream.n_in_flight == 0


@row("D2.40")
async def test_overload_is_shed_at_once_and_the_accepted_are_served(open_stand: OpenStand) -> None:
    limits = GatewayLimits(max_requests=4, max_queued_requests=4, queue_wait_s=60.0)
    async with open_stand(Reply(text="four", fault=HoldAnswer()), limits=limits, timeouts=PATIENT) as stand:
        asking = [asyncio.ensure_future(ask(stand, CHAT)) for _ in range(12)]
        first = asyncio.as_completed(asking)
        for _ in range(4):
            said = await next(first)
            assert (said.status, said.headers["Retry-After"]) == (503, "1")
            assert said.error is not None and said.error["code"] == "gateway_overloaded"
        await stand.upstream.wait_requests(4)
        assert (await stand.send("GET", "/healthz"))[0] == 200, "probes and metrics pass"
        assert json.loads((await stand.send("GET", "/readyz"))[2])["degraded"] == ["load"]
        assert await stand.metric("pointsman_shed_total", reason="queue_full") == 4
        assert await stand.metric("pointsman_requests_queued") == 4
        stand.upstream.release()
        answers = [(await one).status for one in asking]
        assert (answers.count(200), answers.count(503)) == (8, 4)
        assert (await ask(stand, CHAT)).status == 200, "recovered"


@row("D2.40")
async def test_shedding_takes_less_than_ten_milliseconds(open_stand: OpenStand) -> None:
    limits = GatewayLimits(max_requests=1, max_queued_requests=0)
    async with open_stand(Reply(fault=HoldAnswer()), limits=limits, timeouts=PATIENT) as stand:
        holding = asyncio.ensure_future(ask(stand, CHAT))
        await stand.upstream.wait_requests()
        times_s = []
        for _ in range(50):
            asked_s = time.perf_counter()
            assert (await stand.send("POST", CHAT, json={"model": "small", "messages": HI}))[0] == 503
            times_s.append(time.perf_counter() - asked_s)
        # The quickest of fifty: this machine may be busy with other things, the gateway is not.
        assert min(times_s) < 0.010
        stand.upstream.release()
        assert (await holding).status == 200


@row("D2.48")
@pytest.mark.parametrize("jump_s", [3_600.0, -3_600.0, 86_400.0 * 31], ids=["an hour on", "an hour back", "a month on"])
async def test_a_wall_clock_that_jumps_moves_no_timeout_no_breaker_and_no_duration(
    open_stand: OpenStand, jump_s: float
) -> None:
    clock = FakeClock()
    health = Health(breaker=BreakerPolicy(failures=1, open_s=5.0))
    script = {"small-2026": Reply(status=503), "large-2026": rate_limited("30")}
    async with open_stand(script, clock=clock, health=health) as stand:
        assert (await ask(stand, CHAT)).status == 503
        assert (await ask(stand, CHAT, model="large")).status == 429
        clock.jump_wall(jump_s)
        assert (await ask(stand, CHAT)).headers["Retry-After"] == "5"
        assert (await ask(stand, CHAT, model="large")).headers["Retry-After"] == "30"
        assert len(stand.upstream.requests) == 2
        clock.advance(5.0)
        stand.upstream.play(Reply(text="four"))
        assert (await ask(stand, CHAT)).text == "four"
        for record in await stand.ledger.wait_records(5):
            assert record.total_ms is not None and record.total_ms >= 0
            assert all(attempt.total_ms >= 0 for attempt in record.attempts)
        _, _, metrics = await stand.send("GET", "/metrics")
        sums = [line for line in metrics.decode().splitlines() if "_seconds_sum" in line]
        assert sums and all(float(line.rsplit(" ", 1)[1]) >= 0 for line in sums)


class Faulty:
    """A scorer that raises, or takes its time."""

    router = "faulty"
    dial = ()

    def __init__(self, clock: FakeClock, error: Exception | None = None) -> None:
        self.clock = clock
        self.error = error
        self.n_asked = 0

    def score(self, request: Request) -> Score:
        self.n_asked += 1
        if self.error is not None:
            raise self.error
        self.clock.advance(1.0)
        return Score(p_cheap=0.9, moved=(), router="faulty")

    def score_batch(self, requests: Any) -> list[Score]:
        return [self.score(request) for request in requests]


@row("D2.51")
@pytest.mark.parametrize(
    "error", [ValueError("bad shape"), RuntimeError("no"), OSError("gone"), TypeError("none"), MemoryError()]
)
async def test_scoring_that_raises_takes_the_safe_tier_and_is_left_out_for_a_while(
    open_stand: OpenStand, error: Exception
) -> None:
    clock = FakeClock()
    faulty = Faulty(clock, error)
    policies = {"scored": ThresholdPolicy("scored", threshold=0.5)}
    async with open_stand(Reply(text="four"), policies=policies, clock=clock, scorer=faulty) as stand:
        for _ in range(8):
            said = await ask(stand, CHAT, model="auto:scored")
            assert (said.status, said.model) == (200, "large")
        assert faulty.n_asked == 5
        assert await stand.metric("pointsman_unscored_total", why="failed") == 5
        assert await stand.metric("pointsman_unscored_total", why="skipped") == 3


@row("D2.51")
def test_scoring_that_is_slow_is_used_left_out_after_some_and_tried_again_by_one() -> None:
    clock = FakeClock()
    faulty = Faulty(clock)
    scoring = GuardedScoring(faulty, clock, breaker=BreakerPolicy(failures=2, open_s=5.0))
    request = build_request(prompt="hello")
    assert [scoring.score(request) is None for _ in range(4)] == [False, False, True, True]
    assert (scoring.n_slow, scoring.n_skipped, faulty.n_asked) == (2, 2, 2)
    clock.advance(5.0)
    assert scoring.score(request) is not None and scoring.score(request) is None


@row("D2.51")
@pytest.mark.parametrize("card", [None, "{", '{"format": 99}'], ids=["missing", "no JSON", "another version"])
def test_a_router_artifact_that_cannot_be_used_stops_the_start_before_anything_listens(
    tmp_path: Path, card: str | None
) -> None:
    if card is not None:
        (tmp_path / "art").mkdir()
        (tmp_path / "art" / "card.json").write_text(card)
    config = tmp_path / "pointsman.yaml"
    config.write_text(
        """
models:
  - {name: a, provider: sim}
  - {name: b, provider: sim}
tiers: [{name: cheap, models: [a]}, {name: strong, models: [b]}]
router: {artifact: art}
"""
    )
    with pytest.raises(ArtifactError, match="art"):
        serve(config)


@row("D2.52")
async def test_a_body_that_would_take_seconds_to_parse_is_refused_and_only_it(open_stand: OpenStand) -> None:
    poison = b'{"model":"small","messages":[{"role":"user","content":"hi"}],"x":[' + b"[]," * 2_000_000 + b"[]]}"
    async with open_stand(timeouts=PATIENT) as stand:
        status, _, body = await stand.send("POST", CHAT, data=poison)
        assert status == 400 and b"JSON values" in body
        assert (await ask(stand, CHAT)).status == 200
        assert len(stand.upstream.requests) == 1


@row("D2.52")
@pytest.mark.parametrize("path", ["/v1/route", "/v1/route?dialect=openai-chat"])
async def test_a_body_that_would_take_seconds_to_parse_is_not_decided_either(open_stand: OpenStand, path: str) -> None:
    poison = b'{"model":"auto","messages":[{"role":"user","content":"hi"}],"x":[' + b"[]," * 2_000_000 + b"[]]}"
    large = {"model": "auto", "messages": [{"role": "user", "content": "hi " * 100_000}]}
    async with open_stand(timeouts=PATIENT) as stand:
        status, _, body = await stand.send("POST", path, data=poison)
        assert status == 400 and b"JSON values" in body
        assert (await stand.send("POST", path, json=large))[0] == 200


@row("D2.52")
@pytest.mark.parametrize(
    "content",
    ['{\\"a\\": [1, 2, 3]}, ' * 50_000, "\\\\, " * 200_000, "日本, " * 100_000],
    ids=["JSON in text", "backslashes", "commas"],
)
async def test_a_long_text_full_of_brackets_and_commas_is_one_value(open_stand: OpenStand, content: str) -> None:
    body = '{"model":"small","messages":[{"role":"user","content":"' + content + '"}]}'
    async with open_stand(timeouts=PATIENT) as stand:
        assert (await stand.send("POST", CHAT, data=body.encode()))[0] == 200


@row("D2.52")
async def test_others_are_served_while_a_large_request_is_read(open_stand: OpenStand) -> None:
    messages = [{"role": "user", "content": "hi"}] * 30_000
    async with open_stand(timeouts=PATIENT, tiers=(Tier("cheap", ("small",)),)) as stand:
        poisoned = asyncio.ensure_future(stand.send("POST", CHAT, json={"model": "small", "messages": messages}))
        n_served = 0
        while not poisoned.done():
            assert (await stand.send("GET", "/healthz"))[0] == 200
            n_served += 1
        assert (await poisoned)[0] == 200
        assert n_served >= 5
