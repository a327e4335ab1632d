"""D1, rows 17 to 26, 31 and 33: a stream that goes wrong."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import TRUST, Stand

from pointsman.call.http import HttpTransport
from pointsman.testing import (
    CrLf,
    CutAfter,
    CutBeforeAnswer,
    Drip,
    EmptyStream,
    EndAfter,
    ErrorEvent,
    FakeClock,
    HoldAfter,
    MalformedEvent,
    MoreAfterEnd,
    MultiLineData,
    OpenAfterEnd,
    Rechunk,
    Reply,
    StallAfter,
    ToolCall,
    html_page,
)
from pointsman.testing.faults import Fault
from pointsman.vocabulary import Dialect, Record, Tier, Timeouts

from .conftest import BODIES, CHAT, MESSAGES, PATIENT, RESPONSES, Said, ask, forgiving, paths, read, row

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

TIERS = (Tier("cheap", ("small", "spare")), Tier("strong", ("large",)))
WORDS = "one two three four"


async def broken(stand: Stand, path: str, *faults: Fault, reply: Reply | None = None) -> tuple[Said, Record]:
    """A stream whose fault comes after three events, once they have reached the client; and its record.

    Without the hold, the fault could come with the first bytes, where the gateway would call another model.
    """
    n_before = len(stand.ledger.records)
    base = Reply(text=WORDS) if reply is None else reply
    stand.upstream.hold()
    stand.upstream.play(Reply(**{**_fields(base), "fault": (*faults, HoldAfter(3))}))
    body = {"model": "small", "stream": True, **BODIES[path]}
    async with stand.session.post(stand.url + path, json=body) as response:
        assert response.status == 200
        got = b""
        while got.count(b"\n\n") < 3:
            got += await response.content.readany()
        stand.upstream.release()
        got += await response.content.read()
        said = read(path, response.status, response.headers, got)
    return said, (await stand.ledger.wait_records(n_before + 1))[-1]


def _fields(reply: Reply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in Reply.__dataclass_fields__}


def visible(path: str, said: Said) -> None:
    """A break is told in the protocol's own error event, last, and no terminator comes."""
    assert said.error is not None and said.error["message"]
    assert not said.ended
    if path == RESPONSES:
        assert said.error["sequence_number"] == said.n_events - 1


@row("D1.17")
@paths
async def test_a_stall_in_mid_stream_is_told_at_the_idle_time(open_stand: OpenStand, path: str) -> None:
    timeouts = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=1.0, total_s=None)
    async with open_stand(timeouts=timeouts) as stand:
        said, record = await broken(stand, path, StallAfter(4))
        visible(path, said)
        assert (record.status, record.error) == ("incomplete", "upstream_timeout")
        await stand.upstream.wait_cancelled(within_s=1.0)


@row("D1.18")
@paths
async def test_a_drip_is_served_for_as_long_as_it_takes_and_ends_with_the_total_time_if_there_is_one(
    open_stand: OpenStand, path: str
) -> None:
    unlimited = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0, total_s=None)
    limited: Any = {"timeouts": Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0, total_s=2.0)}
    drip = Reply(text=" ".join("word" for _ in range(20)), fault=Drip(0.02))
    script = {"small-2026": drip, "large-2026": Reply(text="a " * 400, fault=Drip(0.02))}
    async with open_stand(script, timeouts=unlimited, large=limited) as stand:
        said = await ask(stand, path, stream=True)
        assert (said.ended, said.text.count("word")) == (True, 20)
        assert stand.ledger.records[0].total_ms is not None and stand.ledger.records[0].total_ms > 400
        visible(path, await ask(stand, path, stream=True, model="large"))


CUTS: dict[str, Fault] = {"FIN": CutAfter(4), "RST": CutAfter(4, reset=True)}


