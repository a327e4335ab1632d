"""What an engine does, and how one is opened by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol, TypeVar

from pointsman.errors import DataError
from pointsman.vocabulary import Transport

from .local import LOCAL

Part = TypeVar("Part")
Result = TypeVar("Result")


class EngineName(StrEnum):
    """The engines."""

    LOCAL = "local"
    RAY = "ray"


class Engine(Protocol):
    """Does work on parts."""

    def map(self, work: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """The results of the parts, in their order; parts are taken a bounded number ahead of what is consumed.

        Args:
            work: a function of the part alone, the same for the same part; it may be done more than once.
            parts: each small enough for one worker's memory.

        Raises:
            PointsmanError: what `work` raised.
            DataError: workers died of a part again and again.
        """

    def transport(self, open_transport: Callable[[], Transport]) -> Transport:
        """A transport whose calls are made where the work is done; no call is ever repeated by it.

        Args:
            open_transport: makes the transport that sends, once per worker.
        """


def open_engine(name: EngineName) -> AbstractContextManager[Engine]:
    """The engine of this name, closed at the end of the context.

    Raises:
        DataError: its packages are not installed, or its cluster cannot be reached.
    """
    if name is EngineName.LOCAL:
        return nullcontext(LOCAL)
    try:
        from .ray_engine import RayEngine
    except ModuleNotFoundError as error:
        raise DataError(
            f"--engine ray needs the extra with {error.name}: pip install 'pointsman[ray]', here and on every node"
        ) from error
    return RayEngine()
