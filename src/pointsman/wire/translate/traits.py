"""What is known of model families that a translated request must respect, told by the provider's name of the model.

A request that comes in the model's own dialect is never touched by this; one that we write must not be refused for a
field that its client sent to another kind of model. An unknown name gets the older, common form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?![0-9])")
_OPENAI_REASONING = re.compile(r"(?:^|/)(?:o[1-9](?:$|-)|gpt-(?:[5-9]|[1-9]\d)(?!\d))")
_NOT_REASONING = re.compile(r"gpt-5(?:\.\d+)?-chat")


@dataclass(frozen=True, slots=True)
class Traits:
    """What one model takes."""

    sampling: bool = True
    """temperature, top_p, top_k and, with OpenAI, stop."""
    thinking: str | None = None
    """"adaptive", "budget" (Anthropic), "effort" (OpenAI); None: no field for it is sent."""


def claude_traits(model: str) -> Traits:
    """A model behind Anthropic Messages.

    Sampling fields are refused from 4.7 on ("`temperature` is deprecated for this model"), thinking with a budget from
    4.7 on in favour of adaptive thinking, which began with 4.6; 3.7 was the first to think at all (platform.claude.com,
    "Adaptive thinking" and "What's new in Claude 4.7", read 2026-11).
    """
    match = _VERSION.search(model.lower())
    if match is None:
        if "claude" in model.lower():
            return Traits(sampling=False, thinking="adaptive")
        return Traits(thinking="budget")
    version = (int(match[1]), 0 if match[2] is None else int(match[2]))
    if version < (3, 7):
        return Traits()
    if version < (4, 6):
        return Traits(thinking="budget")
    return Traits(sampling=version < (4, 7), thinking="adaptive")


def openai_traits(model: str) -> Traits:
    """A model behind Chat Completions or Responses: reasoning models take an effort, and no sampling fields or stops
    (platform.openai.com/docs/guides/reasoning and latest-model, read 2026-11)."""
    name = model.lower()
    if _OPENAI_REASONING.search(name) is not None and _NOT_REASONING.search(name) is None:
        return Traits(sampling=False, thinking="effort")
    return Traits()


def effort_of(budget_tokens: int) -> str:
    """The effort that a budget comes to."""
    return "low" if budget_tokens < 4_096 else "medium" if budget_tokens < 16_384 else "high"
