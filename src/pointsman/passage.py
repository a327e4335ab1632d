"""One request on its way through the router: the attempts so far, and the one record at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from .call.attempts import Answered, Tried
from .call.reply import Account, Ending
from .cascade import Settled
from .catalog import cost_of
from .record.entry import entry
from .vocabulary import (
    Answer,
    Attempt,
    AttemptStatus,
    Clock,
    Cost,
    Decision,
    JSONObject,
    Model,
    Record,
    Request,
    Usage,
    Verdict,
)
from .wire import estimate_usage


class Passage:
    """Gathers the attempts of one decided request and writes its record, once.

    Attributes:
        failed: attempts that led to nothing, in order.
    """

    def __init__(
        self,
        request: Request,
        decision: Decision,
        *,
        baseline: Model | None,
        models: Mapping[str, Model],
        store_prompts: bool,
        clock: Clock,
        created_at: datetime,
        write: Callable[[Record], None],
    ) -> None:
        self.failed: list[Tried] = []
        self._request = request
        self._decision = decision
        self._baseline = baseline
        self._models = models
        self._store_prompts = store_prompts
        self._clock = clock
        self._started_s = clock()
        self._created_at = created_at
        self._write = write
        self._before: list[tuple[float, Attempt]] = []
        self._verdicts: Sequence[Verdict] = ()
        self._served_ms: float | None = None
        self._tiers = {other.model: other.tier for other in decision.alternatives}

    def tier_of(self, model: str) -> str | None:
        """The tier a model stands in for this request; None when it was named by the client."""
        return self._tiers.get(model)

    # ------------------------------------------------------------ cascades

    def note(self, failed: Sequence[Tried], *, cancelled_as: str | None) -> None:
        """Takes attempts of a cascade that led to nothing; `cancelled_as` replaces the error of cancelled ones."""
        for tried in failed:
            attempt = self._failure(tried)
            if tried.status is AttemptStatus.CANCELLED:
                # The model was at work: what it had read is billed.
                usage = Usage(self._request.n_total_tokens, 0, estimated=True)
                error = attempt.error if cancelled_as is None else cancelled_as
                attempt = replace(attempt, error=error, usage=usage, cost=_cost(self._models[tried.model], usage))
            self._before.append((self._clock() - tried.total_ms / 1e3, attempt))

    def settle(self, answered: Answered, ending: Settled) -> None:
        """Takes the attempt of a cascade whose answer is not served."""
        http_status = answered.answer.status
        usage = None if http_status >= 400 else self._usage_of(ending.answer)
        attempt = self._attempt(answered.call.model, ending.status, http_status, ending.error, usage)
        total_ms = (self._clock() - answered.started_s) * 1e3
        attempt = replace(
            attempt,
            first_byte_ms=answered.first_byte_ms,
            total_ms=total_ms,
            verdicts=ending.verdicts,
            started_ms=self._ms(answered.started_s),
        )
        self._before.append((answered.started_s, attempt))

    def serves(self, decision: Decision, verdicts: Sequence[Verdict]) -> None:
        """Takes how a cascade came to the answer that is served, and the list that its verdicts go into."""
        self._decision = decision
        self._verdicts = verdicts
        self._served_ms = (self._clock() - self._started_s) * 1e3

    # ------------------------------------------------------------ the end

    def usage_extra(self, model: Model) -> Callable[[Usage], JSONObject]:
        """What goes under `pointsman` into the usage chunk of a stream, once the usage is known."""

        def extra(usage: Usage) -> JSONObject:
            made = self._entry([*self._failures(), self._attempt(model, AttemptStatus.OK, 200, None, usage)], 200)
            return {
                "request_id": made.request_id,
                "tier": self.tier_of(model.name),
                "cost_usd": made.cost.usd,
                "saved_usd": made.saved_usd,
            }

        return extra

    def end(self, model: Model, http_status: int, ending: Ending) -> Account:
        """Writes the record of an answer that has ended, well or not."""
        usage = self._usage(http_status, ending)
        attempt = Attempt(
            model=model.name,
            tier=self._tiers.get(model.name),
            status=ending.status,
            http_status=http_status,
            error=ending.error,
            usage=usage,
            cost=_NOTHING if usage is None else cost_of(model.price, model.price_missing, usage),
            first_byte_ms=ending.first_byte_ms,
            total_ms=ending.total_ms,
            verdicts=tuple(self._verdicts),
            started_ms=(self._clock() - self._started_s) * 1e3 - ending.total_ms,
        )
        made = self._entry([*self._failures(), attempt] if self._before or self.failed else [attempt], http_status)
        if self._served_ms is not None:
            # What the client waited for: the answers before this one, and their judging, too.
            made = replace(made, first_byte_ms=self._served_ms)
        if self._store_prompts and ending.answer is not None:
            made = replace(made, answer_text=ending.answer.text)
        self._write(made)
        return Account(made.cost, made.saved_usd, made.attempts)

    def end_without_answer(self, http_status: int | None) -> None:
        """Writes the record of a request that no model answered, or (None) whose client left before one did."""
        made = self._entry(self._failures(), http_status)
        if http_status is None and made.status != AttemptStatus.CANCELLED:
            # It left between two attempts, while we waited to try again.
            made = replace(made, status=AttemptStatus.CANCELLED.value, error="client_left")
        self._write(made)

    def _entry(self, attempts: Sequence[Attempt], http_status: int | None) -> Record:
        return entry(
            request=self._request,
            decision=self._decision,
            attempts=attempts,
            created_at=self._created_at,
            http_status=http_status,
            total_ms=(self._clock() - self._started_s) * 1e3,
            baseline=self._baseline,
            cost_of=_cost,
            simulated=any(self._models[attempt.model].simulated for attempt in attempts),
            prompt_json=self._request.raw if self._store_prompts else None,
        )

    def _ms(self, at_s: float) -> float:
        """A time by the clock, in milliseconds from the beginning."""
        return (at_s - self._started_s) * 1e3

    def _usage(self, http_status: int, ending: Ending) -> Usage | None:
        """What the upstream counted, else our estimate of what it will bill; None for a refusal."""
        if http_status >= 400:
            return None
        return self._usage_of(ending.answer)

    def _usage_of(self, answer: Answer | None) -> Usage:
        if answer is not None and answer.usage is not None:
            return answer.usage
        return (
            Usage(self._request.n_total_tokens, 0, estimated=True)
            if answer is None
            else estimate_usage(self._request, answer)
        )

    def _failures(self) -> list[Attempt]:
        before = [attempt for _, attempt in sorted(self._before, key=lambda noted: noted[0])]
        return [*before, *(self._failure(tried) for tried in self.failed)]

    def _failure(self, tried: Tried) -> Attempt:
        """An attempt that led to nothing. One that was cut off after it was sent may be billed for what it had read."""
        usage = Usage(self._request.n_total_tokens, 0, estimated=True) if tried.may_be_billed else None
        return Attempt(
            model=tried.model,
            tier=self.tier_of(tried.model),
            status=tried.status,
            http_status=tried.http_status,
            error=tried.error,
            usage=usage,
            cost=Cost(None, "no answer came") if usage is None else _cost(self._models[tried.model], usage),
            first_byte_ms=tried.first_byte_ms,
            total_ms=tried.total_ms,
            started_ms=None if tried.started_s is None else self._ms(tried.started_s),
        )

    def _attempt(
        self, model: Model, status: AttemptStatus, http_status: int, error: str | None, usage: Usage | None
    ) -> Attempt:
        cost = _NOTHING if usage is None else _cost(model, usage)
        return Attempt(model.name, self.tier_of(model.name), status, http_status, error, usage, cost, None, 0.0)


_NOTHING = Cost(0.0)


def _cost(model: Model, usage: Usage | None) -> Cost:
    return cost_of(model.price, model.price_missing, usage)
