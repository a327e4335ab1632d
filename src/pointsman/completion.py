"""What `Router.complete` gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import orjson

from .call.reply import Reply
from .vocabulary import Decision, JSONObject, Usage


@dataclass(frozen=True, slots=True)
class Completion:
    """One whole answer. Money is USD; None means "not known"."""

    text: str
    model: str
    tier: str | None
    finish_reason: str | None
    usage: Usage | None
    cost_usd: float | None
    saved_usd: float | None
    decision: Decision
    request_id: str
    body: JSONObject
    """The answer's JSON in the request's dialect."""

    @classmethod
    def of(cls, reply: Reply, body: bytes) -> Self:
        """The completion of a reply that was read to its end."""
        answer = reply.answer
        return cls(
            text="" if answer is None else answer.text,
            model=reply.model,
            tier=reply.tier,
            finish_reason=None if answer is None else answer.finish_reason,
            usage=None if answer is None else answer.usage,
            cost_usd=None if reply.cost is None else reply.cost.usd,
            saved_usd=reply.saved_usd,
            decision=reply.decision,
            request_id=reply.request_id,
            body=orjson.loads(body),
        )
