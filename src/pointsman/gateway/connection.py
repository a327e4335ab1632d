"""One client connection, watched over: heads that do not come, and answers that are not taken.

aiohttp closes a kept-alive connection that stays idle, but waits for ever for a head that comes byte by byte, and for a
client that does not read. Both are told here from the two moments in which they begin and end, so that nothing is
paid per chunk.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp.web_protocol import RequestHandler


class Connection(RequestHandler):
    """A connection that closes itself.

    Args:
        for_admin: it came in at the admin's port.
        head_within_s: from the connection, or from the first byte of a later request, to the end of its head.
        write_within_s: how long the client may leave more unread than the socket's buffers hold.
    """

    def __init__(
        self,
        manager: Any,
        *,
        head_within_s: float,
        write_within_s: float,
        for_admin: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(manager, **options)
        self.for_admin = for_admin
        self._head_within_s = head_within_s
        self._write_within_s = write_within_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._n_begun = 0
        self._clock = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._n_begun == 0 and self._head_timer is None:
            self._expect_head()

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp asks for this with every piece of a body that is taken, and would look for paused input each time.
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

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
