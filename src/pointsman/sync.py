"""The router for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from .completion import Completion
from .router import Router
from .vocabulary import Decision

T = TypeVar("T")


class SyncRouter:
    """A `Router` whose calls block; its event loop runs in a thread of its own until `close`.

    The arguments of `route`, `complete` and `stream` are those of `Router`.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pointsman-sync-router", daemon=True)
        self._thread.start()
        self._closed = False

    @classmethod
    def from_config(cls, config: Path | str | Mapping[str, Any] | None = None, **arguments: Any) -> Self:
        """A router that serves; see `Router.from_config`."""
        return cls(Router.from_config(config, **arguments))

    def route(self, **arguments: Any) -> Decision:
        """The decision; see `Router.route`."""
        return self._router.route(**arguments)

    def complete(self, **arguments: Any) -> Completion:
        """The answer; see `Router.complete`."""
        return self._run(self._router.complete(**arguments))

    def stream(self, **arguments: Any) -> Iterator[bytes]:
        """The answer's events as they come; see `Router.stream`. A loop that is left early cancels the call."""
        events = self._router.stream(**arguments)
        try:
            while True:
                try:
                    yield self._run(_next(events))
                except StopAsyncIteration:
                    return
        finally:
            self._run(events.aclose())

    def close(self) -> None:
        """Closes the router and ends its thread; a second call does nothing."""
        if self._closed:
            return
        self._run(self._router.aclose())
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            work.close()
            raise RuntimeError("this router is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise


async def _next(events: AsyncIterator[bytes]) -> bytes:
    return await anext(events)
