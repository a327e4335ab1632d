"""The first answer along a list of models: one that fails before its first byte gives way to the next.

Nothing has reached the client while this runs, so that falling back is invisible. Once an answer is handed out, it is
the client's: what breaks after that is an error in mid-answer, which only the caller can tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

from pointsman.errors import UpstreamBroken, UpstreamError, UpstreamRefused, UpstreamTimeout
from pointsman.vocabulary import AttemptStatus, Clock, Transport, UpstreamAnswer, UpstreamCall, WallClock

from .retry_after import retry_after_s

MAX_ATTEMPTS = 4
MAX_ERROR_BODY_BYTES = 64 * 2**10
ERROR_BODY_WITHIN_S = 1.0
"""An error body comes with its headers; one that dawdles is not worth holding up the next model for."""
MAX_HEAD_BYTES = 2**20
"""Most bytes read in search of a stream's first event. A Responses stream begins with an event that repeats the
instructions and tools of the request, 100 KB from coding agents."""

_OURS = {
    401: "refused the key configured for it",
    402: "refused for want of payment",
    403: "refused the key configured for it",
    404: "does not know the model or the path configured for it",
}
"""Refusals that the caller of the gateway has no part in: its key and its words were not what was refused."""
_PASSING = frozenset({408, 409, 429})
"""Client errors that are about the moment, not the request; with all of 5xx the list of the OpenAI and Anthropic SDKs
("Retries" in both READMEs)."""
_TOLD_AS = {408: 504, 409: 503, 429: 429, 503: 503, 504: 504, 529: 529}


class Admission(StrEnum):
    """What is thought of the first bytes of an answer."""

    YES = "yes"
    MORE = "more"
    """Nothing to be seen yet: no event, or only comments."""
    NO = "no"
    """Not an answer: an error, HTML, JSON where a stream was asked for."""


Accept: TypeAlias = Callable[[bytes, bool], Admission]
"""Judges the bytes so far of a 2xx answer; the flag says that there will be no more."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that led to nothing; what is missing to a vocabulary `Attempt` is the tier, usage and cost.

    `error` is a code of `pointsman.errors`, or "client_left". Times count from the attempt's start.
    """

    model: str
    status: AttemptStatus
    http_status: int | None
    error: str
    first_byte_ms: float | None
    total_ms: float
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The call that was answered. Its attempt goes on until the answer ends: `started_s` is its start by the clock.

    `first_byte_ms` is the time to the headers; for a stream that was judged, to its first real event.
    """

    call: UpstreamCall
    answer: UpstreamAnswer
    started_s: float
    first_byte_ms: float


async def first_answer(
    calls: Iterable[UpstreamCall],
    transport: Transport,
    *,
    clock: Clock,
    now: WallClock,
    failed: list[Tried],
    accept: Accept | None = None,
    max_attempts: int = MAX_ATTEMPTS,
) -> Answered:
    """The first answer to any of the calls, tried in order; an answer may also say that the request is at fault (4xx).

    The next call is tried, at once, when no connection or answer came (connection, timeout, broken), on 408, 409, 429
    and 5xx, on 401, 402, 403 and 404 (our key or our model's name), and when `accept` says no.

    Args:
        calls: what to try, in order; taken one at a time, so that a generator makes only the bodies that are sent.
        clock: times the attempts.
        now: for waiting times that are given as dates.
        failed: gets every attempt that led to nothing, as it ends; so the caller has them whatever happens, errors and
            cancellation included.
        accept: judges a 2xx answer before it is handed out: a stream by its first bytes, any other by its whole body.
            Without it every 2xx answer is good.
        max_attempts: most calls to try.

    Raises:
        UpstreamError: the last call's failure. `UpstreamRefused` bears the status to give the caller: 502 where it was
            our key or our configuration, and `retry_after_s` where the upstream said.
        ValueError: there was no call to try.
    """
    last: UpstreamError | None = None
    for call in islice(calls, max_attempts):
        seen = _Seen(clock, clock())
        try:
            answer = await _attempt(call, transport, accept, now, seen)
        except UpstreamError as error:
            failed.append(seen.tried(call, AttemptStatus.ERROR, error.code, error.retry_after_s))
            last = error
        except asyncio.CancelledError:
            failed.append(seen.tried(call, AttemptStatus.CANCELLED, "client_left", None))
            raise
        else:
            return Answered(call, answer, seen.started_s, seen.ms(seen.first_byte_s))
    if last is None:
        raise ValueError("there is no call to try")
    raise last


