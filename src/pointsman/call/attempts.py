"""The first answer for a request: carries out what a course decides, over one transport.

Nothing has reached the client while this runs, so that trying again and falling back are invisible. Once an answer is
handed out, it is the client's: what breaks after that is an error in mid-answer, which only the caller can tell.
"""

from __future__ import annotations

import asyncio
import random as randomness
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import structlog

from pointsman.errors import UpstreamBroken, UpstreamError, UpstreamRefused, UpstreamTimeout
from pointsman.vocabulary import AttemptStatus, Clock, Model, Transport, UpstreamAnswer, UpstreamCall, WallClock

from .breaker import State
from .course import Course, Pause
from .health import Health
from .refusals import ADVICE, CONTEXT, Kind, reason_of
from .retry_after import retry_after_s

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
_TOLD_AS = {404: 404, 408: 504, 409: 503, 429: 429, 503: 503, 504: 504, 529: 529}

_log = structlog.get_logger("pointsman.call")


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
    may_be_billed: bool = False
    """True when the model was at work on it: its client left, or its answer broke off."""
    started_s: float | None = field(default=None, compare=False)
    """Its start by the clock."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The call that was answered. Its attempt goes on until the answer ends: `started_s` is its start by the clock.

    `first_byte_ms` is the time to the headers; for a stream that was judged, to its first real event.
    """

    call: UpstreamCall
    answer: UpstreamAnswer
    started_s: float
    first_byte_ms: float
    course: Course

    def ended(self, status: AttemptStatus, now_s: float) -> None:
        """Tells the model's breaker how the answer ended; call it once, whatever happens."""
        refused = self.answer.status >= 400
        well = None if status is AttemptStatus.CANCELLED else refused or status is AttemptStatus.OK
        self.course.ended(well, now_s, "refused" if refused and well else status.value)
        self.course.close()


async def first_answer(
    models: Sequence[Model],
    make_call: Callable[[Model], UpstreamCall],
    transport: Transport,
    *,
    health: Health,
    clock: Clock,
    now: WallClock,
    failed: list[Tried],
    accept: Accept | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    random: Callable[[], float] = randomness.random,
) -> Answered:
    """The first answer of any of the models; an answer may also say that the request is at fault (4xx).

    Which model is called, once more or next, is decided by a `Course`; `refusals.ADVICE` has its rules. A 2xx answer
    that `accept` says no to is a failure like any other.

    Args:
        models: the wanted one first, then the fallbacks in order.
        make_call: makes the call of a model, just before it is sent.
        health: of all models; takes what this request learns of them.
        clock: times the attempts; monotonic.
        now: for waiting times that are given as dates.
        failed: gets every attempt that led to nothing, as it ends; so the caller has them whatever happens, errors and
            cancellation included.
        accept: judges a 2xx answer before it is handed out: a stream by its first bytes, any other by its whole body.
            Without it every 2xx answer is good.
        sleep, random: for waits and their jitter.

    Raises:
        UpstreamError: the failure that gives most hope: the last one with a `retry_after_s`, else the last one.
            `UpstreamRefused` bears the status to give the caller: 502 where it was our key. `UpstreamPaused`: nothing
            was called, because every model is left alone for a while.
        ValueError: there is no model.
    """
    if not models:
        raise ValueError("there is no model to call")
    now_s = clock()
    course = Course(models, health, now_s=now_s, random=random)
    try:
        return await _follow(course, now_s, make_call, transport, health, accept, now, clock, sleep, failed)
    except BaseException:
        course.close()
        raise


async def _follow(
    course: Course,
    now_s: float,
    make_call: Callable[[Model], UpstreamCall],
    transport: Transport,
    health: Health,
    accept: Accept | None,
    now: WallClock,
    clock: Clock,
    sleep: Callable[[float], Awaitable[None]],
    failed: list[Tried],
) -> Answered:
    error: UpstreamError | None = None
    too_long: Answered | None = None
    while (step := course.next(now_s)) is not None:
        if isinstance(step, Pause):
            await sleep(step.seconds)
            now_s = clock()
            continue
        model, seen = step.model, _Seen(clock, now_s)
        try:
            call = make_call(model)
            answer = await _attempt(call, transport, accept, now, seen)
        except UpstreamError as failure:
            now_s = clock()
            kind = _failed(course, failure, model, health, now_s)
            failed.append(seen.failed(model, failure, now_s))
            if error is None or failure.retry_after_s is not None or error.retry_after_s is None:
                error = failure
            if kind is Kind.TOO_LONG and seen.kept is not None:
                too_long = Answered(call, seen.kept, seen.started_s, seen.first_byte_ms, course)
        except BaseException as gone:
            now_s = clock()
            course.abandoned(now_s)
            if isinstance(gone, asyncio.CancelledError):
                failed.append(seen.cancelled(model, now_s))
            raise
        else:
            _answered(course, model)
            return Answered(call, answer, seen.started_s, seen.first_byte_ms, course)
    if too_long is not None and not course.untried and isinstance(error, UpstreamRefused) and error.reason == CONTEXT:
        # No model here holds more: what the upstream says of it is for the caller, and not a failed attempt.
        failed.pop()
        return too_long
    raise course.paused(now_s) if error is None else error


