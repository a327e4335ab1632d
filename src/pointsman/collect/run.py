"""Runs the calls: so many per model at once, again where it helps, never above the budget, and stops in good order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pointsman.errors import UpstreamBroken, UpstreamError, UpstreamRefused
from pointsman.vocabulary import Clock, Transport, WallClock

from .budget import Budget
from .calls import Done, PlannedCall, ReadAnswer
from .journal import Journal
from .retry import PASSING, RetryPolicy, may_have_been_paid, stops_model

DEFAULT_CONCURRENCY = 8
"""Calls of one model at once where its `max_concurrency` says nothing: below the request rates of the providers' lowest
tiers at a second or two per answer."""

RetryAfter = Callable[[Mapping[str, str], datetime], float | None]
"""Reads how long an upstream asks to wait, in seconds, from the headers of its answer."""


class Stopped(StrEnum):
    """Why a run ended before its last call."""

    ASKED = "asked"
    """The caller's stop was set: calls under way were finished, none was begun."""
    BUDGET = "budget"
    """The next call could have passed the limit."""
    MODEL = "model"
    """A model was given up: its key or name is refused, or too many calls in a row failed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands."""

    n_done: int
    """Answers of this run."""
    n_failed: int
    n_left: int
    n_in_flight: int
    spent_usd: float
    """By this run, as far as costs are known."""
    expected_left_usd: float
    """What is left will probably cost: each model's mean so far, before that its estimate."""
    retrying: str | None = None
    """Why the latest call is tried again; None after one that was answered."""


