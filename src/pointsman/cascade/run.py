"""Carries out what a cascade's machine decides: calls rungs, reads and judges their answers, cancels the losers.

No call outlives `run` but the one that is served. Whatever happens, every call that was made is settled once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias

import structlog

from pointsman.errors import UpstreamError
from pointsman.vocabulary import (
    Answer,
    AnswerJudge,
    AskedJudge,
    AttemptStatus,
    CascadeMode,
    CascadePlan,
    Clock,
    Course,
    Request,
    Transport,
    UpstreamAnswer,
    Verdict,
)

from .called import C, Caller, NewReader, Reader, Settled
from .held import EndHeld, Held, Splitter
from .machine import (
    Action,
    Ask,
    Begun,
    Call,
    Cascade,
    Code,
    Drop,
    Event,
    Failed,
    GiveUp,
    Judge,
    Judged,
    Readable,
    Serve,
    TimeUp,
    Unjudged,
    WhenJudgeFails,
)

_log = structlog.get_logger("pointsman.cascade")

CHARS_PER_TOKEN = 4
LOST_RACE = "lost_race"
_DRAIN_S = 0.2
"""How long to wait for a stream's body to end after its terminator, so that its connection can be used again."""


CourseOf: TypeAlias = Callable[[Request, CascadePlan], Course | None]
"""Makes the course of one request; None where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges, and what becomes of what they say.

    Attributes:
        free: judges every answer.
        asked: asked in addition where the free judge's P(good) lies in `ask_between`; None asks nobody. Where
            there is a course, which goes by what it was tuned on, it is not asked.
        asked_over: makes the asked judge once there is a transport.
        asked_within_s: how long the asked judge may take.
        when_judge_fails: what becomes of an answer that could not be judged.
        late_rejection_is_error: a stream that has begun and whose end is judged bad ends with an error event; otherwise
            it is passed on and the verdict recorded.
        courses: by policy, what makes the course of a request; a policy that is not named goes by its thresholds.
    """

    free: AnswerJudge
    asked: AskedJudge | None = None
    ask_between: tuple[float, float] | None = None
    asked_within_s: float = 10.0
    when_judge_fails: WhenJudgeFails = "escalate"
    late_rejection_is_error: bool = True
    courses: Mapping[str, CourseOf] = field(default_factory=dict)
    asked_over: Callable[[Transport], AskedJudge] | None = None

    def over(self, transport: Transport) -> Judges:
        """The same with its asked judge, which calls over this transport."""
        if self.asked is not None or self.asked_over is None:
            return self
        return replace(self, asked=self.asked_over(transport))


@dataclass(slots=True)
class Won(Generic[C]):
    """The answer to serve.

    Attributes:
        verdicts: of this answer so far; a stream that is held at its end adds one.
        final_answer: what was read of an answer that flows, once it has ended; None elsewhere.
    """

    called: C
    answer: UpstreamAnswer
    code: Code
    why: str
    verdicts: list[Verdict]
    final_answer: Callable[[], Answer] | None = None


@dataclass(slots=True)
class _Leg(Generic[C]):
    """One rung's call under way."""

    task: asyncio.Task[None] | None = None
    called: C | None = None
    chunks: list[bytes] = field(default_factory=list)
    rest: AsyncIterator[bytes] | None = None
    reader: Reader | None = None
    answer: Answer | None = None
    whole: bool = False
    failure: str | None = None
    dropped: bool = False


