"""What an upstream can do wrong, who is told what, and that the connection is closed when nobody waits any more."""

from __future__ import annotations

import asyncio
import gzip
import socket

import pytest

from pointsman.call.http import HttpTransport
from pointsman.errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from pointsman.vocabulary import Timeouts

from .conftest import Exchange, MakeCall, Serve

SILENT = Timeouts(connect_s=10, first_byte_s=0.1, idle_s=10, total_s=20)
"""For upstreams that never get as far as an answer."""
STALLING = Timeouts(connect_s=10, first_byte_s=10, idle_s=1, total_s=20)


async def never(it: Exchange) -> None:
    await it.client_left()


async def test_a_pooled_connection_that_had_died_costs_one_free_retry(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    async def script(it: Exchange) -> None:
        if it.n_connection == 1 and len(upstream.exchanges) == 2:
            it.writer.close()
        else:
            await it.send_whole(b"{}")

    upstream = await serve(script)
    for _ in range(2):
        answer = await transport.send(call(upstream.url))
        assert await answer.read() == b"{}"
    assert (upstream.n_connections, len(upstream.exchanges)) == (2, 3)


async def test_the_free_retry_is_one(serve: Serve, call: MakeCall, transport: HttpTransport) -> None:
    async def script(it: Exchange) -> None:
        if len(upstream.exchanges) == 1:
            await it.send_whole(b"{}")
        else:
            it.writer.close()

    upstream = await serve(script)
    await (await transport.send(call(upstream.url))).read()
    with pytest.raises(UpstreamBroken):
        await transport.send(call(upstream.url))
    assert len(upstream.exchanges) == 3


@pytest.mark.parametrize("reset", [True, False])
async def test_a_fresh_connection_that_closes_unanswered_is_not_tried_again(
    serve: Serve, call: MakeCall, transport: HttpTransport, reset: bool
) -> None:
    async def script(it: Exchange) -> None:
        if reset:
            it.reset()
        it.writer.close()

    upstream = await serve(script)
    with pytest.raises(UpstreamBroken, match=r"^model 'haiku' closed the connection before it answered$"):
        await transport.send(call(upstream.url))
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\ncontent-",
        b"220 smtp ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"\0\0",
    ],
)
async def test_what_is_not_an_answer_is_broken(
    serve: Serve, call: MakeCall, transport: HttpTransport, said: bytes
) -> None:
    async def script(it: Exchange) -> None:
        await it.send(said)
        it.writer.close()

    upstream = await serve(script)
    with pytest.raises(UpstreamBroken) as raised:
        await transport.send(call(upstream.url))
    assert raised.value.model == "haiku"


async def test_headers_without_end_are_broken(serve: Serve, call: MakeCall, transport: HttpTransport) -> None:
    async def script(it: Exchange) -> None:
        await it.send(b"HTTP/1.1 200 OK\r\n")
        for _ in range(1_000):
            await it.send(b"x-more: " + b"a" * 4_000 + b"\r\n")

    upstream = await serve(script)
    with pytest.raises(UpstreamBroken, match="not HTTP"):
        await transport.send(call(upstream.url))


