"""Token counts as the providers report them, brought to one accounting; a report that makes no sense never crashes.

`estimated` and `cache_write_1h_tokens` stand in answers that we have translated, see `translate.usages`.
OpenAI's input counts include cached ones; Anthropic's `input_tokens` exclude what was read from and written to the
cache (docs.claude.com, "Prompt caching", tracking cache performance). `Usage.input_tokens` always includes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.vocabulary import Usage

MAX_TOKENS = 2**27
"""134 million: above any count a model of today can reach in one answer; a larger number is a fault."""


_PLAIN = frozenset({"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"})
"""A report of nothing but these has no details."""


def count(value: object) -> int | None:
    """A count of tokens, clamped to 0 … MAX_TOKENS; None when it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(min(max(value, 0), MAX_TOKENS))


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return count(details.get(name)) if isinstance(details, dict) else None


def _doubtful(*values: object) -> bool:
    return any(isinstance(value, int | float) and not 0 <= value <= MAX_TOKENS for value in values)


def read_openai_usage(usage: object) -> Usage | None:
    """The `usage` of a chat completion (`prompt_tokens`) or of a response (`input_tokens`); None when it says
    nothing, or something out of range: an estimate is nearer to the bill than a number that cannot be.
    """
    if not isinstance(usage, dict):
        return None
    chat = "prompt_tokens" in usage
    raw_in = usage.get("prompt_tokens" if chat else "input_tokens")
    raw_out = usage.get("completion_tokens" if chat else "output_tokens")
    if (
        type(raw_in) is int
        and type(raw_out) is int
        and 0 <= raw_in <= MAX_TOKENS
        and 0 <= raw_out <= MAX_TOKENS
        and _PLAIN.issuperset(usage)
    ):
        return Usage(raw_in, raw_out)
    n_in, n_out = count(raw_in), count(raw_out)
    if n_in is None or n_out is None or _doubtful(raw_in, raw_out):
        return None
    in_details = "prompt_tokens_details" if chat else "input_tokens_details"
    out_details = "completion_tokens_details" if chat else "output_tokens_details"
    cached = _detail(usage, in_details, "cached_tokens")
    if cached is None:  # DeepSeek's name, api-docs.deepseek.com "Context Caching".
        cached = count(usage.get("prompt_cache_hit_tokens"))
    written = _detail(usage, in_details, "cache_write_tokens")
    hourly = _detail(usage, in_details, "cache_write_1h_tokens")
    reasoning = _detail(usage, out_details, "reasoning_tokens")
    cached = min(0 if cached is None else cached, n_in)
    return Usage(
        input_tokens=n_in,
        output_tokens=n_out,
        cached_input_tokens=cached,
        cache_write_tokens=min(0 if written is None else written, n_in - cached),
        reasoning_tokens=min(0 if reasoning is None else reasoning, n_out),
        estimated=usage.get("estimated") is True,
        cache_write_1h_tokens=min(0 if hourly is None else hourly, n_in - cached),
    )


def read_anthropic_usage(usage: object) -> Usage | None:
    """The `usage` of a message; None when it says nothing, or something out of range."""
    if not isinstance(usage, dict):
        return None
    raw_in, raw_out = usage.get("input_tokens"), usage.get("output_tokens")
    n_in, n_out = count(raw_in), count(raw_out)
    raw_read, raw_written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    if n_in is None or n_out is None or _doubtful(raw_in, raw_out, raw_read, raw_written):
        return None
    read, written = count(raw_read), count(raw_written)
    read, written = (0 if read is None else read), (0 if written is None else written)
    hourly = _detail(usage, "cache_creation", "ephemeral_1h_input_tokens")
    thinking = _detail(usage, "output_tokens_details", "thinking_tokens")
    return Usage(
        input_tokens=n_in + read + written,
        output_tokens=n_out,
        cached_input_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(0 if hourly is None else hourly, written),
        reasoning_tokens=min(0 if thinking is None else thinking, n_out),
        estimated=usage.get("estimated") is True,
    )
