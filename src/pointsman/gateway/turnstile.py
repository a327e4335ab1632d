"""How many requests are served at once, how many wait, and when the next is turned away at once."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import suppress

from pointsman.errors import Overloaded

LAG_EVERY_S = 0.05
N_LAGS = 3
"""Looks at the event loop in a row that must all be late: one alone may be a garbage collection, or one large body."""


class LagWatch:
    """How late the event loop is: a timer that looks at how much too late it rings.

    Attributes:
        lag_s: at the last look, in seconds.
    """

    def __init__(self) -> None:
        self.lag_s = 0.0
        self._lags: deque[float] = deque(maxlen=N_LAGS)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to look; until then nothing is late."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LAG_EVERY_S, self._look, loop, loop.time() + LAG_EVERY_S)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def seen(self, lag_s: float) -> None:
        """Takes one look."""
        self.lag_s = lag_s
        self._lags.append(lag_s)

    def is_late(self, than_s: float) -> bool:
        """True when every one of the last looks was later than this."""
        return len(self._lags) == N_LAGS and min(self._lags) > than_s

    def _look(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        now_s = loop.time()
        self.seen(max(0.0, now_s - due_s))
        self._timer = loop.call_at(now_s + LAG_EVERY_S, self._look, loop, now_s + LAG_EVERY_S)


class Turnstile:
    """Lets requests in, first come, first served.

    Whoever cannot be served soon is told so at once: a queue that only grows helps nobody, and costs those who are
    served their time.

    Attributes:
        n_inside: requests that are served now.
        n_shed: requests turned away, by reason: "queue_full", "queue_wait", "lag", or "connections" for those that were
            not read.
        lag: how late the event loop is.
    """

    def __init__(self, limit: int, max_waiting: int, wait_s: float, max_lag_s: float) -> None:
        self.n_inside = 0
        self.n_shed: Counter[str] = Counter()
        self.lag = LagWatch()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.configure(limit, max_waiting, wait_s, max_lag_s)

    def configure(self, limit: int, max_waiting: int, wait_s: float, max_lag_s: float) -> None:
        """Other bounds, for requests to come."""
        self._limit = limit
        self._max_waiting = max_waiting
        self._wait_s = wait_s
        self._max_lag_s = max_lag_s
        self._let_in()

    @property
    def n_waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Returns when the request may be served; every `enter` that returned is followed by a `leave`.

        Raises:
            Overloaded: the queue is full, the turn did not come in time, or the event loop is late.
        """
        if self.lag.is_late(self._max_lag_s):
            raise self._shed("lag", "the gateway is behind with its work")
        if self.n_inside < self._limit and not self._waiting:
            self.n_inside += 1
            return
        if len(self._waiting) >= self._max_waiting:
            raise self._shed("queue_full", f"{self.n_inside} requests are under way and {len(self._waiting)} wait")
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except TimeoutError:
            if turn.done() and not turn.cancelled():
                return
            self._give_up(turn)
            raise self._shed("queue_wait", f"no turn came within {self._wait_s:g} s") from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                self._give_up(turn)
            raise

    def leave(self) -> None:
        """One request less is served."""
        self.n_inside -= 1
        self._let_in()

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        # Whoever left a moment ago may have passed it over already.
        with suppress(ValueError):
            self._waiting.remove(turn)

    def _let_in(self) -> None:
        while self._waiting and self.n_inside < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.n_inside += 1
                turn.set_result(None)

    def no_room(self) -> None:
        """Counts a connection that was turned away."""
        self.n_shed["connections"] += 1

    def _shed(self, reason: str, why: str) -> Overloaded:
        self.n_shed[reason] += 1
        return Overloaded(f"{why}; try again")
