"""An answer on its way to the client: its first byte has come, its end has not.

The bytes pass through as they come; a reader from the wire stage looks on, so that usage and end are known. Whatever
happens (the end, a break, the client leaving) is told exactly once to `finish`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pointsman.errors import UpstreamBroken, UpstreamError
from pointsman.vocabulary import Answer, Attempt, AttemptStatus, Clock, Cost, Decision, UpstreamAnswer

DRAIN_S = 0.2
"""How long to wait, in seconds, for an upstream to end its body after the protocol's terminator. Nearly all do so in
the same packet, and the connection can then be used again; one that leaves the socket open must not hold the client."""


class StreamReader(Protocol):
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
    def error_sent(self) -> bool: ...
    @property
    def n_events(self) -> int: ...
    def feed(self, chunk: bytes, /) -> bytes: ...
    def end(self) -> bytes: ...
    def closing(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended."""

    status: AttemptStatus
    answer: Answer | None
    error: str | None
    first_byte_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class Account:
    """What a finished answer cost, and what it saved against the baseline; None when not known."""

    cost: Cost
    saved_usd: float | None
    attempts: tuple[Attempt, ...] = ()
    """All of them, in order."""


class Reply:
    """One answer for one client.

    Read it once, either whole (`read`) or as it comes (`chunks`), and always `aclose` it: an answer that was not read
    to its end is cancelled upstream.

    Attributes:
        status: the HTTP status for the client.
        headers: headers to pass down, names in lower case.
        account: what it cost, once it has ended.
        answer: what was read of it, once it has ended.
    """

    def __init__(
        self,
        *,
        request_id: str,
        decision: Decision,
        model: str,
        tier: str | None,
        upstream: UpstreamAnswer,
        headers: Mapping[str, str],
        read_answer: Callable[[bytes], Answer],
        rename_model: Callable[[bytes, str, bool], bytes],
        stream: StreamReader | None,
        started_s: float,
        first_byte_ms: float | None,
        clock: Clock,
        finish: Callable[[Ending], Account],
    ) -> None:
        self.request_id = request_id
        self.decision = decision
        self.model = model
        self.tier = tier
        self.status = upstream.status
        self.headers = headers
        self.account: Account | None = None
        self.answer: Answer | None = None
        self._upstream = upstream
        self._read_answer = read_answer
        self._rename_model = rename_model
        self._reader = stream
        self._started_s = started_s
        self._first_byte_ms = first_byte_ms
        self._clock = clock
        self._finish = finish

    @property
    def stream(self) -> bool:
        """True when the answer is a stream of events."""
        return self._reader is not None

    @property
    def n_events(self) -> int:
        """How many events of a stream were passed on; 0 for a whole answer."""
        return 0 if self._reader is None else self._reader.n_events

    @property
    def cost(self) -> Cost | None:
        """What all attempts cost; None before the end."""
        return None if self.account is None else self.account.cost

    @property
    def saved_usd(self) -> float | None:
        """What was saved against the baseline; None before the end or when not known."""
        return None if self.account is None else self.account.saved_usd

    async def read(self) -> bytes:
        """The whole body with the model renamed; an error body of the upstream comes unchanged.

        Raises:
            UpstreamBroken, UpstreamTimeout: the body did not come whole, or is not an answer.
        """
        try:
            raw = await self._upstream.read()
        except UpstreamError as error:
            self._end(AttemptStatus.INCOMPLETE, None, error.code)
            raise
        if self.status >= 400:
            self._end(AttemptStatus.ERROR, None, "upstream_refused")
            return raw
        try:
            answer = self._read_answer(raw)
            renamed = self._rename_model(raw, self.model, answer.upstream_model is not None)
        except ValueError as error:
            self._end(AttemptStatus.ERROR, None, UpstreamBroken.code)
            raise UpstreamBroken(
                f"the answer of {self.model} is not one its protocol allows: {error}", model=self.model
            ) from error
        self._end(AttemptStatus.OK, answer, None)
        return renamed

    async def chunks(self) -> AsyncIterator[bytes]:
        """The stream as it comes, whole events only, the model renamed.

        Raises:
            UpstreamBroken, UpstreamTimeout: the stream broke off before the answer was complete; what came before
                has been yielded.
        """
        reader = self._reader
        if reader is None:
            yield await self.read()
            return
        try:
            upstream = self._upstream.chunks()
            async for chunk in upstream:
                out = reader.feed(chunk)
                if out:
                    yield out
                if reader.terminated:
                    await _drain(upstream)
                    break
            out = reader.end()
            if reader.complete and (out := out + reader.closing()):
                yield out
        except UpstreamError as error:
            if not reader.complete:
                self._end(AttemptStatus.INCOMPLETE, reader.answer, error.code)
                raise
            if out := reader.closing():
                yield out
        except ValueError as error:
            self._end(AttemptStatus.INCOMPLETE, reader.answer, UpstreamBroken.code)
            raise UpstreamBroken(
                f"the stream of {self.model} is not one its protocol allows: {error}", model=self.model
            ) from error
        if reader.error is not None:
            self._end(AttemptStatus.INCOMPLETE, reader.answer, "upstream_error_event")
            if not reader.error_sent:
                # The client has not been told: a clean end here would look like a whole answer.
                raise UpstreamBroken(f"the stream of {self.model} holds an event that cannot be read", model=self.model)
        elif reader.complete:
            self._end(AttemptStatus.OK, reader.answer, None)
        else:
            self._end(AttemptStatus.INCOMPLETE, reader.answer, UpstreamBroken.code)
            raise UpstreamBroken(f"the stream of {self.model} ended before its answer was complete", model=self.model)

    async def aclose(self) -> None:
        """Lets go of the upstream; when the answer had not ended, the call is cancelled and recorded so."""
        try:
            await self._upstream.aclose()
        finally:
            self._end(AttemptStatus.CANCELLED, None if self._reader is None else self._reader.answer, "client_left")

    async def __aenter__(self) -> Reply:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _end(self, status: AttemptStatus, answer: Answer | None, error: str | None) -> None:
        if self.account is not None:
            return
        self.answer = answer
        total_ms = (self._clock() - self._started_s) * 1e3
        self.account = self._finish(Ending(status, answer, error, self._first_byte_ms, total_ms))


async def _drain(rest: AsyncIterator[bytes]) -> None:
    """Reads and drops what follows a terminator, for a short while; a break there no longer matters."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in rest:
                pass
    except (TimeoutError, UpstreamError):
        return
