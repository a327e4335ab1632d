"""Decides one request by the stages constrain → rules → features → score → decide; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from . import features
from .asking import ModelAsker
from .call.held import HeldResponses
from .catalog import usd_of
from .classify import Classifier, ClassifierSettings
from .constrain import barred, candidates
from .decide import Choice, Policy, Situation, expected_usage, explain, in_time, with_plan
from .errors import NoModelAvailable, PermissionDenied, UnknownModel
from .most_usd import most_usd
from .rules import RuleSet
from .scoring import GuardedScoring
from .session import Sessions, SessionState, Side, Weighed, in_tool_loop, is_open_ended, weigh
from .vocabulary import (
    Candidate,
    Classification,
    Clock,
    Decision,
    KeyTerms,
    Limits,
    Model,
    Pace,
    Request,
    RulesResult,
    Tier,
    Transport,
    Usage,
)

AUTO = "auto"
ALIASES = ("claude-auto",)
"""Other names of `auto`: Claude Code refuses a model name that does not begin with "claude"."""
_NO_TERMS = KeyTerms()

_CALLS_SEVERAL = frozenset({"cascade", "cascade_routing"})
"""Kinds of policies that may pay for a call of each tier."""


class PaceOf(Protocol):
    """How long a model takes."""

    def __call__(self, model: str, *, stream: bool) -> Pace | None:
        """None where it is not known."""


class Deciding:
    """What decides: tiers, policies, rules, scores, what a key opens, and which upstream holds which response.

    Attributes:
        tiers: cheapest first.
        models: by name.
        scoring: gives scores, and leaves a scorer out for a while that is slow or raises.
        classifiers: small models that name the tier, by the name of their policy.
    """

    def __init__(
        self,
        *,
        tiers: Sequence[Tier],
        models: Mapping[str, Model],
        policies: Mapping[str, Policy],
        default_policy: str,
        baseline: Model | None,
        rules: RuleSet | None,
        scoring: GuardedScoring,
        classifiers: Mapping[str, ClassifierSettings] | None,
        transport: Transport | None,
        limits: Limits | None,
        held: HeldResponses,
        sessions: Sessions,
        clock: Clock,
        alarm_of: Callable[[str], str | None] = lambda _: None,
        pace_of: PaceOf | None = None,
    ) -> None:
        self.tiers = tuple(tiers)
        self.models = models
        self.policies = dict(policies)
        self.default_policy = default_policy
        self.baseline = baseline
        self.scoring = scoring
        self.limits = limits
        self._rules = rules
        self._held = held
        self._sessions = sessions
        self._clock = clock
        self._alarm_of = alarm_of
        self._pace_of = pace_of
        self._tier_of = {name: tier.name for tier in reversed(self.tiers) for name in tier.models}
        self.classifiers = (
            {}
            if transport is None or classifiers is None
            else {
                name: Classifier(asked, ModelAsker(asked, transport), text_of=features.text_of, clock=clock)
                for name, asked in classifiers.items()
            }
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Everything a client may put in `model`."""
        policies = tuple(f"{AUTO}:{name}" for name in self.policies)
        return (AUTO, *policies, *ALIASES, *self.models)

    def names_for(self, key_id: str | None) -> tuple[str, ...]:
        """Those of `names` that the bearer of a key may use."""
        terms, names = self.terms(key_id), self.names
        if terms.models is not None:
            names = tuple(name for name in names if name not in self.models or name in terms.models)
        if terms.policies is not None:
            barred_policies = {f"{AUTO}:{name}" for name in self.policies if name not in terms.policies}
            names = tuple(name for name in names if name not in barred_policies)
        return names

    def decide(self, request: Request, *, request_id: str, classification: Classification | None = None) -> Decision:
        """The decision for a request; no I/O.

        Args:
            classification: what the policy's classifier said; None takes what it remembers of the same request.

        Raises:
            UnknownModel: the model, policy or tier that it names is not configured.
            PermissionDenied: the caller's key does not open the model or policy that it names.
            NoModelAvailable: no model can serve it.
        """
        started_s = self._clock()
        name = self.policy_name(request)

        def elapsed_ms() -> float:
            return (self._clock() - started_s) * 1e3

        if name is None:
            return self._named_model(request, request_id, elapsed_ms)
        decision = self._by_policy(request, request_id, self.policies[name], elapsed_ms, classification)
        if classification is None:
            return decision
        return replace(
            decision,
            router_cost_usd=classification.cost_usd,
            decide_ms=decision.decide_ms + classification.latency_ms,
        )

    def open_tiers(self, request: Request) -> tuple[str, ...]:
        """Names of the tiers of which some model can serve the request, cheapest first."""
        able = {each.tier for each in self._candidates(request) if each.ruled_out is None}
        return tuple(tier.name for tier in self.tiers if tier.name in able)

    def _candidates(self, request: Request) -> tuple[Candidate, ...]:
        """Every model in its tier, with what rules it out for this request and this caller."""
        limits, key_id = self.limits, request.key_id
        if limits is None:
            return candidates(request, self.tiers, self.models)
        return candidates(
            request, self.tiers, self.models, allowed=limits.terms(key_id).models, priced_only=limits.has_budget(key_id)
        )

    def _barred(self, request: Request, model: Model) -> str | None:
        """Why the caller may not use a model, whatever it asks; None when it may."""
        allowed, priced_only = self.terms(request.key_id).models, self.has_budget(request.key_id)
        return barred(model, allowed=allowed, priced_only=priced_only)

    def terms(self, key_id: str | None) -> KeyTerms:
        return _NO_TERMS if self.limits is None else self.limits.terms(key_id)

    def has_budget(self, key_id: str | None) -> bool:
        return self.limits is not None and self.limits.has_budget(key_id)

    def is_settled(self, request: Request, policy: Policy) -> bool:
        """True when the caller, its conversation, an alarm or a rule decides, so that a policy need not be asked."""
        if request.hints.tier is not None or self._alarm_of(policy.name) is not None:
            return True
        if self._keeper(request, self._state(request)) is not None:
            return True
        rules = self._rules.evaluate(request) if self._rules is not None and policy.heeds_rules else None
        return rules is not None and rules.enforced is not None

    def policy_name(self, request: Request) -> str | None:
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
        allowed = self.terms(request.key_id).policies
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
        state = self._state(request)
        holder = self._holder(request)
        keeper = None if holder is not None else self._keeper(request, state)
        choice = holder or keeper or self._choice(request, policy, rules, classification)
        # A policy may name a model that stands in no tier.
        loose = (
            (Candidate(self.models[choice.use], None, self._barred(request, self.models[choice.use])),)
            if choice.use in self.models and choice.use not in self._tier_of
            else ()
        )
        known = (*loose, *self._candidates(request))

        pace_of = self._pace_of
        if pace_of is not None and choice.ladder is not None and choice.ladder.max_latency_ms is not None:
            able = {each.tier: each.model.name for each in reversed(known) if each.ruled_out is None}

            def tier_pace(tier: str) -> Pace | None:
                return pace_of(able[tier], stream=request.stream) if tier in able else None

            choice = in_time(choice, tier_pace, stream=request.stream)

        now_s = 0.0 if state is None else self._clock()

        def estimate_usd(model: Model) -> float | None:
            return usd_of(model, usage if state is None else self._with_cache(usage, state, model, now_s))

        def explained(choice: Choice) -> Decision:
            return explain(
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
                fall_back=choice.reason_code != "only_model",
            )

        decision = explained(choice)
        if state is not None:
            decision = self._in_conversation(decision, choice, state, usage, now_s, explained)
        return decision if choice.ladder is None else with_plan(decision, choice.ladder, known, estimate_usd)

    def _holder(self, request: Request) -> Choice | None:
        """The model whose upstream holds the response that this request continues; no other knows what was said."""
        previous = request.body.get("previous_response_id")
        held = self._held.get(previous) if isinstance(previous, str) else None
        if held is None or held.key_id != request.key_id or held.model not in self.models:
            return None
        return Choice(held.model, f"{held.model} holds the response that this one continues", "only_model")

    def _state(self, request: Request) -> SessionState | None:
        return self._sessions.of(request, self._clock()) if len(self._sessions) else None

    def _keeper(self, request: Request, state: SessionState | None) -> Choice | None:
        """The model that the conversation must keep; None when it may change, or its model is gone."""
        if state is None or request.hints.tier is not None or state.model not in self.models:
            return None
        if self._sessions.rules.hold_tool_loops and in_tool_loop(request):
            why, code = f"{state.model} called the tools whose results these are", "tool_loop"
        elif is_open_ended(request):
            why, code = f"the upstream of {state.model} keeps this conversation", "only_model"
        else:
            return None
        able = {each.model.name for each in self._candidates(request) if each.ruled_out is None}
        return Choice(state.model, why, code) if state.model in able else None

    def _with_cache(self, usage: Usage, state: SessionState | None, model: Model, now_s: float) -> Usage:
        """The usage with what the model's provider has cached of the conversation."""
        cached = min(self._sessions.cached_tokens(state, model.name, now_s), usage.input_tokens)
        return usage if cached == 0 else replace(usage, cached_input_tokens=cached)

    def _in_conversation(
        self,
        decision: Decision,
        choice: Choice,
        state: SessionState,
        usage: Usage,
        now_s: float,
        explained: Callable[[Choice], Decision],
    ) -> Decision:
        """The decision with what caches are worth: perhaps that of the model before, else what leaving it costs."""
        cached = [self._sessions.cached_tokens(state, name, now_s) for name in state.served]
        known = max(cached, default=0)
        lost_usd = 0.0
        if decision.model != state.model and state.model in self.models:
            before = self.models[state.model]
            warm_usd = self._estimate_usd(before, self._with_cache(usage, state, before, now_s))
            cold_usd = self._estimate_usd(before, usage)
            lost_usd = 0.0 if warm_usd is None or cold_usd is None else max(0.0, cold_usd - warm_usd)
        if lost_usd > 0:
            weighed = self._weighed(decision, choice, state.model, usage) if choice.ladder is None else None
            if weighed is not None and not weighed.switch:
                brings = "brings" if weighed.gain_usd >= 0 else "loses"
                kept = explained(
                    replace(
                        choice,
                        use=state.model,
                        reason=f"stays with {state.model}: {decision.model} {brings} ${abs(weighed.gain_usd):.6f} of "
                        f"quality and costs ${weighed.cost_usd:+.6f}, the lost cache of ${lost_usd:.6f} included",
                        reason_code="session",
                    )
                )
                return replace(kept, conversation_cached_tokens=known)
            decision = replace(
                decision,
                reason=f"{decision.reason}; leaves {state.model}, whose cached prompt was worth ${lost_usd:.6f}",
                lost_cache_usd=lost_usd,
            )
        return replace(decision, conversation_cached_tokens=known)

    def _weighed(self, decision: Decision, choice: Choice, held: str, usage: Usage) -> Weighed | None:
        """The switch in dollars; None where nothing tells what quality is worth."""
        if not self._sessions.rules.weigh_caches or choice.score is None or choice.threshold is None:
            return None
        sides = []
        for name in (held, decision.model):
            other = next((each for each in decision.alternatives if each.model == name), None)
            list_usd = self._estimate_usd(self.models[name], usage)
            if other is None or other.p_good is None or other.estimated_cost_usd is None or list_usd is None:
                return None
            sides.append(Side(other.p_good, list_usd, other.estimated_cost_usd))
        return weigh(sides[0], sides[1], choice.threshold)

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
        broken = self._alarm_of(policy.name)
        if broken is not None:
            return Choice(self.tiers[-1].name, f"guarantee no longer holds: {broken}", "guarantee")
        if classification is None and policy.name in self.classifiers:
            classification = self.classifiers[policy.name].remembered(request, self.open_tiers(request))
        return policy.decide(Situation(request, self.tiers, rules, lambda: self.scoring.score(request), classification))

    _estimate_usd = staticmethod(usd_of)

    def most_usd(self, request: Request, decision: Decision) -> float:
        """The most that the request can cost, US dollars, deciding included and whichever of its models answers."""
        # A cascade may pay for a call of each of its rungs.
        plan = decision.cascade
        rungs = ((decision.model, *decision.fallbacks),) if plan is None else tuple(rung.models for rung in plan.rungs)
        calls_usd = sum(max(most_usd(request, self.models[name]) for name in names) for names in rungs)
        return calls_usd + decision.router_cost_usd

    def most_usd_of_any(self, request: Request) -> float | None:
        """The most that the request can cost, US dollars, before it is decided: by the dearest model that may serve it,
        or in a cascade by the dearest of every tier; None where it will be refused, or no model has a price."""
        try:
            name = self.policy_name(request)
        except (UnknownModel, PermissionDenied):
            return None
        if name is None:
            return most_usd(request, self.models[request.model])
        by_tier: dict[str | None, float] = {}
        for each in self._candidates(request):
            if each.ruled_out is None:
                by_tier[each.tier] = max(by_tier.get(each.tier, 0.0), most_usd(request, each.model))
        if not by_tier:
            return None
        return sum(by_tier.values()) if self.policies[name].kind in _CALLS_SEVERAL else max(by_tier.values())
