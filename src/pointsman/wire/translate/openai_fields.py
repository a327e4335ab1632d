"""What the two OpenAI dialects write alike."""

from __future__ import annotations

from pointsman.vocabulary import JSONObject
from pointsman.wire.translate.conversation import Conversation
from pointsman.wire.translate.traits import Traits, effort_of


def write_sampling(asked: Conversation, traits: Traits, body: JSONObject) -> None:
    """temperature and top_p, where the model takes them; OpenAI has no top_k."""
    for key, value in (("temperature", asked.temperature), ("top_p", asked.top_p)):
        if value is not None:
            if traits.sampling:
                body[key] = value
            else:
                asked.drop(key)
    if asked.top_k is not None:
        asked.drop("top_k")


def effort_for(asked: Conversation, traits: Traits) -> str | None:
    """The reasoning effort that the client asked for, in its own words or by a budget; None for a model without one."""
    wanted = asked.reasoning
    if wanted is None:
        return None
    if traits.thinking != "effort":
        asked.drop("reasoning")
        return None
    if not wanted.enabled:
        return None
    if wanted.effort is not None:
        # "max" is not known to most models, "xhigh" to few (platform.openai.com/docs/guides/reasoning).
        return "high" if wanted.effort in ("max", "xhigh") else wanted.effort
    return None if wanted.budget_tokens is None else effort_of(wanted.budget_tokens)
