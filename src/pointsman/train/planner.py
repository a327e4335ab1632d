"""Fitting plans: backward induction over the states of a cascade, by ridge regression of each state's value.

From the states without a further call backwards, the value of each state is what following the plan from there came to;
its regression on what is known one call earlier is that call's expected value (Longstaff and Schwartz 2001, "Valuing
American Options by Simulation", fit the value of going on in the same way).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.learned import Known, Plan, PlanKind, Prospects, State, Step, served_place, state_columns, states_of

Floats: TypeAlias = NDArray[np.float64]

PENALTY: Final = 40.0
"""Of the ridge regressions on standardised columns (docs/log.md, 2026-11-25)."""
MAX_MODELS: Final = 10
"""From more models, the search is among this many (`kept_models`)."""
MAX_CALLS: Final = 3
"""With more than four models, no request calls more than this many."""
RATES: Final = tuple(np.geomspace(0.005, 3.0, 100).tolist())
"""What a call of the reference model must be worth, in score: from next to nothing to more than there is to gain."""
_MAX_LEVERAGE: Final = 0.9
_SHOWN: Final = 1.0
"""The prompt may choose the first model when that gains more than this many standard errors, left out one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Regression:
    """Ridge regression on one state's columns, ready for any target."""

    prospects: Prospects
    rows: Floats
    solver: Floats
    """Shape (c + 1, n): weights = solver @ target."""

    leverage: Floats
    """How far each row pulls its own prediction, shape (n, 1)."""

    def left_out(self, targets: Floats) -> Floats:
        """What is predicted of each row by the regression without it, exactly; shape as `targets`, (n, k)."""
        return (self.rows @ (self.solver @ targets) - self.leverage * targets) / (1 - self.leverage)


class Planner:
    """Fits plans of one kind for any rate.

    Attributes after `fit`:
        order_: the models that plans may call, in the order of the chain.
        cost_: costs learned from, gaps filled with the model's mean, shape (n, m).
    """

    def __init__(self, kind: PlanKind, *, judge_usd: float = 0.0, max_calls: int | None = None) -> None:
        """Takes what may be planned. `max_calls` None: all of up to four models, else `MAX_CALLS`."""
        self.kind: PlanKind = kind
        self.judge_usd = judge_usd
        self.max_calls = max_calls

    def fit(self, models: Sequence[str], known: Known, score: Floats, cost_usd: Floats) -> Planner:
        """Fits what the states have in common at every rate.

        Args:
            models: from cheap to strong.
            known: of n prompts, by parts that have not seen them.
            score: shape (n, m), 0 to 1, all known.
            cost_usd: shape (n, m); NaN counts as the model's mean.

        Raises:
            DataError: a model's cost is known nowhere: nothing can be weighed against it.
        """
        self.models = tuple(models)
        self.cost_ = filled(cost_usd, self.models)
        kept = kept_models(score, self.cost_)
        self.order_ = self._best_order(known, score, kept) if self.kind == "cascade" else kept
        self._prepare(known, score, self.order_)
        return self

    def plans(self, rates_per_usd: Sequence[float]) -> list[Plan]:
        """One plan per rate."""
        return [self._plan(rate)[0] for rate in rates_per_usd]

    def _best_order(self, known: Known, score: Floats, kept: State) -> State:
        """The given order or that of rising mean cost: the one whose training value is better over a few rates."""
        by_cost = tuple(sorted(kept, key=lambda j: float(self.cost_[:, j].mean())))
        if by_cost == kept:
            return kept
        rates = [rate / float(self.cost_[:, -1].mean()) for rate in RATES[10::20]]
        values = []
        for order in (kept, by_cost):
            self._prepare(known, score, order)
            values.append(sum(self._plan(rate)[1] for rate in rates))
        return kept if values[0] >= values[1] else by_cost

    def _prepare(self, known: Known, score: Floats, order: State) -> None:
        limit = self.max_calls
        if limit is None:
            limit = len(order) if len(order) <= 4 else MAX_CALLS
        self._states = states_of(self.kind, order, min(limit, len(order)))
        self._score = score
        self._regressions = {state: _regression(state, known, score, self.cost_) for state in self._states}
        there = set(self._states)
        reference = len(self.models) - 1
        shell = Plan(self.kind, self.models, 0.0, self.judge_usd, None, {})
        self._calls: dict[State, State] = {
            state: ()
            if reference in state
            else tuple(j for j in order if j not in state and (self.kind == "direct" or shell.after(state, j) in there))
            for state in self._states
        }
        self._shell = shell

    def _plan(self, rate: float) -> tuple[Plan, float]:
        """The plan at a rate, and the mean value that it came to on the training prompts.

        A state's value is what following the plan from there really came to: the score of the answer served less what
        the calls cost. Each prompt decides by regressions without it (leave one out). Taking the better of two
        *expected* values instead would count on every lucky error of an estimate.
        """
        n = len(self._score)
        row = np.arange(n)
        values: dict[State, Floats] = {}
        steps: dict[State, Step] = {}
        first: int | None = None
        for state in reversed(self._states):
            regression, calls = self._regressions[state], self._calls[state]
            stop, came_to = np.full(n, -np.inf), np.full(n, -np.inf)
            if state:
                expected_score = np.clip(regression.left_out(self._score)[:, list(state)], 0.0, 1.0)
                certain = served_place(self.kind, state, len(self.models))
                place = expected_score.argmax(axis=1) if certain is None else np.full(n, certain)
                stop, came_to = expected_score[row, place], self._score[row, np.array(state)[place]]
            weights = np.zeros((regression.rows.shape[1], len(calls)))
            if calls:
                if self.kind == "direct":
                    targets = self._score[:, list(calls)]
                else:
                    targets = np.column_stack([values[self._shell.after(state, j)] for j in calls])
                weights = regression.solver @ targets
                judged = np.array([self.judge_usd if self._leads_on(state, j) else 0.0 for j in calls])
                price = rate * (regression.prospects.cost_usd(regression.rows)[:, list(calls)] + judged)
                call_values = regression.left_out(targets) - price
                paid = targets - rate * (self.cost_[:, list(calls)] + judged)
                chosen = call_values.argmax(axis=1)
                if not state:
                    first = _first(paid, chosen, calls)
                    chosen = chosen if first is None else np.full(n, calls.index(first))
                came_to = np.where(call_values[row, chosen] > stop, paid[row, chosen], came_to)
            values[state] = came_to
            steps[state] = Step(state, regression.prospects, calls, weights)
        ordered = {state: steps[state] for state in self._states}
        plan = Plan(self.kind, self.models, rate, self.judge_usd, first, ordered)
        return plan, float(values[()].mean())

    def _leads_on(self, state: State, call: int) -> bool:
        return bool(self._calls.get(self._shell.after(state, call)))


