"""The store: present, or away and tried again by itself.

Only calls that are under way when the store goes away wait for it, and each no longer than the timeout; while it is
away, every call fails at once.
"""

from __future__ import annotations

import asyncio
import random as randomness
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from importlib import resources
from typing import Any, NoReturn, TypeAlias

import structlog
from redis.exceptions import RedisError, ResponseError

from pointsman.errors import ConfigError, SharedStateAway

from .away import Absence, Backoff
from .line import Line, LineBroken, connection_options

_log = structlog.get_logger("pointsman.shared")

Word: TypeAlias = str | bytes | int | float
LATE_TURNS = 3
"""Of the event loop: the socket is read, the reader resolves the answer, and one to spare."""
CONNECT_TIMEOUTS = 4
"""How many times as long as a call a connection, and then the scripts, may take."""
SCRIPTS = ("announce", "beat", "begin", "enter", "hold", "join", "read", "settle")


class SharedStore:
    """See the module. `start` begins to connect, `aclose` ends it.

    Attributes:
        told: what became of it so far.
        join: called over a fresh connection before anything else; when it returns, the store is present.
        left: called when the store has gone away.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        prefix: str,
        clock: Callable[[], float],
        random: Callable[[], float] = randomness.random,
    ) -> None:
        try:
            self._options = connection_options(url)
        except ValueError as error:
            raise ConfigError(f"redis.url cannot be read: {error}") from error
        self.told = Absence()
        self.join: Callable[[], Awaitable[None]] | None = None
        self.left: Callable[[], None] | None = None
        self.timeout_s = timeout_s
        self._prefix = prefix
        self._clock = clock
        self._backoff = Backoff(random)
        self._texts = _texts()
        self._digests: dict[str, bytes] = {}
        self._line: Line | None = None
        self._present = False
        self._keeping: asyncio.Task[None] | None = None
        self._first_try = asyncio.Event()

    @property
    def present(self) -> bool:
        """True while calls are answered."""
        return self._present

    @property
    def started(self) -> bool:
        """True once it is kept connected."""
        return self._keeping is not None

    def key(self, *parts: str) -> str:
        """The name of a key; all of one gateway lie in one slot of a cluster, so that a script may use any of them."""
        return f"{{{self._prefix}}}:{':'.join(parts)}"

    async def start(self) -> None:
        """Begins to connect; returns after the first try, whatever came of it."""
        self._keeping = asyncio.create_task(self._keep())
        await self._first_try.wait()

    async def aclose(self) -> None:
        """Closes the connection, for good."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        self._present = False
        if self._line is not None:
            await self._line.aclose()

    def away(self) -> SharedStateAway:
        """The error of a call while the store is away."""
        wait_s = max(1.0, self.told.retry_at_s - self._clock())
        return SharedStateAway("the store that replicas share is away; try again", retry_after_s=wait_s)

    def send(self, script: str, keys: Sequence[str], words: Sequence[Word]) -> asyncio.Future[Any]:
        """The answer to come of a script, on its way when this returns; await it by `answer`.

        Raises:
            SharedStateAway: it is away.
        """
        if not self._present:
            raise self.away()
        return self._send(script, keys, words)

    async def ask(self, script: str, keys: Sequence[str], words: Sequence[Word]) -> Any:
        """What a script answers.

        Raises:
            SharedStateAway: it is away, or did not answer in time.
        """
        return await self.answer(self.send(script, keys, words))

    async def answer(self, future: asyncio.Future[Any]) -> Any:
        """The answer to something sent; a caller that leaves does not take it back.

        Raises:
            SharedStateAway: it did not come in time.
        """
        try:
            return await self._in_time(future)
        except TimeoutError:
            self.gone("timeout")
        except LineBroken:
            self.gone("broken")
        except ResponseError as error:
            # Its data were flushed with its scripts, it is loading, or it has become a replica that cannot be written.
            _log.warning("the shared store refuses a call", error=str(error)[:200])
            self.gone("lost")
        raise self.away()

    async def answer_joining(self, script: str, keys: Sequence[str], words: Sequence[Word]) -> Any:
        """As `ask`, for `join`: over a connection that others may not use yet.

        Raises:
            LineBroken: the connection is gone, or there was no answer in time.
        """
        try:
            return await self._in_time(self._send(script, keys, words))
        except (TimeoutError, ResponseError) as error:
            raise LineBroken(type(error).__name__) from error

    @staticmethod
    def refuse_to_join(why: str) -> NoReturn:
        """Ends a join that cannot be; it is tried again later.

        Raises:
            LineBroken: always.
        """
        raise LineBroken(why)

    def gone(self, reason: str) -> None:
        """Takes the store for away; the second time it does nothing."""
        if not self._present:
            return
        self._present = False
        self.told.n_away[reason] += 1
        _log.warning("the shared store is away", reason=reason)
        if self._line is not None:
            self._line.give_up()
        if self.left is not None:
            self.left()

    async def _in_time(self, future: asyncio.Future[Any]) -> Any:
        try:
            async with asyncio.timeout(self.timeout_s):
                return await asyncio.shield(future)
        except TimeoutError:
            # Where our own event loop was late, the answer lies in the socket; a turn or two take it out.
            for _ in range(LATE_TURNS):
                await asyncio.sleep(0)
            if future.done():
                return future.result()
            raise

    def _send(self, script: str, keys: Sequence[str], words: Sequence[Word]) -> asyncio.Future[Any]:
        assert self._line is not None
        self.told.n_calls += 1
        return self._line.send("EVALSHA", self._digests[script], len(keys), *keys, *words)

    async def _keep(self) -> None:
        """Connects, joins, waits until the connection is gone, and begins anew; for ever."""
        while True:
            began_s = self._clock()
            try:
                await self._connect()
            except (LineBroken, RedisError) as error:
                if not self._first_try.is_set():
                    _log.warning("the shared store is away", reason="unreachable", error=str(error)[:200])
                self.told.n_away["unreachable"] += 1
                held_s = 0.0
            else:
                self.told.n_joined += 1
                _log.info("the shared store is there")
                self._first_try.set()
                assert self._line is not None
                await self._line.broken()
                self.gone("broken")
                held_s = self._clock() - began_s
            self._first_try.set()
            if self._line is not None:
                await self._line.aclose()
                self._line = None
            wait_s = self._backoff.next_s(held_s)
            self.told.retry_at_s = self._clock() + wait_s
            await asyncio.sleep(wait_s)

    async def _connect(self) -> None:
        # No request waits for this; that answers come in time is seen at joining.
        within_s = CONNECT_TIMEOUTS * self.timeout_s
        self._line = line = await Line.open(self._options, within_s)
        try:
            async with asyncio.timeout(within_s):
                digests = await asyncio.gather(*(line.send("SCRIPT", "LOAD", self._texts[name]) for name in SCRIPTS))
        except TimeoutError as error:
            raise LineBroken("no answer in time") from error
        self._digests = dict(zip(SCRIPTS, digests, strict=True))
        if self.join is not None:
            await self.join()
        self._present = True


def _texts() -> dict[str, str]:
    folder = resources.files("pointsman.shared").joinpath("lua")
    common = folder.joinpath("common.lua").read_text(encoding="utf-8")
    return {name: f"{common}\n{folder.joinpath(f'{name}.lua').read_text(encoding='utf-8')}" for name in SCRIPTS}
