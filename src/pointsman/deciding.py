"""Decides one request by the stages constrain → rules → features → score → decide; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from . import features
from .asking import ModelAsker
from .call.held import HeldResponses
from .catalog import cost_of
from .classify import Classifier, ClassifierSettings
from .constrain import barred, candidates
from .decide import Choice, Policy, Situation, expected_usage, explain, with_plan
from .errors import NoModelAvailable, PermissionDenied, UnknownModel
from .most_usd import most_usd
from .rules import RuleSet
from .scoring import GuardedScoring
from .vocabulary import (
    Candidate,
    Classification,
    Clock,
    Decision,
    KeyTerms,
    Limits,
    Model,
    Request,
    RulesResult,
    Tier,
    Transport,
    Usage,
)

AUTO = "auto"
ALIASES = ("claude-auto",)
"""Other names of `auto`: Claude Code refuses a model name that does not begin with "claude"."""


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
        clock: Clock,
        alarm_of: Callable[[str], str | None] = lambda _: None,
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
        self._clock = clock
        self._alarm_of = alarm_of
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
        return candidates(
            request,
            self.tiers,
            self.models,
            allowed=self.terms(request.key_id).models,
            priced_only=self.has_budget(request.key_id),
        )

    def _barred(self, request: Request, model: Model) -> str | None:
        """Why the caller may not use a model, whatever it asks; None when it may."""
        allowed, priced_only = self.terms(request.key_id).models, self.has_budget(request.key_id)
        return barred(model, allowed=allowed, priced_only=priced_only)

    def terms(self, key_id: str | None) -> KeyTerms:
        return KeyTerms() if self.limits is None else self.limits.terms(key_id)

    def has_budget(self, key_id: str | None) -> bool:
        return self.limits is not None and self.limits.has_budget(key_id)

    def is_settled(self, request: Request, policy: Policy) -> bool:
        """True when the caller, a rule or an alarm decides, so that a policy need not be asked."""
        if request.hints.tier is not None or self._alarm_of(policy.name) is not None:
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
        broken = self._alarm_of(policy.name)
        if broken is not None:
            return Choice(self.tiers[-1].name, f"guarantee no longer holds: {broken}", "guarantee")
        if classification is None and policy.name in self.classifiers:
            classification = self.classifiers[policy.name].remembered(request, self.open_tiers(request))
        return policy.decide(Situation(request, self.tiers, rules, lambda: self.scoring.score(request), classification))

    @staticmethod
    def _estimate_usd(model: Model, usage: Usage) -> float | None:
        return cost_of(model.price, model.price_missing, usage).usd

    def most_usd(self, request: Request, decision: Decision) -> float:
        """The most that the request can cost, US dollars, deciding included and whichever of its models answers."""
        # A cascade may pay for a call of each of its rungs.
        plan = decision.cascade
        rungs = ((decision.model, *decision.fallbacks),) if plan is None else tuple(rung.models for rung in plan.rungs)
        calls_usd = sum(max(most_usd(request, self.models[name]) for name in names) for names in rungs)
        return calls_usd + decision.router_cost_usd
