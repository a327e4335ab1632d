"""Thinking of another provider, taken out of a request that otherwise goes on as it came.

A client that was answered by an upstream of another dialect holds thinking in an envelope of ours (see `seals`), and
sends it back. When the next answer comes from an upstream of the client's own dialect, that upstream would refuse the
whole request. This is the one case in which a request of the same dialect is written anew.
"""

from __future__ import annotations

from typing import Any

import orjson

from pointsman.vocabulary import Dialect
from pointsman.wire.translate.seals import MARK, is_ours
from pointsman.wire.translate.values import objects

_MARK = b'"' + MARK.encode()


def without_foreign_thinking(raw: bytes, dialect: Dialect) -> tuple[bytes, dict[str, Any]] | None:
    """The body without such thinking, as bytes and parsed; None, nearly always, when there is none in it."""
    if _MARK not in raw or dialect is Dialect.OPENAI_CHAT:
        return None
    body: dict[str, Any] = orjson.loads(raw)
    changed = False
    if dialect is Dialect.OPENAI_RESPONSES:
        given = body.get("input")
        kept = [item for item in given if not _is_foreign(item)] if isinstance(given, list) else given
        changed = kept != given
        body["input"] = kept
    else:
        messages = []
        for message in objects(body.get("messages")):
            content = message.get("content")
            if isinstance(content, list):
                kept = [block for block in content if not _is_foreign(block)]
                if len(kept) != len(content):
                    changed = True
                    message = message | {"content": kept}
                    if not kept:
                        continue
            messages.append(message)
        body["messages"] = messages
    return (orjson.dumps(body), body) if changed else None


def _is_foreign(part: object) -> bool:
    return isinstance(part, dict) and (is_ours(part.get("signature")) or is_ours(part.get("encrypted_content")))
