"""What is known of the models' health, over all requests of one gateway: breakers, the retry budget, and counts.

No I/O; times are monotonic seconds that the caller passes in. It outlives a reload of the configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pointsman.vocabulary import Model

from .breaker import Breaker, BreakerPolicy, State
from .pace import Paces
from .refusals import Kind
from .retry import RetryBudget, RetryPolicy


@dataclass(slots=True)
class CallCounts:
    """How many calls there were since the start; names of models and words from closed sets."""

    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By model and outcome: a `Kind`, "ok", "refused" (the request was at fault), "incomplete" or "cancelled"."""
    retries: Counter[str] = field(default_factory=Counter)
    """Calls of a model that the same request had called before, by model."""
    fallbacks: Counter[str] = field(default_factory=Counter)
    """Calls of a model because another one had failed or was left alone, by the model called."""
    skipped: Counter[str] = field(default_factory=Counter)
    """How often a model was passed over because it was left alone."""
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Failures that will not pass by themselves, by model and `Kind`."""


class Health:
    """The models' health.

    Attributes:
        retry: the rules for trying again.
        budget: the retry budget.
        counts: what happened so far.
        paces: how long answers took.
        without_logprobs: names of models that have refused a request for its token probabilities.
    """

    def __init__(self, retry: RetryPolicy = RetryPolicy(), breaker: BreakerPolicy = BreakerPolicy()) -> None:
        self.retry = retry
        self.budget = RetryBudget(retry)
        self.counts = CallCounts()
        self.paces = Paces()
        self.without_logprobs: set[str] = set()
        self._policy = breaker
        self._breakers: dict[str, tuple[Model, Breaker]] = {}
        self._alerted_s: dict[tuple[str, Kind], float] = {}

    @property
    def max_rest_s(self) -> float:
        """The longest a model is left alone, whatever it asked for."""
        return self._policy.max_open_s

    def of(self, model: Model) -> Breaker:
        """The model's breaker; a new one when a model of that name is configured in another way than before."""
        known = self._breakers.get(model.name)
        if known is not None and (known[0] is model or known[0] == model):
            return known[1]
        breaker = Breaker(self._policy)
        self._breakers[model.name] = (model, breaker)
        return breaker

    def breakers(self) -> tuple[tuple[Model, Breaker], ...]:
        """Every breaker that was asked for so far, with its model."""
        return tuple(self._breakers.values())

    def states(self, models: Iterable[Model], now_s: float) -> dict[str, str]:
        """The state of each model by name: "closed", "open", "probing", or "resting" when it asked for a pause."""
        found: dict[str, str] = {}
        for model in models:
            breaker = self.of(model)
            found[model.name] = "resting" if breaker.resting(now_s) else breaker.state.value
        return found

    def troubled(self, models: Iterable[Model]) -> tuple[str, ...]:
        """The names of the models whose breaker is not closed."""
        return tuple(model.name for model in models if self.of(model).state is not State.CLOSED)

    def alert(self, model: str, kind: Kind, now_s: float) -> bool:
        """Counts a failure that somebody must see to; True when none of its kind was told of in the last minute."""
        self.counts.alerts[model, kind.value] += 1
        last_s = self._alerted_s.get((model, kind))
        if last_s is not None and now_s - last_s < 60.0:
            return False
        self._alerted_s[model, kind] = now_s
        return True

    def follow(self, retry: RetryPolicy, breaker: BreakerPolicy, models: Iterable[Model]) -> None:
        """Takes over other rules, and forgets models that are no longer there."""
        if retry != self.retry:
            n_live, n_retrying = self.budget.n_live, self.budget.n_retrying
            self.retry, self.budget = retry, RetryBudget(retry)
            self.budget.n_live, self.budget.n_retrying = n_live, n_retrying
        if breaker != self._policy:
            self._policy = breaker
            self._breakers.clear()
        names = {model.name for model in models}
        for name in [name for name in self._breakers if name not in names]:
            del self._breakers[name]
        self.paces.follow(names)
        self.without_logprobs &= names
