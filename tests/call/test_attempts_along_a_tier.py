"""Which failures give way to the next model, what the caller is told, and what is reported of each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pointsman.call.attempts import Accept, Admission, Answered, Tried, first_answer
from pointsman.call.health import Health
from pointsman.call.http import HttpTransport
from pointsman.call.retry import RetryPolicy
from pointsman.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pointsman.vocabulary import AttemptStatus, Dialect, Endpoint, Model, Timeouts, Transport, UpstreamCall

from .conftest import Exchange, MakeCall, Serve

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Clock:
    """Goes on by 1/64 s (15.625 ms) whenever it is read; sums of it are exact."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.reads / 64


class Scripted:
    """An answer from a list."""

    def __init__(self, status: int, *chunks: bytes, wait: str | None = None, hang: bool = False) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {} if wait is None else {"retry-after": wait}
        self.closed = False
        self._chunks = chunks
        self._hang = hang

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._hang:
            await asyncio.Event().wait()

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def aclose(self) -> None:
        self.closed = True


class Fake:
    """A transport that gives each model its scripted answer or error."""

    def __init__(self, **by_model: Scripted | UpstreamError) -> None:
        self.by_model = by_model
        self.sent: list[str] = []

    async def send(self, call: UpstreamCall) -> Scripted:
        self.sent.append(call.model.name)
        result = self.by_model[call.model.name]
        if isinstance(result, UpstreamError):
            raise result
        return result

    async def aclose(self) -> None:
        pass


def calls(*names: str, stream: bool = False, first_byte_s: float = 1.0) -> list[UpstreamCall]:
    return [
        UpstreamCall(
            Model(
                name,
                "openai",
                name,
                {Dialect.OPENAI_CHAT: Endpoint("http://x/v1")},
                timeouts=Timeouts(first_byte_s=first_byte_s),
            ),
            Dialect.OPENAI_CHAT,
            b"{}",
            stream,
        )
        for name in names
    ]


async def first(
    wanted: Sequence[UpstreamCall],
    transport: Transport,
    *,
    failed: list[Tried] | None = None,
    accept: Accept | None = None,
    max_attempts: int = 4,
    clock: Clock | None = None,
) -> Answered:
    """The first answer when each model is called at most once."""
    by_model = {call.model.name: call for call in wanted}
    return await first_answer(
        [call.model for call in wanted],
        lambda model: by_model[model.name],
        transport,
        health=Health(RetryPolicy(attempts_per_model=1, max_attempts=max_attempts)),
        clock=Clock() if clock is None else clock,
        now=lambda: NOON,
        failed=[] if failed is None else failed,
        accept=accept,
    )


def accept(head: bytes, ended: bool) -> Admission:
    """An event that says ok, or a whole body that does."""
    if b"ok" in head:
        return Admission.YES
    return Admission.NO if ended or head.startswith(b"<") or b"error" in head else Admission.MORE


async def test_the_first_model_answers_and_nothing_else_is_sent_or_even_made() -> None:
    transport, failed = Fake(a=Scripted(200, b"ok")), list[Tried]()

    def only_a(model: Model) -> UpstreamCall:
        assert model.name == "a", "the second call was made"
        return calls("a")[0]

    got = await first_answer(
        [call.model for call in calls("a", "b")],
        only_a,
        transport,
        health=Health(),
        clock=Clock(),
        now=lambda: NOON,
        failed=failed,
    )
    assert (got.call.model.name, got.answer.status, failed) == ("a", 200, [])
    assert (got.started_s, got.first_byte_ms) == (1 / 64, 15.625)
    assert await got.answer.read() == b"ok"


@pytest.mark.parametrize("status", [401, 402, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529, 302, 101])
async def test_a_status_that_another_model_may_not_give_falls_back(status: int) -> None:
    refused = Scripted(status, b"no")
    transport, failed = Fake(a=refused, b=Scripted(200, b"ok")), list[Tried]()
    got = await first(calls("a", "b"), transport, failed=failed)
    assert got.call.model.name == "b"
    assert refused.closed
    code = "upstream_broken" if status < 400 else "upstream_refused"
    assert failed == [Tried("a", AttemptStatus.ERROR, status, code, 15.625, 31.25)]


@pytest.mark.parametrize("status", [400, 405, 410, 413, 415, 422, 451])
async def test_a_fault_of_the_request_is_an_answer(status: int) -> None:
    transport, failed = Fake(a=Scripted(status, b'{"error":{}}')), list[Tried]()
    got = await first(calls("a", "b"), transport, failed=failed, accept=accept)
    assert (got.answer.status, await got.answer.read(), failed) == (status, b'{"error":{}}', [])


@pytest.mark.parametrize(
    "error", [UpstreamUnreachable("x", model="a"), UpstreamTimeout("x", model="a"), UpstreamBroken("x", model="a")]
)
async def test_no_answer_falls_back(error: UpstreamError) -> None:
    transport, failed = Fake(a=error, b=Scripted(200, b"ok")), list[Tried]()
    got = await first(calls("a", "b"), transport, failed=failed)
    assert got.call.model.name == "b"
    assert failed == [Tried("a", AttemptStatus.ERROR, None, error.code, None, 15.625)]


