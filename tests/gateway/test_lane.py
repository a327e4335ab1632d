"""The lane that nearly all requests take says on the wire what the common way says, and closes when it is asked to."""

from __future__ import annotations

import asyncio
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from pointsman.gateway.written import Events, Whole

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

WHOLE = b'{"model":"auto","messages":[{"role":"user","content":"Hello"}]}'
STREAM = WHOLE[:-1] + b',"stream":true}'


def asked(body: bytes, *headers: bytes, version: bytes = b"1.1") -> bytes:
    lines = (
        b"POST /v1/chat/completions HTTP/" + version,
        b"Host: 127.0.0.1",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def answers(stand: Stand, *sent: bytes) -> list[bytes]:
    """Everything that comes back on one connection, after each of these has been sent; until it is closed or idle."""
    host, port = stand.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    got = []
    try:
        for data in sent:
            writer.write(data)
            received = b""
            try:
                async with asyncio.timeout(0.5):
                    while piece := await reader.read(65_536):
                        received += piece
            except TimeoutError:
                pass
            got.append(received)
        return got
    finally:
        writer.close()


def head_of(answer: bytes) -> tuple[bytes, dict[str, str]]:
    head, _, _ = answer.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    return line, {name.lower(): value for name, _, value in (each.decode().partition(": ") for each in lines)}


@pytest.mark.parametrize("body", [WHOLE, STREAM], ids=["whole", "stream"])
async def test_it_says_what_the_common_way_says(open_stand: OpenStand, body: bytes) -> None:
    async with open_stand() as stand:
        # A client that waits to be told to go on is served by aiohttp's application.
        in_lane, elsewhere = await answers(stand, asked(body), asked(body, b"Expect: 100-continue"))
        elsewhere = elsewhere.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        (line, headers), (other_line, others) = head_of(in_lane), head_of(elsewhere)
        assert line == other_line == b"HTTP/1.1 200 OK"
        assert "server" not in headers
        of_one = {"date", "server", "x-request-id", "x-pointsman-request-id"}
        assert {k: v for k, v in headers.items() if k not in of_one} == {
            k: v for k, v in others.items() if k not in of_one
        }
        assert parsedate_to_datetime(headers["date"]).tzinfo is not None
        assert re.sub(rb'req_[0-9a-f]{32}|"created":\d+', b"", in_lane.partition(b"\r\n\r\n")[2]) == re.sub(
            rb'req_[0-9a-f]{32}|"created":\d+', b"", elsewhere.partition(b"\r\n\r\n")[2]
        )


@pytest.mark.parametrize("body", [WHOLE, STREAM], ids=["whole", "stream"])
async def test_a_connection_goes_on_unless_the_client_asks_for_its_end(open_stand: OpenStand, body: bytes) -> None:
    async with open_stand() as stand:
        first, second, third = await answers(stand, asked(body), asked(body, b"Connection: close"), asked(body))
        assert "connection" not in head_of(first)[1]
        assert head_of(second)[1]["connection"] == "close"
        assert third == b""


async def test_an_older_client_is_served_the_common_way(open_stand: OpenStand) -> None:
    async with open_stand() as stand:
        (answer,) = await answers(stand, asked(STREAM, version=b"1.0"))
        line, headers = head_of(answer)
        assert line == b"HTTP/1.0 200 OK" and "transfer-encoding" not in headers
        assert answer.endswith(b"data: [DONE]\n\n")


async def test_requests_sent_at_once_are_answered_in_their_order(open_stand: OpenStand) -> None:
    async with open_stand() as stand:
        (got,) = await answers(stand, asked(WHOLE) + asked(STREAM) + asked(b"{") + asked(WHOLE, b"Connection: close"))
        assert re.findall(rb"HTTP/1\.1 (\d+)", got) == [b"200", b"200", b"400", b"200"]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x", "a\nb", "a\r\n\r\nbody", "a\x00b"])
@pytest.mark.parametrize("kind", ["whole", "events"])
def test_a_line_end_in_a_header_is_never_written(kind: str, value: str) -> None:
    answer = Whole(200, {"x": value}, b"") if kind == "whole" else Events(200, {"x": value})
    with pytest.raises(ValueError, match="line end"):
        answer._head("")
