"""Which model is called next for one request: decisions only, no I/O, no clock.

A course is asked for its `next` step, which the caller carries out and reports back:

    next → Try   → answered → ended
                 → failed → next …
                 → abandoned
         → Pause → next …
         → None: it is over

The order is: the wanted model; once more the same where the fault was of the moment; the other models in their order
(the rest of the tier, then up the tiers); and when none of them can be called, once more one that was not there.
A model whose breaker is open is passed over. Retries and waits draw on the retry budget; calls of another model do not,
because they add nothing to the load of the one in trouble, and its own breaker guards each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pointsman.errors import UpstreamError, UpstreamPaused
from pointsman.vocabulary import Model

from .breaker import Breaker, Permit, State
from .health import Health
from .refusals import ADVICE, Again, Kind, kind_of


@dataclass(frozen=True, slots=True)
class Try:
    """Call this model now."""

    model: Model


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so long, then ask again."""

    seconds: float


class Course:
    """The course of one request over the models that may serve it, the wanted one first.

    Args:
        models: in the order of preference.
        now_s: when the request came, monotonic seconds.
        random: uniform numbers in [0, 1), for jitter.
    """

    def __init__(self, models: Sequence[Model], health: Health, *, now_s: float, random: Callable[[], float]) -> None:
        self._health = health
        self._random = random
        self._untried = list(models)
        self._all = models
        self._again: Model | None = None
        self._last: list[Model] = []
        self._n_of: dict[str, int] = {}
        self._n_pauses = 0
        self._waited = False
        self._deadline_s = now_s + health.retry.give_up_after_s
        self._model: Model | None = None
        self._breaker: Breaker | None = None
        self._permit = Permit.CALL
        self._holds_budget = False
        self._over = False
        health.budget.n_live += 1

    # ------------------------------------------------------------ what to do

    def next(self, now_s: float) -> Try | Pause | None:
        """The next step; None when there is none left."""
        retry = self._health.retry
        if sum(self._n_of.values()) >= retry.max_attempts or now_s >= self._deadline_s:
            return None
        if self._again is not None:
            step = self._once_more(self._again, now_s)
            if step is not None:
                return step
        for position, model in enumerate(self._untried):
            if self._ask(model, now_s):
                del self._untried[position]
                return self._try(model)
            self._health.counts.skipped[model.name] += 1
        return self._last_resort(now_s)

    def _once_more(self, model: Model, now_s: float) -> Try | Pause | None:
        """The same model again, after a wait."""
        if self._waited:
            self._again, self._waited = None, False
            return self._try(model) if self._ask(model, now_s) else None
        if self._pause_ok(wait_s := self._health.retry.wait_s(self._n_pauses, None, self._random), now_s):
            return self._pause(wait_s)
        self._again = None
        return None

    def _last_resort(self, now_s: float) -> Pause | None:
        """A wait for the model that is free soonest, where that is soon enough and no breaker is open."""
        soonest: tuple[float, Model] | None = None
        for model in (*self._last, *self._untried):
            breaker = self._health.of(model)
            if breaker.state is State.CLOSED:
                free_in_s = breaker.free_in_s(now_s)
                if soonest is None or free_in_s < soonest[0]:
                    soonest = (free_in_s, model)
        retry = self._health.retry
        if soonest is None or soonest[0] > retry.longest_wait_s or self._n_pauses >= retry.max_attempts:
            return None
        asked_s = soonest[0] if soonest[0] > 0 else None
        if not self._pause_ok(wait_s := retry.wait_s(self._n_pauses, asked_s, self._random), now_s):
            return None
        model = soonest[1]
        if model in self._last:
            self._last.remove(model)
        else:
            self._untried.remove(model)
        self._again = model
        return self._pause(wait_s)

    def _pause_ok(self, wait_s: float, now_s: float) -> bool:
        if now_s + wait_s >= self._deadline_s:
            return False
        if not self._holds_budget:
            self._holds_budget = self._health.budget.take()
        return self._holds_budget

    def _pause(self, wait_s: float) -> Pause:
        self._waited = True
        self._n_pauses += 1
        return Pause(wait_s)

    def _ask(self, model: Model, now_s: float) -> bool:
        breaker = self._health.of(model)
        permit = breaker.ask(now_s)
        if permit is None:
            return False
        self._breaker, self._permit = breaker, permit
        return True

    def _try(self, model: Model) -> Try:
        counts, n = self._health.counts, self._n_of.get(model.name, 0)
        if n > 0:
            counts.retries[model.name] += 1
        elif model is not self._all[0]:
            counts.fallbacks[model.name] += 1
        self._n_of[model.name] = n + 1
        self._model = model
        return Try(model)

    # ------------------------------------------------------------ what came of it

    def answered(self) -> None:
        """The call was answered: a first event, a whole body, or a refusal that is the request's fault."""
        assert self._breaker is not None
        self._breaker.answered(self._permit)
        self._give_back()

    def failed(self, error: UpstreamError, now_s: float) -> Kind:
        """The call led to nothing; returns what it was about."""
        assert self._breaker is not None and self._model is not None
        breaker, model, kind = self._breaker, self._model, kind_of(error)
        advice = ADVICE[kind]
        if advice.trips:
            breaker.failed(self._permit, now_s)
        elif kind is Kind.FULL:
            breaker.abandoned(self._permit, now_s)
        else:
            breaker.answered(self._permit)
        rest_s = advice.rests_s
        if kind in (Kind.RATE_LIMITED, Kind.OVERLOADED, Kind.OUT_OF_QUOTA) and error.retry_after_s is not None:
            rest_s = error.retry_after_s
        if rest_s is not None:
            breaker.rest(min(rest_s, self._health.max_rest_s), now_s)
        if kind is Kind.TOO_LONG:
            self._untried = [other for other in self._untried if _holds_more(other, model)]
        if self._n_of[model.name] < self._health.retry.attempts_per_model:
            if advice.again is Again.FIRST:
                self._again = model
            elif advice.again is Again.LAST:
                self._last.append(model)
        self._health.counts.attempts[model.name, kind.value] += 1
        self._give_back()
        return kind

    def abandoned(self, now_s: float) -> None:
        """The call was given up before it was answered: its client left."""
        if self._breaker is not None and self._model is not None:
            self._breaker.abandoned(self._permit, now_s)
            self._health.counts.attempts[self._model.name, "cancelled"] += 1

    def ended(self, well: bool | None, now_s: float, outcome: str) -> None:
        """The answer is over: whole, broken off (False), or no longer wanted (None). `outcome` is for the counts."""
        assert self._breaker is not None and self._model is not None
        self._health.counts.attempts[self._model.name, outcome] += 1
        if well is True:
            self._breaker.done()
        elif well is False:
            self._breaker.failed(Permit.CALL, now_s)

    def close(self) -> None:
        """The request is no longer under way; the second time it does nothing."""
        if not self._over:
            self._over = True
            self._give_back()
            self._health.budget.n_live -= 1

    def _give_back(self) -> None:
        if self._holds_budget:
            self._holds_budget = False
            self._health.budget.give_back()

    # ------------------------------------------------------------ what is left

    @property
    def breaker(self) -> Breaker | None:
        """The breaker of the model called last, None before the first call."""
        return self._breaker

    @property
    def untried(self) -> bool:
        """True when there are models that could have served and were not called."""
        return bool(self._untried)

    def paused(self, now_s: float) -> UpstreamPaused:
        """The error for a request all of whose models are left alone."""
        breakers = [(self._health.of(model), model) for model in self._all]
        wait_s, model = min(((breaker.free_in_s(now_s), model) for breaker, model in breakers), key=lambda one: one[0])
        if all(breaker.resting(now_s) for breaker, _ in breakers):
            why, status = "asked for a pause", 429
        else:
            why, status = "failed again and again, and is left alone for a while", 503
        names = ", ".join(repr(one.name) for one in self._all)
        return UpstreamPaused(f"model {names} {why}", model=model.name, retry_after_s=wait_s, status=status)


def _holds_more(other: Model, than: Model) -> bool:
    """True when a model's context window is known to be larger than the one of the model that was too small."""
    window, small = other.capabilities.context_window_tokens, than.capabilities.context_window_tokens
    return window is not None and (small is None or window > small)
