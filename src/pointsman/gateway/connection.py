"""One client connection, watched over: heads that do not come, and answers that are not taken.

aiohttp closes a kept-alive connection that stays idle, but waits for ever for a head that comes byte by byte, and for a
client that does not read. Both are told here from the two moments in which they begin and end, so that nothing is
paid per chunk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from .headers import SERVER

REFUSED_WITHIN_S = 1.0
"""How long a client that is turned away may take to read that: closed at once, with its request unread, the connection
would be reset, and the answer with it."""
MAX_TURNED_AWAY = 128
"""Above so many that have yet to read it, further ones are cut off."""


def _error(message: str, kind: str, code: str) -> bytes:
    return f'{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":"{code}"}}}}'.encode()


_BODY = _error("the gateway has as many connections as it can serve; try again", "server_error", "gateway_overloaded")
_TURNED_AWAY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)


_SAID = {
    400: _error("these bytes are no HTTP/1.1 request", "invalid_request_error", "invalid_request"),
    413: _error("the request is larger than allowed", "invalid_request_error", "invalid_request"),
    431: _error("a header is longer than allowed", "invalid_request_error", "invalid_request"),
    500: _error("the gateway failed", "server_error", "internal_error"),
    504: _error("the gateway took too long", "server_error", "internal_error"),
}


@dataclass(slots=True)
class Door:
    """How many connections there are, and how many there may be.

    Attributes:
        n_inside: those that are served or idle.
        n_outside: those that have yet to read that they are turned away.
    """

    limit: int
    n_inside: int = 0
    n_outside: int = 0


class Connection(RequestHandler):
    """A connection that closes itself. One beyond the limit is answered 503 before its request is read.

    Args:
        door: counts it in.
        turned_away: called when there are too many already.
        for_admin: it came in at the admin's port.
        head_within_s: from the connection, or from the first byte of a later request, to the end of its head.
        write_within_s: how long the client may leave more unread than the socket's buffers hold.
    """

    def __init__(
        self,
        manager: Any,
        *,
        door: Door,
        turned_away: Callable[[], object],
        head_within_s: float,
        write_within_s: float,
        for_admin: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(manager, **options)
        self.for_admin = for_admin
        self._door = door
        self._turned_away = turned_away
        self._outside: asyncio.TimerHandle | None = None
        self._head_within_s = head_within_s
        self._write_within_s = write_within_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._n_begun = 0
        self._clock = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        door = self._door
        if door.n_inside >= door.limit:
            # Not asked what it is: uvloop's transports are no subclasses.
            self._turn_away(cast(asyncio.Transport, transport))
            return
        door.n_inside += 1
        super().connection_made(transport)
        self._expect_head()

    def _turn_away(self, transport: asyncio.Transport) -> None:
        self._turned_away()
        self._door.n_outside += 1
        late_s = REFUSED_WITHIN_S if self._door.n_outside <= MAX_TURNED_AWAY else 0.0
        self._outside = self._clock.call_later(late_s, transport.abort)
        transport.write(_TURNED_AWAY)
        transport.write_eof()

    def eof_received(self) -> None:
        if self._outside is None:
            super().eof_received()

    def data_received(self, data: bytes) -> None:
        if self._outside is not None:
            return
        super().data_received(data)
        if self._n_begun == 0 and self._head_timer is None:
            self._expect_head()

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp asks for this with every piece of a body that is taken, and would look for paused input each time.
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no request, and to what went wrong around the application.

        In place of aiohttp's, which quotes what came and tells the parser and its version.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun, and another cannot follow")
        self.log_exception("Error handling request", exc_info=exc)
        said = _SAID.get(status, _SAID[500])
        response = web.Response(status=status, body=said, headers={"Server": SERVER}, content_type="application/json")
        response.force_close()
        return response

    def begun(self) -> None:
        """A request's head has come whole."""
        self._n_begun += 1
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def ended(self) -> None:
        """Its answer is over."""
        self._n_begun -= 1

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self._clock.call_later(self._write_within_s, self._answer_not_taken)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._outside is not None:
            self._outside.cancel()
            self._door.n_outside -= 1
            return
        self._door.n_inside -= 1
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._write_timer = None
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head_timer = self._clock.call_later(self._head_within_s, self._head_did_not_come)

    def _head_did_not_come(self) -> None:
        self._head_timer = None
        if self._n_begun == 0:
            self.force_close()

    def _answer_not_taken(self) -> None:
        self._write_timer = None
        if self.transport is not None:
            # Not close, which would wait for what is unread.
            self.transport.abort()
