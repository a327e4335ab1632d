"""How many calls of one model may be under way at once, and how long another may wait for its turn."""

from __future__ import annotations

import asyncio

from pointsman.errors import UpstreamBusy
from pointsman.vocabulary import Model

WAITING_PER_SLOT = 8
"""How many calls may wait per call under way; one more is turned away at once. With calls of a few seconds each, the
last of the queue would wait for longer than `wait_s` anyway."""
COME_BACK_S = 1.0
"""What a caller who is turned away is told to wait."""


class Slots:
    """The slots of every model that has a `max_concurrency`; a model without one is never held back."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._by_model: dict[tuple[str, int], ModelSlots] = {}

    async def take(self, model: Model) -> ModelSlots | None:
        """The slot taken, to be given back by its `release`; None when the model has no limit.

        Raises:
            UpstreamBusy: no slot became free within the wait, or too many wait already.
        """
        limit = model.max_concurrency
        if limit is None:
            return None
        key = (model.name, limit)
        queue = self._by_model.get(key)
        if queue is None:
            queue = self._by_model[key] = ModelSlots(limit)
        await queue.acquire(model.name, min(self._wait_s, model.timeouts.first_byte_s))
        return queue


class ModelSlots:
    """The slots of one model, first come, first served."""

    __slots__ = ("_limit", "_n_waiting", "_semaphore")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._n_waiting = 0
        self._semaphore = asyncio.Semaphore(limit)

    async def acquire(self, model: str, wait_s: float) -> None:
        if not self._semaphore.locked():
            await self._semaphore.acquire()
            return
        if self._n_waiting >= WAITING_PER_SLOT * self._limit:
            raise UpstreamBusy(
                f"model {model!r} has all its {self._limit} calls under way and {self._n_waiting} waiting",
                model=model,
                retry_after_s=COME_BACK_S,
            )
        self._n_waiting += 1
        try:
            async with asyncio.timeout(wait_s):
                await self._semaphore.acquire()
        except TimeoutError:
            raise UpstreamBusy(
                f"model {model!r} has all its {self._limit} calls under way; none ended within {wait_s:g} s",
                model=model,
                retry_after_s=COME_BACK_S,
            ) from None
        finally:
            self._n_waiting -= 1

    def release(self) -> None:
        self._semaphore.release()
