"""Streams: passed on as they come, never ended cleanly when they broke, and cancelled when nobody listens."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import anthropic
import openai
import pytest

from pointsman.testing import (
    CutAfter,
    CutBeforeAnswer,
    EmptyStream,
    EndAfter,
    ErrorEvent,
    HoldAfter,
    MalformedEvent,
    NeverAnswer,
    OpenAfterEnd,
    Reply,
    StallAfter,
    empty_error,
    html_error,
    html_page,
    overloaded,
    rate_limited,
)
from pointsman.vocabulary import Tier, Timeouts

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

HI: list[Any] = [{"role": "user", "content": "Hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "small", "messages": HI, "stream": True},
    "/v1/responses": {"model": "small", "input": "Hi", "stream": True},
    "/v1/messages": {"model": "small", "max_tokens": 9, "messages": HI, "stream": True},
}
TERMINATORS = {
    "/v1/chat/completions": b"[DONE]",
    "/v1/responses": b"response.completed",
    "/v1/messages": b"message_stop",
}
PATIENT = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0, total_s=None)
paths = pytest.mark.parametrize("path", BODIES)


async def test_events_are_passed_on_before_the_next_ones_come(open_stand: OpenStand) -> None:
    async with (
        open_stand(Reply(text="one two three", fault=HoldAfter(3))) as stand,
        stand.session.post(stand.url + "/v1/chat/completions", json=BODIES["/v1/chat/completions"]) as response,
    ):
        assert response.status == 200
        got = b""
        while got.count(b"\n\n") < 3:
            got += await response.content.readany()
        assert b'"one "' in got and b"three" not in got
        assert stand.upstream.n_in_flight == 1
        stand.upstream.release()
        got += await response.content.read()
        assert got.endswith(b"data: [DONE]\n\n")


@paths
@pytest.mark.parametrize(
    "fault",
    [CutAfter(4), CutAfter(4, reset=True), StallAfter(4), EndAfter(4), MalformedEvent(after=4), ErrorEvent(after=4)],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_broken_stream_ends_in_an_error_event(open_stand: OpenStand, path: str, fault: Any) -> None:
    # The hold keeps the fault out of the first bytes, where the gateway would still choose another model.
    timeouts = replace(PATIENT, idle_s=1.0) if isinstance(fault, StallAfter) else PATIENT
    async with (
        open_stand(Reply(text="one two three four", fault=(fault, HoldAfter(3))), timeouts=timeouts) as stand,
        stand.session.post(stand.url + path, json=BODIES[path]) as response,
    ):
        assert response.status == 200
        got = await response.content.readany()
        stand.upstream.release()
        got += await response.content.read()
        (record,) = await stand.ledger.wait_records(1)
    assert TERMINATORS[path] not in got
    *_, last = [block for block in got.split(b"\n\n") if block]
    lines = dict(line.split(b": ", 1) for line in last.split(b"\n"))
    data = json.loads(lines[b"data"])
    if path == "/v1/chat/completions":
        assert set(data) == {"error"} and data["error"]["message"]
    else:
        assert lines[b"event"] == b"error" and data["type"] == "error"
    if path == "/v1/responses":
        assert data["sequence_number"] == got.count(b"\ndata: ") - 1
    assert (record.status, record.attempts[0].status) == ("incomplete", "incomplete")
    assert record.usage is not None and record.usage.estimated


async def test_the_sdks_raise_on_a_stream_that_was_cut(open_stand: OpenStand) -> None:
    async with open_stand(Reply(text="one two three four", fault=CutAfter(4))) as stand:
        async with stand.openai() as client:
            stream = await client.chat.completions.create(model="small", messages=HI, stream=True)
            with pytest.raises(openai.APIError, match="small"):
                async for _ in stream:
                    pass
        async with stand.anthropic() as anthropic_client:
            with pytest.raises(anthropic.APIError, match="small"):
                async with anthropic_client.messages.stream(model="small", max_tokens=5, messages=HI) as messages:
                    await messages.get_final_message()


@paths
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(fault=EmptyStream()), 502),
        (Reply(fault=CutBeforeAnswer()), 502),
        (Reply(fault=ErrorEvent()), 502),
        (Reply(fault=NeverAnswer()), 504),
        (html_page(), 502),
        (html_error(), 502),
        (empty_error(), 503),
        (Reply(status=401), 502),
        (Reply(status=500), 502),
    ],
    ids=["empty", "cut", "error event", "silent", "HTML", "502", "503", "401", "500"],
)
async def test_what_fails_before_the_first_event_is_a_real_status(
    open_stand: OpenStand, path: str, reply: Reply, expected: int
) -> None:
    timeouts = replace(PATIENT, first_byte_s=1.0) if expected == 504 else PATIENT
    async with open_stand(reply, timeouts=timeouts) as stand:
        status, headers, got = await stand.send("POST", path, json=BODIES[path])
        (record,) = await stand.ledger.wait_records(1)
    assert status == expected
    assert headers["Content-Type"].startswith("application/json")
    assert headers["x-should-retry"] == "false"
    error = json.loads(got)["error"]
    assert "small" in error["message"]
    assert "upstream-key" not in got.decode() and "<html" not in got.decode()
    assert (record.status, record.http_status) == ("error", expected)


@paths
async def test_retry_after_is_kept_when_all_are_busy(open_stand: OpenStand, path: str) -> None:
    async with open_stand(rate_limited("7")) as stand:
        status, headers, _ = await stand.send("POST", path, json=BODIES[path])
    assert (status, headers["Retry-After"]) == (429, "7")
    assert "x-should-retry" not in headers


async def test_529_is_told_to_anthropic_clients_only(open_stand: OpenStand) -> None:
    async with open_stand(overloaded()) as stand:
        assert (await stand.send("POST", "/v1/messages", json=BODIES["/v1/messages"]))[0] == 529
        assert (await stand.send("POST", "/v1/responses", json=BODIES["/v1/responses"]))[0] == 503


@paths
async def test_a_fallback_serves_when_the_first_model_fails(open_stand: OpenStand, path: str) -> None:
    script = {"small-2026": Reply(status=500), "spare-2026": Reply(text="from the spare one")}
    tiers = (Tier("cheap", ("small", "spare")), Tier("strong", ("large",)))
    async with open_stand(script, tiers=tiers) as stand:
        status, headers, got = await stand.send("POST", path, json=BODIES[path] | {"model": "auto"})
        (record,) = await stand.ledger.wait_records(1)
    assert (status, headers["x-pointsman-model"]) == (200, "spare")
    assert TERMINATORS[path] in got
    assert [attempt.model for attempt in record.attempts] == ["small", "small", "spare"]


async def test_an_upstream_that_leaves_the_socket_open_does_not_hold_the_client(open_stand: OpenStand) -> None:
    async with open_stand(Reply(fault=OpenAfterEnd())) as stand:
        async with asyncio.timeout(4.0):
            _, _, got = await stand.send("POST", "/v1/chat/completions", json=BODIES["/v1/chat/completions"])
        assert got.endswith(b"data: [DONE]\n\n")


async def leaving(stand: Stand, path: str, body: dict[str, Any], *, after_events: int) -> None:
    """A client that reads so many events and leaves."""
    async with stand.session.post(stand.url + path, json=body) as response:
        got = b""
        while got.count(b"\n\n") < after_events:
            got += await response.content.readany()
        response.close()


@paths
async def test_a_client_that_leaves_in_mid_stream_cancels_the_upstream(open_stand: OpenStand, path: str) -> None:
    async with open_stand(Reply(text="one two three", fault=StallAfter(5))) as stand:
        await leaving(stand, path, BODIES[path], after_events=4)
        await stand.upstream.wait_cancelled()
        (record,) = await stand.ledger.wait_records(1)
        assert (record.status, record.attempts[0].status) == ("cancelled", "cancelled")
        assert record.usage is not None and record.usage.estimated


@paths
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_before_the_answer_cancels_the_upstream(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    async with open_stand(Reply(fault=NeverAnswer())) as stand:
        asking = asyncio.ensure_future(stand.send("POST", path, json=BODIES[path] | {"stream": stream}))
        await stand.upstream.wait_requests()
        asking.cancel()
        await stand.upstream.wait_cancelled()
        (record,) = await stand.ledger.wait_records(1)
        assert record.status == "cancelled"


async def test_a_client_that_does_not_read_slows_the_upstream_down(open_stand: OpenStand) -> None:
    n, size = 2_000, 16_384
    events = [
        b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
        b'{"content":"' + b"a" * size + b'"},"finish_reason":null}]}\n\n'
    ] * n
    async with open_stand(Reply(raw_stream=events)) as stand:
        host, port = stand.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1_024)
        body = json.dumps(BODIES["/v1/chat/completions"]).encode()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )
        await reader.readuntil(b"\r\n\r\n")
        # The reader takes no more than its own small buffer. Others are served meanwhile, and when they have been
        # often enough, the upstream must have come to a halt long before its 32 MB.
        n_sent = -1
        while n_sent != len(stand.upstream.sent[0].chunks):
            n_sent = len(stand.upstream.sent[0].chunks)
            for _ in range(20):
                assert (await stand.send("GET", "/healthz"))[0] == 200
        assert 0 < n_sent < n
        writer.transport.abort()
        await stand.upstream.wait_cancelled()


async def test_the_connection_is_used_again_after_a_stream(open_stand: OpenStand) -> None:
    async with open_stand(Reply(text="one two")) as stand:
        for _ in range(5):
            await stand.send("POST", "/v1/messages", json=BODIES["/v1/messages"])
        assert stand.upstream.n_connections == 1


async def test_a_head_request_has_no_body(stand: Stand) -> None:
    async with aiohttp.ClientSession() as session, session.head(stand.url + "/") as response:
        assert (response.status, await response.read()) == (200, b"")