@row("D1.19")
@paths
@pytest.mark.parametrize("fault", CUTS.values(), ids=CUTS)
async def test_a_cut_in_mid_stream_is_told_and_recorded_as_incomplete_with_its_usage_so_far(
    open_stand: OpenStand, path: str, fault: Fault
) -> None:
    async with open_stand() as stand:
        said, record = await broken(stand, path, fault)
        visible(path, said)
        assert record.status == "incomplete"
        assert record.usage is not None and record.usage.estimated and record.usage.input_tokens > 0
        assert record.cost.usd is not None and record.cost.usd > 0
        assert await stand.metric("pointsman_attempts_total", model="small", outcome="incomplete") == 1


@row("D1.20")
@pytest.mark.parametrize(("path", "n_left_out"), [(CHAT, 2), (MESSAGES, 1)], ids=["completions", "messages"])
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
async def test_a_cut_after_the_finish_reason_is_a_whole_answer_whose_usage_is_estimated(
    open_stand: OpenStand, path: str, n_left_out: int, reset: bool
) -> None:
    async with open_stand(Reply(text=WORDS)) as stand:
        more: Any = {"stream_options": {"include_usage": True}} if path == CHAT else {}
        n_events = (await ask(stand, path, stream=True, **more)).n_events
        said, record = await broken(stand, path, CutAfter(n_events - n_left_out, reset=reset))
        assert (said.error, said.ended, said.text) == (None, True, WORDS)
        assert record.status == "ok"
        if path == CHAT:
            assert record.usage is not None and record.usage.estimated and record.usage.output_tokens > 0


@row("D1.21")
@paths
async def test_a_clean_end_before_the_finish_is_told_and_after_it_the_terminator_is_added(
    open_stand: OpenStand, path: str
) -> None:
    async with open_stand() as stand:
        said, record = await broken(stand, path, EndAfter(4))
        visible(path, said)
        assert record.status == "incomplete"
        if path != RESPONSES:
            # There the finish and the terminator are one event.
            said, record = await broken(stand, path, EndAfter(-1))
            assert (said.error, said.ended, said.text, record.status) == (None, True, WORDS, "ok")


@row("D1.21")
async def test_with_several_choices_an_answer_is_whole_when_all_have_ended(open_stand: OpenStand) -> None:
    def chunk(index: int, content: str, reason: str | None) -> bytes:
        choice = {"index": index, "delta": {"content": content}, "finish_reason": reason}
        return b"data: " + json.dumps({"model": "m", "choices": [choice]}).encode() + b"\n\n"

    one_open = [chunk(0, "a", None), chunk(1, "b", None), chunk(0, "", "stop"), chunk(1, "b", None)]
    async with open_stand() as stand:
        said, _ = await broken(stand, CHAT, reply=Reply(raw_stream=one_open))
        visible(CHAT, said)
        said, _ = await broken(stand, CHAT, reply=Reply(raw_stream=[*one_open, chunk(1, "", "length")]))
        assert (said.error, said.ended) == (None, True)


NOT_STREAMS = {
    "no byte": Reply(fault=EmptyStream()),
    "JSON": Reply(body=b'{"choices":[{"message":{"content":"hi"}}],"content":[],"output":[]}'),
    "HTML": html_page(),
    "an error under 200": Reply(body=b'{"error":{"message":"overloaded","type":"server_error"}}'),
    "comments only": Reply(raw_stream=[b": ping\n\n", b": ping\n\n"]),
    "the terminator only": Reply(raw_stream=[b"data: [DONE]\n\n"]),
    "an error event": Reply(fault=ErrorEvent()),
    "no JSON": Reply(fault=MalformedEvent()),
    "no UTF-8": Reply(fault=MalformedEvent(data=b'{"choices": "\xff\xfe"}')),
    "cut before the first event": Reply(fault=CutAfter(0)),
}


