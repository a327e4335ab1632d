"""Which of an upstream's dialects a request is best said in."""

from __future__ import annotations

from pointsman.vocabulary import Dialect, Model

_CHAT, _RESPONSES, _MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES

_ORDER = {
    _CHAT: (_CHAT, _MESSAGES, _RESPONSES),
    # Anthropic's own chat endpoint is meant for trying things out, and knows less than its Messages.
    _RESPONSES: (_RESPONSES, _MESSAGES, _CHAT),
    _MESSAGES: (_MESSAGES, _CHAT, _RESPONSES),
}
_OPENAI_ORDER = {**_ORDER, _MESSAGES: (_RESPONSES, _CHAT)}
"""OpenAI gives the reasoning that an agent sends back in Responses only; other servers speak Chat Completions best."""


def upstream_dialect(client: Dialect, model: Model) -> Dialect | None:
    """The client's own dialect when the model's upstream speaks it, else the nearest; None when it speaks none."""
    order = _OPENAI_ORDER if model.provider in ("openai", "azure") else _ORDER
    return next((dialect for dialect in order[client] if dialect in model.endpoints), None)
