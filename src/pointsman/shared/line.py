"""One connection, many calls at once: each is written as it comes, and answers come back in the same order.

redis-py's own client gives a connection to one call at a time; that order of calls over one connection is what lets a
replica know which of its changes were carried out when a connection breaks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

MAX_UNANSWERED = 10_000
"""Calls that may wait for their answers; about 5 MB."""


class LineBroken(Exception):
    """The connection is gone; what was sent and not answered may or may not have been carried out."""


class Line:
    """An open connection.

    Args:
        connection: connected; the line closes it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._broken = asyncio.Event()
        self._outgoing: list[bytes] = []
        self._wanted = asyncio.Event()
        self._tasks = (asyncio.create_task(self._read()), asyncio.create_task(self._write()))

    @classmethod
    async def open(cls, options: Mapping[str, Any], timeout_s: float) -> Self:
        """A connection, logged in.

        Args:
            options: of redis-py's connection, as `connection_options` gives them.

        Raises:
            LineBroken: there was none in time.
        """
        given = dict(options)
        connection: Connection = given.pop("connection_class", Connection)(**given)
        try:
            async with asyncio.timeout(timeout_s):
                await connection.connect()  # type: ignore[no-untyped-call]
        except (TimeoutError, OSError, RedisError) as error:
            with suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)
            raise LineBroken(type(error).__name__) from error
        return cls(connection)

    @property
    def is_broken(self) -> bool:
        """True once nothing more can be sent."""
        return self._broken.is_set()

    async def broken(self) -> None:
        """Returns when the connection is gone."""
        await self._broken.wait()

    def send(self, *command: str | bytes | int | float) -> asyncio.Future[Any]:
        """The answer to come of a command, which is on its way when this returns.

        The future raises `LineBroken`, or redis-py's `ResponseError` where the server refused the command.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # Whoever asked may have left by then.
        future.add_done_callback(_seen)
        if self._broken.is_set() or len(self._waiting) >= MAX_UNANSWERED:
            future.set_exception(LineBroken("not connected"))
            return future
        self._waiting.append(future)
        self._outgoing += self._connection.pack_command(*command)
        self._wanted.set()
        return future

    def give_up(self) -> None:
        """Breaks the connection: its peer takes too long."""
        for task in self._tasks:
            task.cancel()
        self._fail()

    async def aclose(self) -> None:
        """Closes the connection."""
        self.give_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)

    async def _write(self) -> None:
        """Sends what has gathered, in one piece."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                pieces, self._outgoing = self._outgoing, []
                await self._connection.send_packed_command(pieces, check_health=False)
        except (RedisError, OSError):
            self._fail()

    async def _read(self) -> None:
        try:
            while True:
                answer: Any
                try:
                    answer = await self._connection.read_response(disconnect_on_error=False)
                except ResponseError as refused:
                    answer = refused
                if not self._waiting:
                    return
                future = self._waiting.popleft()
                if future.done():
                    continue
                if isinstance(answer, ResponseError):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except (RedisError, OSError):
            pass
        finally:
            self._fail()

    def _fail(self) -> None:
        self._broken.set()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(LineBroken("the connection was lost"))


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def connection_options(url: str) -> dict[str, Any]:
    """What redis-py's connection takes, from an address.

    Raises:
        ValueError: it cannot be read.
    """
    # Timeouts, tries and health checks are ours: every call has one time limit, whatever stands in its way.
    own = {"socket_timeout": None, "retry": Retry(NoBackoff(), 0), "health_check_interval": 0, "protocol": 2}
    return {**parse_url(url), **own}
