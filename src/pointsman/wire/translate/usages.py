"""Tokens in each dialect's own accounting, from the one of `Usage`.

OpenAI's input counts include what was read from and written to the cache; Anthropic's `input_tokens` exclude both.
`cache_write_1h_tokens` and `estimated` are ours: no such field exists there, and without them a written-for-an-hour
token would be priced wrong, and an estimate pass for a count.
"""

from __future__ import annotations

from pointsman.vocabulary import JSONObject, Usage


def chat_usage(usage: Usage) -> JSONObject:
    """`usage` of a chat completion."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": _input_details(usage),
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    } | _ours(usage)


def responses_usage(usage: Usage) -> JSONObject:
    """`usage` of a response."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cache_write_tokens": 0} | _input_details(usage),
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    } | _ours(usage)


def messages_usage(usage: Usage) -> JSONObject:
    """`usage` of a message."""
    out: JSONObject = {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.cache_write_1h_tokens:
        out["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    if usage.reasoning_tokens:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return out | _ours(usage)


def _input_details(usage: Usage) -> JSONObject:
    out: JSONObject = {"cached_tokens": usage.cached_input_tokens}
    if usage.cache_write_tokens:
        out["cache_write_tokens"] = usage.cache_write_tokens
    if usage.cache_write_1h_tokens:
        out["cache_write_1h_tokens"] = usage.cache_write_1h_tokens
    return out


def _ours(usage: Usage) -> JSONObject:
    return {"estimated": True} if usage.estimated else {}
