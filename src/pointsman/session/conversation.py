"""Which conversation a request continues, and whether it stands inside a tool loop."""

from __future__ import annotations

import hashlib

from pointsman.vocabulary import Dialect, Request, Role

MAX_OPENING_CHARS = 4_096
"""So much of the first user turn tells one conversation of a session from another."""


def conversation_key(request: Request) -> str | None:
    """A name for the conversation within this process; None when nothing tells it from others.

    The session's id alone is not enough: Claude Code sends one for a whole run, whose subagents hold conversations of
    their own, and `metadata.user_id` may name a person. So the first user turn belongs to the name, unless the caller
    named the session itself, or the upstream keeps the conversation and the request holds only its newest part. A
    request that offers tools and says no session is known by its first user turn alone.

    Keys of gateways' callers come first, so that nobody reaches another's conversation by guessing its id.
    """
    whose = "" if request.key_id is None else request.key_id
    session = request.session_id
    if session is not None and (request.hints.session is not None or _kept_upstream(request)):
        return f"{whose}\x00{session}"
    if session is None and not request.tools:
        return None
    opening = next((turn.text for turn in request.turns if turn.role is Role.USER and turn.text), None)
    if opening is None:
        return None
    digest = hashlib.blake2b(opening[:MAX_OPENING_CHARS].encode("utf-8", "surrogatepass"), digest_size=12)
    return f"{whose}\x00{'' if session is None else session}\x00{digest.hexdigest()}"


def response_key(request: Request, response_id: str) -> str:
    """The name under which a request with this `previous_response_id` will look for its conversation."""
    return f"{'' if request.key_id is None else request.key_id}\x00{response_id}"


def in_tool_loop(request: Request) -> bool:
    """True when tools have answered since the assistant last spoke: the model that called them waits for that."""
    for turn in reversed(request.turns):
        if turn.role is Role.TOOL:
            return True
        if turn.role is Role.ASSISTANT:
            return False
    return False


def is_open_ended(request: Request) -> bool:
    """True when the upstream keeps the conversation, so that no other could continue it (Responses `conversation`)."""
    return request.dialect is Dialect.OPENAI_RESPONSES and request.body.get("conversation") is not None


def _kept_upstream(request: Request) -> bool:
    return request.dialect is Dialect.OPENAI_RESPONSES and (
        request.body.get("conversation") is not None or request.body.get("previous_response_id") is not None
    )