async def test_an_upstream_that_never_answers_times_out_and_is_let_go(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    upstream = await serve(never)
    with pytest.raises(UpstreamTimeout, match=r"^model 'haiku' sent no answer within 0.1 s$"):
        await transport.send(call(upstream.url, timeouts=SILENT))
    await upstream.left.wait()


async def test_a_header_that_comes_byte_by_byte_does_not_prolong_the_wait(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    async def script(it: Exchange) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"a" * 1_000:
            await it.send(bytes([byte]))
            await asyncio.sleep(0.02)

    upstream = await serve(script)
    with pytest.raises(UpstreamTimeout, match=r"no answer within 0\.1 s"):
        await transport.send(call(upstream.url, timeouts=SILENT))
    await upstream.left.wait()


async def test_a_refused_connection_is_unreachable_and_does_not_tell_the_address(
    call: MakeCall, transport: HttpTransport
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(UpstreamUnreachable) as raised:
            await transport.send(call(url))
    assert str(raised.value) == "no connection to model 'haiku': connection refused"


async def test_a_connection_that_is_never_accepted_times_out(call: MakeCall, transport: HttpTransport) -> None:
    # A listener whose queue is full drops further SYNs, as a black hole does.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        timeouts = Timeouts(connect_s=0.1, first_byte_s=5)
        with pytest.raises(UpstreamTimeout, match=r"^no connection to model 'haiku' within 0.1 s$"):
            await transport.send(call(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeouts=timeouts))
        for one in waiting:
            one.close()


@pytest.mark.parametrize(
    "url", ["http://" + "a" * 64 + ".example/v1", "http:///v1", "nothing", "ftp://a/v1", "http://a:0x/"]
)
async def test_an_address_that_cannot_be_used_is_unreachable(
    call: MakeCall, transport: HttpTransport, url: str
) -> None:
    with pytest.raises(UpstreamUnreachable) as raised:
        await transport.send(call(url))
    assert url not in str(raised.value)


async def test_a_key_with_a_line_end_is_refused_without_being_shown(call: MakeCall, transport: HttpTransport) -> None:
    with pytest.raises(UpstreamUnreachable, match="line end") as raised:
        await transport.send(call("http://127.0.0.1:9/v1", endpoint_headers=(("authorization", "Bearer sk-secret\n"),)))
    assert "sk-secret" not in str(raised.value)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_is_broken_and_nothing_reaches_its_target(
    serve: Serve, call: MakeCall, transport: HttpTransport, status: str
) -> None:
    target = await serve(lambda it: it.send_whole(b"{}"))
    upstream = await serve(lambda it: it.send_whole(b"", f"location: {target.url}", status=status))
    with pytest.raises(UpstreamBroken, match=f"redirect, which is never followed .status {status[:3]}"):
        await transport.send(call(upstream.url))
    assert target.n_connections == 0


async def test_a_protocol_switch_is_broken(serve: Serve, call: MakeCall, transport: HttpTransport) -> None:
    upstream = await serve(
        lambda it: it.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
    )
    with pytest.raises(UpstreamBroken, match="protocol switch"):
        await transport.send(call(upstream.url))


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("reset", [True, False])
async def test_a_cut_in_mid_answer_is_broken_after_what_had_come(
    serve: Serve, call: MakeCall, transport: HttpTransport, chunked: bool, reset: bool
) -> None:
    taken = asyncio.Event()

    async def script(it: Exchange) -> None:
        if chunked:
            await it.begin_stream()
            await it.send_chunk(b"data: 1\n\n")
        else:
            await it.send(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ndata: 1\n\n")
        await taken.wait()
        if reset:
            it.reset()
        it.writer.close()

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url, stream=True))
    chunks = answer.chunks()
    assert await anext(chunks) == b"data: 1\n\n"
    taken.set()
    with pytest.raises(UpstreamBroken) as first:
        await anext(chunks)
    with pytest.raises(UpstreamBroken) as second:
        await anext(chunks)
    assert first.value is second.value
    assert not answer.complete


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_that_cannot_be_decoded_is_broken(
    serve: Serve, call: MakeCall, transport: HttpTransport, coding: str
) -> None:
    upstream = await serve(lambda it: it.send_whole(b"not coded at all", f"content-encoding: {coding}"))
    with pytest.raises(UpstreamBroken):
        await (await transport.send(call(upstream.url))).read()


async def test_a_decompression_bomb_stops_at_the_limit(serve: Serve, call: MakeCall) -> None:
    bomb = gzip.compress(bytes(64 * 2**20))
    upstream = await serve(lambda it: it.send_whole(bomb, "content-encoding: gzip"))
    transport = HttpTransport(max_answer_bytes=2**20)
    answer = await transport.send(call(upstream.url))
    n_bytes = 0
    with pytest.raises(UpstreamBroken, match="more than 1048576 bytes"):
        async for chunk in answer.chunks():
            n_bytes += len(chunk)
    assert n_bytes <= 2**20
    await transport.aclose()


async def test_an_endless_body_stops_at_the_limit_and_is_cut(serve: Serve, call: MakeCall) -> None:
    async def script(it: Exchange) -> None:
        await it.begin_stream()
        while True:
            await it.send_chunk(bytes(2**16))

    upstream = await serve(script)
    transport = HttpTransport(max_answer_bytes=2**20)
    with pytest.raises(UpstreamBroken, match="more than 1048576 bytes"):
        await (await transport.send(call(upstream.url))).read()
    await upstream.left.wait()
    await transport.aclose()


async def test_silence_in_mid_answer_times_out_and_is_let_go(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    async def script(it: Exchange) -> None:
        await it.begin_stream()
        await it.send_chunk(b"data: 1\n\n")
        await it.client_left()

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url, stream=True, timeouts=STALLING))
    chunks = answer.chunks()
    assert await anext(chunks) == b"data: 1\n\n"
    with pytest.raises(UpstreamTimeout, match=r"^model 'haiku' sent nothing for 1 s in mid-answer$"):
        await anext(chunks)
    await upstream.left.wait()


async def test_a_reader_that_takes_its_time_is_not_the_upstreams_silence(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    async def script(it: Exchange) -> None:
        await it.begin_stream()
        await it.send_chunk(b"data: 1\n\n")
        await read_one.wait()
        await it.send_chunk(b"data: 2\n\n")
        await it.send(b"0\r\n\r\n")

    read_one = asyncio.Event()
    upstream = await serve(script)
    answer = await transport.send(call(upstream.url, stream=True, timeouts=STALLING))
    chunks = answer.chunks()
    await anext(chunks)
    await asyncio.sleep(1.2)
    read_one.set()
    assert [chunk async for chunk in chunks] == [b"data: 2\n\n"]


async def test_a_drip_ends_with_the_total_time(serve: Serve, call: MakeCall, transport: HttpTransport) -> None:
    async def script(it: Exchange) -> None:
        await it.begin_stream()
        while True:
            await it.send_chunk(b"data: 1\n\n")
            await asyncio.sleep(0.02)

    upstream = await serve(script)
    timeouts = Timeouts(connect_s=10, first_byte_s=10, idle_s=10, total_s=1)
    answer = await transport.send(call(upstream.url, stream=True, timeouts=timeouts))
    with pytest.raises(UpstreamTimeout, match=r"^model 'haiku' did not end its answer within 1 s$"):
        await answer.read()
    await upstream.left.wait()


async def test_closing_an_unread_answer_closes_its_connection(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    async def script(it: Exchange) -> None:
        await it.begin_stream()
        await it.send_chunk(b"data: 1\n\n")
        await it.client_left()

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url, stream=True))
    await answer.aclose()
    await upstream.left.wait()
    await answer.aclose()
    with pytest.raises(UpstreamError):
        await answer.read()


@pytest.mark.parametrize("when", ["before the headers", "in mid-answer"])
async def test_cancelling_the_caller_closes_the_connection(
    serve: Serve, call: MakeCall, transport: HttpTransport, when: str
) -> None:
    waiting = asyncio.Event()

    async def script(it: Exchange) -> None:
        if when == "in mid-answer":
            await it.begin_stream()
        waiting.set()
        await it.client_left()

    async def whole() -> bytes:
        return await (await transport.send(call(upstream.url))).read()

    upstream = await serve(script)
    task = asyncio.create_task(whole())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.left.wait()


async def test_an_answer_nobody_takes_stops_the_upstream(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    sent, stalled = 0, asyncio.Event()

    async def script(it: Exchange) -> None:
        nonlocal sent
        await it.begin_stream()
        try:
            while True:
                async with asyncio.timeout(0.3):
                    await it.send_chunk(bytes(2**16))
                sent += 2**16
        except TimeoutError:
            stalled.set()
        await it.client_left()

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url, stream=True))
    await anext(answer.chunks())
    await stalled.wait()
    # Socket buffers of the kernel (up to some 6 MiB on loopback), and a few hundred KiB of ours.
    assert sent < 16 * 2**20
    await answer.aclose()
    await upstream.left.wait()