def _failed(course: Course, failure: UpstreamError, model: Model, health: Health, now_s: float) -> Kind:
    breaker = course.breaker
    assert breaker is not None
    before = breaker.state
    kind = course.failed(failure, now_s)
    if breaker.state is State.OPEN and before is not State.OPEN:
        _log.warning("model left alone", model=model.name, kind=kind.value, for_s=round(breaker.free_in_s(now_s), 3))
    if ADVICE[kind].alert and health.alert(model.name, kind, now_s):
        _log.error("model needs attention", model=model.name, kind=kind.value, error=failure.message)
    return kind


def _answered(course: Course, model: Model) -> None:
    breaker = course.breaker
    assert breaker is not None
    before = breaker.state
    course.answered()
    if breaker.state is not before:
        _log.info("model answers again", model=model.name)


@dataclass(slots=True)
class _Seen:
    """What is known of an attempt under way."""

    clock: Clock
    started_s: float
    http_status: int | None = None
    first_byte_s: float | None = None
    kept: _Begun | None = None
    """A refusal that may yet be handed out."""
    broke_off: bool = False
    """An answer had begun, with status 200, and did not come to its end."""

    @property
    def first_byte_ms(self) -> float:
        assert self.first_byte_s is not None
        return self.ms(self.first_byte_s)

    def ms(self, at_s: float) -> float:
        return (at_s - self.started_s) * 1e3

    def failed(self, model: Model, error: UpstreamError, now_s: float) -> Tried:
        return self._tried(model, AttemptStatus.ERROR, error.code, now_s, error.retry_after_s, self.broke_off)

    def cancelled(self, model: Model, now_s: float) -> Tried:
        return self._tried(model, AttemptStatus.CANCELLED, "client_left", now_s, None, True)

    def _tried(
        self,
        model: Model,
        status: AttemptStatus,
        error: str,
        now_s: float,
        wait_s: float | None,
        may_be_billed: bool,
    ) -> Tried:
        first_byte_ms = None if self.first_byte_s is None else self.first_byte_ms
        return Tried(
            model.name,
            status,
            self.http_status,
            error,
            first_byte_ms,
            self.ms(now_s),
            wait_s,
            may_be_billed,
            self.started_s,
        )


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
            return await _judged_refusal(answer, call.model.name, seen)
        if not 200 <= status < 300:
            raise UpstreamBroken(f"model {call.model.name!r} answered with status {status}", model=call.model.name)
        if accept is None:
            return answer
        if not call.stream:
            seen.broke_off = True
            body = await answer.read()
            seen.broke_off = False
            return _admitted_whole(answer, body, call.model.name, accept)
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
    body, _ = await _error_body(answer)
    return UpstreamRefused(
        f"model {model!r} {'answered with an error' if ours is None else ours} (status {status})",
        model=model,
        upstream_status=status,
        body=b"" if ours is not None else body[:MAX_ERROR_BODY_BYTES],
        status=_TOLD_AS.get(status, 502),
        retryable=True,
        retry_after_s=retry_after_s(answer.headers, now()),
        reason=reason_of(status, body),
    )


async def _judged_refusal(answer: UpstreamAnswer, model: str, seen: _Seen) -> UpstreamAnswer:
    """A refusal that is the request's fault, as it came.

    Raises:
        UpstreamRefused: it is not: our account there is empty, or another model may have room for it.
    """
    if answer.status != 400:
        return answer
    body, rest = await _error_body(answer)
    reason = reason_of(answer.status, body)
    kept = _Begun(answer, body, rest)
    if reason is None:
        return kept
    if reason == CONTEXT:
        seen.kept = kept
    raise UpstreamRefused(
        f"model {model!r} "
        + ("has no room for so long a request" if reason == CONTEXT else "refused for want of payment"),
        model=model,
        upstream_status=answer.status,
        status=400 if reason == CONTEXT else 429,
        reason=reason,
    )


async def _error_body(answer: UpstreamAnswer) -> tuple[bytes, AsyncIterator[bytes] | None]:
    """The body's first bytes, and the rest of it when there may be more; whatever came, when it breaks off."""
    body = bytearray()
    rest = answer.chunks()
    try:
        async with asyncio.timeout(ERROR_BODY_WITHIN_S):
            async for chunk in rest:
                body += chunk
                if len(body) > MAX_ERROR_BODY_BYTES:
                    return bytes(body), rest
    except (TimeoutError, UpstreamError):
        pass
    return bytes(body), None


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