def _first(paid: Floats, chosen: NDArray[np.int64], calls: State) -> int | None:
    """The model to begin with whatever the prompt, None when the prompt's choice is shown to be better.

    Args:
        paid: what beginning with each model came to, shape (n, calls).
        chosen: which one each prompt would begin with, decided without it, so that a choice which only fits the noise
            shows no gain.
    """
    n = len(paid)
    constant = int(paid.mean(axis=0).argmax())
    gain = paid[np.arange(n), chosen] - paid[:, constant]
    if float(gain.mean()) > _SHOWN * float(gain.std()) / np.sqrt(n):
        return None
    return calls[constant]


def _regression(state: State, known: Known, score: Floats, cost: Floats) -> _Regression:
    columns = state_columns(state, known)
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    factor = np.where(spread > 1e-6, 1 / np.where(spread > 1e-6, spread, 1), 0)
    empty = np.zeros((columns.shape[1] + 1, score.shape[1]))
    blank = Prospects(mean, factor, empty, empty, np.ones(score.shape[1]))
    rows = blank.rows(columns)
    gram = rows.T @ rows
    gram[np.diag_indices_from(gram)] += np.array([PENALTY] * columns.shape[1] + [1e-6])
    solver = np.asarray(np.linalg.solve(gram, rows.T), dtype=np.float64)
    log_cost_weights = solver @ np.log(np.maximum(cost, 1e-15))
    fitted = np.exp(np.clip(rows @ log_cost_weights, -40, 40)).mean(axis=0)
    cost_scale = np.asarray(cost.mean(axis=0) / fitted, dtype=np.float64)
    prospects = Prospects(mean, factor, solver @ score, log_cost_weights, cost_scale)
    leverage = np.minimum(np.einsum("ij,ji->i", rows, solver), _MAX_LEVERAGE)[:, None].astype(np.float64)
    return _Regression(prospects, rows, solver, leverage)


def filled(cost_usd: Floats, models: Sequence[str]) -> Floats:
    """Costs with the model's mean where one is not known.

    Raises:
        DataError: a model's cost is known nowhere.
    """
    there = np.isfinite(cost_usd)
    unknown = [model for model, known in zip(models, np.any(there, axis=0), strict=True) if not known]
    if unknown:
        raise DataError(
            f"a cascade weighs quality against cost, and no cost of {', '.join(unknown)} is known; "
            "give one with --price MODEL=USD_PER_CALL"
        )
    means = np.where(there, cost_usd, 0).sum(axis=0) / there.sum(axis=0)
    return np.where(there, cost_usd, means)


def kept_models(score: Floats, cost_usd: Floats) -> State:
    """The models to search among, by rising number: all of up to `MAX_MODELS`, else the reference, then those that no
    other model beats in both mean cost and mean score, then the best of the rest."""
    m = score.shape[1]
    if m <= MAX_MODELS:
        return tuple(range(m))
    quality, cost = score.mean(axis=0), cost_usd.mean(axis=0)
    beaten = [bool(((quality >= quality[j]) & (cost < cost[j])).any()) for j in range(m)]
    ranked = sorted(range(m), key=lambda j: (j != m - 1, beaten[j], -quality[j], cost[j]))
    return tuple(sorted(ranked[:MAX_MODELS]))