@dataclass(slots=True)
class Summary:
    """What a run came to."""

    done: dict[str, Done] = field(default_factory=dict)
    """Every answer to the calls asked for, earlier runs' included, by key, in the calls' order."""
    n_new: int = 0
    n_before: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Calls given up in this run, by key, and why."""
    n_not_sent: int = 0
    stopped: dict[Stopped, str] = field(default_factory=dict)
    """Why the run is not complete, in words."""
    spent_usd: float = 0.0
    """By this run, as far as costs are known."""
    n_unpriced: int = 0
    n_retries: int = 0

    @property
    def complete(self) -> bool:
        """True when every call was answered."""
        return not self.failed and self.n_not_sent == 0


async def collect(
    calls: Sequence[PlannedCall],
    *,
    transport: Transport,
    journal: Journal,
    budget: Budget,
    read_answer: ReadAnswer,
    retry_after: RetryAfter,
    clock: Clock,
    now: WallClock,
    random: Callable[[], float],
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    stop: asyncio.Event | None = None,
    concurrency: int = DEFAULT_CONCURRENCY,
    advance: Callable[[Progress], None] | None = None,
) -> Summary:
    """Sends every call that the journal has no answer to, each model's in order.

    Args:
        calls: what to send; a key that appears twice is sent once.
        transport: sends them; bounded by the timeouts of each call's model.
        journal: open; its answers are not paid for again.
        budget: what may be spent.
        read_answer: reads a 2xx answer.
        retry_after: reads the waiting time that an upstream asks for.
        clock, now: monotonic seconds; UTC.
        random: uniform numbers in [0, 1), for jitter.
        retry: when to try again.
        sleep: waits; a test's can move its clock instead.
        stop: once set, no call is begun and those under way are finished.
        concurrency: calls of one model at once, where its `max_concurrency` is not given.
        advance: called after every attempt.
    """
    run = _Run(
        transport=transport,
        journal=journal,
        budget=budget,
        read_answer=read_answer,
        retry_after=retry_after,
        clock=clock,
        now=now,
        random=random,
        retry=retry,
        sleep=sleep,
        stop=asyncio.Event() if stop is None else stop,
        advance=advance,
    )
    return await run.all(calls, concurrency)


@dataclass(slots=True)
class _Lane:
    """The calls of one model that are still to be sent, and how it fares."""

    waiting: deque[PlannedCall]
    n_workers: int
    not_before_s: float = 0.0
    """A model that asked to wait is asked by none of its workers before this."""
    failures_in_row: int = 0
    given_up: bool = False
    n_done: int = 0
    spent_usd: float = 0.0
    expected_left_usd: float = 0.0

    @property
    def left_usd(self) -> float:
        if self.n_done == 0:
            return self.expected_left_usd
        return self.spent_usd / self.n_done * len(self.waiting)


@dataclass(slots=True, kw_only=True)
class _Run:
    transport: Transport
    journal: Journal
    budget: Budget
    read_answer: ReadAnswer
    retry_after: RetryAfter
    clock: Clock
    now: WallClock
    random: Callable[[], float]
    retry: RetryPolicy
    sleep: Callable[[float], Awaitable[None]]
    stop: asyncio.Event
    advance: Callable[[Progress], None] | None
    summary: Summary = field(default_factory=Summary)
    lanes: dict[str, _Lane] = field(default_factory=dict)
    n_in_flight: int = 0

    async def all(self, calls: Sequence[PlannedCall], concurrency: int) -> Summary:
        before = self.journal.past.done
        unique = {planned.key: planned for planned in calls}
        for key, planned in unique.items():
            if key in before:
                continue
            limit = planned.call.model.max_concurrency
            lane = self.lanes.setdefault(planned.model, _Lane(deque(), concurrency if limit is None else limit))
            lane.waiting.append(planned)
            lane.expected_left_usd += 0.0 if planned.expected_usd is None else planned.expected_usd
        self.summary.n_before = sum(key in before for key in unique)
        answered: dict[str, Done] = {key: before[key] for key in unique if key in before}
        try:
            async with asyncio.TaskGroup() as workers:
                for lane in self.lanes.values():
                    for _ in range(min(lane.n_workers, len(lane.waiting))):
                        workers.create_task(self._work(lane, answered))
        except BaseExceptionGroup as group:
            # One worker's fault (a full disk) cancels the others; the caller knows it by its own name.
            raise group.exceptions[0] from group
        self.summary.n_not_sent = sum(len(lane.waiting) for lane in self.lanes.values())
        if self.stop.is_set() and self.summary.n_not_sent:
            self.summary.stopped[Stopped.ASKED] = "stopped on request; calls under way were finished"
        self.summary.done = {key: answered[key] for key in unique if key in answered}
        return self.summary

    async def _work(self, lane: _Lane, answered: dict[str, Done]) -> None:
        while lane.waiting and not lane.given_up and not self.stop.is_set():
            planned = lane.waiting.popleft()
            expected = 0.0 if planned.expected_usd is None else planned.expected_usd
            done = await self._answer(planned, lane)
            if done is None:
                continue
            lane.expected_left_usd -= expected
            answered[planned.key] = done
            lane.n_done += 1
            lane.failures_in_row = 0
            self.summary.n_new += 1
            if done.cost_usd is None:
                self.summary.n_unpriced += 1
            else:
                lane.spent_usd += done.cost_usd
                self.summary.spent_usd += done.cost_usd
            self._tell(None)

    async def _answer(self, planned: PlannedCall, lane: _Lane) -> Done | None:
        """The answer, after as many attempts as it takes; None when it is given up, or put back unsent."""
        why = ""
        n_lost = 0
        for attempt in range(self.retry.max_attempts):
            if not await self._may_send(planned, lane):
                lane.waiting.appendleft(planned)
                return None
            try:
                return await self._attempt(planned)
            except UpstreamError as error:
                why = error.message
                if stops_model(error):
                    self._give_up(lane, planned, why)
                    self.summary.failed[planned.key] = why
                    return None
                n_lost += may_have_been_paid(error)
                if not error.retryable or n_lost >= self.retry.max_lost:
                    break
                if attempt + 1 < self.retry.max_attempts:
                    wait_s = self.retry.wait_s(attempt, error.retry_after_s, self.random)
                    until_s = self.clock() + wait_s
                    if error.retry_after_s is not None:
                        lane.not_before_s = max(lane.not_before_s, until_s)
                    self.summary.n_retries += 1
                    self._tell(why)
                    await self._wait_until(until_s)
        self.summary.failed[planned.key] = why
        lane.failures_in_row += 1
        if lane.failures_in_row >= self.retry.failures_in_row:
            self._give_up(lane, planned, f"{lane.failures_in_row} calls in a row failed, the last one: {why}")
        self._tell(why)
        return None

    async def _may_send(self, planned: PlannedCall, lane: _Lane) -> bool:
        """True once the model may be asked and the highest cost is reserved; False when the run or model stopped."""
        if not await self._wait_until(lane.not_before_s) or lane.given_up:
            return False
        if not await self.budget.reserve(planned.max_usd):
            limit = self.budget.limit_usd
            self.summary.stopped[Stopped.BUDGET] = (
                f"the next call of {planned.model} could pass the limit of {0.0 if limit is None else limit:g} USD"
            )
            lane.given_up = True
            return False
        if self.stop.is_set() or lane.given_up:
            await self.budget.settle(planned.max_usd)
            return False
        return True

    async def _wait_until(self, until_s: float) -> bool:
        """False when the run was stopped meanwhile."""
        wait_s = until_s - self.clock()
        if wait_s > 0 and not self.stop.is_set():
            sleeping = asyncio.ensure_future(self.sleep(wait_s))
            stopping = asyncio.ensure_future(self.stop.wait())
            try:
                await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                stopping.cancel()
        return not self.stop.is_set()

    async def _attempt(self, planned: PlannedCall) -> Done:
        """One call, journalled and settled whatever comes of it.

        Raises:
            UpstreamError: it was not answered.
        """
        self.journal.sent(planned)
        self.n_in_flight += 1
        try:
            done = await self._call(planned)
        except UpstreamError as error:
            lost = may_have_been_paid(error)
            await self.journal.failed(planned, error.message, lost=lost)
            lost_usd = planned.max_usd if lost and planned.max_usd is not None else 0.0
            await self.budget.settle(planned.max_usd, lost_usd=lost_usd)
            raise
        finally:
            self.n_in_flight -= 1
        await self.journal.done(done)
        await self.budget.settle(planned.max_usd, cost_usd=0.0 if done.cost_usd is None else done.cost_usd)
        return done

    async def _call(self, planned: PlannedCall) -> Done:
        started_s = self.clock()
        answer = await self.transport.send(planned.with_idempotency_key())
        try:
            body = await answer.read()
            status, headers = answer.status, answer.headers
        finally:
            await answer.aclose()
        latency_ms = (self.clock() - started_s) * 1e3
        if status >= 400:
            raise UpstreamRefused(
                f"model {planned.model!r} answered with status {status}",
                model=planned.model,
                upstream_status=status,
                retryable=status in PASSING or status >= 500,
                retry_after_s=self.retry_after(headers, self.now()),
            )
        try:
            reading = self.read_answer(planned, body)
        except ValueError as error:
            raise UpstreamBroken(f"model {planned.model!r}: {error}", model=planned.model) from error
        return Done.of(planned, reading, latency_ms)

    def _give_up(self, lane: _Lane, planned: PlannedCall, why: str) -> None:
        lane.given_up = True
        self.summary.stopped[Stopped.MODEL] = f"gave {planned.model} up: {why}"
        self._tell(why)

    def _tell(self, retrying: str | None) -> None:
        if self.advance is None:
            return
        self.advance(
            Progress(
                n_done=self.summary.n_new,
                n_failed=len(self.summary.failed),
                n_left=sum(len(lane.waiting) for lane in self.lanes.values()),
                n_in_flight=self.n_in_flight,
                spent_usd=self.summary.spent_usd,
                expected_left_usd=sum(lane.left_usd for lane in self.lanes.values()),
                retrying=retrying,
            )
        )
