"""D1, rows 1 to 8: an upstream that answers with an error status."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from pointsman.testing import FakeClock, Reply, empty_error, html_error, overloaded, rate_limited
from pointsman.vocabulary import Capabilities, Tier

from .conftest import CHAT, MESSAGES, ask, forgiving, paths, row, streamed

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

TIERS = (Tier("cheap", ("small", "spare")), Tier("strong", ("large",)))


@row("D1.1")
@paths
@streamed
async def test_429_alone_waits_as_long_as_it_was_asked_and_tries_again(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    clock = FakeClock()
    async with open_stand([rate_limited("1"), Reply(text="four")], clock=clock) as stand:
        began_s = clock()
        said = await ask(stand, path, stream=stream)
        assert (said.status, said.text, said.ended) == (200, "four", True)
        assert 1.0 <= clock() - began_s < 2.0
        assert [attempt.status for attempt in stand.ledger.records[0].attempts] == ["error", "ok"]


@row("D1.1")
@paths
@streamed
async def test_429_with_a_fallback_falls_back_at_once_and_leaves_the_model_alone(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    clock = FakeClock()
    script = {"small-2026": [rate_limited("10"), Reply(text="small")], "spare-2026": Reply(text="spare")}
    async with open_stand(script, clock=clock, tiers=TIERS) as stand:
        began_s = clock()
        assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"
        assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"
        assert clock() == began_s, "nobody waited"
        assert await stand.metric("pointsman_breaker_state", model="small", state="resting") == 1
        assert [received.model for received in stand.upstream.requests] == ["small-2026", "spare-2026", "spare-2026"]
        clock.advance(10.0)
        assert await stand.metric("pointsman_breaker_state", model="small", state="closed") == 1
        assert (await ask(stand, path, stream=stream, model="auto")).text == "small"


@row("D1.1")
@paths
async def test_429_that_is_given_up_keeps_its_retry_after_and_is_not_asked_again_meanwhile(
    open_stand: OpenStand, path: str
) -> None:
    clock = FakeClock()
    async with open_stand(rate_limited("7"), clock=clock) as stand:
        said = await ask(stand, path)
        assert (said.status, said.headers["Retry-After"], "x-should-retry" in said.headers) == (429, "7", False)
        clock.advance(2.0)
        again = await ask(stand, path)
        assert (again.status, again.headers["Retry-After"]) == (429, "5")
        assert len(stand.upstream.requests) == 1
        assert await stand.metric("pointsman_attempts_total", model="small", outcome="rate_limited") == 1


@row("D1.2")
@pytest.mark.parametrize(
    ("headers", "told", "final"),
    [
        ({"Retry-After": "DATE+30"}, "30", False),
        ({"Retry-After": "DATE-30"}, None, False),
        ({"retry-after-ms": "3500"}, "4", False),
        ({"Retry-After": "soon"}, None, True),
        ({"Retry-After": ""}, None, True),
        ({"Retry-After": "-5"}, None, True),
        ({"Retry-After": "nan"}, None, True),
        ({"Retry-After": "1e400"}, None, True),
        ({"Retry-After": "3600"}, "3600", True),
        ({"Retry-After": "99999999999"}, "3600", True),
        ({"Retry-After": "30", "retry-after-ms": "junk"}, "30", False),
        ({}, None, True),
    ],
)
async def test_every_spelling_of_retry_after_is_read_or_ignored_and_never_waited_for_beyond_the_cap(
    open_stand: OpenStand, headers: dict[str, str], told: str | None, final: bool
) -> None:
    clock = FakeClock()
    dated = {
        name: value
        if not value.startswith("DATE")
        else format_datetime(clock.now() + timedelta(seconds=int(value.removeprefix("DATE"))), usegmt=True)
        for name, value in headers.items()
    }
    async with open_stand(Reply(status=429, headers=dated), clock=clock) as stand:
        began_s = clock()
        said = await ask(stand, CHAT)
        assert said.status == 429
        assert clock() - began_s <= 2.0
        if told is not None:
            assert said.headers["Retry-After"] == told
        assert ("x-should-retry" in said.headers) == final, "SDKs wait a minute at most, else they come back at once"


@row("D1.3")
@paths
async def test_an_empty_account_is_not_asked_again_falls_back_and_alerts(open_stand: OpenStand, path: str) -> None:
    script = {"small-2026": rate_limited(None, code="insufficient_quota"), "spare-2026": Reply(text="spare")}
    if path == MESSAGES:
        said_by_anthropic = "Your credit balance is too low to access the Anthropic API."
        script["small-2026"] = Reply(status=400, error_message=said_by_anthropic)
    async with open_stand(script, tiers=TIERS) as stand:
        assert (await ask(stand, path, model="auto")).text == "spare"
        assert [received.model for received in stand.upstream.requests] == ["small-2026", "spare-2026"]
        assert await stand.metric("pointsman_alerts_total", model="small", kind="out_of_quota") == 1
        assert await stand.metric("pointsman_breaker_state", model="small", state="resting") == 1


@row("D1.3")
async def test_an_empty_account_without_a_fallback_is_429_and_final(open_stand: OpenStand) -> None:
    async with open_stand(rate_limited(None, code="insufficient_quota")) as stand:
        said = await ask(stand, CHAT)
        assert (said.status, said.headers["x-should-retry"], len(stand.upstream.requests)) == (429, "false", 1)


SERVER_ERRORS = [
    *(Reply(status=status) for status in (500, 502, 503, 504)),
    *(html_error(status) for status in (500, 502, 503, 504)),
    *(empty_error(status) for status in (500, 502, 503, 504)),
]


@row("D1.4")
@paths
@streamed
async def test_a_server_error_is_tried_again_or_falls_back(open_stand: OpenStand, path: str, stream: bool) -> None:
    async with open_stand(clock=FakeClock(), tiers=TIERS, health=forgiving()) as stand:
        for reply in SERVER_ERRORS:
            stand.upstream.play([reply, Reply(text="four")])
            assert (await ask(stand, path, stream=stream)).text == "four", "the model alone"
            stand.upstream.play({"small-2026": reply, "spare-2026": Reply(text="spare")})
            assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"


@row("D1.4")
@paths
@streamed
async def test_a_server_error_that_stays_is_told_in_the_callers_form_and_html_is_not_passed_on(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    async with open_stand(clock=FakeClock(), health=forgiving()) as stand:
        for n, reply in enumerate(SERVER_ERRORS, 1):
            stand.upstream.play(reply)
            said = await ask(stand, path, stream=stream)
            assert said.status == {500: 502}.get(reply.status, reply.status)
            assert said.headers["x-should-retry"] == "false"
            assert b"<html" not in said.body
            assert len(stand.upstream.requests) == 2 * n
            record = (await stand.ledger.wait_records(n))[-1]
            assert (record.status, len(record.attempts)) == ("error", 2)


@row("D1.5")
@paths
@streamed
async def test_529_falls_back_and_is_told_to_anthropic_callers_only(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    async with open_stand(overloaded(), clock=FakeClock(), tiers=TIERS) as stand:
        said = await ask(stand, path, stream=stream)
        assert said.error is not None
        if path == MESSAGES:
            assert (said.status, said.error["type"]) == (529, "overloaded_error")
        else:
            assert (said.status, said.error["type"]) == (503, "server_error")
        stand.upstream.play({"small-2026": overloaded(), "spare-2026": Reply(text="spare")})
        assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"


@row("D1.6")
@paths
@streamed
async def test_a_fault_of_the_callers_is_told_as_the_upstream_said_it(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    async with open_stand(tiers=TIERS) as stand:
        for n, status in enumerate((400, 413, 422), 1):
            stand.upstream.play(Reply(status=status, error_message="Invalid schema", error_code="invalid_value"))
            said = await ask(stand, path, stream=stream, model="auto")
            assert said.error is not None
            assert (said.status, said.error["message"]) == (status, "Invalid schema")
            assert said.headers["x-should-retry"] == "false"
            assert len(stand.upstream.requests) == n, "neither tried again nor elsewhere"


@row("D1.6")
@paths
@streamed
async def test_a_request_that_is_too_long_goes_to_a_model_with_more_room(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    message = "prompt is too long: 210000 tokens > 200000 maximum"
    too_long = Reply(status=400, error_message=message, error_code="context_length_exceeded")
    windows: dict[str, Any] = {
        name: {"capabilities": Capabilities(context_window_tokens=window)}
        for name, window in (("small", 8_000), ("spare", 8_000), ("large", 1_000_000))
    }
    async with open_stand({"small-2026": too_long, "large-2026": Reply(text="l")}, tiers=TIERS, **windows) as stand:
        assert (await ask(stand, path, stream=stream, model="auto")).text == "l"
        assert [received.model for received in stand.upstream.requests] == ["small-2026", "large-2026"]
        said = await ask(stand, path, stream=stream, model="small")
        assert said.error is not None
        assert (said.status, said.error["message"]) == (400, message), "no model has more room: the caller must see why"


@row("D1.7")
@paths
@streamed
@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_of_ours_that_is_refused_alerts_falls_back_and_is_not_the_callers(
    open_stand: OpenStand, path: str, stream: bool, status: int
) -> None:
    refusal = Reply(status=status, error_message="Incorrect API key provided: sk-upstream-key")
    async with open_stand({"small-2026": refusal, "spare-2026": Reply(text="spare")}, tiers=TIERS) as stand:
        assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"
        said = await ask(stand, path, stream=stream)
        assert said.error is not None
        assert (said.status, said.headers["x-should-retry"]) == (502, "false")
        assert "key" in said.error["message"] and b"sk-" not in said.body
        assert await stand.metric("pointsman_alerts_total", model="small", kind="key_refused") == 2
        for _ in range(3):
            await ask(stand, path, stream=stream)
        assert await stand.metric("pointsman_breaker_state", model="small", state="open") == 1


@row("D1.8")
@paths
@streamed
async def test_a_model_the_upstream_does_not_know_falls_back_or_is_404_by_our_name(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    missing = Reply(status=404, error_message="The model `small-2026` does not exist", error_code="model_not_found")
    async with open_stand({"small-2026": missing, "spare-2026": Reply(text="spare")}, tiers=TIERS) as stand:
        assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"
        said = await ask(stand, path, stream=stream)
        assert said.error is not None
        assert said.status == 404
        assert "'small'" in said.error["message"] and b"small-2026" not in said.body
