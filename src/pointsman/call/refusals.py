"""What a failed call says: whether to call the same model again, and what it means for the model's health.

Everything here is a table over the errors of `pointsman.errors`; nothing does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from pointsman.errors import (
    UpstreamBroken,
    UpstreamBusy,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

CONTEXT = "context_too_long"
QUOTA = "insufficient_quota"

_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
_CONTEXT_WORDS = ("maximum context length", "prompt is too long", "context window", "maximum number of tokens")
"""OpenAI and vLLM, Anthropic, Ollama and others, Gemini: none but OpenAI has a code for it."""
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_error", "billing_hard_limit_reached"})
_QUOTA_WORDS = ("credit balance is too low",)
"""Anthropic answers an empty account with 400 (docs.claude.com/en/api/errors and support pages, read 2026-11)."""


class Kind(StrEnum):
    """What a failed call was about; a closed set, safe as a metric label."""

    UNREACHABLE = "unreachable"
    NO_WAY = "no_way"
    """TLS that cannot be trusted, or an address that is none: the next try would find the same."""
    NO_CONNECTION_IN_TIME = "no_connection_in_time"
    SILENT = "silent"
    BROKEN = "broken"
    NOT_AN_API = "not_an_api"
    """A redirect or a switch of protocols."""
    FAULT = "fault"
    CONFLICT = "conflict"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate_limited"
    OUT_OF_QUOTA = "out_of_quota"
    KEY_REFUSED = "key_refused"
    MODEL_MISSING = "model_missing"
    TOO_LONG = "too_long"
    FULL = "full"
    """Our own `max_concurrency` for the model."""


class Again(StrEnum):
    """Whether the same model is called again for the same request."""

    FIRST = "first"
    """Before any other: the fault was of the moment, and the model is the one that was wanted."""
    LAST = "last"
    """When no other model can: this one is not there now, or asked to be left alone."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a kind of failure.

    Attributes:
        again: see `Again`.
        trips: it counts against the model's health.
        rests_s: leave the model alone for so long where the upstream did not say; None when it is no such case.
        alert: somebody has to do something: it will not pass by itself.
    """

    again: Again
    trips: bool = True
    rests_s: float | None = None
    alert: bool = False


QUOTA_RESTS_S = 60.0
"""An account is filled up by a person, so that asking more often than this is in vain."""

ADVICE: dict[Kind, Advice] = {
    Kind.UNREACHABLE: Advice(Again.LAST),
    Kind.NO_WAY: Advice(Again.NEVER, alert=True),
    Kind.NO_CONNECTION_IN_TIME: Advice(Again.LAST),
    # The request was sent, and may be paid for: the wait and the bill are not doubled.
    Kind.SILENT: Advice(Again.NEVER),
    Kind.BROKEN: Advice(Again.FIRST),
    Kind.NOT_AN_API: Advice(Again.NEVER, alert=True),
    Kind.FAULT: Advice(Again.FIRST),
    Kind.CONFLICT: Advice(Again.FIRST, trips=False),
    Kind.OVERLOADED: Advice(Again.LAST),
    Kind.RATE_LIMITED: Advice(Again.LAST, trips=False, rests_s=0.0),
    Kind.OUT_OF_QUOTA: Advice(Again.NEVER, trips=False, rests_s=QUOTA_RESTS_S, alert=True),
    Kind.KEY_REFUSED: Advice(Again.NEVER, alert=True),
    # Not held against the model: providers say 404 of a caller's own file or response id too.
    Kind.MODEL_MISSING: Advice(Again.NEVER, trips=False, alert=True),
    Kind.TOO_LONG: Advice(Again.NEVER, trips=False),
    Kind.FULL: Advice(Again.NEVER, trips=False),
}


def kind_of(error: UpstreamError) -> Kind:
    """What a failed call was about."""
    match error:
        case UpstreamRefused():
            return _refused(error.upstream_status, error.reason)
        case UpstreamBusy():
            return Kind.FULL
        case UpstreamTimeout():
            return Kind.SILENT if error.connected else Kind.NO_CONNECTION_IN_TIME
        case UpstreamUnreachable():
            return Kind.UNREACHABLE if error.retryable else Kind.NO_WAY
        case UpstreamBroken():
            return Kind.BROKEN if error.retryable else Kind.NOT_AN_API
        case _:
            return Kind.FAULT


def _refused(status: int, reason: str | None) -> Kind:
    if reason == CONTEXT:
        return Kind.TOO_LONG
    if reason == QUOTA or status == 402:
        return Kind.OUT_OF_QUOTA
    if status in (401, 403):
        return Kind.KEY_REFUSED
    if status == 404:
        return Kind.MODEL_MISSING
    if status == 409:
        return Kind.CONFLICT
    if status == 429:
        return Kind.RATE_LIMITED
    return Kind.OVERLOADED if status in (503, 529) else Kind.FAULT


def reason_of(status: int, body: bytes) -> str | None:
    """Which of the reasons that change what is done stands in an error body: `CONTEXT`, `QUOTA`, or None."""
    if status not in (400, 403, 413, 429):
        return None
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return None
    words = {word for word in (error.get("code"), error.get("type")) if isinstance(word, str)}
    message = error.get("message")
    text = message.lower() if isinstance(message, str) else ""
    if words & _QUOTA_CODES or any(said in text for said in _QUOTA_WORDS):
        return QUOTA
    if status == 400 and (words & _CONTEXT_CODES or any(said in text for said in _CONTEXT_WORDS)):
        return CONTEXT
    return None
