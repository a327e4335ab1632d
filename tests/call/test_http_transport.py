"""What the transport sends, gives back and shares between calls."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from pathlib import Path

import pytest

from pointsman.call.http import HttpTransport
from pointsman.errors import UpstreamBusy, UpstreamUnreachable
from pointsman.vocabulary import Timeouts

from .conftest import Exchange, MakeCall, Serve

HERE = Path(__file__).parent


async def test_an_answer_comes_whole_with_its_status_and_headers(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    async def script(it: Exchange) -> None:
        await it.send_whole(b'{"a":1}', "Content-Type: application/json", "X-One: a", "x-one: b", "set-cookie: s=1")

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url, body=b'{"model":"m","x":[1]}'))
    assert answer.status == 200
    assert dict(answer.headers) == {"content-type": "application/json", "x-one": "a, b"}
    assert await answer.read() == b'{"a":1}'
    assert answer.complete
    assert upstream.exchanges[0].body == b'{"model":"m","x":[1]}'


async def test_an_error_status_is_an_answer(serve: Serve, call: MakeCall, transport: HttpTransport) -> None:
    upstream = await serve(lambda it: it.send_whole(b"slow down", status="429 Too Many Requests"))
    answer = await transport.send(call(upstream.url))
    assert (answer.status, await answer.read()) == (429, b"slow down")


async def test_only_our_key_and_the_allowed_headers_go_up(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    upstream = await serve(lambda it: it.send_whole(b"{}", "set-cookie: session=1"))
    passed = (
        ("anthropic-beta", "a"),
        ("anthropic-beta", "b"),
        ("anthropic-version", "2099-01-01"),
        ("Authorization", "Bearer client-key"),
        ("X-Api-Key", "client-key"),
        ("Cookie", "c=1"),
        ("Host", "evil.example"),
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("X-Pointsman-Session", "s"),
        ("x-split", "a\r\nx-injected: 1"),
    )
    ours = (("authorization", "Bearer provider-key"), ("anthropic-version", "2023-06-01"))
    for _ in range(2):
        answer = await transport.send(call(upstream.url, headers=passed, endpoint_headers=ours))
        await answer.read()
    first, second = (sorted(exchange.headers) for exchange in upstream.exchanges)
    assert (
        first
        == second
        == sorted(
            [
                ("host", f"127.0.0.1:{upstream.port}"),
                ("content-type", "application/json"),
                ("content-length", "13"),
                ("accept", "*/*"),
                ("accept-encoding", "identity"),
                ("user-agent", "pointsman"),
                ("authorization", "Bearer provider-key"),
                ("anthropic-version", "2099-01-01"),
                ("anthropic-beta", "a"),
                ("anthropic-beta", "b"),
            ]
        )
    )


async def test_a_stream_comes_piece_by_piece_before_its_end(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    taken = asyncio.Event()

    async def script(it: Exchange) -> None:
        await it.begin_stream()
        await it.send_chunk(b"data: 1\n\n")
        await taken.wait()
        await it.send_chunk(b"data: 2\n\n")
        await it.send(b"0\r\n\r\n")

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url, stream=True))
    chunks = answer.chunks()
    assert await anext(chunks) == b"data: 1\n\n"
    taken.set()
    assert [chunk async for chunk in chunks] == [b"data: 2\n\n"]
    assert answer.complete


async def test_calls_one_after_the_other_share_a_connection(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    upstream = await serve(lambda it: it.send_whole(b"{}"))
    for _ in range(3):
        answer = await transport.send(call(upstream.url))
        await answer.read()
        await answer.aclose()
    assert (upstream.n_connections, len(upstream.exchanges)) == (1, 3)


async def test_a_request_of_several_megabytes_arrives_unchanged(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    upstream = await serve(lambda it: it.send_whole(b"{}"))
    body = bytes(range(256)) * (5 * 2**12)
    answer = await transport.send(call(upstream.url, body=body))
    await answer.read()
    assert upstream.exchanges[0].body == body


async def test_an_answer_of_eight_megabytes_in_one_chunk_arrives_unchanged(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    body = bytes(range(256)) * 2**15

    async def script(it: Exchange) -> None:
        await it.begin_stream()
        await it.send_chunk(body)
        await it.send(b"0\r\n\r\n")

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url, stream=True))
    assert b"".join([chunk async for chunk in answer.chunks()]) == body


async def test_a_coded_answer_that_was_not_asked_for_is_decoded(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    upstream = await serve(lambda it: it.send_whole(gzip.compress(b'{"a":1}'), "content-encoding: gzip"))
    answer = await transport.send(call(upstream.url))
    assert await answer.read() == b'{"a":1}'
    assert "content-encoding" not in answer.headers


async def test_interim_answers_are_passed_over(serve: Serve, call: MakeCall, transport: HttpTransport) -> None:
    async def script(it: Exchange) -> None:
        await it.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        await it.send_whole(b"{}")

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url))
    assert (answer.status, await answer.read()) == (200, b"{}")


async def test_an_answer_without_a_length_ends_with_its_connection(
    serve: Serve, call: MakeCall, transport: HttpTransport
) -> None:
    async def script(it: Exchange) -> None:
        await it.send(b"HTTP/1.0 200 OK\r\n\r\n{}")
        it.writer.close()

    upstream = await serve(script)
    answer = await transport.send(call(upstream.url))
    assert await answer.read() == b"{}"


async def test_credentials_in_a_url_become_a_header(serve: Serve, call: MakeCall, transport: HttpTransport) -> None:
    upstream = await serve(lambda it: it.send_whole(b"{}"))
    url = upstream.url.replace("//", "//me:secret@")
    answer = await transport.send(call(url, endpoint_headers=()))
    await answer.read()
    assert ("authorization", "Basic bWU6c2VjcmV0") in upstream.exchanges[0].headers


@pytest.mark.parametrize("end", ["read", "aclose", "fail"])
async def test_a_slot_is_free_again_when_its_answer_has_ended(serve: Serve, call: MakeCall, end: str) -> None:
    async def script(it: Exchange) -> None:
        if end == "fail" and len(upstream.exchanges) == 1:
            it.reset()
        else:
            await it.send_whole(b"{}")

    upstream = await serve(script)
    transport = HttpTransport(slot_wait_s=0.05)
    one = call(upstream.url, max_concurrency=1)
    if end == "fail":
        with pytest.raises(Exception, match="closed the connection"):
            await transport.send(one)
    else:
        first = await transport.send(one)
        with pytest.raises(UpstreamBusy, match=r"'haiku' has all its 1 calls under way; none ended within 0.05 s"):
            await transport.send(one)
        await (first.read() if end == "read" else first.aclose())
    second = await transport.send(one)
    await second.read()
    await transport.aclose()


async def test_more_callers_than_may_wait_are_turned_away_at_once(serve: Serve, call: MakeCall) -> None:
    upstream = await serve(lambda it: it.send_whole(b"{}"))
    transport = HttpTransport(slot_wait_s=60)
    one = call(upstream.url, max_concurrency=1, timeouts=Timeouts(first_byte_s=60))
    first = await transport.send(one)
    waiting = [asyncio.create_task(transport.send(one)) for _ in range(8)]
    await asyncio.sleep(0)
    with pytest.raises(UpstreamBusy, match="8 waiting"):
        await transport.send(one)
    await first.read()
    for task in waiting:
        await (await task).read()
    assert len(upstream.exchanges) == 9
    await transport.aclose()


async def test_nothing_is_left_running_after_close(serve: Serve, call: MakeCall) -> None:
    upstream = await serve(lambda it: it.send_whole(b"{}"))
    transport = HttpTransport()
    answer = await transport.send(call(upstream.url))
    await answer.read()
    await transport.aclose()
    await upstream.left.wait()
    with pytest.raises(RuntimeError, match="closed"):
        await transport.send(call(upstream.url))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_certificate_nobody_vouches_for_is_refused_unless_it_is_trusted(call: MakeCall) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(HERE / "loopback.pem")

    async def answer_any(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer_any, "127.0.0.1", 0, ssl=server_side)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    strict = HttpTransport()
    with pytest.raises(UpstreamUnreachable, match=r"^TLS to model 'haiku' failed: self-signed certificate$"):
        await strict.send(call(url))
    await strict.aclose()
    trusting = HttpTransport(ssl_context=ssl.create_default_context(cafile=str(HERE / "loopback.pem")))
    answer = await trusting.send(call(url))
    assert await answer.read() == b"{}"
    await trusting.aclose()
    server.close()
    await server.wait_closed()
