"""Connections to upstreams, kept while they are idle.

aiohttp dials (names, several addresses at once, TLS) and reads HTTP; what is left out is what its session does around a
call, which took as long as the call itself (docs/log.md, 2026-11-25). The reasons stand in
`docs/design/transport.md`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.connector import Connection
from yarl import URL

KEEPALIVE_S = 30.0
"""Idle connections are closed after this, below the 60 to 75 s at which common load balancers close theirs."""
READ_BUFFER_BYTES = 64 * 2**10
"""aiohttp stops reading the socket at twice this: the bound on what a slow client makes us hold per stream, beside
the one read of at most 256 KiB that passes it."""
DNS_CACHE_S = 30
MAX_LINE_BYTES = 8_190
MAX_FIELD_BYTES = 16_384


class Wire(ResponseHandler):
    """One connection. Its answers are read one at a time.

    Attributes:
        idle_since_s: when it was last given back, by the loop's clock.
    """

    idle_since_s = 0.0
    held: Connection

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp asks for this with every chunk that is taken, and would look for paused input each time.
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)


class _Dialler(aiohttp.TCPConnector):
    """aiohttp's connector, for connections of our kind."""

    def __init__(self, *, limit: int, ssl_context: ssl.SSLContext) -> None:
        super().__init__(
            ssl=ssl_context,
            limit=limit,
            ttl_dns_cache=DNS_CACHE_S,
            resolver=aiohttp.ThreadedResolver(),
            socket_factory=_socket,
            # Nothing is ever given back to its pool.
            force_close=True,
        )
        self._factory = _wire_of(self._loop)


class Wires:
    """All connections of one transport. Belongs to one event loop.

    Args:
        limit: most connections at once, over all hosts; more wait for one to be closed.
    """

    def __init__(self, *, limit: int, ssl_context: ssl.SSLContext) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._dialler = _Dialler(limit=limit, ssl_context=ssl_context)
        self._idle: dict[ConnectionKey, deque[Wire]] = {}
        self._n_open = 0
        self._n_wanted = 0
        self._sweep: asyncio.TimerHandle | None = None

    def template(self, url: URL) -> ClientRequest:
        """What tells where to dial, made once per address."""
        return ClientRequest("POST", url, loop=self._loop)

    def idle(self, key: ConnectionKey) -> Wire | None:
        """A connection that has been used before and looks alive; the one given back last."""
        waiting = self._idle.get(key)
        while waiting:
            wire = waiting.pop()
            # What came in while it was idle is no answer to the next call.
            if wire.is_connected() and not wire.should_close:
                return wire
            self._close(wire)
        return None

    async def dial(self, template: ClientRequest, connect_s: float) -> Wire:
        """A new connection.

        Raises:
            ConnectionTimeoutError: it did not come about in time.
            ClientError, OSError, UnicodeError: it could not be made.
        """
        if self._n_open >= self._limit:
            self._close_one_idle()
        self._n_wanted += 1
        try:
            held = await self._dialler.connect(template, [], aiohttp.ClientTimeout(connect=connect_s))
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("not connected in time") from error
        finally:
            self._n_wanted -= 1
        wire = held.protocol
        assert isinstance(wire, Wire)
        wire.held = held
        self._n_open += 1
        return wire

    def give_back(self, key: ConnectionKey, wire: Wire) -> None:
        """Keeps a connection whose answer has been read, when it can be used again."""
        transport = wire.transport
        if (
            transport is None
            or wire.should_close
            # The upstream answered before it had read the call.
            or transport.get_write_buffer_size() > 0
            or self._n_wanted + self._n_open > self._limit
        ):
            self._close(wire)
            return
        wire.idle_since_s = self._loop.time()
        waiting = self._idle.get(key)
        if waiting is None:
            waiting = self._idle[key] = deque()
        waiting.append(wire)
        if self._sweep is None:
            self._sweep = self._loop.call_later(KEEPALIVE_S, self._close_old)

    def drop(self, wire: Wire) -> None:
        """Closes a connection at once."""
        self._close(wire)

    async def aclose(self) -> None:
        """Closes them all."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for waiting in self._idle.values():
            for wire in waiting:
                self._close(wire)
        self._idle.clear()
        await self._dialler.close()

    def _close(self, wire: Wire) -> None:
        self._n_open -= 1
        wire.held.close()

    def _close_one_idle(self) -> None:
        oldest = min((waiting for waiting in self._idle.values() if waiting), key=_age, default=None)
        if oldest is not None:
            self._close(oldest.popleft())

    def _close_old(self) -> None:
        """Closes what has been idle for too long, and looks again while anything is idle."""
        now_s = self._loop.time()
        for key in list(self._idle):
            waiting = self._idle[key]
            while waiting and now_s - waiting[0].idle_since_s >= KEEPALIVE_S:
                self._close(waiting.popleft())
            if not waiting:
                del self._idle[key]
        first_s = min((waiting[0].idle_since_s for waiting in self._idle.values()), default=None)
        self._sweep = None if first_s is None else self._loop.call_at(first_s + KEEPALIVE_S, self._close_old)


def _wire_of(loop: asyncio.AbstractEventLoop) -> partial[ResponseHandler]:
    made: partial[Any] = partial(Wire, loop=loop)
    return made


def _age(waiting: deque[Wire]) -> float:
    return waiting[0].idle_since_s


def _socket(address: tuple[object, ...]) -> socket.socket:
    family, kind, protocol = address[0], address[1], address[2]
    assert isinstance(family, int) and isinstance(kind, int) and isinstance(protocol, int)
    opened = socket.socket(family, kind, protocol)
    # A model may think for minutes without a byte; without probes, address translators forget such connections.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return opened
