"""D1, rows 27 to 30: a whole answer that is odd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.gateway.conftest import TRUST

from pointsman.call.http import HttpTransport
from pointsman.testing import CutAfterBytes, FakeClock, Gzip, GzipBomb, RawHead, Reply, ShortBody
from pointsman.vocabulary import Tier

from .conftest import CHAT, MESSAGES, RESPONSES, ask, forgiving, paths, row, streamed

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

TIERS = (Tier("cheap", ("small", "spare")), Tier("strong", ("large",)))
GOOD: dict[str, dict[str, Any]] = {
    CHAT: {"model": "m", "choices": [{"message": {"role": "assistant", "content": "four"}, "finish_reason": "stop"}]},
    RESPONSES: {
        "model": "m",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "four"}]}],
    },
    MESSAGES: {
        "model": "m",
        "type": "message",
        "content": [{"type": "text", "text": "four"}],
        "stop_reason": "end_turn",
    },
}


@row("D1.27")
@paths
@streamed
async def test_identity_is_asked_for_and_gzip_is_read_all_the_same(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    async with open_stand(Reply(text="four", fault=Gzip())) as stand:
        said = await ask(stand, path, stream=stream)
        assert (said.status, said.text, said.ended) == (200, "four", True)
        assert "Content-Encoding" not in said.headers
        assert stand.upstream.requests[0].header("accept-encoding") == "identity"


@row("D1.27")
@paths
@streamed
async def test_a_gzip_bomb_ends_at_the_cap(open_stand: OpenStand, path: str, stream: bool) -> None:
    transport = HttpTransport(ssl_context=TRUST, max_answer_bytes=100_000)
    bomb = Reply(fault=GzipBomb(8 * 2**20))
    script = {"small-2026": bomb, "spare-2026": Reply(text="spare")}
    async with open_stand(script, tiers=TIERS, transport=transport, clock=FakeClock(), health=forgiving()) as stand:
        assert (await ask(stand, path, stream=stream)).status == 502
        assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"


def odd(path: str) -> dict[str, Reply]:
    """Answers that nobody can use, of one protocol."""
    good = orjson.dumps(GOOD[path])
    deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    return {
        "truncated": Reply(body=good[:-5]),
        "a short body": Reply(body=good, fault=ShortBody()),
        "cut in the body": Reply(body=good, fault=CutAfterBytes(20)),
        "a byte order mark": Reply(body=b"\xef\xbb\xbf" + good),
        "NaN": Reply(body=good[:-1] + b',"x":NaN}'),
        "5000 levels": Reply(body=good[:-1] + b',"x":' + deep + b"}"),
        "no UTF-8": Reply(body=good.replace(b"four", b"\xff\xfe")),
        "a lone surrogate": Reply(body=good.replace(b"four", b"\\ud800")),
        "a list": Reply(body=b"[]"),
        "null": Reply(body=b"null"),
        "no content-type, cut": Reply(body=good[:-5], fault=RawHead(b"HTTP/1.1 200 OK\r\n\r\n")),
    }


@row("D1.28")
@paths
async def test_an_answer_that_is_not_whole_json_is_502_or_falls_back(open_stand: OpenStand, path: str) -> None:
    async with open_stand(tiers=TIERS, clock=FakeClock(), health=forgiving()) as stand:
        for name, reply in odd(path).items():
            stand.upstream.play(reply)
            said = await ask(stand, path)
            assert (said.status, said.error is None) == (502, False), name
            stand.upstream.play({"small-2026": reply, "spare-2026": Reply(text="spare")})
            assert (await ask(stand, path, model="auto")).text == "spare", name


@row("D1.28")
@paths
async def test_an_answer_that_is_odd_and_can_be_read_is_passed_on(open_stand: OpenStand, path: str) -> None:
    good = orjson.dumps(GOOD[path])
    readable = {
        "HTTP/1.0": Reply(body=good, fault=RawHead()),
        "no content-type": Reply(body=good, fault=RawHead(b"HTTP/1.1 200 OK\r\n\r\n")),
        "another content-type": Reply(body=good, content_type="text/plain"),
        "a key twice": Reply(body=good[:-1] + b',"model":"n"}'),
        "250 levels": Reply(body=good[:-1] + b',"x":' + b"[" * 250 + b"]" * 250 + b"}"),
    }
    async with open_stand() as stand:
        for name, reply in readable.items():
            stand.upstream.play(reply)
            said = await ask(stand, path)
            assert (said.status, said.text) == (200, "four"), name
            assert json.loads(said.body)["model"] == "small", name


USAGES: list[Any] = [
    None,
    {},
    "many",
    [1],
    {"prompt_tokens": -5, "completion_tokens": -9, "input_tokens": -5, "output_tokens": -9},
    {"prompt_tokens": "12", "completion_tokens": "x", "input_tokens": "12", "output_tokens": "x"},
    {"prompt_tokens": 1e300, "completion_tokens": 1, "input_tokens": 1e300, "output_tokens": 1},
    {"prompt_tokens": None, "completion_tokens": None, "input_tokens": None, "output_tokens": None},
    {"prompt_tokens": True, "completion_tokens": {}, "input_tokens": True, "output_tokens": {}},
]


@row("D1.29")
@paths
@streamed
async def test_usage_that_is_missing_or_makes_no_sense_is_estimated_and_costs_something_finite(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    async with open_stand() as stand:
        for n, usage in enumerate(USAGES, 1):
            if stream:
                stand.upstream.play(
                    Reply(text="four score", omit_usage=True, extra={} if usage is None else {"usage": usage})
                )
            else:
                stand.upstream.play(Reply(body=orjson.dumps(GOOD[path] | ({} if usage is None else {"usage": usage}))))
            said = await ask(stand, path, stream=stream)
            assert (said.status, said.ended) == (200, True), usage
            record = (await stand.ledger.wait_records(n))[-1]
            assert record.usage is not None and record.usage.estimated, usage
            assert min(record.usage.input_tokens, record.usage.output_tokens) >= 0, usage
            assert record.cost.usd is not None and 0 < record.cost.usd < 1, usage


@row("D1.30")
@pytest.mark.parametrize(
    "answer",
    [
        {"model": "m", "choices": []},
        {"model": "m", "choices": [{"message": {"role": "assistant", "content": None}, "finish_reason": "stop"}]},
        {"model": "m", "choices": [{"message": {"role": "assistant"}, "finish_reason": None}]},
        {"model": "m", "choices": [{"finish_reason": "stop"}]},
    ],
    ids=["no choices", "content null", "no content", "no message"],
)
async def test_an_empty_chat_answer_is_passed_on(open_stand: OpenStand, answer: dict[str, Any]) -> None:
    async with open_stand(Reply(body=orjson.dumps(answer))) as stand:
        status, _, body = await stand.send(
            "POST", CHAT, json={"model": "small", "messages": [{"role": "user", "content": "x"}]}
        )
        assert (status, json.loads(body)) == (200, answer | {"model": "small"})
        assert stand.ledger.records[0].status == "ok"


@row("D1.30")
async def test_empty_answers_of_the_other_protocols_and_of_streams_are_passed_on(open_stand: OpenStand) -> None:
    async with open_stand() as stand:
        stand.upstream.play(Reply(body=orjson.dumps(GOOD[RESPONSES] | {"output": []})))
        assert (await ask(stand, RESPONSES)).text == ""
        stand.upstream.play(Reply(body=orjson.dumps(GOOD[MESSAGES] | {"content": []})))
        assert (await ask(stand, MESSAGES)).text == ""
        empty = [
            b'data: {"model":"m","choices":[]}\n\n',
            b'data: {"model":"m","choices":[{"index":0,"delta":{"content":null},"finish_reason":null}]}\n\n',
            b'data: {"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ]
        stand.upstream.play(Reply(raw_stream=empty))
        said = await ask(stand, CHAT, stream=True)
        assert (said.text, said.ended) == ("", True)
