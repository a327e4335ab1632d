"""What models can do, as far as it is known: windows from genai-prices, the rest from the small table below.

None means "not known", and then nothing is held against a model. The table holds families, matched by prefix, longest
first; it says only what the provider's own pages say, with the page and the month it was read.
"""

from __future__ import annotations

from typing import NamedTuple

from pointsman.vocabulary import Capabilities

from .prices import listed


class Family(NamedTuple):
    """What is known of all models whose provider's name begins with `prefix`."""

    prefix: str
    max_output_tokens: int | None
    vision: bool | None
    tools: bool | None
    json_schema: bool | None


# developers.openai.com/api/docs/models and /guides/structured-outputs; platform.claude.com/docs/en/about-claude/models
# and /build-with-claude/structured-outputs; ai.google.dev/gemini-api/docs/models; read 2026-11.
_FAMILIES = (
    Family("gpt-3.5-turbo", 4_096, False, True, False),
    Family("gpt-4o", 16_384, True, True, True),
    Family("gpt-4.1", 32_768, True, True, True),
    Family("gpt-5", 128_000, True, True, True),
    Family("gpt-6", None, True, True, True),
    Family("o3", 100_000, True, True, True),
    Family("o3-mini", 100_000, False, True, True),
    Family("o4-mini", 100_000, True, True, True),
    Family("claude-3-haiku", 4_096, True, True, None),
    Family("claude-3-5-haiku", 8_192, True, True, None),
    Family("claude-3-7-sonnet", 64_000, True, True, None),
    Family("claude-haiku-4-5", 64_000, True, True, True),
    Family("claude-sonnet-4", 64_000, True, True, None),
    Family("claude-sonnet-4-5", 64_000, True, True, True),
    Family("claude-opus-4-1", 32_000, True, True, True),
    Family("claude-opus-4-5", 64_000, True, True, True),
    # platform.claude.com/docs/en/models/haiku-5-5/overview, with its table of the whole line
    Family("claude-haiku-5", 128_000, True, True, None),
    Family("claude-sonnet-5", 128_000, True, True, None),
    Family("claude-opus-5", 128_000, True, True, None),
    Family("claude-fable-5", 128_000, True, True, None),
    Family("claude-", None, True, True, None),
    Family("gemini-2.5", 65_536, True, True, True),
    Family("gemini-3", 65_536, True, True, True),
    Family("gemini-", None, True, True, None),
)
_NOT_CHAT = ("audio", "realtime", "transcribe", "tts", "image", "live", "search", "embedding", "codex-spark")
"""Words in names of models that differ from their family."""


def capabilities_of(provider: str, model: str, *, base_url: str | None = None) -> Capabilities:
    """What is known of a model; nothing at all for a model served by an unknown server."""
    found, _ = listed(provider, model, base_url=base_url)
    window = None if found is None else found.info.context_window
    family = _family(provider, model)
    if family is None:
        return Capabilities(context_window_tokens=window)
    return Capabilities(window, family.max_output_tokens, family.vision, family.tools, family.json_schema)


def _family(provider: str, model: str) -> Family | None:
    name = model.lower()
    if provider not in ("openai", "azure", "anthropic", "gemini") or any(word in name for word in _NOT_CHAT):
        return None
    matching = [family for family in _FAMILIES if name.startswith(family.prefix)]
    return max(matching, key=lambda family: len(family.prefix), default=None)
