"""What to do next, from what is known by then: call one more model, or serve an answer that is there.

A *state* is the set of models that have answered. In each state linear regressions on what is known there tell what
each model's answer scores and what each further call costs and leads to. The next step is the one with the best
expected quality minus rate × cost; the rate, in quality per USD, is the policy's one dial.

    stop:    the expected score of the answer to serve
    call j:  the expected value of the state that j's answer leads to − rate × (j's expected cost + the judge's price)

These are the estimates "before" and "after" the fact of Dekoninck et al., "A Unified Approach to Routing and Cascading
for LLMs" (arXiv 2410.10347); their search over sets of models is backward induction here (docs/design/cascade.md).
The reference, the last model, ends it: once called, its answer is served.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
State: TypeAlias = tuple[int, ...]
"""Numbers of the models that have answered: by rising number, or in the order of the chain."""
PlanKind: TypeAlias = Literal["cascade", "cascade_routing", "direct"]

PLAN_VERSION: Final = 2
MAX_DEVIATION: Final = 5.0
"""What is known is cut at this many standard deviations."""
_LEAST_P: Final = 0.01
SURE: Final = 0.995
"""No answer's expected score is taken to be above this."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of n prompts; answers of models that were not called are not looked at."""

    p_ahead: Floats
    """P(good) from the prompt alone, shape (n, m)."""
    log_cost_ahead: Floats
    """Expected logarithm of the cost in USD, shape (n, m)."""
    p_answer: Floats
    """P(good) of the answers that are there, shape (n, m); NaN where it cannot be told."""
    log_cost: Floats
    """Logarithm of what the calls cost in USD, shape (n, m)."""
    agreement: Floats
    """How far answers agree, 0 to 1, shape (n, m, m)."""

    def __getitem__(self, rows: Ints) -> Known:
        return Known(
            self.p_ahead[rows],
            self.log_cost_ahead[rows],
            self.p_answer[rows],
            self.log_cost[rows],
            self.agreement[rows],
        )

    def of(self, models: Sequence[int]) -> Known:
        """The same of these models alone, by number, in this order."""
        at = list(models)
        return Known(
            self.p_ahead[:, at],
            self.log_cost_ahead[:, at],
            self.p_answer[:, at],
            self.log_cost[:, at],
            self.agreement[:, at][:, :, at],
        )


def state_columns(state: State, known: Known) -> Floats:
    """What is known in a state as columns, shape (n, c)."""
    m = known.p_ahead.shape[1]
    columns = [_logit(known.p_ahead[:, j]) for j in range(m) if j not in state]
    columns += [known.log_cost_ahead[:, j] for j in range(m)]
    p = {i: np.where(np.isfinite(known.p_answer[:, i]), known.p_answer[:, i], known.p_ahead[:, i]) for i in state}
    for i in state:
        columns += [_logit(p[i]), p[i], known.log_cost[:, i]]
    for a, b in combinations(state, 2):
        same = known.agreement[:, a, b]
        columns += [same, same * p[a], same * p[b]]
    return np.column_stack(columns)


