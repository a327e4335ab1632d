"""A record as rows of the ledger's tables; pure, and total: whatever text or number a record holds, it fits.

Runs in the writer thread, off the request's path.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

from pointsman.vocabulary import Cost, Decision, Feedback, Record, ShadowLabel, Usage, WatchEvent

Row: TypeAlias = dict[str, Any]

MAX_TEXT_CHARS = 4096
"""A longer text is cut: a client's header or model name must not fill the disk. Prompts and answers are kept whole."""

_MAX_INT = 2**63 - 1
"""The largest integer of SQLite and of PostgreSQL's bigint."""


@dataclass(slots=True)
class Rows:
    """Rows by table, ready to insert."""

    records: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    prompts: list[Row] = field(default_factory=list)
    feedback: list[Row] = field(default_factory=list)
    shadows: list[Row] = field(default_factory=list)
    watch_events: list[Row] = field(default_factory=list)

    def extend(self, other: Rows) -> None:
        """Adds the rows of another."""
        self.records += other.records
        self.attempts += other.attempts
        self.verdicts += other.verdicts
        self.prompts += other.prompts
        self.feedback += other.feedback
        self.shadows += other.shadows
        self.watch_events += other.watch_events

    def one_by_one(self) -> Iterator[Rows]:
        """The same as many small batches: each record with what belongs to it, each other entry alone."""
        for record in self.records:
            id_ = record["request_id"]
            yield Rows(
                records=[record],
                attempts=[row for row in self.attempts if row["request_id"] == id_],
                verdicts=[row for row in self.verdicts if row["request_id"] == id_],
                prompts=[row for row in self.prompts if row["request_id"] == id_],
            )
        yield from (Rows(feedback=[row]) for row in self.feedback)
        yield from (Rows(shadows=[row]) for row in self.shadows)
        yield from (Rows(watch_events=[row]) for row in self.watch_events)


def rows_of(record: Record, *, store_prompts: bool = False) -> Rows:
    """The rows of one record. Its prompt and answer are left out unless `store_prompts`."""
    decision = record.decision
    last = record.attempts[-1] if record.attempts else None
    request_id = clean(record.request_id)
    row: Row = {
        "request_id": request_id,
        "created_at": time_text(record.created_at),
        "endpoint": clean(record.endpoint),
        "dialect": None if record.dialect is None else record.dialect.value,
        "requested_model": clean(record.requested_model),
        "policy": None if decision is None else clean(decision.policy),
        "policy_kind": None if decision is None else clean(decision.policy_kind),
        # The model that served, which a fallback may have made another than the one decided on.
        "tier": _clean(_served(decision, "tier") if last is None else last.tier),
        "model": _clean(_served(decision, "model") if last is None else last.model),
        "reason": None if decision is None else clean(decision.reason),
        "reason_code": None if decision is None else clean(decision.reason_code),
        "status": clean(record.status),
        "http_status": _integer(record.http_status),
        **_usage(record.usage),
        **_cost(record.cost, "cost"),
        "baseline_model": _clean(record.baseline_model),
        **_cost(record.baseline_cost, "baseline_cost"),
        "router_cost_usd": _at_least_0(record.router_cost_usd),
        "judge_cost_usd": _at_least_0(record.judge_cost_usd),
        "saved_usd": _finite(record.saved_usd),
        "first_byte_ms": _finite(record.first_byte_ms),
        "total_ms": _finite(record.total_ms),
        "decide_ms": _finite(record.decide_ms),
        "stream": record.stream,
        "session_id": _clean(record.session_id),
        "key_id": _clean(record.key_id),
        "tags": _json([clean(tag) for tag in record.tags]),
        "simulated": record.simulated,
        "error": _clean(record.error),
        "decision": None if decision is None else _json(decision),
    }
    rows = Rows(records=[row])
    for position, attempt in enumerate(record.attempts):
        rows.attempts.append(
            {
                "request_id": request_id,
                "position": position,
                "model": clean(attempt.model),
                "tier": _clean(attempt.tier),
                "status": attempt.status.value,
                "http_status": _integer(attempt.http_status),
                "error": _clean(attempt.error),
                **_usage(attempt.usage),
                **_cost(attempt.cost, "cost"),
                "first_byte_ms": _finite(attempt.first_byte_ms),
                "total_ms": _at_least_0(attempt.total_ms),
            }
        )
        rows.verdicts += (
            {
                "request_id": request_id,
                "attempt": position,
                "position": at,
                "judge": clean(verdict.judge),
                "p_good": _finite(verdict.p_good),
                "accepted": verdict.accepted,
                "reason": clean(verdict.reason),
                **_cost(verdict.cost, "cost"),
                "latency_ms": _at_least_0(verdict.latency_ms),
            }
            for at, verdict in enumerate(attempt.verdicts)
        )
    if store_prompts and (record.prompt_json is not None or record.answer_text is not None):
        answer = None if record.answer_text is None else _storable(record.answer_text)
        rows.prompts.append({"request_id": request_id, "body": record.prompt_json, "answer": answer})
    return rows


