"""Calls made by actors of a Ray cluster, for a caller that keeps the journal, the budget and the order of retries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import ray
from ray.exceptions import ActorDiedError, RayError

from pointsman.errors import PointsmanError, UpstreamBroken
from pointsman.vocabulary import Transport, UpstreamCall

from .carried import Carried

MAX_CALLS_AT_ONCE: Final = 1_024
"""In one actor; what bounds calls in practice is the models' `max_concurrency`, which the caller keeps."""


@dataclass(frozen=True, slots=True)
class FetchedAnswer:
    """A whole answer that an actor brought home."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in one piece."""
        yield self.body

    async def read(self) -> bytes:
        """The whole body."""
        return self.body

    async def aclose(self) -> None:
        """Nothing is open."""


class _Caller:
    """The actor: sends calls over a transport of its own, and reads their answers to the end."""

    def __init__(self, open_transport: Callable[[], Transport]) -> None:
        self._open_transport = open_transport
        self._transport: Transport | None = None

    async def send(self, call: UpstreamCall) -> FetchedAnswer | Carried:
        if self._transport is None:
            self._transport = self._open_transport()
        try:
            answer = await self._transport.send(call)
            try:
                return FetchedAnswer(answer.status, dict(answer.headers), await answer.read())
            finally:
                await answer.aclose()
        except PointsmanError as error:
            return Carried.of(error)

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()


class RayTransport:
    """Sends each call from the actor that has least under way. A call is handed over once and never repeated by Ray.

    In the place of an actor that dies comes a new one. Its calls under way end as broken: they may have been paid for.

    Args:
        open_transport: makes each actor's transport; goes to the workers, as do the calls with the providers' keys.
        n_workers: how many actors, spread over the nodes.
    """

    def __init__(self, open_transport: Callable[[], Transport], *, n_workers: int) -> None:
        self._open_transport = open_transport
        # Not restarted by Ray: to a restarting actor it refuses calls, and then none knows whether they were made.
        self._actor = ray.remote(_Caller).options(
            num_cpus=0,
            max_concurrency=MAX_CALLS_AT_ONCE,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._actors: list[Any] = [self._actor.remote(open_transport) for _ in range(n_workers)]
        self._under_way = [0] * n_workers

    async def send(self, call: UpstreamCall) -> FetchedAnswer:
        """The whole answer.

        Raises:
            UpstreamUnreachable, UpstreamTimeout, UpstreamBroken: no answer came, or the worker died.
        """
        place = min(range(len(self._actors)), key=self._under_way.__getitem__)
        self._under_way[place] += 1
        actor = self._actors[place]
        try:
            found = await actor.send.remote(call)
        except RayError as error:
            if isinstance(error, ActorDiedError) and self._actors[place] is actor:
                self._actors[place] = self._actor.remote(self._open_transport)
            raise UpstreamBroken(
                f"the worker that called {call.model.name!r} died ({type(error).__name__})", model=call.model.name
            ) from error
        finally:
            self._under_way[place] -= 1
        if isinstance(found, Carried):
            raise found.error()
        assert isinstance(found, FetchedAnswer)
        return found

    async def aclose(self) -> None:
        """Closes the actors' connections and ends the actors."""
        closing = [asyncio.ensure_future(_closed(actor)) for actor in self._actors]
        await asyncio.gather(*closing)
        for actor in self._actors:
            ray.kill(actor)


async def _closed(actor: Any) -> None:
    try:
        await actor.close.remote()
    except RayError:
        return  # It died before; nothing of it is open.
