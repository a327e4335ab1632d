"""One request's record: attempts added up, the baseline priced for the same tokens, savings net of everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from pointsman.vocabulary import Attempt, AttemptStatus, Cost, Decision, Model, Record, Request, Usage

CostOf = Callable[[Model, Usage | None], Cost]
"""What a usage costs at a model's price."""


_FREE = Cost(0.0)


def total_cost(attempts: Sequence[Attempt]) -> Cost:
    """The sum over attempts; unknown as soon as one that may have been billed is unknown.

    An attempt that got no answer (no usage and an error) is not billed by any provider we know, so it adds nothing.
    """
    if len(attempts) == 1 and attempts[0].cost.usd is not None:
        return attempts[0].cost
    usd = 0.0
    for attempt in attempts:
        if attempt.status is AttemptStatus.ERROR and attempt.usage is None:
            continue
        if attempt.cost.usd is None:
            return Cost(None, f"{attempt.model}: {attempt.cost.reason}")
        usd += attempt.cost.usd
    return Cost(usd)


def judge_cost(attempts: Sequence[Attempt]) -> Cost:
    """What all verdicts together cost; unknown as soon as one is."""
    if len(attempts) == 1 and not attempts[0].verdicts:
        return _FREE
    usd = 0.0
    for attempt in attempts:
        for verdict in attempt.verdicts:
            if verdict.cost.usd is None:
                return Cost(None, f"judge {verdict.judge}: {verdict.cost.reason}")
            usd += verdict.cost.usd
    return Cost(usd)


def entry(
    *,
    request: Request,
    decision: Decision,
    attempts: Sequence[Attempt],
    created_at: datetime,
    http_status: int | None,
    total_ms: float,
    baseline: Model | None,
    cost_of: CostOf,
    simulated: bool,
    prompt_json: bytes | None = None,
    answer_text: str | None = None,
) -> Record:
    """The record of one request that was decided; its last attempt is the one whose answer the client got.

    The baseline is priced for the tokens of the last attempt, as if the baseline model had read and written the same.
    In a conversation it would have had cached what any model had: a discount that a switch lost counts as lost.
    An error, which would have been one with the baseline too, has no baseline cost and saves nothing.
    """
    last = attempts[-1] if attempts else None
    usage = None if last is None else last.usage
    cost = total_cost(attempts)
    judged = judge_cost(attempts)
    if judged.usd is None:
        # A judge whose price is not known makes the whole unknown; 0 in its place would be a saving that was none.
        cost = judged
    if baseline is None:
        baseline_cost = Cost(None, "no baseline is configured")
    elif usage is None:
        failed = last is None or last.status is AttemptStatus.ERROR
        baseline_cost = Cost(0.0) if failed else Cost(None, "the answer's tokens are not known")
    else:
        baseline_cost = cost_of(baseline, _with_cache(usage, decision.conversation_cached_tokens))
    return Record(
        request_id=decision.request_id,
        created_at=created_at,
        endpoint=request.endpoint,
        dialect=request.dialect,
        requested_model=request.model,
        status="error" if last is None else last.status.value,
        http_status=http_status,
        decision=decision,
        attempts=tuple(attempts),
        usage=usage,
        cost=cost,
        baseline_model=None if baseline is None else baseline.name,
        baseline_cost=baseline_cost,
        router_cost_usd=decision.router_cost_usd,
        judge_cost_usd=0.0 if judged.usd is None else judged.usd,
        stream=request.stream,
        session_id=request.session_id,
        key_id=request.key_id,
        tags=request.hints.tags,
        decide_ms=decision.decide_ms,
        first_byte_ms=None if last is None else last.first_byte_ms,
        total_ms=total_ms,
        simulated=simulated,
        error=None if last is None else last.error,
        prompt_json=prompt_json,
        answer_text=answer_text,
    )


def _with_cache(usage: Usage, tokens: int) -> Usage:
    """The usage with at least so much of its input read from the cache, and hence less of it written there."""
    if tokens <= usage.cached_input_tokens:
        return usage
    cached = min(tokens, usage.input_tokens)
    if cached <= usage.cached_input_tokens:
        return usage
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    written_1h = min(usage.cache_write_1h_tokens, written)
    return replace(usage, cached_input_tokens=cached, cache_write_tokens=written, cache_write_1h_tokens=written_1h)