def feedback_rows(feedback: Feedback) -> Rows:
    """The row of one feedback. Its fresh id makes writing it a second time, after a commit in doubt, harmless."""
    return Rows(
        feedback=[
            {
                "feedback_id": uuid.uuid4().hex,
                "request_id": clean(feedback.request_id),
                "created_at": time_text(feedback.created_at),
                "score": _finite(feedback.score),
                "label": _clean(feedback.label),
                "comment": _clean(feedback.comment),
            }
        ]
    )


def shadow_rows(label: ShadowLabel, *, store_prompts: bool = False) -> Rows:
    """The row of one comparison; the strong answer is left out unless `store_prompts`."""
    answer = label.strong_answer if store_prompts else None
    return Rows(
        shadows=[
            {
                "request_id": clean(label.request_id),
                "created_at": time_text(label.created_at),
                "policy": clean(label.policy),
                "fingerprint": clean(label.fingerprint),
                "reason_code": clean(label.reason_code),
                "model": clean(label.model),
                "tier": clean(label.tier),
                "strong_model": clean(label.strong_model),
                "strong_tier": clean(label.strong_tier),
                "judge": clean(label.judge),
                "status": label.status.value,
                "score": _finite(label.score),
                "orders_agree": label.orders_agree,
                "propensity": _at_least_0(label.propensity),
                "strong_cost_usd": _at_least_0(label.strong_cost_usd),
                "judge_cost_usd": _at_least_0(label.judge_cost_usd),
                "error": _clean(label.error),
                "strong_answer": None if answer is None else _storable(answer),
            }
        ]
    )


def watch_rows(event: WatchEvent) -> Rows:
    """The row of one event; its fresh id makes writing it a second time harmless."""
    return Rows(
        watch_events=[
            {
                "event_id": uuid.uuid4().hex,
                "created_at": time_text(event.created_at),
                "policy": clean(event.policy),
                "fingerprint": clean(event.fingerprint),
                "kind": event.kind.value,
                "what": clean(event.what),
                "text": clean(event.text),
                "detail": _storable(event.detail),
            }
        ]
    )


def time_text(moment: datetime) -> str:
    """A time as the ledger writes it, such as "2026-11-23T21:44:22.123456Z"; one without a zone counts as UTC."""
    if moment.tzinfo is UTC:
        return moment.isoformat(timespec="microseconds")[:-6] + "Z"
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def clean(text: str) -> str:
    """The text as every database takes it: NUL and lone surrogates become U+FFFD, and it is cut at its bound."""
    if text.isascii() and len(text) <= MAX_TEXT_CHARS and "\x00" not in text:
        return text
    return _storable(text[:MAX_TEXT_CHARS])


def _storable(text: str) -> str:
    """Without NUL, which PostgreSQL refuses in text, and without lone surrogates, which have no UTF-8 form."""
    if "\x00" in text:
        text = text.replace("\x00", "�")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _clean(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _served(decision: Decision | None, name: str) -> str | None:
    value: str | None = None if decision is None else getattr(decision, name)
    return value


def _finite(number: float | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None


def _at_least_0(number: float) -> float:
    return max(0.0, number) if math.isfinite(number) else 0.0


def _integer(number: int | None) -> int | None:
    return None if number is None else max(-_MAX_INT, min(_MAX_INT, number))


def _cost(cost: Cost, name: str) -> Row:
    usd = _finite(cost.usd)
    if usd is not None:
        return {f"{name}_usd": usd, f"{name}_reason": None}
    reason = cost.reason
    if reason is None:
        reason = "not known" if cost.usd is None else "not a finite number"
    return {f"{name}_usd": None, f"{name}_reason": _clean(reason)}


def _usage(usage: Usage | None) -> Row:
    if usage is None:
        return dict.fromkeys(USAGE_COLUMNS)
    return {
        "input_tokens": _integer(usage.input_tokens),
        "output_tokens": _integer(usage.output_tokens),
        "cached_input_tokens": _integer(usage.cached_input_tokens),
        "cache_write_tokens": _integer(usage.cache_write_tokens),
        "cache_write_1h_tokens": _integer(usage.cache_write_1h_tokens),
        "reasoning_tokens": _integer(usage.reasoning_tokens),
        "usage_estimated": usage.estimated,
    }


USAGE_COLUMNS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "usage_estimated",
)


def _json(value: Decision | list[str]) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # orjson refuses lone surrogates and integers beyond 64 bits
        plain = asdict(value) if isinstance(value, Decision) else value
        return json.dumps(_plain(plain), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """The value with only what JSON and UTF-8 can hold."""
    if isinstance(value, str):
        return _storable(str(value))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, Mapping):
        return {_storable(str(key)): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value]