def _logit(p: Floats) -> Floats:
    cut = np.clip(p, _LEAST_P, 1 - _LEAST_P)
    return np.asarray(np.log(cut / (1 - cut)), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Prospects:
    """Regressions in one state: on standardised columns and a constant."""

    mean: Floats
    factor: Floats
    """One over the standard deviation; 0 for a column that was constant."""
    score_weights: Floats
    """Shape (c + 1, m)."""
    log_cost_weights: Floats
    """Shape (c + 1, m)."""
    cost_scale: Floats
    """Makes the mean of exp(expected logarithm) the mean cost, shape (m,)."""

    def rows(self, columns: Floats) -> Floats:
        """Standardised columns and the constant, shape (n, c + 1)."""
        z = np.clip((columns - self.mean) * self.factor, -MAX_DEVIATION, MAX_DEVIATION)
        return np.concatenate((z, np.ones((len(z), 1))), axis=1)

    def score(self, rows: Floats) -> Floats:
        """Expected scores of all models' answers, shape (n, m)."""
        return np.clip(rows @ self.score_weights, _LEAST_P, SURE)

    def cost_usd(self, rows: Floats) -> Floats:
        """Expected costs of calls, shape (n, m)."""
        return np.exp(np.clip(rows @ self.log_cost_weights, -40, 40)) * self.cost_scale


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One state with what may be done in it."""

    state: State
    prospects: Prospects
    calls: State
    """Models that may be called next."""
    next_value_weights: Floats
    """Shape (c + 1, calls): the expected value of the state each call leads to."""


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What may be done for n prompts in one state, with its value."""

    action: Ints
    """A model's number to call it; −1 − the number to serve its answer. Shape (n,)."""
    stop_value: Floats
    """Expected score of the answer that would be served, −inf before any call. Shape (n,)."""
    serves: Ints
    """Whose answer that is; −1 before any call."""
    call_values: Floats
    """Shape (n, calls)."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A policy over several calls of one request. Immutable; needs numpy only."""

    kind: PlanKind
    models: tuple[str, ...]
    rate: float
    """Quality per USD: a call must promise this much more score for each dollar it costs."""
    judge_usd: float
    """Price of judging one answer, paid for each answer after which there is a choice."""
    first: int | None
    """The model every request begins with; None when the prompt decides."""
    steps: Mapping[State, Step]

    def weigh(self, state: State, known: Known) -> Weighed:
        """What to do next in a state.

        Raises:
            KeyError: the plan never comes into this state.
        """
        return self.weigh_rows(state, self.steps[state].prospects.rows(state_columns(state, known)))

    def weigh_rows(self, state: State, rows: Floats) -> Weighed:
        """The same from the state's rows (`Prospects.rows`), which plans of one fit share."""
        step = self.steps[state]
        n = len(rows)
        if state:
            score = step.prospects.score(rows)[:, list(state)]
            certain = served_place(self.kind, state, len(self.models))
            place = score.argmax(axis=1) if certain is None else np.full(n, certain)
            stop, serves = score[np.arange(n), place], np.array(state)[place]
        else:
            stop, serves = np.full(n, -np.inf), np.full(n, -1)
        if not step.calls:
            return Weighed(-1 - serves, stop, serves, np.zeros((n, 0)))
        cost = step.prospects.cost_usd(rows)[:, list(step.calls)]
        judged = [self.judge_usd if self.leads_on(state, j) else 0.0 for j in step.calls]
        values = rows @ step.next_value_weights - self.rate * (cost + np.array(judged))
        best = values.argmax(axis=1)
        if not state and self.first is not None:
            best = np.full(n, step.calls.index(self.first))
        go = values[np.arange(n), best] > stop
        action = np.where(go, np.array(step.calls)[best], -1 - serves)
        return Weighed(action, stop, serves, values)

    def leads_on(self, state: State, call: int) -> bool:
        """Whether there is a choice after the call, so that its answer is judged."""
        after = self.after(state, call)
        return after in self.steps and bool(self.steps[after].calls)

    def after(self, state: State, call: int) -> State:
        """The state that a call leads to."""
        return (*state, call) if self.kind == "cascade" else tuple(sorted((*state, call)))

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON types."""
        return {
            "version": PLAN_VERSION,
            "kind": self.kind,
            "models": list(self.models),
            "rate_per_usd": self.rate,
            "judge_usd": self.judge_usd,
            "first": None if self.first is None else self.models[self.first],
            "steps": [
                {
                    "answered": [self.models[i] for i in step.state],
                    "calls": [self.models[i] for i in step.calls],
                    "mean": _listed(step.prospects.mean),
                    "factor": _listed(step.prospects.factor),
                    "score_weights": _listed(step.prospects.score_weights),
                    "log_cost_weights": _listed(step.prospects.log_cost_weights),
                    "cost_scale": _listed(step.prospects.cost_scale),
                    "next_value_weights": _listed(step.next_value_weights),
                }
                for step in self.steps.values()
            ],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` gave.

        Raises:
            ValueError: it is of another version, a model is not known, a number is not finite or a shape does not fit.
        """
        try:
            if raw["version"] != PLAN_VERSION:
                raise ValueError(f"a plan of version {raw['version']!r}, expected {PLAN_VERSION}")
            models = tuple(str(name) for name in raw["models"])
            place = {name: i for i, name in enumerate(models)}
            steps = [_step(each, place) for each in raw["steps"]]
            first = None if raw["first"] is None else place[raw["first"]]
            kind, rate, judge_usd = raw["kind"], float(raw["rate_per_usd"]), float(raw["judge_usd"])
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"the plan lacks or does not know {error}") from error
        if kind not in ("cascade", "cascade_routing", "direct"):
            raise ValueError(f"a plan of kind {kind!r}")
        if not (math.isfinite(rate) and rate >= 0 and math.isfinite(judge_usd) and judge_usd >= 0):
            raise ValueError("a rate or a price is not a number at or above 0")
        by_state = {step.state: step for step in steps}
        if () not in by_state or (first is not None and first not in by_state[()].calls):
            raise ValueError("the plan has no first step, or begins with a model that it cannot call")
        plan = cls(kind, models, rate, judge_usd, first, by_state)
        for step in steps:
            if step.calls and len(models) - 1 in step.state:
                raise ValueError(f"the plan calls another model after {models[-1]}")
            for call in step.calls:
                if call in step.state or (kind != "direct" and plan.after(step.state, call) not in by_state):
                    raise ValueError(f"after {step.state} the plan calls {models[call]} and does not go on")
        return plan


