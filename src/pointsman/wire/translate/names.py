"""Ids and names that another provider gave, made acceptable: always the same way, so that pairs stay pairs.

Anthropic takes ids and tool names of `[a-zA-Z0-9_-]` only, OpenAI at most 64 characters of both (their error messages:
"String should match pattern '^[a-zA-Z0-9_-]+$'", "Expected a string with maximum length 64"). Others answer with ids
such as "functions.read:0", and with none at all.
"""

from __future__ import annotations

import hashlib
import re

MAX_CHARS = 64
_SAFE = re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_CHARS}}}")
_UNSAFE_CHAR = re.compile(r"[^a-zA-Z0-9_-]")


def safe(name: str) -> str:
    """The id or tool name itself when every provider takes it, else one like it; different ones stay different."""
    if _SAFE.fullmatch(name) is not None:
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{_UNSAFE_CHAR.sub('_', name)[: MAX_CHARS - 13]}_{digest}"


def made_id(seed: bytes) -> str:
    """An id for an answer whose upstream gave none, by what it answers."""
    return hashlib.blake2b(seed, digest_size=12).hexdigest()


def call_id(answer_id: str, index: int) -> str:
    """An id for a tool call whose upstream gave none."""
    return f"call_{made_id(answer_id.encode('utf-8', 'surrogatepass'))}_{index}"


def joined(namespace: str, name: str) -> str:
    """One name for a tool in a namespace, as MCP clients write it."""
    return safe(f"{namespace}__{name}")
