"""The text that routing sees, out of a list of messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def routed_text(messages: object) -> str | None:
    """The text of the last user message, its text parts joined by newlines; None when there is none.

    The same text as `Request.last_user_text`. Takes a list of messages in the OpenAI or Anthropic form, the JSON text
    of one, or an object with such a list under "messages" or "input".
    """
    if isinstance(messages, str):
        if not messages.lstrip().startswith(("[", "{")):
            return messages if messages.strip() else None
        try:
            messages = json.loads(messages)
        except ValueError:
            return messages if isinstance(messages, str) else None
    if isinstance(messages, Mapping):
        inner = messages.get("messages", messages.get("input"))
        return None if inner is None else routed_text(inner)
    if not isinstance(messages, Sequence):
        return None
    for message in reversed(messages):
        if isinstance(message, Mapping) and message.get("role") == "user":
            text = _content_text(message.get("content"))
            if text is not None and text.strip():
                return text
    return None


def answer_text(response: object) -> str | None:
    """The text of a chat completion, a Responses answer or a message, as its JSON or the parsed object."""
    if isinstance(response, str):
        try:
            response = json.loads(response)
        except ValueError:
            return None
    if not isinstance(response, Mapping):
        return None
    choices = response.get("choices")
    if isinstance(choices, Sequence) and choices and isinstance(choices[0], Mapping):
        message = choices[0].get("message")
        return _content_text(message.get("content")) if isinstance(message, Mapping) else None
    output = response.get("output")
    if isinstance(output, Sequence) and not isinstance(output, str):
        parts = [_content_text(item.get("content")) for item in output if isinstance(item, Mapping)]
        texts = [part for part in parts if part is not None]
        return "\n".join(texts) if texts else None
    return _content_text(response.get("content"))


def _content_text(content: object) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return None
    parts = [part["text"] for part in content if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return "\n".join(parts) if parts else None
