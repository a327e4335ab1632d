"""Outcomes in the long form: one row per prompt and model, scores not there yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .calls import Done


def outcome_rows(
    done: Iterable[Done], prompts: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The rows of a file of outcomes; `score` is NaN, which means unscored.

    Args:
        done: answers, in the order in which their rows shall stand.
        prompts: (dataset, prompt id) → the columns that say the prompt: `prompt`, and `messages` where it has them.
            An answer to a prompt that is not among them is left out.
    """
    for answered in done:
        said = prompts.get((answered.dataset, answered.prompt_id))
        if said is None:
            continue
        yield {
            "dataset": answered.dataset,
            "prompt_id": answered.prompt_id,
            **said,
            "model": answered.model,
            "score": float("nan"),
            "response": answered.response,
            "prompt_tokens": answered.prompt_tokens,
            "completion_tokens": answered.completion_tokens,
            "cost_usd": float("nan") if answered.cost_usd is None else answered.cost_usd,
            "latency_ms": answered.latency_ms,
            "confidence": float("nan") if answered.confidence is None else answered.confidence,
            "logprobs": None if answered.logprobs is None else list(answered.logprobs),
            "finish_reason": answered.finish_reason,
        }
