"""LiteLLM's spend logs: the table LiteLLM_SpendLogs, as JSON from /spend/logs or as a CSV export.

Columns (BerriAI/litellm, schema.prisma, model LiteLLM_SpendLogs): request_id, call_type, spend in USD, prompt_tokens,
completion_tokens, startTime, endTime, request_duration_ms, model, model_group, messages, response, status,
proxy_server_request. Prompts and answers are stored only with `store_prompts_in_spend_logs: true`
(docs.litellm.ai/docs/proxy/ui_logs, 2026-10-10); without them, rows are left out and counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from ..prompt_text import answer_text, routed_text
from .records import Rows, number, parsed, records, whole

_NOT_CHAT = ("embedding", "image", "moderation", "transcription", "speech", "rerank")


def from_litellm_log(path: Path, rows: Rows) -> None:
    """Adds the calls of a spend log, unscored; the prompt's id is its request's when nothing groups them."""
    for record in records(path):
        rows.n_read += 1
        if any(word in str(record.get("call_type", "")) for word in _NOT_CHAT):
            rows.drop("not a chat or text completion")
            continue
        if record.get("status") == "failure":
            rows.drop("the call failed")
            continue
        model = record.get("model_group") or record.get("model")
        if not model:
            rows.drop("no model")
            continue
        prompt = _prompt(record)
        if prompt is None:
            rows.drop("no prompt stored (LiteLLM keeps them with store_prompts_in_spend_logs: true)")
            continue
        response = parsed(record.get("response"))
        rows.add(
            source="litellm",
            dataset=str(model_tag(record)),
            prompt=prompt,
            model=str(model),
            response=answer_text(response),
            prompt_tokens=whole(record.get("prompt_tokens")),
            completion_tokens=whole(record.get("completion_tokens")),
            cost_usd=number(record.get("spend")),
            latency_ms=_latency_ms(record),
            finish_reason=_finish_reason(response),
        )


def model_tag(record: Mapping[str, object]) -> str:
    """The dataset of a logged call: its first request tag, "" without one."""
    tags = parsed(record.get("request_tags"))
    return str(tags[0]) if isinstance(tags, list) and tags else ""


def _prompt(record: Mapping[str, object]) -> str | None:
    for field in ("messages", "proxy_server_request"):
        value = parsed(record.get(field))
        if value:
            text = routed_text(value)
            if text is not None:
                return text
    return None


def _latency_ms(record: Mapping[str, object]) -> float | None:
    recorded = number(record.get("request_duration_ms"))
    if recorded is not None:
        return recorded
    try:
        begin, end = (datetime.fromisoformat(str(record[field])) for field in ("startTime", "endTime"))
        took = (end - begin).total_seconds() * 1000
    except (KeyError, ValueError, TypeError):
        return None
    return took if math.isfinite(took) and took >= 0 else None


def _finish_reason(response: object) -> str | None:
    if isinstance(response, Mapping):
        choices = response.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
            reason = choices[0].get("finish_reason")
            return reason if isinstance(reason, str) else None
    return None
