"""What a cascade needs of the world outside: a way to call one rung, and to read what comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from pointsman.vocabulary import Answer, AttemptStatus, Rung, UpstreamAnswer, Verdict


class Reader(Protocol):
    """What is needed of a wire codec's stream reader."""

    @property
    def answer(self) -> Answer: ...
    @property
    def complete(self) -> bool: ...
    @property
    def terminated(self) -> bool: ...
    @property
    def error(self) -> str | None: ...
    @property
    def n_chars(self) -> int: ...
    def feed(self, chunk: bytes, /) -> bytes: ...
    def end(self) -> bytes: ...


class Called(Protocol):
    """A call whose first event, or whole body, has come."""

    @property
    def model(self) -> str:
        """The model that answered."""

    @property
    def answer(self) -> UpstreamAnswer:
        """Its answer; also one with an error status that is the request's fault."""

    def cost_usd(self, answer: Answer) -> float | None:
        """What the call cost by the usage that its answer reports; None when not known."""

    def read(self, raw: bytes) -> Answer:
        """A whole body as an answer.

        Raises:
            ValueError: it is not one.
        """


C = TypeVar("C", bound=Called)


class Caller(Protocol[C]):
    """Calls the models of rungs and keeps the account of what was called."""

    async def call(self, rung: Rung, *, judged: bool, dropped: Callable[[], bool]) -> C:
        """The first answer of the rung's models. Attempts that led to nothing are on the account when it returns,
        raises or is cancelled.

        Args:
            judged: its answer will be judged, so that the upstream may be asked for token probabilities.
            dropped: asked when it is cancelled: True when another answer was served.

        Raises:
            UpstreamError: none of them answered.
        """

    def settle(self, called: C, ending: Settled) -> None:
        """Puts a call that is not served onto the account; once for each."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How a call that is not served has ended."""

    status: AttemptStatus
    error: str | None
    answer: Answer | None
    """What was read of it; None when nothing was."""
    verdicts: tuple[Verdict, ...] = ()


NewReader: TypeAlias = Callable[[], Reader]
