"""Wires the stages: wire → constrain → session → rules → features → score → decide → call → record.

With `deciding` and `calling`, which are its two halves, the only module that knows all of them. A `Router` has no state
outside itself: two in one process do not know of each other.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import assembly
from .call.health import Health
from .call.held import HeldResponses
from .call.reply import Reply
from .calling import Calling
from .cascade import Judges
from .classify import ClassifierSettings
from .completion import Completion
from .decide import Policy, expected_usage
from .deciding import AUTO, Deciding
from .errors import (
    BadRequest,
    BudgetSpent,
    ConfigError,
    PointsmanError,
    RateLimited,
    UpstreamRefused,
)
from .judge import FreeJudge
from .rules import RuleSet
from .scoring import MAX_SCORE_S, GuardedScoring
from .session import SessionRules, Sessions
from .shadowing import Shadowing
from .side_calls import SideCalls
from .vocabulary import (
    Classification,
    Clock,
    Cost,
    Decision,
    Dialect,
    Feedback,
    Hints,
    JSONObject,
    Ledger,
    Limits,
    Model,
    Record,
    Request,
    Scorer,
    Spent,
    Tier,
    Traces,
    Transport,
    WallClock,
)
from .watching import Watching
from .wire import build_request

if TYPE_CHECKING:
    from .sharing import Sharing

__all__ = ["Completion", "Reply", "Router"]


def new_request_id() -> str:
    """A fresh id: "req_" and 32 hexadecimal digits, random ones."""
    try:
        return f"req_{_drawn.pop()}"
    except IndexError:
        # Asking the system for each id would take longer than all else that is done with it.
        digits = os.urandom(16 * 256).hex()
        _drawn.extend(digits[at : at + 32] for at in range(0, len(digits), 32))
        return f"req_{_drawn.pop()}"


_drawn: list[str] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)


def utc_now() -> datetime:
    """The time of day, UTC."""
    return datetime.now(UTC)


class Router:
    """Decides, calls and records.

    Deciding is synchronous and does no I/O; `complete`, `stream` and `send` await the model, and before it the
    classifier of a policy that has one. `from_config` reads `pointsman.yaml`; the constructor takes the parts, so that
    each can be replaced.

    Args:
        tiers: cheapest first.
        models: by name; every model of every tier is among them.
        policies: by name.
        default_policy: the policy of a request that names none.
        baseline: the model that savings are counted against.
        rules: asked before a policy that heeds them; None means no rules.
        scorer: gives P(cheap is good enough); None means that every score is unknown.
        classifiers: small models that name the tier, by the name of their policy.
        max_score_s: a scorer that is slower than this several times in a row is left out for a while.
        judges: of answers, for cascades; None judges by free checks.
        transport: sends calls; None makes a router that only decides.
        health: of the models, with the rules for trying again; None begins with a clean slate and the default rules.
        held: which upstream holds which response; None begins with none.
        sessions: the conversations that are remembered; None begins with none.
        session_rules: what a conversation keeps, and how long; None takes those of `sessions`, else the default.
        ledger: takes records; None keeps none.
        limits: of the callers' keys; None sets none.
        sharing: with the routers of other replicas, whose limits stand in for `limits`; None shares nothing.
        shadow: compares a sample of answers with the strong tier's; None compares none.
        watch: watches what policies promise; None watches none.
        traces: takes records too; None makes no traces.
        store_prompts: keep request bodies and answers in the ledger too.
        example_config: True when these are the example tiers and not the user's.

    Raises:
        ConfigError: a part does not fit the others.
    """

    def __init__(
        self,
        *,
        tiers: Sequence[Tier],
        models: Mapping[str, Model],
        policies: Mapping[str, Policy],
        default_policy: str,
        baseline: Model | None = None,
        rules: RuleSet | None = None,
        scorer: Scorer | None = None,
        classifiers: Mapping[str, ClassifierSettings] | None = None,
        max_score_s: float = MAX_SCORE_S,
        judges: Judges | None = None,
        transport: Transport | None = None,
        health: Health | None = None,
        held: HeldResponses | None = None,
        sessions: Sessions | None = None,
        session_rules: SessionRules | None = None,
        ledger: Ledger | None = None,
        limits: Limits | None = None,
        sharing: Sharing | None = None,
        shadow: Shadowing | None = None,
        watch: Watching | None = None,
        traces: Traces | None = None,
        store_prompts: bool = False,
        example_config: bool = False,
        clock: Clock = time.perf_counter,
        now: WallClock = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        new_id: Callable[[], str] = new_request_id,
    ) -> None:
        self.models = dict(models)
        self.scorer = scorer
        self.health = Health() if health is None else health
        self.ledger = ledger
        self.sharing = sharing
        if sharing is not None:
            limits, held, sessions = sharing.limits, sharing.held, sharing.sessions
        self.limits = limits
        self.shadow = shadow
        self.watch = watch
        self._traces = traces
        self.example_config = example_config
        self._transport = transport
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._new_id = new_id
        self._held = HeldResponses() if held is None else held
        self._sessions = Sessions() if sessions is None else sessions
        if session_rules is not None:
            self._sessions.rules = session_rules
        self._deciding = Deciding(
            tiers=tiers,
            models=self.models,
            policies=policies,
            default_policy=default_policy,
            baseline=baseline,
            rules=rules,
            scoring=GuardedScoring(scorer, clock, max_score_s=max_score_s),
            classifiers=classifiers,
            transport=transport,
            limits=limits,
            held=self._held,
            sessions=self._sessions,
            clock=clock,
            pace_of=self.health.paces.of,
            **({} if watch is None else {"alarm_of": watch.alarm_of}),
        )
        self._calling = (
            None
            if transport is None
            else Calling(
                transport=transport,
                models=self.models,
                baseline=baseline,
                health=self.health,
                judges=Judges(FreeJudge()) if judges is None else judges,
                held=self._held,
                sessions=self._sessions,
                store_prompts=store_prompts,
                write=self._write,
                clock=clock,
                now=now,
                sleep=sleep,
                shadow=shadow,
            )
        )

    # ------------------------------------------------------------ making one

    @classmethod
    def from_config(
        cls,
        config: Path | str | Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        ledger: Ledger | None = None,
        ledger_url: str | None = None,
    ) -> Self:
        """A router that serves, from a file, from a mapping of the same form, or (None) from `pointsman.yaml` here.

        Args:
            environ: where `${VARIABLE}` is looked up; None means the process's environment.
            transport: replaces the HTTP transport.
            ledger: replaces the configured ledger.
            ledger_url: opens the ledger at this address in place of the configured one.

        Raises:
            ConfigError: something in the configuration is wrong; all faults are named at once.
            ArtifactError: the router artifact cannot be used.
            LedgerError: the ledger cannot be opened.
        """
        parts = assembly.from_config(config, environ=environ)
        sends = assembly.open_transport(parts) if transport is None else transport
        opened = assembly.open_ledger(parts, url=ledger_url) if ledger is None else None
        keeps, health = opened if ledger is None else ledger, assembly.health(parts)
        assert keeps is not None
        watch = assembly.open_watch(parts, ledger=keeps)
        limits = assembly.open_limits(parts, opened)
        return cls(
            **parts.for_router(),
            transport=sends,
            health=health,
            ledger=keeps,
            limits=limits,
            sharing=assembly.open_sharing(parts, limits, health=health, spending=assembly.spending(parts, opened)),
            shadow=assembly.open_shadow(parts, transport=sends, ledger=keeps, health=health, watch=watch),
            watch=watch,
            traces=assembly.open_traces(parts),
        )

    @classmethod
    def for_decisions(
        cls,
        config: Path | str | Mapping[str, Any] | None = None,
        *,
        rules: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """A router that only decides: nothing is called or recorded.

        Without a file anywhere, the example tiers. `rules` replaces the configured rules by those of a file.

        Raises:
            ConfigError, ArtifactError: as `from_config`.
        """
        parts = assembly.from_config(config, environ=environ, rules_file=rules, example_when_missing=True)
        return cls(**parts.for_router())

    def replaced_by(self, parts: assembly.Parts) -> Router:
        """A router of other parts around the same transport, ledger, limits, sharing, traces, shadows, watch, health
        and conversations.

        Only one of them is to be closed, when both are done.
        """
        return Router(
            **parts.for_router(),
            transport=self._transport,
            health=self.health,
            held=self._held,
            sessions=self._sessions,
            ledger=self.ledger,
            limits=self.limits,
            sharing=self.sharing,
            shadow=self.shadow,
            watch=self.watch,
            traces=self._traces,
            clock=self._clock,
            now=self._now,
            sleep=self._sleep,
            new_id=self._new_id,
        )

    # ------------------------------------------------------------ what there is

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """Cheapest first."""
        return self._deciding.tiers

    @property
    def policies(self) -> Mapping[str, Policy]:
        """By name."""
        return self._deciding.policies

    @property
    def default_policy(self) -> str:
        """The policy of a request that names none."""
        return self._deciding.default_policy

    @property
    def baseline(self) -> Model | None:
        """The model that savings are counted against."""
        return self._deciding.baseline

    @property
    def scoring(self) -> GuardedScoring:
        """What gives scores, with what it has failed at."""
        return self._deciding.scoring

    @property
    def names(self) -> tuple[str, ...]:
        """Everything a client may put in `model`."""
        return self._deciding.names

    def names_for(self, key_id: str | None) -> tuple[str, ...]:
        """Those of `names` that the bearer of a key may use."""
        return self._deciding.names_for(key_id)

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether requests can be served, and if not, why."""
        if self._transport is None:
            return False, "this router only decides"
        return True, "ready"

    # ------------------------------------------------------------ deciding

    def route(
        self,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        prompt: str | None = None,
        request: Request | None = None,
        model: str = AUTO,
        policy: str | None = None,
        max_quality_loss: float | None = None,
        tier: str | None = None,
        **parameters: Any,
    ) -> Decision:
        """The decision for a prompt, for messages or for a whole request; no I/O.

        Raises:
            BadRequest: none of the three is given, or more than one, or it cannot be read.
            UnknownModel: `model`, `policy` or `tier` is not configured.
            NoModelAvailable: no model can serve it.
        """
        hints = Hints(policy=policy, max_quality_loss=max_quality_loss, tier=tier)
        return self.decide(_one_request(messages, prompt, request, model=model, hints=hints, parameters=parameters))

    def decide(
        self, request: Request, *, request_id: str | None = None, classification: Classification | None = None
    ) -> Decision:
        """The decision for a request; no I/O.

        Args:
            classification: what the policy's classifier said; None takes what it remembers of the same request.

        Raises:
            UnknownModel: the model, policy or tier that it names is not configured.
            PermissionDenied: the caller's key does not open the model or policy that it names.
            NoModelAvailable: no model can serve it.
        """
        id_ = self._new_id() if request_id is None else request_id
        return self._deciding.decide(request, request_id=id_, classification=classification)

    async def advise(self, request: Request, *, request_id: str | None = None) -> Decision:
        """The decision alone, with the policy's classifier asked where that is needed; what it cost is recorded.

        Raises:
            UnknownModel, NoModelAvailable, PermissionDenied: as `decide`.
            RateLimited, BudgetSpent: the caller's key is at a limit.
        """
        id_ = self._new_id() if request_id is None else request_id
        if self.sharing is not None:
            await self.sharing.admit(request, id_, tokens=0, most_usd=None)
        elif self.limits is not None:
            await self.limits.enter(id_, request.key_id, tokens=0)
        try:
            return await self._advise(request, id_)
        finally:
            self._leave(id_)

    async def _advise(self, request: Request, request_id: str) -> Decision:
        decision = await self._decide_asking(request, request_id)
        if decision.router_cost_usd > 0:
            self._write(
                self._unanswered(
                    decision.request_id,
                    endpoint="/v1/route",
                    dialect=request.dialect,
                    requested_model=request.model,
                    status="ok",
                    http_status=200,
                    key_id=request.key_id,
                    decision=decision,
                    router_cost_usd=decision.router_cost_usd,
                )
            )
        return decision

    async def _decide_asking(self, request: Request, request_id: str) -> Decision:
        """As `decide`, after asking the policy's classifier; whoever leaves while it is asked is recorded."""
        deciding = self._deciding
        name = deciding.policy_name(request) if deciding.classifiers else None
        classifier = None if name is None else deciding.classifiers.get(name)
        if name is None or classifier is None:
            return self.decide(request, request_id=request_id)
        tiers = deciding.open_tiers(request)
        spent: list[float] = []
        if deciding.is_settled(request, deciding.policies[name]):
            classification = None
        elif len(tiers) < 2:
            classification = classifier.not_asked("fewer than two tiers can serve it")
        else:
            try:
                classification = await classifier.classify(request, tiers, spent=spent)
            except asyncio.CancelledError:
                self._write(
                    self._unanswered(
                        request_id,
                        endpoint=request.endpoint,
                        dialect=request.dialect,
                        requested_model=request.model,
                        status="cancelled",
                        http_status=None,
                        key_id=request.key_id,
                        error="client_left",
                        router_cost_usd=sum(spent),
                    )
                )
                raise
        return self.decide(request, request_id=request_id, classification=classification)

    # ------------------------------------------------------------ calling

    async def complete(
        self,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        prompt: str | None = None,
        request: Request | None = None,
        model: str = AUTO,
        policy: str | None = None,
        max_quality_loss: float | None = None,
        tier: str | None = None,
        session: str | None = None,
        tags: Sequence[str] = (),
        **parameters: Any,
    ) -> Completion:
        """The answer, with the decision, its cost and what it saved. `parameters` go into the request body.

        Raises:
            BadRequest, UnknownModel, NoModelAvailable: as `route`.
            UpstreamError: no model answered.
        """
        hints = Hints(policy, max_quality_loss, tier, session, tuple(tags))
        asked = _one_request(messages, prompt, request, model=model, hints=hints, parameters=parameters)
        async with await self.send(asked) as reply:
            body = await reply.read()
            if reply.status >= 400:
                raise UpstreamRefused(
                    f"{reply.model} answered with status {reply.status}",
                    model=reply.model,
                    upstream_status=reply.status,
                    body=body[: 64 * 1024],
                )
            return Completion.of(reply, body)

    async def stream(
        self,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        prompt: str | None = None,
        request: Request | None = None,
        model: str = AUTO,
        policy: str | None = None,
        max_quality_loss: float | None = None,
        tier: str | None = None,
        session: str | None = None,
        tags: Sequence[str] = (),
        **parameters: Any,
    ) -> AsyncGenerator[bytes, None]:
        """The answer's events as server-sent-event bytes in the request's dialect, whole events at a time.

        Raises:
            as `complete`; in mid-stream `UpstreamBroken` or `UpstreamTimeout`.
        """
        hints = Hints(policy, max_quality_loss, tier, session, tuple(tags))
        parameters["stream"] = True
        asked = _one_request(messages, prompt, request, model=model, hints=hints, parameters=parameters)
        async with await self.send(asked) as reply:
            async for chunk in reply.chunks():
                yield chunk

    async def send(
        self, request: Request, *, request_id: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Decides and calls, with fallback until a first byte has come; the record is written when the reply ends.

        Args:
            headers: the client's headers, names in lower case; those that providers understand go along.

        Raises:
            UnknownModel, NoModelAvailable, PermissionDenied: as `decide`; recorded.
            RateLimited, BudgetSpent: the caller's key is at a limit; not recorded, or the ledger would grow with
                every refusal.
            SharedStateAway: what replicas share is away, and `redis.on_failure` is "closed"; not recorded either.
            UpstreamError: no model answered; recorded.
            ConfigError: this router only decides.
        """
        if self._calling is None:
            raise ConfigError("this router only decides; Router.from_config makes one that calls")
        id_ = self._new_id() if request_id is None else request_id
        if self._traces is not None and headers is not None:
            self._traces.begin(id_, headers)
        if self.sharing is not None:
            await self._admit(self.sharing, request, id_)
        elif self.limits is not None:
            expected = expected_usage(request, None)
            await self.limits.enter(id_, request.key_id, tokens=expected.input_tokens + expected.output_tokens)
        try:
            decision = await self._settled_decision(request, id_)
            return await self._calling.call(request, decision, {} if headers is None else headers)
        except BaseException:
            # The record has settled it, where there is one; nothing may go on counting as under way.
            self._leave(id_)
            raise

    async def _admit(self, sharing: Sharing, request: Request, request_id: str) -> None:
        """Takes the request in over all replicas, with the most that it can cost set aside before it is decided."""
        expected = expected_usage(request, None)
        most_usd = self._deciding.most_usd_of_any(request) if self._deciding.has_budget(request.key_id) else None
        tokens = expected.input_tokens + expected.output_tokens
        await sharing.admit(request, request_id, tokens=tokens, most_usd=most_usd)

    async def _settled_decision(self, request: Request, id_: str) -> Decision:
        """The decision, with its cost set aside where the caller has a budget; a refusal is recorded."""
        try:
            decision = await self._decide_asking(request, id_)
        except PointsmanError as error:
            self.reject(
                endpoint=request.endpoint,
                dialect=request.dialect,
                requested_model=request.model,
                error=error,
                request_id=id_,
                key_id=request.key_id,
            )
            raise
        if self._deciding.has_budget(request.key_id):
            await self._hold(request, decision)
        return decision

    async def _hold(self, request: Request, decision: Decision) -> None:
        """Sets aside the most that the request can cost, whichever of its models answers.

        Raises:
            RateLimited, BudgetSpent: as `Limits.hold`; recorded only where deciding has cost something.
        """
        assert self.limits is not None
        most_usd = self._deciding.most_usd(request, decision)
        try:
            await self.limits.hold(decision.request_id, most_usd=most_usd)
        except (RateLimited, BudgetSpent) as error:
            if decision.router_cost_usd > 0:
                self._write(
                    self._unanswered(
                        decision.request_id,
                        endpoint=request.endpoint,
                        dialect=request.dialect,
                        requested_model=request.model,
                        status="error",
                        http_status=error.status,
                        key_id=request.key_id,
                        error=error.code,
                        decision=decision,
                        router_cost_usd=decision.router_cost_usd,
                    )
                )
            raise

    def _leave(self, request_id: str) -> None:
        if self.limits is not None:
            self.limits.settle(request_id, Spent(0.0, 0))

    def side_calls(self) -> SideCalls:
        """Calls that are neither decided nor recorded.

        Raises:
            ConfigError: this router only decides.
        """
        if self._transport is None:
            raise ConfigError("this router only decides; Router.from_config makes one that calls")
        return SideCalls(self.models, self._transport, self._held)

    # ------------------------------------------------------------ recording

    def _write(self, record: Record) -> None:
        if self.limits is not None:
            self.limits.settle(record.request_id, spent_by(record))
        if self.ledger is not None:
            self.ledger.write(record)
        if self.watch is not None:
            self.watch.note(record)
        if self._traces is not None:
            self._traces.write(record, self.models)

    def reject(
        self,
        *,
        endpoint: str,
        dialect: Dialect | None,
        requested_model: str,
        error: PointsmanError,
        request_id: str,
        key_id: str | None = None,
    ) -> None:
        """Records a request that was refused before it was decided."""
        self._write(
            self._unanswered(
                request_id,
                endpoint=endpoint,
                dialect=dialect,
                requested_model=requested_model,
                status="error",
                http_status=error.status,
                key_id=key_id,
                error=error.code,
            )
        )

    def _unanswered(
        self,
        request_id: str,
        *,
        endpoint: str,
        dialect: Dialect | None,
        requested_model: str,
        status: str,
        http_status: int | None,
        key_id: str | None,
        error: str | None = None,
        decision: Decision | None = None,
        router_cost_usd: float = 0.0,
    ) -> Record:
        """The record of a request for whose answer no model was called: all it can have cost is deciding."""
        return Record(
            request_id=request_id,
            created_at=self._now(),
            endpoint=endpoint,
            dialect=dialect,
            requested_model=requested_model[:200],
            status=status,
            http_status=http_status,
            decision=decision,
            attempts=(),
            usage=None,
            cost=Cost(0.0),
            baseline_model=None,
            baseline_cost=Cost(0.0),
            router_cost_usd=router_cost_usd,
            key_id=key_id,
            decide_ms=None if decision is None else decision.decide_ms,
            error=error,
        )

    def feedback(self, feedback: Feedback) -> None:
        """Takes what a user said of an answer."""
        if self.ledger is not None:
            self.ledger.write_feedback(feedback)

    async def decision_record(self, request_id: str) -> JSONObject | None:
        """The record of a request with its decision, attempts and feedback; None when there is none."""
        return None if self.ledger is None else await self.ledger.decision(request_id)

    async def aclose(self) -> None:
        """Ends shadows, closes connections, then writes what the ledger still holds."""
        if self.shadow is not None:
            await self.shadow.aclose()
        if self._transport is not None:
            await self._transport.aclose()
        if self.sharing is not None:
            await self.sharing.aclose()
        if self.ledger is not None:
            await self.ledger.aclose()
        if self._traces is not None:
            await self._traces.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def spent_by(record: Record) -> Spent:
    """What a request took from a budget and from its tokens per minute.

    Where its cost is not known, though a model was called, what it was expected to cost stands in.
    """
    usd = record.cost.usd
    if usd is None and record.decision is not None:
        usd = record.decision.estimated_cost_usd
    usages = [attempt.usage for attempt in record.attempts if attempt.usage is not None]
    tokens = sum(usage.input_tokens + usage.output_tokens for usage in usages)
    return Spent(None if usd is None else usd + record.router_cost_usd + record.judge_cost_usd, tokens)


def _one_request(
    messages: Sequence[Mapping[str, Any]] | None,
    prompt: str | None,
    request: Request | None,
    *,
    model: str,
    hints: Hints,
    parameters: Mapping[str, Any],
) -> Request:
    given = sum(part is not None for part in (messages, prompt, request))
    if given != 1:
        raise BadRequest(f"expected exactly one of messages, prompt and request, {given} are given")
    if request is not None:
        if parameters:
            raise BadRequest(f"a whole request takes no further parameters, got {', '.join(sorted(parameters))}")
        made = request if hints == Hints() else replace(request, hints=hints)
    else:
        made = build_request(prompt=prompt, messages=messages, model=model, hints=hints, **parameters)
    return made if hints.session is None else replace(made, session_id=hints.session)
