"""A request of the upstream's own dialect whose conversation another model has answered before.

Its client sends back what that model gave: thinking that only its own provider can verify, and ids of tool calls that
another may refuse. Both are made safe here. This is the other case (see `foreign`) in which such a request is written
anew, and it happens only when a conversation changes its model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from pointsman.vocabulary import Dialect
from pointsman.wire.translate.names import safe
from pointsman.wire.translate.values import entries, objects

_THINKING = frozenset({"thinking", "redacted_thinking"})


def after_another_model(raw: bytes, dialect: Dialect, *, n_foreign: int) -> tuple[bytes, dict[str, Any]] | None:
    """The body without what only another model could use, as bytes and parsed; None when there is none in it.

    Only the first `n_foreign` messages (or items) are looked through for thinking: what follows is the model's own.

    - Anthropic: blocks of thinking. They may be left out, except where thinking must go on amid a tool loop; then the
      request asks for no thinking ("Extended thinking with tool use", docs.claude.com, read 2026-11).
    - Responses: reasoning items with encrypted content, which only the organisation and model that made them can read.
    - All: ids of tool calls that are longer than 64 characters or hold others than letters, digits, `_` and `-`.
    """
    body: dict[str, Any] = orjson.loads(raw)
    if dialect is Dialect.ANTHROPIC_MESSAGES:
        changed = _messages(body, n_foreign)
    elif dialect is Dialect.OPENAI_RESPONSES:
        changed = _responses(body, n_foreign)
    else:
        changed = _renamed(
            [(call, "id") for message in objects(body.get("messages")) for call in objects(message.get("tool_calls"))]
            + [(message, "tool_call_id") for message in objects(body.get("messages"))]
        )
    return (orjson.dumps(body), body) if changed else None


def _messages(body: dict[str, Any], n_foreign: int) -> bool:
    messages = objects(body.get("messages"))
    kept, changed, in_loop = [], False, False
    for place, message in enumerate(messages):
        content = message.get("content")
        if message.get("role") == "assistant":
            in_loop = False
        if place < n_foreign and isinstance(content, list) and message.get("role") == "assistant":
            plain = [block for block in content if not (isinstance(block, dict) and block.get("type") in _THINKING)]
            if len(plain) != len(content):
                changed = True
                message["content"] = plain
                in_loop = any(block.get("type") == "tool_use" for block in objects(plain))
                if not plain:
                    continue
        kept.append(message)
    if changed:
        body["messages"] = kept
        if in_loop:
            _without_thinking(body)
    blocks = list(_blocks(kept))
    return (
        _renamed([(block, "id") for block in blocks if block.get("type") == "tool_use"])
        | _renamed([(block, "tool_use_id") for block in blocks])
        | changed
    )


def _without_thinking(body: dict[str, Any]) -> None:
    """Asks for no thinking; what is to be cleared of it goes too, since that is refused without thinking."""
    body.pop("thinking", None)
    management = body.get("context_management")
    if isinstance(management, dict):
        edits = [edit for edit in objects(management.get("edits")) if "thinking" not in str(edit.get("type"))]
        if edits:
            body["context_management"] = management | {"edits": edits}
        else:
            del body["context_management"]


def _responses(body: dict[str, Any], n_foreign: int) -> bool:
    given = body.get("input")
    if not isinstance(given, list):
        return False
    kept = [
        item
        for place, item in enumerate(given)
        if place >= n_foreign
        or not (isinstance(item, dict) and item.get("type") == "reasoning" and item.get("encrypted_content"))
    ]
    body["input"] = kept
    return _renamed([(item, "call_id") for item in objects(kept)]) | (len(kept) != len(given))


def _blocks(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for message in messages:
        yield from objects(entries(message.get("content")))


def _renamed(places: list[tuple[dict[str, Any], str]]) -> bool:
    """Makes the ids safe where they stand; a call and its result get the same one."""
    changed = False
    for holder, key in places:
        id_ = holder.get(key)
        if isinstance(id_, str) and id_ and safe(id_) != id_:
            holder[key] = safe(id_)
            changed = True
    return changed
