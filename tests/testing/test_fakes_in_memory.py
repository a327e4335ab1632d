"""The fake clock and the fake transport."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from pointsman.testing import (
    CutAfter,
    CutBeforeAnswer,
    Drip,
    FakeClock,
    FakeTransport,
    Garbage,
    NeverAnswer,
    RefuseConnection,
    Reply,
    SlowFirstByte,
    StallAfter,
    rate_limited,
)
from pointsman.testing.answers.schema import instance_of
from pointsman.vocabulary import Dialect, Endpoint, Model, Timeouts, Transport, UpstreamCall

pytest_plugins = ["pointsman.testing.fixtures"]


def call(*, stream: bool = True, dialect: Dialect = Dialect.OPENAI_CHAT) -> UpstreamCall:
    model = Model(
        name="small",
        provider="openai",
        provider_model="small-2026",
        endpoints={dialect: Endpoint("http://127.0.0.1:9/", (("Authorization", "Bearer k"),))},
        timeouts=Timeouts(first_byte_s=10.0, idle_s=5.0),
    )
    body = b'{"model":"small-2026","stream":true}' if stream else b'{"model":"small-2026"}'
    return UpstreamCall(model, dialect, body, stream)


def test_the_clock_moves_when_told() -> None:
    clock = FakeClock(datetime(2026, 5, 1, tzinfo=UTC), monotonic_s=7.0)
    clock.advance(1.5)
    assert (clock(), clock.now()) == (8.5, datetime(2026, 5, 1, 0, 0, 1, 500_000, tzinfo=UTC))
    clock.jump_wall(-3600)
    assert (clock(), clock.now().day) == (8.5, 30)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


async def test_plain_and_streamed_answers(pointsman_transport: FakeTransport) -> None:
    transport: Transport = pointsman_transport
    answer = await transport.send(call(stream=False))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert b"small-2026" in await answer.read()
    await answer.aclose()
    streamed = await transport.send(call())
    chunks = [chunk async for chunk in streamed.chunks()]
    assert chunks[-1] == b"data: [DONE]\n\n"
    assert pointsman_transport.sent[1].body == b"".join(chunks)
    assert [sent.cancelled for sent in pointsman_transport.sent] == [False, False]
    assert len(pointsman_transport.calls) == 2
    await transport.aclose()
    assert pointsman_transport.closed


async def test_an_error_status_is_an_answer() -> None:
    answer = await FakeTransport(rate_limited("3")).send(call())
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")


@pytest.mark.parametrize(
    ("fault", "error", "seconds"),
    [
        (RefuseConnection(), UpstreamUnreachable, 0.0),
        (CutBeforeAnswer(), UpstreamBroken, 0.0),
        (Garbage(), UpstreamBroken, 0.0),
        (NeverAnswer(), UpstreamTimeout, 10.0),
        (SlowFirstByte(11.0), UpstreamTimeout, 10.0),
    ],
    ids=repr,
)
async def test_failures_before_an_answer(fault: Any, error: type[Exception], seconds: float) -> None:
    transport = FakeTransport(Reply(fault=fault))
    started_s = transport.clock()
    with pytest.raises(error):
        await transport.send(call())
    assert transport.clock() - started_s == seconds


@pytest.mark.parametrize(
    ("fault", "error", "n_chunks", "seconds"),
    [
        (CutAfter(2), UpstreamBroken, 2, 0.0),
        (StallAfter(1), UpstreamTimeout, 1, 5.0),
        (Drip(6.0), UpstreamTimeout, 0, 5.0),
    ],
    ids=repr,
)
async def test_failures_in_mid_answer(fault: Any, error: type[Exception], n_chunks: int, seconds: float) -> None:
    transport = FakeTransport(Reply(text="a b c", fault=fault))
    started_s = transport.clock()
    answer = await transport.send(call())
    with pytest.raises(error):
        await answer.read()
    assert len(transport.sent[0].chunks) == n_chunks
    assert transport.clock() - started_s == seconds
    await answer.aclose()
    assert transport.sent[0].cancelled


async def test_pauses_move_the_clock_and_cost_no_time() -> None:
    transport = FakeTransport(Reply(chunks=("a", "b"), delay_s=3.0, chunk_delay_s=4.0))
    started_s = transport.clock()
    answer = await transport.send(call())
    assert transport.clock() - started_s == 3.0
    n_chunks = len([chunk async for chunk in answer.chunks()])
    # role, "a", "b", finish, [DONE]
    assert n_chunks == 5
    assert transport.clock() - started_s == 3.0 + 5 * 4.0


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"enum": ["x", "y"]}, "x"),
        ({"const": 3}, 3),
        ({"type": "array", "items": {"type": "number", "minimum": 2}, "minItems": 2}, [2, 2]),
        ({"type": "string", "minLength": 6}, "text.."),
        ({"type": ["null", "string"]}, None),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"n": {"type": "integer"}}}}}, {"n": 1}),
        ({"$ref": "#/$defs/missing"}, None),
        ({"type": "object"}, {}),
    ],
)
def test_values_that_fit_a_schema(schema: dict[str, Any], value: Any) -> None:
    assert instance_of(schema) == value


def test_a_recursive_schema_ends() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert isinstance(instance_of(schema), dict)