class Runner(Generic[C]):
    """Runs the cascade of one request.

    Args:
        request_id: stands in the log.
        new_reader: makes a reader of one stream that also gathers what a judge looks at, and passes on what the client
            may see: that is worked out while the answer comes, and not between its end and the first byte.
        new_splitter: makes a splitter of one stream.
        clock: monotonic seconds, for the latency of verdicts.
        course: says what follows a sound answer; None leaves it to the plan's thresholds.
    """

    def __init__(
        self,
        request: Request,
        plan: CascadePlan,
        caller: Caller[C],
        judges: Judges,
        *,
        request_id: str,
        new_reader: NewReader,
        new_splitter: Callable[[], Splitter],
        clock: Clock,
        course: Course | None = None,
    ) -> None:
        self._request = request
        self._request_id = request_id
        self._plan = plan
        self._caller = caller
        self._judges = judges
        self._new_reader = new_reader
        self._new_splitter = new_splitter
        self._clock = clock
        self._machine = Cascade(
            plan,
            ask_between=None if judges.asked is None or course is not None else judges.ask_between,
            when_judge_fails=judges.when_judge_fails,
            course=course,
        )
        self._legs = [_Leg[C]() for _ in plan.rungs]
        self._events: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: UpstreamError | None = None
        self._holds_back = (
            request.stream and plan.mode is CascadeMode.HOLDBACK and plan.quality_per_usd is None and course is None
        )

    async def run(self) -> Won[C]:
        """The answer to serve, with every other call ended and on the account.

        Raises:
            UpstreamError: the last failure, when no rung gave anything that can be served.
        """
        served: int | None = None
        try:
            won = await self._run()
            served = self._legs.index(next(leg for leg in self._legs if leg.called is won.called))
            return won
        finally:
            await self._wind_up(served)

    async def _run(self) -> Won[C]:
        loop = asyncio.get_running_loop()
        alarm: asyncio.TimerHandle | None = None
        if self._plan.time_up_ms is not None:
            alarm = loop.call_later(self._plan.time_up_ms / 1e3, self._events.put_nowait, TimeUp())
        try:
            todo = self._machine.start()
            while True:
                for action in todo:
                    end = self._do(action)
                    if end is not None:
                        return end
                event = await self._events.get()
                if isinstance(event, BaseException):
                    raise event
                todo = self._machine.on(event)
        finally:
            if alarm is not None:
                alarm.cancel()

    def _do(self, action: Action) -> Won[C] | None:
        match action:
            case Call(rung, judged):
                self._legs[rung].task = self._spawn(self._follow(rung, judged=judged))
            case Judge(rung, early):
                self._events.put_nowait(self._judged(rung, early=early))
            case Ask(rung):
                self._spawn(self._ask(rung))
            case Drop(rung):
                leg = self._legs[rung]
                leg.dropped = True
                if leg.task is not None:
                    leg.task.cancel()
            case Serve(rung, code, why):
                return self._won(rung, code, why)
            case GiveUp():
                assert self._error is not None, "a cascade gives up only when the last call failed"
                raise self._error
        return None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        """A fault of ours in a task ends the run."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._events.put_nowait(error)

    # ------------------------------------------------------------ calling and reading

    async def _follow(self, rung: int, *, judged: bool) -> None:
        """One rung's call, until its answer can be served or judged."""
        leg = self._legs[rung]
        try:
            called = leg.called = await self._caller.call(
                self._plan.rungs[rung], judged=judged, dropped=lambda: leg.dropped
            )
            refused = called.answer.status >= 400
            if refused and judged:
                leg.failure = "upstream_refused"
                self._tell(Failed(rung, "refused"))
                return
            self._tell(Begun(rung, whole=not self._request.stream or refused))
            if judged:
                early = await self._read(leg)
                self._tell(Failed(rung, leg.failure) if leg.failure is not None else Readable(rung, early))
        except UpstreamError as error:
            self._error = error
            leg.failure = error.code
            self._tell(Failed(rung, error.code))

    def _tell(self, event: Event) -> None:
        self._events.put_nowait(event)

    async def _read(self, leg: _Leg[C]) -> bool:
        """Reads an answer to its end, or (True) to where its beginning can be judged; a fault is left in `failure`."""
        called = leg.called
        assert called is not None
        if not self._request.stream:
            body = await called.answer.read()
            leg.chunks, leg.whole = [body], True
            try:
                leg.answer = called.read(body)
            except ValueError:
                leg.failure = "upstream_broken"
            return False
        reader = leg.reader = self._new_reader()
        least_chars = self._plan.early_tokens * CHARS_PER_TOKEN if self._holds_back else None
        rest = leg.rest = called.answer.chunks()
        try:
            async for chunk in rest:
                leg.chunks.append(reader.feed(chunk))
                if reader.error is not None:
                    leg.failure = "upstream_error_event"
                    break
                if reader.terminated:
                    await self._drain(leg)
                    break
                if least_chars is not None and reader.n_chars >= least_chars and not reader.complete:
                    leg.answer = reader.answer
                    return True
            leg.chunks.append(reader.end())
        except UpstreamError as error:
            if not reader.complete:
                leg.failure = error.code
        except ValueError:
            leg.failure = "upstream_broken"
        leg.answer = reader.answer
        leg.rest, leg.whole = None, True
        if leg.failure is None and not reader.complete:
            leg.failure = "upstream_broken"
        return False

    async def _drain(self, leg: _Leg[C]) -> None:
        assert leg.rest is not None
        try:
            async with asyncio.timeout(_DRAIN_S):
                async for _ in leg.rest:
                    pass
        except (TimeoutError, UpstreamError):
            return

    # ------------------------------------------------------------ judging

    def _judged(self, rung: int, *, early: bool) -> Event:
        leg = self._legs[rung]
        assert leg.called is not None and leg.answer is not None
        verdict = self._verdict(leg.answer, leg.called.model, rung, early=early)
        if isinstance(verdict, str):
            return Unjudged(rung, self._judges.free.name, verdict, early)
        if early:
            return Judged(rung, verdict, early)
        return Judged(rung, verdict, text=leg.answer.text, cost_usd=leg.called.cost_usd(leg.answer))

    def _verdict(self, answer: Answer, model: str, rung: int, *, early: bool) -> Verdict | str:
        """The free judge's verdict; in words why there is none. It never fails the request."""
        started_s = self._clock()
        judge = self._judges.free
        p_ahead = self._plan.rungs[rung].p_ahead
        try:
            verdict = judge.judge(self._request, answer, model=model, p_ahead=p_ahead, early=early)
            return _checked(verdict, (self._clock() - started_s) * 1e3)
        except Exception as error:  # noqa: BLE001 - an edge: a judge is passed in, and may raise anything
            return self._failed_judge(judge.name, error)

    async def _ask(self, rung: int) -> None:
        leg, judge = self._legs[rung], self._judges.asked
        assert leg.called is not None and leg.answer is not None and judge is not None
        started_s = self._clock()
        within_s = self._judges.asked_within_s
        try:
            async with asyncio.timeout(within_s):
                verdict = await judge.judge(self._request, leg.answer, model=leg.called.model)
            checked = _checked(verdict, (self._clock() - started_s) * 1e3)
            cost_usd = leg.called.cost_usd(leg.answer)
            self._tell(Judged(rung, checked, asked=True, text=leg.answer.text, cost_usd=cost_usd))
        except TimeoutError:
            self._tell(Unjudged(rung, judge.name, f"the judge took more than {within_s:g} s", asked=True))
        except Exception as error:  # noqa: BLE001 - an edge: a judge is passed in, and may raise anything
            self._tell(Unjudged(rung, judge.name, self._failed_judge(judge.name, error), asked=True))

    def _failed_judge(self, name: str, error: Exception) -> str:
        """Logs the failure; its message may quote the prompt and is left out."""
        _log.warning("judge failed", request_id=self._request_id, judge=name, error=type(error).__name__)
        return f"the judge failed: {type(error).__name__}"

    # ------------------------------------------------------------ ending

    def _won(self, rung: int, code: Code, why: str) -> Won[C]:
        leg = self._legs[rung]
        assert leg.called is not None
        verdicts = list(self._machine.verdicts[rung])
        answer = leg.called.answer
        if not leg.chunks:
            return Won(leg.called, answer, code, why, verdicts)
        held = Held(answer, leg.chunks, leg.rest)
        if leg.whole:
            return Won(leg.called, held, code, why, verdicts)
        reader = self._new_reader()

        def judge(whole: Answer) -> str | None:
            return self._late_verdict(rung, whole, verdicts)

        flowing = EndHeld(held, splitter=self._new_splitter(), reader=reader, model=leg.called.model, judge=judge)
        return Won(leg.called, flowing, code, why, verdicts, lambda: reader.answer)

    def _late_verdict(self, rung: int, answer: Answer, verdicts: list[Verdict]) -> str | None:
        """Why a stream that has flowed must not end as a success; None when it may."""
        leg = self._legs[rung]
        assert leg.called is not None
        least = self._plan.rungs[rung].accept_at
        verdict = self._verdict(answer, leg.called.model, rung, early=False)
        if isinstance(verdict, str):
            accepted, why = self._judges.when_judge_fails == "accept", verdict
            verdict = Verdict(math.nan, accepted, self._judges.free.name, verdict)
        else:
            accepted = verdict.accepted and verdict.p_good >= (0.0 if least is None else least)
            why = verdict.reason if not verdict.accepted else f"P(good) {verdict.p_good:.2f}"
        verdicts.append(replace(verdict, accepted=accepted))
        return None if accepted or not self._judges.late_rejection_is_error else why

    async def _wind_up(self, served: int | None) -> None:
        """Ends every task, and settles every call that is not served."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for rung, leg in enumerate(self._legs):
            if leg.called is not None and rung != served:
                await leg.called.answer.aclose()
                self._caller.settle(leg.called, self._ending(rung, leg, lost=served is not None))

    def _ending(self, rung: int, leg: _Leg[C], *, lost: bool) -> Settled:
        verdicts = tuple(self._machine.verdicts[rung])
        answer = leg.answer if leg.answer is not None or leg.reader is None else leg.reader.answer
        if leg.failure is not None:
            status = AttemptStatus.INCOMPLETE if leg.chunks else AttemptStatus.ERROR
            return Settled(status, leg.failure, answer, verdicts)
        if verdicts and not verdicts[-1].accepted:
            return Settled(AttemptStatus.ESCALATED, None, answer, verdicts)
        return Settled(AttemptStatus.CANCELLED, LOST_RACE if lost else "client_left", answer, verdicts)


def _checked(verdict: Verdict, latency_ms: float) -> Verdict:
    """The verdict with its latency.

    Raises:
        ValueError: its P(good) is none.
    """
    if not 0.0 <= verdict.p_good <= 1.0:
        raise ValueError("P(good) must be from 0 to 1")
    return replace(verdict, latency_ms=latency_ms)
