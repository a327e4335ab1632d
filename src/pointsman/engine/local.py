"""Work done here, one part after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from pointsman.vocabulary import Transport

Part = TypeVar("Part")
Result = TypeVar("Result")


class LocalEngine:
    """Does the work in this process."""

    def map(self, work: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """The results of the parts, each made when it is asked for."""
        return map(work, parts)

    def transport(self, open_transport: Callable[[], Transport]) -> Transport:
        """The transport itself."""
        return open_transport()


LOCAL: Final = LocalEngine()
