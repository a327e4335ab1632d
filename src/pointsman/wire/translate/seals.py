"""What a provider wants back unchanged with a piece of thinking, carried through a client of another dialect.

Anthropic signs thinking and refuses a block whose signature is not its own; OpenAI encrypts it and refuses what it
cannot decrypt. A client of the other dialect keeps what it is given and sends it back, so the seal travels in the place
that the client's dialect has for its own kind, behind a mark that tells whose it is. Sent to the provider that made it,
it is taken out of its envelope; sent to any other, the thinking is left out, which both providers allow for.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64

import orjson

MARK = "pointsman."
"""Begins every signature or encrypted content that is not the provider's own."""
ANTHROPIC, OPENAI, UNSEALED = "anthropic", "openai", "none"


def seal(provider: str, **fields: str) -> str:
    """An envelope for what `provider` wants back."""
    return MARK + provider + "." + b64encode(orjson.dumps(fields)).decode()


def opened(sealed: str | None, provider: str) -> dict[str, str] | None:
    """What stands in an envelope of this provider; None for another's, for none, and for a damaged one."""
    head = f"{MARK}{provider}."
    if sealed is None or not sealed.startswith(head):
        return None
    try:
        fields = orjson.loads(b64decode(sealed[len(head) :], validate=True))
    except (NotBase64, orjson.JSONDecodeError):
        return None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        return None
    return fields


def is_ours(value: object) -> bool:
    """True for a signature or encrypted content that only we can have written."""
    return isinstance(value, str) and value.startswith(MARK)