@row("D1.22", "D1.23", "D1.24")
@paths
@pytest.mark.parametrize("reply", NOT_STREAMS.values(), ids=NOT_STREAMS)
async def test_what_is_no_stream_at_its_first_event_falls_back_or_is_a_real_status(
    open_stand: OpenStand, path: str, reply: Reply
) -> None:
    script = {"small-2026": reply, "spare-2026": Reply(text="spare")}
    async with open_stand(script, tiers=TIERS, clock=FakeClock(), health=forgiving()) as stand:
        said = await ask(stand, path, stream=True)
        assert (said.status, said.error is None) == (502, False)
        assert b"<html" not in said.body
        said = await ask(stand, path, stream=True, model="auto")
        assert (said.status, said.text, said.ended) == (200, "spare", True)


@row("D1.22")
@paths
async def test_an_error_or_html_under_200_is_no_answer_to_a_plain_call_either(open_stand: OpenStand, path: str) -> None:
    async with open_stand(tiers=TIERS, clock=FakeClock(), health=forgiving()) as stand:
        for reply in (html_page(), NOT_STREAMS["an error under 200"], Reply(body=b""), Reply(body=b"{}")):
            stand.upstream.play(reply)
            said = await ask(stand, path)
            assert (said.status, said.error is None) == (502, False)
            stand.upstream.play({"small-2026": reply, "spare-2026": Reply(text="spare")})
            assert (await ask(stand, path, model="auto")).text == "spare"


LATER: dict[str, Fault] = {
    "error event": ErrorEvent(after=4),
    "half a JSON": MalformedEvent(after=4),
    "no UTF-8": MalformedEvent(after=4, data=b'{"choices": "\xff\xfe"}'),
    "a list": MalformedEvent(after=4, data=b"[]"),
}


@row("D1.23", "D1.24")
@paths
@pytest.mark.parametrize("fault", LATER.values(), ids=LATER)
async def test_an_error_or_an_unreadable_event_in_mid_stream_is_told(
    open_stand: OpenStand, path: str, fault: Fault
) -> None:
    async with open_stand() as stand:
        said, record = await broken(stand, path, fault)
        visible(path, said)
        assert b'"broken"' not in said.body, "never half a JSON"
        assert record.status == "incomplete"


FRAMINGS: dict[str, tuple[Fault, ...]] = {
    "byte by byte": (Rechunk(1),),
    "in threes": (Rechunk(3),),
    "one write": (Rechunk(0),),
    "CR LF, comments, no space": (CrLf(),),
    "CR LF byte by byte": (CrLf(), Rechunk(1)),
    "data on two lines": (MultiLineData(),),
    "two lines in threes": (MultiLineData(), Rechunk(3)),
}
TEXT = 'Zażółć gęślą jaźń 🦊 日本語 \u2028 \u0085 \\u00e9 "quoted" \r\n end'


@row("D1.25")
@paths
async def test_however_the_bytes_are_cut_and_framed_the_text_is_the_same(open_stand: OpenStand, path: str) -> None:
    async with open_stand(timeouts=PATIENT) as stand:
        for framing in FRAMINGS.values():
            stand.upstream.play(Reply(text=TEXT, fault=framing))
            said = await ask(stand, path, stream=True)
            assert (said.text, said.ended, said.error) == (TEXT, True, None)


