"""The spans of one record; pure. No prompt, answer, key, session, tag or client's own word becomes an attribute.

Names and attributes are those of the semantic conventions for generative AI ("Semantic conventions for generative
client AI spans", open-telemetry/semantic-conventions 1.37, and the Python package 0.66b2); our own begin with
`pointsman.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pointsman.vocabulary import Attempt, AttemptStatus, Decision, Model, Record, Usage, Verdict

Value: TypeAlias = str | int | float | bool

_PROVIDERS = {
    "gemini": "gcp.gemini",
    "azure": "azure.ai.openai",
    "bedrock-openai": "aws.bedrock",
}
"""Where the conventions have another word for a provider than the configuration."""
_OPERATIONS = {"/v1/embeddings": "embeddings", "/v1/completions": "text_completion"}


@dataclass(frozen=True, slots=True)
class Span:
    """One span; times are milliseconds from the record's `created_at`, below 0 for what came before it."""

    name: str
    is_client: bool
    """True for a call of ours; False for what we serve or do ourselves."""
    begin_ms: float
    end_ms: float
    attributes: Mapping[str, Value]
    error: str | None = None
    """An error code; None when all went well."""
    children: tuple[Span, ...] = field(default=())


def spans_of(record: Record, models: Mapping[str, Model]) -> Span:
    """The request's span, with those of its decision, its attempts and their judging.

    A judge's span has its true length; when within the attempt it judged is not on record, so it stands at the end.
    """
    decision = record.decision
    decide_ms = 0.0 if record.decide_ms is None else max(0.0, record.decide_ms)
    total_ms = 0.0 if record.total_ms is None else max(0.0, record.total_ms)
    operation = _OPERATIONS.get(record.endpoint, "chat")
    served = record.attempts[-1].model if record.attempts else None
    children: list[Span] = []
    if decision is not None:
        children.append(Span("decide", False, -decide_ms, 0.0, _of_decision(decision)))
    for attempt in record.attempts:
        begin_ms = 0.0 if attempt.started_ms is None else attempt.started_ms
        end_ms = begin_ms + max(0.0, attempt.total_ms)
        children.append(
            Span(
                f"{operation} {attempt.model}",
                True,
                begin_ms,
                end_ms,
                _of_attempt(attempt, operation, models),
                None if attempt.status in (AttemptStatus.OK, AttemptStatus.ESCALATED) else _error(attempt),
                tuple(_judging(attempt, begin_ms, end_ms)),
            )
        )
    return Span(
        operation if served is None else f"{operation} {served}",
        False,
        -decide_ms,
        max([total_ms, *(child.end_ms for child in children)]),
        _of_request(record, operation, served),
        None if record.status == "ok" else (record.status if record.error is None else record.error),
        tuple(children),
    )


def _error(attempt: Attempt) -> str:
    return attempt.status.value if attempt.error is None else attempt.error


def _judging(attempt: Attempt, begin_ms: float, end_ms: float) -> list[Span]:
    """The spans of an attempt's verdicts, the last of them ending with the attempt."""
    spans: list[Span] = []
    at_ms = end_ms
    for verdict in reversed(attempt.verdicts):
        start_ms = max(begin_ms, at_ms - max(0.0, verdict.latency_ms))
        spans.append(Span(f"judge {verdict.judge}", False, start_ms, at_ms, _of_verdict(verdict)))
        at_ms = start_ms
    return spans[::-1]


def _of_request(record: Record, operation: str, served: str | None) -> dict[str, Value]:
    out: dict[str, Value] = {
        "gen_ai.operation.name": operation,
        "gen_ai.request.stream": record.stream,
        "url.path": record.endpoint,
        "pointsman.request_id": record.request_id,
        "pointsman.simulated": record.simulated,
    }
    if record.decision is not None:
        # What was decided on is a configured name; without a decision it may be anything that a client wrote.
        out["gen_ai.request.model"] = record.requested_model
        out["pointsman.policy"] = record.decision.policy
        out["pointsman.reason"] = record.decision.reason_code
    if served is not None:
        out["gen_ai.response.model"] = served
    if record.http_status is not None:
        out["http.response.status_code"] = record.http_status
    if record.first_byte_ms is not None:
        out["gen_ai.response.time_to_first_chunk"] = record.first_byte_ms / 1e3
    out |= _of_usage(record.usage)
    known = {
        "pointsman.cost_usd": record.cost.usd,
        "pointsman.saved_usd": record.saved_usd,
        "pointsman.router_cost_usd": record.router_cost_usd,
        "pointsman.judge_cost_usd": record.judge_cost_usd,
    }
    return out | {name: usd for name, usd in known.items() if usd is not None}


def _of_decision(decision: Decision) -> dict[str, Value]:
    known: dict[str, Value | None] = {
        "pointsman.policy": decision.policy,
        "pointsman.policy_kind": decision.policy_kind,
        "pointsman.model": decision.model,
        "pointsman.tier": decision.tier,
        "pointsman.reason": decision.reason_code,
        "pointsman.p_cheap": decision.p_cheap,
        "pointsman.threshold": decision.threshold,
        "pointsman.task_kind": None if decision.task_kind is None else decision.task_kind.value,
        "pointsman.router": decision.router,
        "pointsman.estimated_cost_usd": decision.estimated_cost_usd,
        "pointsman.router_cost_usd": decision.router_cost_usd,
    }
    return {name: value for name, value in known.items() if value is not None}


def _of_attempt(attempt: Attempt, operation: str, models: Mapping[str, Model]) -> dict[str, Value]:
    out: dict[str, Value] = {
        "gen_ai.operation.name": operation,
        "pointsman.model": attempt.model,
        "pointsman.status": attempt.status.value,
    }
    model = models.get(attempt.model)
    if model is not None:
        out["gen_ai.provider.name"] = _PROVIDERS.get(model.provider, model.provider)
        out["gen_ai.request.model"] = model.provider_model
    if attempt.tier is not None:
        out["pointsman.tier"] = attempt.tier
    if attempt.http_status is not None:
        out["http.response.status_code"] = attempt.http_status
    if attempt.first_byte_ms is not None:
        out["gen_ai.response.time_to_first_chunk"] = attempt.first_byte_ms / 1e3
    if attempt.cost.usd is not None:
        out["pointsman.cost_usd"] = attempt.cost.usd
    return out | _of_usage(attempt.usage)


def _of_verdict(verdict: Verdict) -> dict[str, Value]:
    out: dict[str, Value] = {
        "gen_ai.evaluation.name": verdict.judge,
        "gen_ai.evaluation.score.label": "accepted" if verdict.accepted else "rejected",
    }
    if verdict.p_good == verdict.p_good:
        out["gen_ai.evaluation.score.value"] = verdict.p_good
    if verdict.cost.usd is not None:
        out["pointsman.cost_usd"] = verdict.cost.usd
    return out


def _of_usage(usage: Usage | None) -> dict[str, Value]:
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        "pointsman.usage_estimated": usage.estimated,
    }
