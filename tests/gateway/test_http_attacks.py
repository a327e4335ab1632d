"""HTTP/1.1 that is framed in two ways: whatever is answered, no second request is ever read out of it.

Each case hides a request to the model behind the end that one of two readers would see (RFC 9112, sections 6.3 and 7.1;
the cases are those by which requests are smuggled past proxies). What must not happen: the hidden request reaches the
upstream, or two answers come back.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gateway.conftest import Stand

PATH = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"model":"small","messages":[{"role":"user","content":"SMUGGLED"}]}'
HIDDEN = PATH + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: %d\r\n" % (len(HIDDEN) + 5)
LAST = b"0\r\n\r\n"

ATTACKS = {
    "length and chunked": PATH + LENGTH + CHUNKED + b"\r\n" + LAST + HIDDEN,
    "chunked and length": PATH + CHUNKED + LENGTH + b"\r\n" + LAST + HIDDEN,
    "two lengths": PATH + b"Content-Length: 0\r\n" + LENGTH + b"\r\n" + HIDDEN + b"     ",
    "two lengths in one": PATH + b"Content-Length: 0, %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "length with a plus": PATH + b"Content-Length: +0\r\n\r\n" + HIDDEN,
    "length with a minus": PATH + b"Content-Length: -1\r\n\r\n" + HIDDEN,
    "length in hexadecimal": PATH + b"Content-Length: 0x0\r\n\r\n" + HIDDEN,
    "length with an underscore": PATH + b"Content-Length: 0_0\r\n\r\n" + HIDDEN,
    "length of no digits": PATH + b"Content-Length: \r\n\r\n" + HIDDEN,
    "length in other digits": PATH + "Content-Length: ٠\r\n\r\n".encode() + HIDDEN,
    "length above 64 bits": PATH + b"Content-Length: 18446744073709551616\r\n\r\n" + HIDDEN,
    "a blank before the colon": PATH + b"Transfer-Encoding : chunked\r\n" + LENGTH + b"\r\n" + LAST + HIDDEN,
    "a blank before the name": PATH + LENGTH + b" Transfer-Encoding: chunked\r\n\r\n" + LAST + HIDDEN,
    "a vertical tab": PATH + b"Transfer-Encoding: \x0bchunked\r\n" + LENGTH + b"\r\n" + LAST + HIDDEN,
    "an unknown coding": PATH + b"Transfer-Encoding: xchunked\r\n" + LENGTH + b"\r\n" + LAST + HIDDEN,
    "chunked twice": PATH + CHUNKED * 2 + LENGTH + b"\r\n" + LAST + HIDDEN,
    "chunked, then identity": PATH + b"Transfer-Encoding: chunked, identity\r\n" + LENGTH + b"\r\n" + LAST + HIDDEN,
    "a quoted coding": PATH + b'Transfer-Encoding: "chunked"\r\n' + LENGTH + b"\r\n" + LAST + HIDDEN,
    "an underscore for the hyphen": PATH + b"Transfer_Encoding: chunked\r\n" + LENGTH + b"\r\n" + LAST + HIDDEN + b" ",
    "a folded line": PATH + b"Transfer-Encoding:\r\n chunked\r\n" + LENGTH + b"\r\n" + LAST + HIDDEN,
    "a folded length": PATH + b"X: y\r\n Content-Length: 0\r\n" + CHUNKED + b"\r\n" + LAST[:3] + b"X" + HIDDEN,
    "a bare LF between headers": PATH + b"X: y\nContent-Length: 0\r\n" + CHUNKED + b"\r\n" + b"ff\r\n" + HIDDEN,
    "a bare CR in a value": PATH + b"X: y\rTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + LAST + HIDDEN,
    "a NUL in a name": PATH + b"Transfer-Encoding\x00: chunked\r\n" + LENGTH + b"\r\n" + LAST + HIDDEN,
    "a chunk of negative size": PATH + CHUNKED + b"\r\n-1\r\n" + LAST + HIDDEN,
    "a chunk size with 0x": PATH + CHUNKED + b"\r\n0x0\r\n\r\n" + HIDDEN,
    "a chunk size with an underscore": PATH + CHUNKED + b"\r\n0_0\r\n\r\n" + HIDDEN,
    "a chunk size above 64 bits": PATH + CHUNKED + b"\r\n10000000000000000\r\n" + HIDDEN,
    "a chunk size after a blank": PATH + CHUNKED + b"\r\n 0\r\n\r\n" + HIDDEN,
    "a chunk ended by a bare LF": PATH + CHUNKED + b"\r\n0\n\n" + HIDDEN,
    "a chunk longer than it says": PATH + CHUNKED + b"\r\n1\r\n{}\r\n" + LAST + HIDDEN,
    "a chunk extension with a bare LF": PATH + CHUNKED + b"\r\n2;\n\r\n{}\r\n" + LAST + HIDDEN,
    "a chunk extension with a bare CR": PATH + CHUNKED + b"\r\n2;\rxx\r\n{}\r\n" + LAST + HIDDEN,
    "HTTP/1.0 and chunked": PATH.replace(b"1.1", b"1.0", 1) + CHUNKED + LENGTH + b"\r\n" + LAST + HIDDEN,
    "HTTP/0.9": b"POST /v1/chat/completions\r\n\r\n" + HIDDEN,
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_no_second_request_is_read(stand: Stand, name: str) -> None:
    answered = await exchanged(stand, ATTACKS[name])
    # aiohttp shows the bytes that it could not read, in the body.
    assert len(re.findall(rb"^HTTP/1\.\d \d{3} ", answered, re.M)) <= 1, answered
    assert answered == b"" or answered.split(b" ", 2)[1].startswith((b"4", b"5")), answered
    assert not any(b"SMUGGLED" in received.body for received in stand.upstream.requests)
    assert (await stand.send("GET", "/healthz"))[0] == 200


async def test_two_requests_that_are_two_are_answered_in_order(stand: Stand) -> None:
    """The same connection does serve requests one after the other when their ends are clear."""
    answered = await exchanged(stand, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN)
    assert answered.count(b"HTTP/1.1 200 ") == 2
    assert stand.upstream.requests[0].json["messages"][0]["content"] == "SMUGGLED"


async def exchanged(stand: Stand, raw: bytes) -> bytes:
    """All that comes back on one connection within a short while."""
    host, port = stand.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    out = b""
    try:
        writer.write(raw)
        async with asyncio.timeout(0.5):
            while piece := await reader.read(65_536):
                out += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return out
