"""A record's rows as the plain JSON that the gateway, the command line and exports give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import orjson

from pointsman.vocabulary import JSONObject

from .rows import USAGE_COLUMNS

Fetched: TypeAlias = Mapping[Any, Any]
"""A row by column name, from the database or fresh from `rows_of`."""

_RECORD_FIELDS = (
    "request_id",
    "created_at",
    "endpoint",
    "dialect",
    "requested_model",
    "policy",
    "policy_kind",
    "tier",
    "model",
    "reason",
    "reason_code",
    "status",
    "http_status",
    "cost_usd",
    "cost_reason",
    "baseline_model",
    "baseline_cost_usd",
    "baseline_cost_reason",
    "router_cost_usd",
    "judge_cost_usd",
    "saved_usd",
    "first_byte_ms",
    "total_ms",
    "decide_ms",
    "session_id",
    "key_id",
    "error",
)
_ATTEMPT_FIELDS = (
    "model",
    "tier",
    "status",
    "http_status",
    "error",
    "cost_usd",
    "cost_reason",
    "first_byte_ms",
    "total_ms",
)
_VERDICT_FIELDS = ("judge", "p_good", "reason", "cost_usd", "cost_reason", "latency_ms")
_SHADOW_FIELDS = (
    "created_at",
    "model",
    "tier",
    "strong_model",
    "strong_tier",
    "judge",
    "status",
    "score",
    "propensity",
    "strong_cost_usd",
    "judge_cost_usd",
    "error",
)
_FEEDBACK_FIELDS = ("created_at", "score", "label", "comment")


def record_json(
    row: Fetched,
    attempts: Iterable[Fetched],
    verdicts: Iterable[Fetched],
    feedback: Iterable[Fetched],
    shadow: Fetched | None = None,
) -> JSONObject:
    """One record with its decision, attempts with their verdicts (in order), feedback (oldest first) and what a
    comparison with the strong tier said, null without one; never a prompt."""
    thought: dict[int, list[JSONObject]] = {}
    for verdict in verdicts:
        said = {**_pick(verdict, _VERDICT_FIELDS), "accepted": bool(verdict["accepted"])}
        thought.setdefault(verdict["attempt"], []).append(said)
    return {
        **summary_json(row),
        "decision": decision_json(row["decision"]),
        "attempts": [
            {
                **_pick(attempt, _ATTEMPT_FIELDS),
                "usage": usage_json(attempt),
                "verdicts": thought.get(attempt["position"], []),
            }
            for attempt in attempts
        ],
        "feedback": [feedback_json(said) for said in feedback],
        "shadow": None if shadow is None else shadow_json(shadow),
    }


def shadow_json(row: Fetched) -> JSONObject:
    """What the comparison of a served answer with the strong tier's said, without either."""
    agree = row["orders_agree"]
    return {**_pick(row, _SHADOW_FIELDS), "orders_agree": None if agree is None else bool(agree)}


def feedback_json(row: Fetched) -> JSONObject:
    """What was said of a request once."""
    return _pick(row, _FEEDBACK_FIELDS)


def summary_json(row: Fetched) -> JSONObject:
    """One record without its decision, attempts and feedback."""
    return {
        **_pick(row, _RECORD_FIELDS),
        "usage": usage_json(row),
        "stream": bool(row["stream"]),
        "simulated": bool(row["simulated"]),
        "tags": orjson.loads(row["tags"]),
    }


def decision_json(text: str | None) -> JSONObject | None:
    """A stored decision in the shape of `Decision.to_json`."""
    if text is None:
        return None
    decision: JSONObject = orjson.loads(text)
    estimated, baseline = decision.get("estimated_cost_usd"), decision.get("estimated_baseline_cost_usd")
    decision["estimated_saved_usd"] = None if estimated is None or baseline is None else baseline - estimated
    return decision


def usage_json(row: Fetched) -> JSONObject | None:
    """Token counts of a record or an attempt; None when they are not known."""
    if row["input_tokens"] is None:
        return None
    usage = _pick(row, USAGE_COLUMNS)
    usage["estimated"] = bool(usage.pop("usage_estimated"))
    return usage


def _pick(row: Fetched, names: Iterable[str]) -> JSONObject:
    return {name: row[name] for name in names}
