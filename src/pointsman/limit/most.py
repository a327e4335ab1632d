"""The most tokens that one call can take, from which the most it can cost follows."""

from __future__ import annotations

import math

from pointsman.vocabulary import Capabilities, Request, Usage

INPUT_MARGIN = 1.25
"""Input tokens are estimated without the provider's tokenizer."""
UNKNOWN_OUTPUT_TOKENS = 16_384
"""Where neither the request nor what is known of the model says how long an answer can be."""


def most_usage(request: Request, can: Capabilities, *, written_to_cache: bool = False) -> Usage:
    """The most that one answer of a model can take.

    Args:
        can: what is known of the model.
        written_to_cache: all input is also written to the prompt cache for an hour, which some providers charge more.
    """
    n_input = math.ceil(request.n_total_tokens * INPUT_MARGIN)
    known = [n for n in (request.max_output_tokens, can.max_output_tokens) if n is not None]
    if not known and can.context_window_tokens is not None:
        known = [max(1, can.context_window_tokens - request.n_total_tokens)]
    n_output = min(known) if known else UNKNOWN_OUTPUT_TOKENS
    written = n_input if written_to_cache else 0
    return Usage(
        n_input, n_output * _choices(request), cache_write_tokens=written, cache_write_1h_tokens=written, estimated=True
    )


def _choices(request: Request) -> int:
    """How many answers were asked for (`n` of Chat Completions)."""
    n = request.body.get("n")
    return n if isinstance(n, int) and not isinstance(n, bool) and n > 1 else 1