def _step(raw: Mapping[str, Any], place: Mapping[str, int]) -> Step:
    state, calls = (tuple(place[name] for name in raw[key]) for key in ("answered", "calls"))
    m, mean = len(place), _numbers(raw["mean"])
    shapes = {
        "factor": mean.shape,
        "score_weights": (mean.size + 1, m),
        "log_cost_weights": (mean.size + 1, m),
        "cost_scale": (m,),
        "next_value_weights": (mean.size + 1, len(calls)),
    }
    arrays = {name: _numbers(raw[name]).reshape(shape) for name, shape in shapes.items()}
    n = len(state)
    if mean.size != (m - n) + m + 3 * n + 3 * (n * (n - 1) // 2):
        raise ValueError(f"the step after {state} reads {mean.size} columns")
    next_value_weights = arrays.pop("next_value_weights")
    return Step(state, Prospects(mean, **arrays), calls, next_value_weights)


def _numbers(raw: Any) -> Floats:
    array = np.array(raw, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a number in the plan is not finite")
    return array


def _listed(array: Floats) -> Any:
    """Seven digits, as many as single precision holds."""
    return [float(f"{value:.7g}") for value in array.ravel().tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """What a plan did with n prompts whose answers are all on record."""

    served: Ints
    """Whose answer the user gets, shape (n,)."""
    called: NDArray[np.bool_]
    """Shape (n, m)."""
    cost_usd: Floats
    """Of all calls, those whose answer was thrown away included, shape (n,)."""
    n_judged: Ints
    """Answers judged, shape (n,)."""


def walk(plan: Plan, known: Known, cost_usd: Floats) -> Walked:
    """The plan carried out on recorded answers; `cost_usd` is what each call cost, shape (n, m)."""
    return walk_all([plan], known, cost_usd)[0]


def walk_all(plans: Sequence[Plan], known: Known, cost_usd: Floats) -> list[Walked]:
    """The same for plans that differ in their rate alone, which read each state's rows once."""
    n = len(cost_usd)
    read: dict[State, Floats] = {}
    walked = []
    for plan in plans:
        served = np.full(n, -1, dtype=np.int64)
        called = np.zeros(cost_usd.shape, dtype=np.bool_)
        n_judged = np.zeros(n, dtype=np.int64)
        waiting: dict[State, list[Ints]] = {(): [np.arange(n)]}
        while waiting:
            state = min(waiting, key=len)
            here = np.concatenate(waiting.pop(state))
            if state not in read:
                read[state] = plan.steps[state].prospects.rows(state_columns(state, known))
            action = plan.weigh_rows(state, read[state][here]).action
            ends = action < 0
            served[here[ends]] = -1 - action[ends]
            for call in np.unique(action[~ends]).tolist():
                there = here[action == call]
                called[there, call] = True
                if plan.kind == "direct":
                    served[there] = call
                    continue
                n_judged[there] += plan.leads_on(state, call)
                waiting.setdefault(plan.after(state, call), []).append(there)
        walked.append(Walked(served, called, np.where(called, cost_usd, 0.0).sum(axis=1), n_judged))
    return walked


def served_place(kind: PlanKind, state: State, n_models: int) -> int | None:
    """Which of the answers that are there is served, by its place in the state; None for the best by expectation.

    That is the reference's where it has answered, and in a cascade the last one.
    """
    if n_models - 1 in state:
        return state.index(n_models - 1)
    return len(state) - 1 if kind == "cascade" else None


def states_of(kind: PlanKind, order: Sequence[int], max_calls: int) -> list[State]:
    """All states of a plan, those with fewer answers first.

    A cascade goes along the order and may leave models out; cascade routing calls in any order; direct routing calls
    one model and stops.
    """
    if kind == "direct":
        return [()]
    members = list(order) if kind == "cascade" else sorted(order)
    return [state for k in range(max_calls + 1) for state in combinations(members, k)]
