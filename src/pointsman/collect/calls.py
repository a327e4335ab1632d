"""A call that is planned, and what came of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from pointsman.vocabulary import Answer, Cost, JSONObject, UpstreamCall, Usage


@dataclass(frozen=True)
class PlannedCall:
    """One prompt for one model.

    Attributes:
        prompt_id, dataset: the prompt's.
        call: what is sent; its body is final.
        expected: tokens that the call will probably use.
        max_usd: what it can cost at most, in USD; None when that is not known (no price, or no bound on the answer).
        expected_usd: what `expected` costs; None when no price is known.
    """

    prompt_id: str
    dataset: str
    call: UpstreamCall
    expected: Usage
    max_usd: float | None
    expected_usd: float | None

    @property
    def model(self) -> str:
        """The configured name of the model."""
        return self.call.model.name

    @cached_property
    def key(self) -> str:
        """Names this call for good: 128 bits over prompt id, dataset, model, address and body, hexadecimal.

        A changed prompt, parameter or model behind a name is another call; a run started again finds the same one.
        """
        model = self.call.model
        digest = hashlib.sha256()
        for part in (
            self.dataset,
            self.prompt_id,
            model.name,
            model.provider_model,
            model.endpoints[self.call.dialect].url,
        ):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
        digest.update(self.call.body)
        return digest.hexdigest()[:32]

    def with_idempotency_key(self) -> UpstreamCall:
        """The call with an `Idempotency-Key` header that is the same in every attempt and every run.

        A provider that heeds it (the header of OpenAI's SDKs and of the IETF draft "The Idempotency-Key HTTP Header
        Field") bills a repeated call once; the others ignore it.
        """
        return replace(self.call, headers=(*self.call.headers, ("idempotency-key", f"pointsman-{self.key}")))


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says, read by the caller's codec; `confidence` in [0, 1], None when not known."""

    answer: Answer
    usage: Usage
    cost: Cost
    logprobs: tuple[float, ...] | None = None

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities, exp(mean log p); None without log-probabilities."""
        if not self.logprobs:
            return None
        mean = math.fsum(self.logprobs) / len(self.logprobs)
        return min(1.0, math.exp(mean)) if math.isfinite(mean) else 0.0


ReadAnswer = Callable[[PlannedCall, bytes], Reading]
"""Reads a whole 2xx answer; raises ValueError when it is none."""


@dataclass(frozen=True, slots=True)
class Done:
    """A call that was answered, as it stands in the journal. Times in ms, money in USD; None means not known."""

    key: str
    prompt_id: str
    dataset: str
    model: str
    response: str
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    tokens_estimated: bool
    cost_usd: float | None
    cost_missing: str | None
    latency_ms: float
    confidence: float | None = None
    logprobs: tuple[float, ...] | None = None
    tool_calls: tuple[str, ...] = ()

    @classmethod
    def of(cls, planned: PlannedCall, reading: Reading, latency_ms: float) -> Done:
        """What a reading says, under the call's key."""
        answer, usage = reading.answer, reading.usage
        return cls(
            key=planned.key,
            prompt_id=planned.prompt_id,
            dataset=planned.dataset,
            model=planned.model,
            response=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=usage.input_tokens,
            completion_tokens=usage.output_tokens,
            tokens_estimated=usage.estimated,
            cost_usd=reading.cost.usd,
            cost_missing=reading.cost.reason,
            latency_ms=latency_ms,
            confidence=reading.confidence,
            logprobs=reading.logprobs,
            tool_calls=answer.tool_calls,
        )

    def to_json(self) -> JSONObject:
        """Plain JSON types, names as here."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, row: JSONObject) -> Done:
        """The inverse of `to_json`.

        Raises:
            KeyError, TypeError: it is not such a row.
        """
        logprobs = row["logprobs"]
        return cls(
            **{
                **{name: row[name] for name in cls.__slots__},
                "logprobs": None if logprobs is None else tuple(logprobs),
                "tool_calls": tuple(row["tool_calls"]),
            }
        )