@dataclass(slots=True)
class _Seen:
    """What is known of an attempt under way."""

    clock: Clock
    started_s: float
    http_status: int | None = None
    first_byte_s: float | None = None

    def ms(self, at_s: float | None) -> float:
        return ((self.clock() if at_s is None else at_s) - self.started_s) * 1e3

    def tried(self, call: UpstreamCall, status: AttemptStatus, error: str, wait_s: float | None) -> Tried:
        first_byte_ms = None if self.first_byte_s is None else self.ms(self.first_byte_s)
        return Tried(call.model.name, status, self.http_status, error, first_byte_ms, self.ms(None), wait_s)


async def _attempt(
    call: UpstreamCall, transport: Transport, accept: Accept | None, now: WallClock, seen: _Seen
) -> UpstreamAnswer:
    answer = await transport.send(call)
    seen.first_byte_s = seen.clock()
    seen.http_status = status = answer.status
    try:
        if status in _OURS or status in _PASSING or status >= 500:
            raise await _refusal(answer, call.model.name, now)
        if 400 <= status < 500:
            return answer
        if not 200 <= status < 300:
            raise UpstreamBroken(f"model {call.model.name!r} answered with status {status}", model=call.model.name)
        if accept is None:
            return answer
        if not call.stream:
            return _admitted_whole(answer, await answer.read(), call.model.name, accept)
        begun = await _admitted_stream(answer, call, accept)
        seen.first_byte_s = seen.clock()
        return begun
    except BaseException:
        await answer.aclose()
        raise


def _admitted_whole(answer: UpstreamAnswer, body: bytes, model: str, accept: Accept) -> _Begun:
    if accept(body, True) is not Admission.YES:
        raise UpstreamBroken(f"model {model!r} answered with something that is not an answer", model=model)
    return _Begun(answer, body, None)


async def _admitted_stream(answer: UpstreamAnswer, call: UpstreamCall, accept: Accept) -> _Begun:
    """The stream, once its first real event has come, within the time for the first byte: comments that keep a
    connection alive reset the idle time, and would otherwise keep the client waiting for ever."""
    model, first_byte_s = call.model.name, call.model.timeouts.first_byte_s
    head = bytearray()
    rest = answer.chunks()
    try:
        async with asyncio.timeout(first_byte_s):
            async for chunk in rest:
                head += chunk
                # No event ends without a line end, so that a head that comes byte by byte is not judged at each byte.
                verdict = Admission.MORE if b"\n" not in chunk else accept(bytes(head), False)
                if verdict is Admission.YES:
                    return _Begun(answer, bytes(head), rest)
                if verdict is Admission.NO or len(head) > MAX_HEAD_BYTES:
                    break
            else:
                if accept(bytes(head), True) is Admission.YES:
                    return _Begun(answer, bytes(head), None)
    except TimeoutError:
        raise UpstreamTimeout(f"model {model!r} sent no event within {first_byte_s:g} s", model=model) from None
    what = "an empty stream" if not head else "something that is not a stream of events, or with an error"
    raise UpstreamBroken(f"model {model!r} answered with {what}", model=model)


async def _refusal(answer: UpstreamAnswer, model: str, now: WallClock) -> UpstreamRefused:
    """The error of a refusal. What an upstream says of our key is left out: it may quote the key."""
    status = answer.status
    ours = _OURS.get(status)
    return UpstreamRefused(
        f"model {model!r} {'answered with an error' if ours is None else ours} (status {status})",
        model=model,
        upstream_status=status,
        body=b"" if ours is not None else await _error_body(answer),
        status=502 if ours is not None else _TOLD_AS.get(status, 502),
        retryable=True,
        retry_after_s=retry_after_s(answer.headers, now()),
    )


async def _error_body(answer: UpstreamAnswer) -> bytes:
    """The body's first bytes; whatever came, when it does not come to its end."""
    body = bytearray()
    try:
        async with asyncio.timeout(ERROR_BODY_WITHIN_S):
            async for chunk in answer.chunks():
                body += chunk
                if len(body) > MAX_ERROR_BODY_BYTES:
                    break
    except (TimeoutError, UpstreamError):
        pass
    return bytes(body[:MAX_ERROR_BODY_BYTES])


class _Begun:
    """An answer whose first bytes have been read, and come again; `rest` is None when they were all."""

    def __init__(self, answer: UpstreamAnswer, head: bytes, rest: AsyncIterator[bytes] | None) -> None:
        self._answer = answer
        self._head: bytes | None = head
        self._rest = rest

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._head:
            head, self._head = self._head, None
            return head
        if self._rest is None:
            raise StopAsyncIteration
        return await self._rest.__anext__()

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def aclose(self) -> None:
        await self._answer.aclose()