@pytest.mark.parametrize(
    ("status", "told", "body"),
    [
        (401, 502, b""),
        (403, 502, b""),
        (404, 404, b""),
        (408, 504, b"said"),
        (409, 503, b"said"),
        (429, 429, b"said"),
        (500, 502, b"said"),
        (503, 503, b"said"),
        (504, 504, b"said"),
        (529, 529, b"said"),
    ],
)
async def test_the_last_refusal_is_told_without_what_it_says_of_our_key(status: int, told: int, body: bytes) -> None:
    transport = Fake(a=Scripted(status, b"said", wait="7"))
    with pytest.raises(UpstreamRefused, match=rf"'a'.*\(status {status}\)$") as raised:
        await first(calls("a"), transport, failed=[])
    error = raised.value
    assert (error.status, error.upstream_status, error.body, error.retry_after_s) == (told, status, body, 7.0)


async def test_an_error_body_is_kept_to_its_first_64_kib() -> None:
    transport = Fake(a=Scripted(500, *[b"x" * 10_000] * 100))
    with pytest.raises(UpstreamRefused) as raised:
        await first(calls("a"), transport, failed=[])
    assert raised.value.body == b"x" * 65_536


async def test_attempts_are_bounded_and_the_last_error_is_raised() -> None:
    errors = {name: UpstreamUnreachable(name, model=name) for name in "abcdef"}
    transport, failed = Fake(**errors), list[Tried]()
    with pytest.raises(UpstreamUnreachable, match="d"):
        await first(calls(*errors), transport, failed=failed, max_attempts=4)
    assert transport.sent == ["a", "b", "c", "d"]
    assert [one.model for one in failed] == ["a", "b", "c", "d"]


async def test_nothing_to_try_is_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="no model"):
        await first([], Fake(), failed=[])


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        (b": ping\n\n", b": ping\n\n"),
        (b"<html>\n",),
        (b'{"error": "overloaded"}',),
        (b"data: err", b'or: "overloaded"\n\n'),
        (b"\n" + b"x" * 2**20 + b"\n", b"data: ok\n\n"),
    ],
)
async def test_a_stream_whose_first_event_is_none_or_an_error_falls_back(chunks: tuple[bytes, ...]) -> None:
    bad = Scripted(200, *chunks)
    transport, failed = Fake(a=bad, b=Scripted(200, b"data: ok\n\n")), list[Tried]()
    got = await first(calls("a", "b", stream=True), transport, failed=failed, accept=accept)
    assert got.call.model.name == "b"
    assert bad.closed
    assert [(one.http_status, one.error) for one in failed] == [(200, "upstream_broken")]


async def test_a_stream_that_only_keeps_alive_is_given_up_after_the_first_byte_time() -> None:
    transport, failed = Fake(a=Scripted(200, b": ping\n\n", hang=True)), list[Tried]()
    with pytest.raises(UpstreamTimeout, match=r"sent no event within 0\.05 s"):
        await first(
            calls("a", stream=True, first_byte_s=0.05),
            transport,
            failed=failed,
            accept=accept,
        )


@pytest.mark.parametrize(
    "chunks", [(b": p\n\nda", b"ta: ok\n\n", b"data: 2\n\n"), (b"data: ok\n\n", b"data: 2\n\n"), (b"data: ok",)]
)
async def test_an_admitted_stream_comes_whole_its_judged_bytes_first(chunks: tuple[bytes, ...]) -> None:
    answer = Scripted(200, *chunks, wait="1")
    got = await first(calls("a", stream=True), Fake(a=answer), failed=[], accept=accept)
    assert (got.answer.status, got.answer.headers) == (200, {"retry-after": "1"})
    assert b"".join([chunk async for chunk in got.answer.chunks()]) == b"".join(chunks)
    assert not answer.closed
    await got.answer.aclose()
    assert answer.closed


async def test_a_whole_answer_is_judged_and_given_whole() -> None:
    transport, failed = Fake(a=Scripted(200, b"<html>"), b=Scripted(200, b"o", b"k")), list[Tried]()
    got = await first(calls("a", "b"), transport, failed=failed, accept=accept)
    assert await got.answer.read() == b"ok"
    assert [one.error for one in failed] == ["upstream_broken"]


async def test_a_client_that_leaves_is_on_record_and_the_upstream_closed(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    arrived = asyncio.Event()

    async def never(it: Exchange) -> None:
        arrived.set()
        await it.client_left()

    upstream, failed = await serve(never), list[Tried]()
    task = asyncio.create_task(first([call(upstream.url)], transport, failed=failed))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.left.wait()
    assert [(one.status, one.error) for one in failed] == [(AttemptStatus.CANCELLED, "client_left")]


async def test_a_cut_before_the_whole_answer_has_come_falls_back(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    async def cut(it: Exchange) -> None:
        await it.send(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nok")
        it.writer.close()

    broken, good = await serve(cut), await serve(lambda it: it.send_whole(b"ok"))
    failed = list[Tried]()
    calls_ = [call(broken.url), call(good.url)]
    calls_[1] = replace(calls_[1], model=replace(calls_[1].model, name="opus"))
    got = await first(calls_, transport, failed=failed, accept=accept)
    assert await got.answer.read() == b"ok"
    assert [(one.http_status, one.error) for one in failed] == [(200, "upstream_broken")]
    await got.answer.aclose()
