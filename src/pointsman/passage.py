"""One request on its way through the router: the attempts so far, and the one record at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from .call.attempts import Tried
from .call.reply import Account, Ending
from .catalog import cost_of
from .record.entry import entry
from .vocabulary import (
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
        self._tiers = {other.model: other.tier for other in decision.alternatives}

    def tier_of(self, model: str) -> str | None:
        """The tier a model stands in for this request; None when it was named by the client."""
        return self._tiers.get(model)

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
        attempt = replace(
            self._attempt(model, ending.status, http_status, ending.error, self._usage(http_status, ending)),
            first_byte_ms=ending.first_byte_ms,
            total_ms=ending.total_ms,
        )
        made = self._entry([*self._failures(), attempt], http_status)
        if self._store_prompts and ending.answer is not None:
            made = replace(made, answer_text=ending.answer.text)
        self._write(made)
        return Account(made.cost, made.saved_usd)

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

    def _usage(self, http_status: int, ending: Ending) -> Usage | None:
        """What the upstream counted, else our estimate of what it will bill; None for a refusal."""
        if http_status >= 400:
            return None
        answer = ending.answer
        if answer is not None and answer.usage is not None:
            return answer.usage
        return (
            Usage(self._request.n_total_tokens, 0, estimated=True)
            if answer is None
            else estimate_usage(self._request, answer)
        )

    def _failures(self) -> list[Attempt]:
        return [self._failure(tried) for tried in self.failed]

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
        )

    def _attempt(
        self, model: Model, status: AttemptStatus, http_status: int, error: str | None, usage: Usage | None
    ) -> Attempt:
        cost = Cost(0.0) if usage is None else _cost(model, usage)
        return Attempt(model.name, self.tier_of(model.name), status, http_status, error, usage, cost, None, 0.0)


def _cost(model: Model, usage: Usage | None) -> Cost:
    return cost_of(model.price, model.price_missing, usage)
