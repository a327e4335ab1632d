"""What the upstream's answers cost, counted from the bytes that it sent: with none of the code that is tested."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pointsman.testing import Upstream


@dataclass(frozen=True, slots=True)
class ListPrice:
    """USD per million tokens."""

    input: float
    output: float
    cached_input: float
    cache_write: float

    def as_config(self) -> dict[str, float]:
        """The form of `models[].price`."""
        return {
            "input_usd_per_mtok": self.input,
            "output_usd_per_mtok": self.output,
            "cached_input_usd_per_mtok": self.cached_input,
            "cache_write_usd_per_mtok": self.cache_write,
        }


PRICES = {"small": ListPrice(1.0, 5.0, 0.1, 1.25), "large": ListPrice(15.0, 75.0, 1.5, 18.75)}
"""Far apart, so that a request counted for the wrong model is seen."""


PAID = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings", "/v1/completions")


def counted_usd(upstream: Upstream) -> float:
    """The price of every answer that was sent with status 200, each by its own last word on usage."""
    return sum(
        _answer_usd(PRICES[received.model.removesuffix("-2026")], _usage(sent.body))
        for received, sent in zip(upstream.requests, upstream.sent, strict=True)
        if sent.status == 200 and received.path in PAID
    )


def _answer_usd(price: ListPrice, usage: dict[str, Any]) -> float:
    if "prompt_tokens" in usage:
        # Embeddings and legacy completions tell less.
        told, spoken = usage["prompt_tokens"], usage.get("completion_tokens", 0)
        cached, written = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0), 0
    elif "cache_read_input_tokens" in usage:
        # Anthropic counts what was read from or written to the cache beside the input; the others within.
        cached, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        told, spoken = usage["input_tokens"] + cached + written, usage["output_tokens"]
    else:
        told, spoken = usage["input_tokens"], usage["output_tokens"]
        cached, written = usage["input_tokens_details"]["cached_tokens"], 0
    plain = told - cached - written
    micro_usd: float = (
        plain * price.input + cached * price.cached_input + written * price.cache_write + spoken * price.output
    )
    return micro_usd / 1e6


def _usage(body: bytes) -> dict[str, Any]:
    """What is said of usage in an answer or in the events of a stream; later words replace earlier ones."""
    if body.startswith(b"{"):
        return dict(json.loads(body)["usage"])
    out: dict[str, Any] = {}
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            data = json.loads(line[6:])
            for holder in (data, data.get("message"), data.get("response")):
                if isinstance(holder, dict) and isinstance(holder.get("usage"), dict):
                    out |= holder["usage"]
    return out