@row("D1.26")
@paths
async def test_an_event_of_8_mb_and_10000_events_pass(open_stand: OpenStand, path: str) -> None:
    async with open_stand(timeouts=PATIENT) as stand:
        big = "x" * (8 * 2**20 // (3 if path == RESPONSES else 1))
        # A Responses stream repeats its text in the events that close the item.
        stand.upstream.play(Reply(text=big, chunks=[big]))
        said = await ask(stand, path, stream=True)
        assert (len(said.text), said.ended) == (len(big), True)
        stand.upstream.play(Reply(text="w " * 10_000, chunks=["w "] * 10_000))
        said = await ask(stand, path, stream=True)
        assert (said.text.count("w"), said.ended, said.n_events > 10_000) == (10_000, True, True)


@row("D1.26")
@paths
async def test_an_answer_above_the_cap_is_told_and_the_upstream_cut(open_stand: OpenStand, path: str) -> None:
    transport = HttpTransport(ssl_context=TRUST, max_answer_bytes=200_000)
    async with open_stand(transport=transport, timeouts=PATIENT) as stand:
        reply = Reply(text="long", chunks=["w" * 50_000] * 400)
        said, record = await broken(stand, path, reply=reply)
        visible(path, said)
        assert len(said.body) < 400_000
        assert record.status == "incomplete"
        await stand.upstream.wait_cancelled()


TOOLS: dict[str, list[dict[str, Any]]] = {
    CHAT: [{"type": "function", "function": {"name": name}} for name in ("look", "weigh")],
    RESPONSES: [{"type": "function", "name": name} for name in ("look", "weigh")],
    MESSAGES: [{"name": name, "input_schema": {"type": "object"}} for name in ("look", "weigh")],
}
CALLS = [ToolCall("look", {"at": "the points"}), ToolCall("weigh", {"what": "the train", "kg": 12})]


@row("D1.31")
@paths
async def test_parallel_tool_calls_keep_their_ids_and_arguments(open_stand: OpenStand, path: str) -> None:
    async with open_stand(Reply(tool_calls=CALLS)) as stand:
        plain = await ask(stand, path, tools=TOOLS[path])
        streamed = await ask(stand, path, stream=True, tools=TOOLS[path])
        for said in (plain, streamed):
            assert [json.loads(arguments) for arguments in said.calls.values()] == [call.arguments for call in CALLS]
        assert list(plain.calls) == list(streamed.calls)


@row("D1.31")
@paths
async def test_a_cut_inside_the_arguments_is_told_and_nothing_finishes_the_call(
    open_stand: OpenStand, path: str
) -> None:
    async with open_stand() as stand:
        for n_chunks in (4, 5):
            said, record = await broken(stand, path, CutAfter(n_chunks), reply=Reply(text="", tool_calls=CALLS))
            visible(path, said)
            assert b'"tool_calls"' not in said.body.split(b"finish_reason")[-1] and b'"stop_reason":"' not in said.body
            assert record.status == "incomplete"


@row("D1.33")
@paths
async def test_events_after_the_terminator_are_dropped_and_the_connection_is_not_used_again(
    open_stand: OpenStand, path: str
) -> None:
    async with open_stand() as stand:
        for fault in (MoreAfterEnd(), OpenAfterEnd()):
            stand.upstream.play(Reply(text=WORDS, fault=fault))
            async with asyncio.timeout(5.0):
                said = await ask(stand, path, stream=True)
            assert (said.text, said.ended, said.error) == (WORDS, True, None)
            (*_, record) = await stand.ledger.wait_records(len(stand.ledger.records))
            assert record.status == "ok"
        n_connections = stand.upstream.n_connections
        stand.upstream.play(Reply(text="four"))
        assert (await ask(stand, path, stream=True)).text == "four"
        assert stand.upstream.n_connections == n_connections + 1


@row("D1.33")
async def test_a_second_finish_is_passed_on_and_ends_nothing_twice(open_stand: OpenStand) -> None:
    def chunk(content: str, reason: str | None) -> bytes:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
        return b"data: " + json.dumps({"model": "m", "choices": [choice]}).encode() + b"\n\n"

    events = [chunk("four", None), chunk("", "stop"), chunk("", "stop"), b"data: [DONE]\n\n"]
    async with open_stand(Reply(raw_stream=events)) as stand:
        said = await ask(stand, CHAT, stream=True)
        assert (said.text, said.ended, said.body.count(b"[DONE]")) == ("four", True, 1)


@row("D1.13")
async def test_a_stream_that_is_cut_before_its_head_is_asked_for_again(open_stand: OpenStand) -> None:
    async with open_stand([Reply(fault=CutBeforeAnswer()), Reply(text="four")], clock=FakeClock()) as stand:
        assert (await ask(stand, CHAT, stream=True)).text == "four"


def test_every_dialect_is_among_the_paths() -> None:
    assert len(BODIES) == len(Dialect)
