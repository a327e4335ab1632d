"""Cascades that were tuned: a plan weighs, after every answer, stopping against each further call.

The plan's first step is taken before anything is called, by `PlannedCascade`; the others by the course of the request,
which the cascade stage asks after each answer. Both see what training saw: P(good) and cost by the prompt, P(good) and
cost of the answers that are there, and whether those agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pointsman.errors import ConfigError
from pointsman.learned import Ahead, Known, Plan, State
from pointsman.vocabulary import CascadeMode, CascadePlan, NextStep, Rated, Request

from .cascades import needs_one_call
from .policies import Choice, Ladder, Situation

Expected: TypeAlias = Callable[[Request], Ahead | None]
"""What is expected of the plan's models before any call, n = 1; None when it cannot be told."""
Agreement: TypeAlias = Callable[[str, str], float]
"""How far two answers agree, 0 to 1."""


@dataclass(frozen=True, slots=True)
class PlannedCascade:
    """A tuned plan over tiers; where nothing is known of a request, it goes to the strongest.

    Args:
        tiers: the tier of each of the plan's models, in the plan's order; different ones, the strongest last.
        expected: of the plan's models, in its order.
        agreement: of two answers.
        race_below: with mode `race`, the strongest call starts at once where the first model's P(good) is below.
        promise: what tuning promised, in words.

    Raises:
        ConfigError: the tiers do not fit the plan, or the mode lets an answer begin before all of it is judged.
    """

    name: str
    plan: Plan
    tiers: tuple[str, ...]
    expected: Expected
    agreement: Agreement
    mode: CascadeMode = CascadeMode.BUFFER
    race_below: float = 0.5
    max_latency_ms: float | None = None
    promise: str = "as tuned"
    heeds_rules: bool = True

    def __post_init__(self) -> None:
        if len(self.tiers) != len(self.plan.models) or len(set(self.tiers)) != len(self.tiers):
            raise ConfigError(
                f"policy {self.name}: it was tuned for {', '.join(self.plan.models)}; each needs a tier of its own, "
                f"they stand in {', '.join(self.tiers)}"
            )
        if self.mode is CascadeMode.HOLDBACK:
            raise ConfigError(
                f"policy {self.name}: it was tuned on whole answers, and with the mode holdback an answer begins "
                "before all of it has been judged; use buffer or race"
            )

    @property
    def kind(self) -> str:
        """ "cascade" or "cascade_routing"."""
        return self.plan.kind

    def decide(self, situation: Situation) -> Choice:
        """The tier that the plan calls first."""
        strongest = self.tiers[-1]
        stateful = needs_one_call(situation.request)
        ahead = None if stateful is not None else self.expected(situation.request)
        if ahead is None:
            why = "nothing is known of it" if stateful is None else stateful
            return Choice(strongest, f"{why}, so the safe tier {strongest}", "safe_default")
        weighed = self.plan.weigh((), _known(ahead, (), self.agreement))
        first = int(weighed.action[0])
        p_ahead = tuple(float(p) for p in ahead.p_good[0])
        told = f"P(good) ahead {p_ahead[first]:.2f}"
        if first == len(self.tiers) - 1:
            return Choice(strongest, f"the plan begins with {strongest}, {told} ({self.promise})", "cascade")
        latency_ms = situation.request.hints.max_latency_ms
        ladder = Ladder(
            tiers=self.tiers,
            accept_at=(*(0.0,) * (len(self.tiers) - 1), None),
            p_ahead=p_ahead,
            mode=self.mode,
            race=self.mode is CascadeMode.RACE and p_ahead[first] < self.race_below,
            early_tokens=0,
            quality_per_usd=self.plan.rate,
            max_latency_ms=self.max_latency_ms if latency_ms is None else latency_ms,
            first=first,
        )
        reason = f"{self.tiers[first]} first, {told}; its answer is judged ({self.promise})"
        return Choice(self.tiers[first], reason, "cascade", ladder=ladder)

    def course(self, request: Request, cascade: CascadePlan) -> PlannedCourse | None:
        """What follows each answer to one request; None when nothing is known of it."""
        ahead = self.expected(request)
        if ahead is None:
            return None
        models = tuple(self.tiers.index(rung.tier) for rung in cascade.rungs)
        return PlannedCourse(self.plan, models, tuple(rung.tier for rung in cascade.rungs), ahead, self.agreement)


class PlannedCourse:
    """A plan on its way through one request; implements `vocabulary.Course`."""

    def __init__(
        self, plan: Plan, models: tuple[int, ...], tiers: tuple[str, ...], ahead: Ahead, agreement: Agreement
    ) -> None:
        """Takes the plan's number of each rung's model, and the rungs' tiers."""
        self._plan = plan
        self._models = models
        self._tiers = tiers
        self._ahead = ahead
        self._agreement = agreement

    def next(self, answers: Sequence[Rated], idle: Sequence[int]) -> NextStep:
        """See `Course.next`. Where the plan does not reach, as after a failure, the strongest rung is called."""
        by_model = {self._models[rated.rung]: rated for rated in answers}
        state: State = tuple(by_model)
        if self._plan.kind != "cascade":
            state = tuple(sorted(state))
        step = self._plan.steps.get(state)
        if step is None:
            return self._strongest(idle, "its plan ends here")
        weighed = self._plan.weigh(state, _known(self._ahead, tuple(by_model.values()), self._agreement, self._models))
        values = weighed.call_values[0]
        rung_of = {model: rung for rung, model in enumerate(self._models)}
        best: int | None = None
        for place, model in enumerate(step.calls):
            if rung_of.get(model) in idle and (best is None or values[place] > values[best]):
                best = place
        if not answers:
            # Every call so far has failed; the rest of the plan is as good as any.
            return self._strongest(idle, "") if best is None else NextStep(rung_of[step.calls[best]], None, "")
        stop = float(weighed.stop_value[0])
        serve = by_model[int(weighed.serves[0])].rung
        if best is not None and values[best] > stop:
            call = rung_of[step.calls[best]]
            return NextStep(call, serve, f"and {self._tiers[call]} is worth its price")
        if serve == answers[-1].rung:
            return NextStep(None, serve, "and more is not worth its price")
        return NextStep(None, serve, f"and {self._tiers[serve]}'s answer is likelier to be good")

    def _strongest(self, idle: Sequence[int], why: str) -> NextStep:
        return NextStep(max(idle, default=None), None, f"and {why}" if why else "")


def _known(ahead: Ahead, answers: Sequence[Rated], agreement: Agreement, models: tuple[int, ...] = ()) -> Known:
    """What is known of one request, as the plan was fitted on it."""
    p_ahead = ahead.p_good.astype(np.float64)
    log_cost_ahead = ahead.log_cost.astype(np.float64)
    m = p_ahead.shape[1]
    p_answer = np.full((1, m), np.nan)
    log_cost, agrees = log_cost_ahead.copy(), np.ones((1, m, m))
    for rated in answers:
        model = models[rated.rung]
        p_answer[0, model] = rated.p_good
        if rated.cost_usd is not None and rated.cost_usd > 0:
            log_cost[0, model] = math.log(rated.cost_usd)
        for other in answers:
            if other.rung < rated.rung:
                same = agreement(other.text, rated.text)
                agrees[0, models[other.rung], model] = agrees[0, model, models[other.rung]] = same
    return Known(p_ahead, log_cost_ahead, p_answer, log_cost, agrees)
