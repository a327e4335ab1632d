"""Who may do what: client keys and the admin key, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pointsman.errors import AuthenticationError, LedgerAway
from pointsman.vocabulary import ADMIN_NAME, KEY_PREFIX, VirtualKey

from .virtual_keys import NO_VIRTUAL_KEYS, VirtualKeys

HEADERS = ("authorization", "x-api-key", "x-goog-api-key")
"""Where the official SDKs put a key: OpenAI's and the newer Anthropic ones send a bearer token, older Anthropic ones
and Claude Code x-api-key, Google's the last. All are read on every endpoint."""

MAX_REMEMBERED = 1_024
"""Keys that were good, as they were sent."""

SameDigest = Callable[[bytes, bytes], bool]
"""Compares two digests of 32 bytes in a time that does not depend on them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request bears. `key_id` None means that no key was asked for."""

    key_id: str | None
    is_admin: bool


class Keys:
    """The configured keys, of which only hashes are kept, and the virtual ones.

    Args:
        clients: key by the name that stands in records.
        admin: opens every endpoint and everybody's records. Without one these are open where no key is asked for,
            and to nobody where one is.
        virtual: made by `pointsman keys`; None means that there are none.
        required: ask for a key even while there is none.
        same: compares digests.
    """

    def __init__(
        self,
        clients: Mapping[str, str] | None = None,
        *,
        admin: str | None = None,
        virtual: VirtualKeys | None = None,
        required: bool = False,
        same: SameDigest = hmac.compare_digest,
    ) -> None:
        named = {} if clients is None else clients
        self._clients = tuple((name, _digest(key)) for name, key in named.items())
        # A record of that name would be another's.
        self._taken = frozenset((*named, ADMIN_NAME))
        self._admin = None if admin is None else _digest(admin)
        self.virtual = NO_VIRTUAL_KEYS if virtual is None else virtual
        self._required = required
        self._same = same
        # What let somebody in before lets them in again, while nothing has changed. A header that does not is not
        # found here, and how long that takes says nothing of those that do: they are found by a keyed hash.
        self._recent: dict[tuple[str | None, ...], tuple[Caller, VirtualKey | None]] = {}

    @property
    def asked(self) -> bool:
        """True when clients must send a key: one is configured, or has ever been made, revoked ones included."""
        return self._required or bool(self._clients) or self.virtual.any_made

    @property
    def open_to_all(self) -> bool:
        """True when not even what is the admin's asks for a key."""
        return self._admin is None and not self.asked

    @property
    def has_admin(self) -> bool:
        """True when there is an admin key."""
        return self._admin is not None

    def is_admin(self, key: str) -> bool:
        """True for the admin key, compared in constant time."""
        return self._admin is not None and self._same(_digest(key), self._admin)

    @cached_property
    def admin_secret(self) -> bytes | None:
        """What signs the admin's sessions: the same in every replica, another with another admin key; None without one.

        Made slowly (scrypt, RFC 7914), so that who sees a signature cannot try out keys with it.
        """
        if self._admin is None:
            return None
        return hashlib.scrypt(self._admin, salt=b"pointsman dashboard session", n=2**14, r=8, p=1, dklen=32)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who sent these headers (names in lower case).

        Raises:
            AuthenticationError: no key is sent, an unknown one, or several that belong to different clients.
            LedgerAway: a virtual key is sent, and the virtual keys have not been read yet.
        """
        sent_as = tuple(map(headers.get, HEADERS))
        before = self._recent.get(sent_as)
        if before is not None and (before[1] is None or self._is_good(before[1])):
            return before[0]
        caller = self._caller(headers)
        if caller.key_id is not None:
            if len(self._recent) >= MAX_REMEMBERED:
                self._recent.clear()
            self._recent[sent_as] = (caller, self._virtual_key(headers))
        return caller

    def _caller(self, headers: Mapping[str, str]) -> Caller:
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
        if self.virtual.unread and any(key.startswith(KEY_PREFIX) for key in sent):
            raise LedgerAway("the ledger, where virtual keys are kept, is away; the key cannot be checked yet")
        # Expired, revoked and unknown are not told apart: whoever found an old key shall not learn that it was one.
        raise AuthenticationError("the API key is not known to this gateway, has expired or was revoked")

    def bears_virtual_key(self, headers: Mapping[str, str]) -> bool:
        """True when a good virtual key is sent; it holds 256 random bits, so that nobody can have guessed it."""
        return any(self._virtual(key, _digest(key)) is not None for key in _sent_keys(headers))

    def _known(self, key: str) -> Caller | None:
        """The owner of a key; takes equally long for every key of the same length and kind."""
        digest = _digest(key)
        found = self._virtual(key, digest)
        for name, known in self._clients:
            if self._same(digest, known):
                found = Caller(name, False)
        if self._admin is not None and self._same(digest, self._admin):
            found = Caller(ADMIN_NAME, True)
        return found

    def _virtual(self, key: str, digest: bytes) -> Caller | None:
        if not key.startswith(KEY_PREFIX):
            return None
        # Found by its public part, so that one comparison is enough, whether there is such a key or not.
        held = self.virtual.find(_key_id(key))
        good = self._same(digest, _NO_DIGEST if held is None else held.digest)
        if held is None or not good or not self.virtual.is_live(held) or held.name in self._taken:
            return None
        return Caller(held.name, False)

    def _virtual_key(self, headers: Mapping[str, str]) -> VirtualKey | None:
        """The virtual key among those sent, all of which are good; None when they are configured ones."""
        virtual = (self.virtual.find(_key_id(key)) for key in _sent_keys(headers) if key.startswith(KEY_PREFIX))
        return next((held for held in virtual if held is not None), None)

    def _is_good(self, held: VirtualKey) -> bool:
        """True while the key is the one it was, and live."""
        return self.virtual.find(held.key_id) is held and self.virtual.is_live(held)


def _key_id(key: str) -> str:
    return key[len(KEY_PREFIX) :].partition("-")[0]


_NO_DIGEST = bytes(32)
"""SHA-256 of nothing that anybody knows."""


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
