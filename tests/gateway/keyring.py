"""Virtual keys in memory, and the limits that go with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime

from pointsman.gateway.virtual_keys import VirtualKeys
from pointsman.limit import MemoryLimits
from pointsman.testing import FakeClock
from pointsman.vocabulary import KEY_PREFIX, KeyTerms, VirtualKey

NONE = KeyTerms()


@dataclass
class Keyring:
    """A source of keys, with a clock by which they expire and limits are counted."""

    clock: FakeClock = field(default_factory=FakeClock)
    keys: dict[str, VirtualKey] = field(default_factory=dict)
    n_changes: int = 0

    def add(self, name: str, terms: KeyTerms = NONE, *, expires_at: datetime | None = None) -> str:
        """Makes a key; returns it."""
        key_id = hashlib.sha256(name.encode()).hexdigest()[:12]
        secret = f"{KEY_PREFIX}{key_id}-{hashlib.sha256(key_id.encode()).hexdigest()}"
        digest = hashlib.sha256(secret.encode()).digest()
        self.keys[name] = VirtualKey(key_id, name, digest, terms, self.clock.now(), expires_at)
        self.n_changes += 1
        return secret

    def revoke(self, name: str) -> None:
        """Revokes a key."""
        self.keys[name] = replace(self.keys[name], revoked_at=self.clock.now())
        self.n_changes += 1

    def revision(self) -> int:
        """As `KeySource.revision`."""
        return self.n_changes

    def all(self) -> tuple[VirtualKey, ...]:
        """As `KeySource.all`."""
        return tuple(self.keys.values())

    def virtual(self) -> VirtualKeys:
        """The keys as a gateway knows them."""
        found = VirtualKeys(self, now=self.clock.now)
        found.load()
        return found

    def limits(self, virtual: VirtualKeys, *, budget: KeyTerms = NONE) -> MemoryLimits:
        """Limits by the keys' terms."""

        def terms(name: str | None) -> KeyTerms:
            own = None if name is None else virtual.terms(name)
            return KeyTerms() if own is None else own

        return MemoryLimits(terms, budget=budget, clock=self.clock, now=self.clock.now)
