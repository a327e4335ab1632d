"""Answers written to the connection directly, in as few steps as HTTP/1.1 needs.

They stand in for aiohttp's responses where those cost more than all else that is done for an answer: of what a
response can do (cookies, ranges, compression, hooks, HTTP/1.0) they need nothing. What aiohttp's connection asks of a
response is `prepare`, `write_eof` and `keep_alive`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import ClientConnectionResetError, web

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class _Written:
    """What both kinds share.

    Args:
        status: the HTTP status.
        headers: names and values without control characters; Date and what frames the body come on top.
    """

    __slots__ = ("_connection", "_headers", "_keep_alive", "status")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self._headers = headers
        self._keep_alive = True
        self._connection: web.RequestHandler | None = None

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may carry another request."""
        return self._keep_alive

    def force_close(self) -> None:
        """Ends the connection with this answer."""
        self._keep_alive = False

    async def prepare(self, request: web.BaseRequest) -> None:
        """Takes the connection to write to."""
        if self._connection is None:
            self._connection = request.protocol
            if not request.keep_alive:
                self._keep_alive = False

    def _head(self, framing: str) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in self._headers.items()])
        if lines.count("\n") != len(self._headers) or "\r\r" in lines or "\x00" in lines:
            raise ValueError("a header holds a line end")
        line = _STATUS_LINES.get(self.status, f"HTTP/1.1 {self.status} \r\n")
        close = "" if self._keep_alive else "Connection: close\r\n"
        return f"{line}{lines}{framing}{close}Date: {_date()}\r\n\r\n".encode()

    async def _send(self, data: bytes) -> None:
        connection = self._connection
        transport = None if connection is None else connection.transport
        if connection is None or transport is None or transport.is_closing():
            raise ClientConnectionResetError("the client is gone")
        transport.write(data)
        if connection._paused:
            await connection._drain_helper()


class Whole(_Written):
    """An answer with its body."""

    __slots__ = ("_body",)

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status, headers)
        self._body: bytes | None = body

    async def write_eof(self) -> None:
        """Sends it, once."""
        body, self._body = self._body, None
        if body is not None:
            await self._send(self._head(f"Content-Length: {len(body)}\r\n") + body)


class Events(_Written):
    """A stream. Its head goes out with its first events, which are there when it begins: one packet less."""

    __slots__ = ("_begun", "_over")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status, headers)
        self._begun = self._over = False

    async def write(self, data: bytes) -> None:
        """Sends events; waits until the client has taken enough of those before."""
        chunk = b"%x\r\n%b\r\n" % (len(data), data)
        if not self._begun:
            self._begun = True
            chunk = self._head("Transfer-Encoding: chunked\r\n") + chunk
        await self._send(chunk)

    async def write_eof(self) -> None:
        """Ends it, once."""
        if not self._over:
            self._over = True
            end = b"0\r\n\r\n"
            if not self._begun:
                self._begun = True
                end = self._head("Transfer-Encoding: chunked\r\n") + end
            await self._send(end)


Response: TypeAlias = web.StreamResponse | Whole | Events

_written_date: tuple[int, str] = (0, "")


def _date() -> str:
    """The time for the Date header (RFC 9110 section 6.6.1), made once a second."""
    global _written_date
    now_s = int(time.time())
    if _written_date[0] != now_s:
        _written_date = (now_s, formatdate(now_s, usegmt=True))
    return _written_date[1]
