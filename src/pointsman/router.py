"""Wires the stages: wire → constrain → rules → features → score → decide → call → record.

The only module that knows all of them. A `Router` has no state outside itself: two in one process do not know of each
other.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import assembly, features
from .admission import Admit
from .asking import ModelAsker
from .call.attempts import Tried, first_answer
from .call.health import Health
from .call.held import Held, HeldResponses
from .call.passed_headers import down
from .call.reply import Account, Ending, Reply
from .cascade import Judges
from .cascading import OneCall, Outcome, cascaded
from .catalog import cost_of
from .classify import Classifier, ClassifierSettings
from .completion import Completion
from .constrain import barred, candidates
from .decide import Choice, Policy, Situation, expected_usage, explain, with_plan
from .errors import (
    BadRequest,
    BudgetSpent,
    ConfigError,
    NoModelAvailable,
    PermissionDenied,
    PointsmanError,
    RateLimited,
    UnknownModel,
    UpstreamError,
    UpstreamRefused,
)
from .interpreter import Interpreter
from .judge import FreeJudge
from .limit import most_usage
from .passage import Passage
from .rules import RuleSet
from .scoring import MAX_SCORE_S, GuardedScoring
from .side_calls import SideCalls
from .vocabulary import (
    Candidate,
    Classification,
    Clock,
    Cost,
    Decision,
    Dialect,
    Feedback,
    Hints,
    JSONObject,
    KeyTerms,
    Ledger,
    Limits,
    Model,
    Record,
    Request,
    RulesResult,
    Scorer,
    Spent,
    Tier,
    Transport,
    Usage,
    WallClock,
)
from .wire import build_request, codec_of, without_logprobs

__all__ = ["Completion", "Reply", "Router"]

AUTO = "auto"
ALIASES = ("claude-auto",)
"""Other names of `auto`: Claude Code refuses a model name that does not begin with "claude"."""


def new_request_id() -> str:
    """A fresh id: "req_" and 32 hexadecimal digits."""
    return f"req_{uuid.uuid4().hex}"


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
        ledger: takes records; None keeps none.
        limits: of the callers' keys; None sets none.
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
        ledger: Ledger | None = None,
        limits: Limits | None = None,
        store_prompts: bool = False,
        example_config: bool = False,
        clock: Clock = time.perf_counter,
        now: WallClock = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        new_id: Callable[[], str] = new_request_id,
    ) -> None:
        self.tiers = tuple(tiers)
        self.models = dict(models)
        self.policies = dict(policies)
        self.default_policy = default_policy
        self.baseline = baseline
        self.scorer = scorer
        self.health = Health() if health is None else health
        self.judges = Judges(FreeJudge()) if judges is None else judges
        self.ledger = ledger
        self.limits = limits
        self.example_config = example_config
        self.scoring = GuardedScoring(scorer, clock, max_score_s=max_score_s)
        self._rules = rules
        self._transport = transport
        self._store_prompts = store_prompts
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._new_id = new_id
        self._held = HeldResponses() if held is None else held
        self._tier_of = {name: tier.name for tier in reversed(self.tiers) for name in tier.models}
        self._classifiers = (
            {}
            if transport is None or classifiers is None
            else {
                name: Classifier(asked, ModelAsker(asked, transport), text_of=features.text_of, clock=clock)
                for name, asked in classifiers.items()
            }
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
        return cls(
            **parts.for_router(),
            transport=sends,
            health=assembly.health(parts),
            ledger=opened if ledger is None else ledger,
            limits=assembly.open_limits(parts, opened),
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
        """A router of other parts around the same transport, ledger, limits, health and held responses.

        Only one of them is to be closed, when both are done.
        """
        return Router(
            **parts.for_router(),
            transport=self._transport,
            health=self.health,
            held=self._held,
            ledger=self.ledger,
            limits=self.limits,
            clock=self._clock,
            now=self._now,
            sleep=self._sleep,
            new_id=self._new_id,
        )

    # ------------------------------------------------------------ what there is

    @property
    def names(self) -> tuple[str, ...]:
        """Everything a client may put in `model`."""
        policies = tuple(f"{AUTO}:{name}" for name in self.policies)
        return (AUTO, *policies, *ALIASES, *self.models)

    def names_for(self, key_id: str | None) -> tuple[str, ...]:
        """Those of `names` that the bearer of a key may use."""
        terms, names = self._terms(key_id), self.names
        if terms.models is not None:
            names = tuple(name for name in names if name not in self.models or name in terms.models)
        if terms.policies is not None:
            barred_policies = {f"{AUTO}:{name}" for name in self.policies if name not in terms.policies}
            names = tuple(name for name in names if name not in barred_policies)
        return names

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
        started_s = self._clock()
        id_ = self._new_id() if request_id is None else request_id
        name = self._policy_name(request)

        def elapsed_ms() -> float:
            return (self._clock() - started_s) * 1e3

        if name is None:
            return self._named_model(request, id_, elapsed_ms)
        decision = self._by_policy(request, id_, self.policies[name], elapsed_ms, classification)
        if classification is None:
            return decision
        return replace(
            decision,
            router_cost_usd=classification.cost_usd,
            decide_ms=decision.decide_ms + classification.latency_ms,
        )

    async def advise(self, request: Request, *, request_id: str | None = None) -> Decision:
        """The decision alone, with the policy's classifier asked where that is needed; what it cost is recorded.

        Raises:
            UnknownModel, NoModelAvailable, PermissionDenied: as `decide`.
            RateLimited, BudgetSpent: the caller's key is at a limit.
        """
        id_ = self._new_id() if request_id is None else request_id
        if self.limits is not None:
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
        name = self._policy_name(request) if self._classifiers else None
        classifier = None if name is None else self._classifiers.get(name)
        if name is None or classifier is None:
            return self.decide(request, request_id=request_id)
        tiers = self._open_tiers(request)
        spent: list[float] = []
        if self._is_settled(request, self.policies[name]):
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

    def _open_tiers(self, request: Request) -> tuple[str, ...]:
        """Names of the tiers of which some model can serve the request, cheapest first."""
        able = {each.tier for each in self._candidates(request) if each.ruled_out is None}
        return tuple(tier.name for tier in self.tiers if tier.name in able)

    def _candidates(self, request: Request) -> tuple[Candidate, ...]:
        """Every model in its tier, with what rules it out for this request and this caller."""
        return candidates(
            request,
            self.tiers,
            self.models,
            allowed=self._terms(request.key_id).models,
            priced_only=self._has_budget(request.key_id),
        )

    def _barred(self, request: Request, model: Model) -> str | None:
        """Why the caller may not use a model, whatever it asks; None when it may."""
        allowed, priced_only = self._terms(request.key_id).models, self._has_budget(request.key_id)
        return barred(model, allowed=allowed, priced_only=priced_only)

    def _terms(self, key_id: str | None) -> KeyTerms:
        return KeyTerms() if self.limits is None else self.limits.terms(key_id)

    def _has_budget(self, key_id: str | None) -> bool:
        return self.limits is not None and self.limits.has_budget(key_id)

    def _is_settled(self, request: Request, policy: Policy) -> bool:
        """True when the caller or a rule decides, so that a policy need not be asked."""
        if request.hints.tier is not None:
            return True
        rules = self._rules.evaluate(request) if self._rules is not None and policy.heeds_rules else None
        return rules is not None and rules.enforced is not None

    def _policy_name(self, request: Request) -> str | None:
        """The policy in force; None when the client named a model."""
        asked = request.model
        if asked in self.models:
            return None
        named: str | None = None
        if asked.startswith(f"{AUTO}:"):
            named = asked.removeprefix(f"{AUTO}:")
        elif asked != AUTO and asked not in ALIASES:
            raise UnknownModel(f"the model {asked[:200]!r} is not configured; expected one of: {', '.join(self.names)}")
        if request.hints.policy is not None:
            named = request.hints.policy
        allowed = self._terms(request.key_id).policies
        if named is None:
            if allowed is None or self.default_policy in allowed:
                return self.default_policy
            named = next((name for name in allowed if name in self.policies), self.default_policy)
        if named not in self.policies:
            raise UnknownModel(
                f"the policy {named[:200]!r} is not configured; expected one of: {', '.join(self.policies)}"
            )
        if allowed is not None and named not in allowed:
            raise PermissionDenied(f"this key may not use the policy {named!r}; it may use: {', '.join(allowed)}")
        return named

    def _named_model(self, request: Request, request_id: str, elapsed_ms: Callable[[], float]) -> Decision:
        model = self.models[request.model]
        forbidden = self._barred(request, model)
        if forbidden is not None:
            raise PermissionDenied(f"model {model.name!r}: {forbidden}")
        if request.dialect not in model.endpoints and request.own_dialect_only is not None:
            raise NoModelAvailable(
                f"the upstream of {model.name} does not speak {request.dialect.value}, and {request.own_dialect_only}"
            )
        return explain(
            request=request,
            request_id=request_id,
            policy="named model",
            policy_kind="fixed",
            choice=Choice(model.name, f"the client asked for {model.name} by name", "named_model"),
            candidates=(Candidate(model, self._tier_of.get(model.name)),),
            tiers=self.tiers,
            rules=None,
            # What a client chose itself is not our saving, so it is its own baseline.
            baseline=model,
            estimate_usd=lambda candidate: self._estimate_usd(candidate, expected_usage(request, None)),
            elapsed_ms=elapsed_ms,
            fall_back=False,
        )

    def _by_policy(
        self,
        request: Request,
        request_id: str,
        policy: Policy,
        elapsed_ms: Callable[[], float],
        classification: Classification | None,
    ) -> Decision:
        rules = self._rules.evaluate(request) if self._rules is not None and policy.heeds_rules else None
        usage = expected_usage(request, None if rules is None else rules.task_kind)
        holder = self._holder(request)
        choice = self._choice(request, policy, rules, classification) if holder is None else holder
        # A policy may name a model that stands in no tier.
        loose = (
            (Candidate(self.models[choice.use], None, self._barred(request, self.models[choice.use])),)
            if choice.use in self.models and choice.use not in self._tier_of
            else ()
        )
        known = (*loose, *self._candidates(request))

        def estimate_usd(model: Model) -> float | None:
            return self._estimate_usd(model, usage)

        decision = explain(
            request=request,
            request_id=request_id,
            policy=policy.name,
            policy_kind=policy.kind,
            choice=choice,
            candidates=known,
            tiers=self.tiers,
            rules=rules,
            baseline=self.baseline,
            estimate_usd=estimate_usd,
            elapsed_ms=elapsed_ms,
            fall_back=holder is None,
        )
        return with_plan(decision, choice.ladder, known, estimate_usd)

    def _holder(self, request: Request) -> Choice | None:
        """The model whose upstream holds the response that this request continues; no other knows what was said."""
        previous = request.body.get("previous_response_id")
        held = self._held.get(previous) if isinstance(previous, str) else None
        if held is None or held.key_id != request.key_id or held.model not in self.models:
            return None
        return Choice(held.model, f"{held.model} holds the response that this one continues", "only_model")

    def _choice(
        self, request: Request, policy: Policy, rules: RulesResult | None, classification: Classification | None
    ) -> Choice:
        pinned = request.hints.tier
        if pinned is not None:
            if all(tier.name != pinned for tier in self.tiers):
                names = ", ".join(tier.name for tier in self.tiers)
                raise UnknownModel(f"the tier {pinned[:200]!r} is not configured; expected one of: {names}")
            return Choice(pinned, f"the caller pinned tier {pinned}", "pinned_tier")
        if rules is not None and rules.enforced is not None:
            fired = rules.enforced
            return Choice(fired.use, f"rule “{fired.rule}”: {fired.why}", "rule")
        if classification is None and policy.name in self._classifiers:
            classification = self._classifiers[policy.name].remembered(request, self._open_tiers(request))
        return policy.decide(Situation(request, self.tiers, rules, lambda: self.scoring.score(request), classification))

    @staticmethod
    def _estimate_usd(model: Model, usage: Usage) -> float | None:
        return cost_of(model.price, model.price_missing, usage).usd

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
            UpstreamError: no model answered; recorded.
            ConfigError: this router only decides.
        """
        if self._transport is None:
            raise ConfigError("this router only decides; Router.from_config makes one that calls")
        id_ = self._new_id() if request_id is None else request_id
        if self.limits is not None:
            expected = expected_usage(request, None)
            await self.limits.enter(id_, request.key_id, tokens=expected.input_tokens + expected.output_tokens)
        try:
            return await self._decided_and_called(request, id_, {} if headers is None else headers)
        except BaseException:
            # The record has settled it, where there is one; nothing may go on counting as under way.
            self._leave(id_)
            raise

    async def _decided_and_called(self, request: Request, id_: str, headers: Mapping[str, str]) -> Reply:
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
        if self._has_budget(request.key_id):
            await self._hold(request, decision)
        return await self._call(request, decision, headers)

    async def _hold(self, request: Request, decision: Decision) -> None:
        """Sets aside the most that the request can cost, whichever of its models answers.

        Raises:
            RateLimited, BudgetSpent: as `Limits.hold`; recorded only where deciding has cost something.
        """
        assert self.limits is not None
        # A cascade may pay for a call of each of its rungs.
        plan = decision.cascade
        rungs = ((decision.model, *decision.fallbacks),) if plan is None else tuple(rung.models for rung in plan.rungs)
        most_usd = sum(max(self._most_usd(request, self.models[name]) for name in names) for names in rungs)
        try:
            await self.limits.hold(decision.request_id, most_usd=most_usd + decision.router_cost_usd)
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

    @staticmethod
    def _most_usd(request: Request, model: Model) -> float:
        """The most that one answer of a model can cost; 0 without a price, which a budget has ruled out before."""
        usages = (most_usage(request, model.capabilities, written_to_cache=written) for written in (False, True))
        costs = (cost_of(model.price, model.price_missing, usage).usd for usage in usages)
        return max((usd for usd in costs if usd is not None), default=0.0)

    def _leave(self, request_id: str) -> None:
        if self.limits is not None:
            self.limits.settle(request_id, Spent(0.0, 0))

    async def _call(self, request: Request, decision: Decision, headers: Mapping[str, str]) -> Reply:
        passage = Passage(
            request,
            decision,
            baseline=self.models[decision.model] if decision.reason_code == "named_model" else self.baseline,
            models=self.models,
            store_prompts=self._store_prompts,
            clock=self._clock,
            created_at=self._now(),
            write=self._write,
        )

        async def first_of(asked: Request, names: Sequence[str], failed: list[Tried]) -> OneCall:
            return await self._first_of(asked, names, headers, decision.request_id, failed)

        try:
            if decision.cascade is None:
                call = await first_of(request, (decision.model, *decision.fallbacks), passage.failed)
                outcome = Outcome(call, call.answer, decision)
            else:
                outcome = await cascaded(request, decision, self.judges, first_of, passage, clock=self._clock)
        except UpstreamError as error:
            passage.end_without_answer(error.status)
            raise
        except asyncio.CancelledError:
            passage.end_without_answer(None)
            raise
        return self._reply(request, outcome, passage)

    async def _first_of(
        self,
        request: Request,
        names: Sequence[str],
        headers: Mapping[str, str],
        request_id: str,
        failed: list[Tried],
    ) -> OneCall:
        """The first answer of the models named; attempts that led to nothing are added to `failed`."""
        assert self._transport is not None
        interpreter = Interpreter(request, headers, self._transport, request_id=request_id)
        admit = Admit(codec_of(request.dialect, request.endpoint), stream=request.stream)
        answered = await first_answer(
            [self.models[name] for name in names],
            interpreter.call,
            interpreter,
            health=self.health,
            clock=self._clock,
            now=self._now,
            failed=failed,
            accept=admit,
            sleep=self._sleep,
        )
        return OneCall(answered, admit)

    def _reply(self, request: Request, outcome: Outcome, passage: Passage) -> Reply:
        codec = codec_of(request.dialect, request.endpoint)
        answered, upstream = outcome.call.answered, outcome.answer
        model = answered.call.model
        stream = None
        if request.stream and upstream.status < 400:
            stream = codec.stream(
                name=model.name, strip_usage=not request.wants_stream_usage, usage_extra=passage.usage_extra(model)
            )
            stream.strip_logprobs = outcome.strip_logprobs

        def renamed(raw: bytes, name: str) -> bytes:
            shown = without_logprobs(raw, request.dialect) if outcome.strip_logprobs else raw
            return codec.rename_model(shown, name)

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
            finish=lambda ending: self._ended(request, outcome, passage, ending),
        )

    def _ended(self, request: Request, outcome: Outcome, passage: Passage, ending: Ending) -> Account:
        """Tells how an answer ended: the model's health, the ledger, and who holds what was said."""
        answered, told = outcome.call.answered, outcome.told(ending)
        answered.ended(ending.status, self._clock())
        model, answer = answered.call.model, ending.answer
        if request.dialect in model.endpoints and answer is not None and answer.id is not None:
            self._held.put(answer.id, Held(model.name, request.key_id))
        return passage.end(model, outcome.answer.status, told)

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
        """Closes connections, then writes what the ledger still holds."""
        if self._transport is not None:
            await self._transport.aclose()
        if self.ledger is not None:
            await self.ledger.aclose()

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
