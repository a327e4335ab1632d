"""Which conversation a request belongs to; the first of these that is present wins.

1. the hint (`x-pointsman-session`, or the library's argument)
2. `x-claude-code-session-id`
3. Responses: `conversation` (a string or `{"id"}`), then `previous_response_id`
4. Anthropic: `metadata.user_id` (Claude Code puts account and session into it)
5. OpenAI: `user` and a hash of the first two messages, because `user` alone names a person and not a conversation; of
   the first alone where the second is the answer to it

A client chooses these values, so whoever shares state by them must keep the keys of different clients apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pointsman.vocabulary import Dialect, Hints, Role, Turn

MAX_SESSION_CHARS = 512
"""A longer value is replaced by its hash: session ids are kept in memory and in the ledger."""


def _bounded(value: object) -> str | None:
    if not isinstance(value, str) or value == "":
        return None
    if len(value) <= MAX_SESSION_CHARS:
        return value
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _opening_hash(turns: Sequence[Turn]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for turn in turns[:2]:
        if turn.role in (Role.ASSISTANT, Role.TOOL):
            break  # an answer is not there yet in a conversation's first request
        digest.update(turn.role.encode())
        digest.update(b"\x00")
        digest.update(turn.text.encode("utf-8", "surrogatepass"))
        digest.update(b"\x00")
    return digest.hexdigest()


def session_id(
    dialect: Dialect, body: Mapping[str, Any], turns: Sequence[Turn], headers: Mapping[str, str], hints: Hints
) -> str | None:
    """The session's id, None when the request carries nothing that tells. Header names are in lower case."""
    given = _bounded(hints.session)
    if given is None:
        given = _bounded(headers.get("x-claude-code-session-id"))
    if given is not None:
        return given
    if dialect is Dialect.ANTHROPIC_MESSAGES:
        metadata = body.get("metadata")
        return _bounded(metadata.get("user_id")) if isinstance(metadata, dict) else None
    if dialect is Dialect.OPENAI_RESPONSES:
        conversation = body.get("conversation")
        if isinstance(conversation, dict):
            conversation = conversation.get("id")
        given = _bounded(conversation)
        if given is None:
            given = _bounded(body.get("previous_response_id"))
        if given is not None:
            return given
    user = _bounded(body.get("user"))
    return None if user is None else f"{user}:{_opening_hash(turns)}"
