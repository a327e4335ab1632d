"""Who may do what: client keys and the admin key, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pointsman.errors import AuthenticationError

HEADERS = ("authorization", "x-api-key", "x-goog-api-key")
"""Where the official SDKs put a key: OpenAI's and the newer Anthropic ones send a bearer token, older Anthropic ones
and Claude Code x-api-key, Google's the last. All are read on every endpoint."""
ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request bears. `key_id` None means that no key was asked for."""

    key_id: str | None
    is_admin: bool


class Keys:
    """The configured keys, of which only hashes are kept.

    Args:
        clients: key by the name that stands in records.
        admin: opens every endpoint and everybody's records; None means that there is no such key.
    """

    def __init__(self, clients: Mapping[str, str] | None = None, *, admin: str | None = None) -> None:
        named = {} if clients is None else clients
        self._clients = tuple((name, _digest(key)) for name, key in named.items())
        self._admin = None if admin is None else _digest(admin)

    @property
    def asked(self) -> bool:
        """True when clients must send a key."""
        return bool(self._clients)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who sent these headers (names in lower case).

        Raises:
            AuthenticationError: no key is sent, an unknown one, or several that belong to different clients.
        """
        sent = _sent_keys(headers)
        known = {caller for key in sent if (caller := self._known(key)) is not None}
        if len(known) == 1:
            return known.pop()
        if known:
            raise AuthenticationError("several keys were sent, and they belong to different clients; send one")
        if not self.asked:
            return Caller(None, self._admin is None)
        if not sent:
            raise AuthenticationError("no API key was sent; send one as `Authorization: Bearer <key>` or `x-api-key`")
        raise AuthenticationError("the API key is not known to this gateway")

    def _known(self, key: str) -> Caller | None:
        """The owner of a key; takes equally long for every key."""
        digest = _digest(key)
        found: Caller | None = None
        for name, known in self._clients:
            if hmac.compare_digest(digest, known):
                found = Caller(name, self._admin is None)
        if self._admin is not None and hmac.compare_digest(digest, self._admin):
            found = Caller(ADMIN, True)
        return found


def _digest(key: str) -> bytes:
    # Keys are long random strings, so one round of SHA-256 suffices; equal lengths make the comparison constant.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _sent_keys(headers: Mapping[str, str]) -> list[str]:
    keys: list[str] = []
    for name in HEADERS:
        value = headers.get(name)
        if value is None:
            continue
        if name == "authorization":
            scheme, _, value = value.partition(" ")
            if scheme.lower() != "bearer":
                continue
        value = value.strip()
        if value:
            keys.append(value)
    return keys
