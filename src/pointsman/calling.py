"""Calls what was decided: the first model that answers, or a cascade, and the reply around its answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from .admission import Admit
from .call.attempts import Tried, first_answer
from .call.health import Health
from .call.held import Held, HeldResponses
from .call.passed_headers import down
from .call.reply import Account, Ending, Reply
from .cascade import Judges
from .cascading import OneCall, Outcome, cascaded
from .comparing import Drawn, Served
from .errors import UpstreamError
from .interpreter import Interpreter
from .passage import Passage
from .session import Sessions
from .shadowing import Shadowing
from .vocabulary import AttemptStatus, Clock, Decision, Dialect, Model, Record, Request, Transport, WallClock
from .wire import codec_of, without_logprobs


class Calling:
    """What calls: the transport, the models' health, the judges of answers, and who holds which response."""

    def __init__(
        self,
        *,
        transport: Transport,
        models: Mapping[str, Model],
        baseline: Model | None,
        health: Health,
        judges: Judges,
        held: HeldResponses,
        sessions: Sessions,
        store_prompts: bool,
        write: Callable[[Record], None],
        clock: Clock,
        now: WallClock,
        sleep: Callable[[float], Awaitable[None]],
        shadow: Shadowing | None = None,
    ) -> None:
        self._transport = transport
        self._models = models
        self._baseline = baseline
        self._health = health
        self._judges = judges.over(transport)
        self._held = held
        self._sessions = sessions
        self._store_prompts = store_prompts
        self._write = write
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._shadow = shadow

    async def call(self, request: Request, decision: Decision, headers: Mapping[str, str]) -> Reply:
        """The reply of the first model that answers; its record is written when it ends.

        Raises:
            UpstreamError: no model answered; recorded.
        """
        passage = Passage(
            request,
            decision,
            baseline=self._models[decision.model] if decision.reason_code == "named_model" else self._baseline,
            models=self._models,
            store_prompts=self._store_prompts,
            clock=self._clock,
            created_at=self._now(),
            write=self._write,
        )

        state = self._sessions.of(request, self._clock())

        def foreign(model: str) -> int:
            if state is None:
                return 0
            return state.n_foreign if model == state.model else sys.maxsize

        async def first_of(asked: Request, names: Sequence[str], failed: list[Tried]) -> OneCall:
            interpreter = Interpreter(asked, headers, self._transport, request_id=decision.request_id, foreign=foreign)
            return await self._first_of(asked, names, interpreter, failed)

        try:
            if decision.cascade is None:
                call = await first_of(request, (decision.model, *decision.fallbacks), passage.failed)
                outcome = Outcome(call, call.answer, decision)
            else:
                outcome = await cascaded(
                    request,
                    decision,
                    self._judges,
                    first_of,
                    passage,
                    clock=self._clock,
                    health=self._health,
                )
        except UpstreamError as error:
            passage.end_without_answer(error.status)
            raise
        except asyncio.CancelledError:
            passage.end_without_answer(None)
            raise
        return self._reply(request, headers, outcome, passage)

    async def _first_of(
        self,
        request: Request,
        names: Sequence[str],
        interpreter: Interpreter,
        failed: list[Tried],
    ) -> OneCall:
        """The first answer of the models named; attempts that led to nothing are added to `failed`."""
        admit = Admit(codec_of(request.dialect, request.endpoint), stream=request.stream)
        answered = await first_answer(
            [self._models[name] for name in names],
            interpreter.call,
            interpreter,
            health=self._health,
            clock=self._clock,
            now=self._now,
            failed=failed,
            accept=admit,
            sleep=self._sleep,
        )
        return OneCall(answered, admit)

    def _reply(self, request: Request, headers: Mapping[str, str], outcome: Outcome, passage: Passage) -> Reply:
        codec = codec_of(request.dialect, request.endpoint)
        answered, upstream = outcome.call.answered, outcome.answer
        model = answered.call.model
        shadow = self._shadow
        drawn = None if shadow is None else shadow.drawn(request, outcome.decision)
        stream = None
        if request.stream and upstream.status < 400:
            stream = codec.stream(
                name=model.name, strip_usage=not request.wants_stream_usage, usage_extra=passage.usage_extra(model)
            )
            stream.strip_logprobs = outcome.strip_logprobs
            # What is compared are tool calls with their arguments.
            stream.gather = drawn is not None

        def renamed(raw: bytes, name: str, seen: bool) -> bytes:
            shown = without_logprobs(raw, request.dialect) if outcome.strip_logprobs else raw
            return codec.rename_model(shown, name, seen=seen)

        def finish(ending: Ending) -> Account:
            account = self._ended(request, outcome, passage, ending)
            if shadow is not None and drawn is not None:
                served = _served(request, headers, outcome, passage, ending, drawn)
                if served is not None:
                    shadow.offer(served)
            return account

        return Reply(
            request_id=outcome.decision.request_id,
            decision=outcome.decision,
            model=model.name,
            tier=passage.tier_of(model.name),
            upstream=upstream,
            headers=down(upstream.headers),
            read_answer=outcome.call.read,
            rename_model=renamed,
            stream=stream,
            started_s=answered.started_s,
            first_byte_ms=answered.first_byte_ms,
            clock=self._clock,
            finish=finish,
        )

    def _ended(self, request: Request, outcome: Outcome, passage: Passage, ending: Ending) -> Account:
        """Tells how an answer ended: the model's health, the ledger, the conversation, and who holds what was said."""
        answered, told = outcome.call.answered, outcome.told(ending)
        answered.ended(ending.status, self._clock())
        model, answer = answered.call.model, ending.answer
        if request.dialect in model.endpoints and answer is not None and answer.id is not None:
            self._held.put(answer.id, Held(model.name, request.key_id))
        account = passage.end(model, outcome.answer.status, told)
        if outcome.answer.status < 400:
            if told.status is AttemptStatus.OK and told.first_byte_ms is not None:
                usage = account.attempts[-1].usage
                self._health.paces.note(
                    model.name,
                    stream=request.stream,
                    first_byte_ms=told.first_byte_ms,
                    whole_ms=told.total_ms,
                    n_tokens=None if usage is None else usage.output_tokens,
                )
            self._sessions.answered(
                request,
                model,
                account.attempts[-1].usage,
                self._clock(),
                response_id=answer.id if answer is not None and request.dialect is Dialect.OPENAI_RESPONSES else None,
            )
        return account


def _served(
    request: Request,
    headers: Mapping[str, str],
    outcome: Outcome,
    passage: Passage,
    ending: Ending,
    drawn: Drawn,
) -> Served | None:
    """The answer that the client got, to be compared; None when it did not get it whole."""
    told, decision, model = outcome.told(ending), outcome.decision, outcome.call.model
    tier = passage.tier_of(model)
    if told.status is not AttemptStatus.OK or told.answer is None or tier is None:
        return None
    return Served(
        request=request,
        request_id=decision.request_id,
        policy=decision.policy,
        reason_code=decision.reason_code,
        model=model,
        tier=tier,
        answer=told.answer,
        drawn=drawn,
        headers=headers,
    )
