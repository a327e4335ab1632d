"""What a provider's prompt cache keeps after an answer, as far as its usage tells."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.vocabulary import Dialect, Model, Usage

LEAST_TOKENS = 1_024
STEP_TOKENS = 128
"""OpenAI caches prompts from 1,024 tokens on, in steps of 128, without being asked
(platform.openai.com/docs/guides/prompt-caching, read 2026-11)."""
_CACHES_UNASKED = frozenset({"openai", "azure"})
_OPENAI = {Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES}


@dataclass(frozen=True, slots=True)
class Cached:
    """Tokens of a conversation's beginning that a provider keeps, and when it last used them."""

    tokens: int
    at_s: float

    def tokens_at(self, now_s: float, ttl_s: float) -> int:
        """Those that are still kept; a clock that went back counts as no time gone."""
        return self.tokens if now_s - self.at_s < ttl_s else 0


def cached_after(model: Model, usage: Usage) -> int:
    """How many tokens of the next prompt's beginning will probably be read from the cache.

    Anthropic keeps what a request marks, and says how much it wrote and read (docs.claude.com, "Prompt caching"):
    exactly that is there next time. OpenAI keeps the whole prompt where it keeps any; that it does is known from its
    usage, and of OpenAI itself without. Of a provider that never said so nothing is expected.
    """
    if usage.estimated:
        return 0
    written = usage.cache_write_tokens
    if not _OPENAI & set(model.endpoints):
        return usage.cached_input_tokens + written
    caches = usage.cached_input_tokens > 0 or model.provider in _CACHES_UNASKED
    if not caches or usage.input_tokens < LEAST_TOKENS:
        return 0
    return usage.input_tokens // STEP_TOKENS * STEP_TOKENS
