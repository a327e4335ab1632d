"""Runs a decided cascade: the cascade stage gets its calls from the call stage and its readers from the wire stage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from .admission import Admit
from .call.attempts import Answered, Tried
from .call.health import Health
from .call.reply import Ending
from .cascade import Judges, Reader, Runner, Settled
from .catalog import cost_of
from .passage import Passage
from .vocabulary import Answer, AttemptStatus, Clock, Decision, Request, Rung, UpstreamAnswer
from .wire import CODECS, EventSplitter, asks_logprobs, with_logprobs

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""As the readers of the wire stage."""

FirstOf: TypeAlias = Callable[[Request, Sequence[str], list[Tried]], Awaitable["OneCall"]]
"""The first answer to a request of the models named, in order; attempts that led to nothing are added to the list."""


@dataclass(frozen=True, slots=True)
class OneCall:
    """One call that was answered, with its gate."""

    answered: Answered
    admit: Admit

    @property
    def model(self) -> str:
        """The name of the model that answered."""
        return self.answered.call.model.name

    @property
    def answer(self) -> UpstreamAnswer:
        """Its answer."""
        return self.answered.answer

    def cost_usd(self, answer: Answer) -> float | None:
        """What the call cost by the usage that its answer reports; None when not known."""
        model = self.answered.call.model
        return cost_of(model.price, model.price_missing, answer.usage).usd

    def read(self, raw: bytes) -> Answer:
        """A whole body as an answer.

        Raises:
            UnreadableAnswer: it is not one in this dialect.
        """
        return self.admit.read_answer(raw)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request leads to: the call whose answer is served, and the answer, which may have been read already.

    `decision` says how it came to it; `strip_logprobs`: the answer holds token probabilities that only routing asked
    for; `final_answer` gives what was read of an answer that flows, once it has ended.
    """

    call: OneCall
    answer: UpstreamAnswer
    decision: Decision
    strip_logprobs: bool = False
    final_answer: Callable[[], Answer] | None = None

    def told(self, ending: Ending) -> Ending:
        """The ending, with the whole answer where its end was kept from the client."""
        return ending if self.final_answer is None else replace(ending, answer=self.final_answer())


async def cascaded(
    request: Request,
    decision: Decision,
    judges: Judges,
    first_of: FirstOf,
    passage: Passage,
    *,
    clock: Clock,
    health: Health,
) -> Outcome:
    """The outcome of a decision that has a cascade.

    Args:
        health: is told how long answers took that are not served, and which models refuse token probabilities.

    Raises:
        UpstreamError: no rung gave anything that can be served.
    """
    plan = decision.cascade
    assert plan is not None
    codec = CODECS[request.dialect]
    asking = with_logprobs(request) if judges.free.wants_logprobs else None
    strips = asking is not None and not asks_logprobs(request)
    caller = _Caller(request, request if asking is None else asking, first_of, passage, clock, health)

    def new_reader() -> Reader:
        reader = codec.stream(name="")
        reader.gather = reader.keeps_model = True
        reader.strip_logprobs = strips
        return reader

    course_of = judges.courses.get(decision.policy)
    runner = Runner(
        request,
        plan,
        caller,
        judges,
        request_id=decision.request_id,
        new_reader=new_reader,
        new_splitter=lambda: EventSplitter(max_event_bytes=MAX_EVENT_BYTES),
        clock=clock,
        course=None if course_of is None else course_of(request, plan),
    )
    won = await runner.run()
    called = won.called
    told = replace(decision, reason=f"{won.why} ({decision.reason})", reason_code=won.code)
    passage.serves(told, won.verdicts)
    strip = strips and any(called is other for other in caller.judged)
    return Outcome(called, won.answer, told, strip, won.final_answer)


class _Caller:
    """The cascade's way to the models. `judged` are the calls that may have been asked for token probabilities."""

    def __init__(
        self, request: Request, asking: Request, first_of: FirstOf, passage: Passage, clock: Clock, health: Health
    ) -> None:
        self.judged: list[OneCall] = []
        self._request = request
        self._asking = asking
        self._first_of = first_of
        self._passage = passage
        self._clock = clock
        self._health = health

    async def call(self, rung: Rung, *, judged: bool, dropped: Callable[[], bool]) -> OneCall:
        asks = judged and self._asking is not self._request and rung.models[0] not in self._health.without_logprobs
        called = await self._call(self._asking if asks else self._request, rung, dropped)
        if asks and called.answer.status in (400, 422):
            try:
                refuses = await _refuses_logprobs(called)
            except BaseException:
                await called.answer.aclose()
                self.settle(called, Settled(AttemptStatus.INCOMPLETE, "upstream_broken", None))
                raise
            if refuses:
                self.settle(called, Settled(AttemptStatus.ERROR, "upstream_refused", None))
                self._health.without_logprobs.add(called.model)
                called = await self._call(self._request, rung, dropped)
        if judged:
            self.judged.append(called)
        return called

    async def _call(self, request: Request, rung: Rung, dropped: Callable[[], bool]) -> OneCall:
        failed: list[Tried] = []
        error: str | None = None
        try:
            return await self._first_of(request, rung.models, failed)
        except asyncio.CancelledError:
            error = "lost_race" if dropped() else None
            raise
        finally:
            self._passage.note(failed, cancelled_as=error)

    def settle(self, called: OneCall, ending: Settled) -> None:
        # For the model's health a whole answer is one, whatever it was judged to be worth.
        whole = ending.status is AttemptStatus.ESCALATED
        now_s = self._clock()
        called.answered.ended(AttemptStatus.OK if whole else ending.status, now_s)
        usage = None if ending.answer is None else ending.answer.usage
        if whole and usage is not None:
            answered = called.answered
            self._health.paces.note(
                called.model,
                stream=self._request.stream,
                first_byte_ms=answered.first_byte_ms,
                whole_ms=(now_s - answered.started_s) * 1e3,
                n_tokens=usage.output_tokens,
            )
        self._passage.settle(called.answered, ending)


async def _refuses_logprobs(called: OneCall) -> bool:
    """Whether a model refuses a request for the token probabilities that it asks for; its answer is closed then.

    Providers name the field: "'logprobs' is not supported with this model" (groq/groq-python, issue 25), "Logprobs is
    not enabled for models/gemini-2.5-pro" (mscraftsman/generative-ai, issue 135).
    """
    if b"logprob" not in (await called.answer.read()).lower():
        return False
    await called.answer.aclose()
    return True
