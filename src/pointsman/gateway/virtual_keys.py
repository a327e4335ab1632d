"""The virtual keys as a running gateway knows them: looked at every few seconds, read anew when one has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

import structlog

from pointsman.errors import LedgerAway, LedgerError
from pointsman.vocabulary import KeyTerms, VirtualKey, WallClock

REFRESH_S = 2.0
"""How often the table is looked at. A key that is made or revoked takes effect within this time and one look at the
database, at most about 0.25 s where it is locked."""

_log = structlog.get_logger("pointsman.gateway")


class KeySource(Protocol):
    """Where virtual keys are kept."""

    def revision(self) -> int:
        """Another number whenever a key was made or revoked; 0 when there has never been one."""

    def all(self) -> tuple[VirtualKey, ...]:
        """Every key, revoked ones too."""


class VirtualKeys:
    """The keys of one source.

    While the source cannot be read, what was last known holds: a locked database shall not lock everybody out.

    Args:
        source: None means that there are no keys.
        now: by which keys expire.

    Attributes:
        unread: True while the keys have never been read, because their source was away from the beginning.
    """

    def __init__(self, source: KeySource | None, *, now: WallClock = lambda: datetime.now(UTC)) -> None:
        self._source = source
        self._now = now
        self._revision = 0
        self._by_id: Mapping[str, VirtualKey] = {}
        self._by_name: Mapping[str, VirtualKey] = {}
        self._unreadable = False
        self.announce: Callable[[int], Awaitable[object]] | None = None
        """Tells other replicas which revision was read."""
        self.unread = False

    @property
    def any_made(self) -> bool:
        """True when there has ever been a key, and while that is not known."""
        return self.unread or bool(self._by_id)

    @property
    def any_budget(self) -> bool:
        """True when some key has a budget of its own."""
        terms = [key.terms for key in self._by_id.values()]
        return any(each.usd_per_day is not None or each.usd_per_month is not None for each in terms)

    @property
    def limited(self) -> list[str]:
        """Names of the keys that have a budget, a rate or a bound of their own, of those that still let somebody in."""
        return [key.name for key in self._by_id.values() if self.is_live(key) and is_limited(key.terms)]

    def find(self, key_id: str) -> VirtualKey | None:
        """The key of this public id."""
        return self._by_id.get(key_id)

    def terms(self, name: str) -> KeyTerms | None:
        """The terms of the key of this name."""
        key = self._by_name.get(name)
        return None if key is None else key.terms

    def is_live(self, key: VirtualKey) -> bool:
        """True for a key that is neither revoked nor expired."""
        if key.revoked_at is not None:
            return False
        return key.expires_at is None or self._now() < key.expires_at

    def load(self) -> bool:
        """Reads the keys when one has changed; True when it has.

        Raises:
            LedgerError: they cannot be read.
        """
        if self._source is None:
            return False
        revision = self._source.revision()
        self.unread = False
        if revision == self._revision:
            return False
        keys = self._source.all()
        self._by_id = {key.key_id: key for key in keys}
        self._by_name = {key.name: key for key in keys}
        self._revision = revision
        return True

    def begin(self) -> None:
        """As `load`, but a source that is away leaves the keys unread: until it is back, none of them can be checked.

        Raises:
            LedgerError: they cannot be read, for another reason.
        """
        try:
            self.load()
        except LedgerAway as error:
            self.unread = True
            _log.warning("keys cannot be read yet", reason=error.message)

    async def refresh(self) -> None:
        """As `load`, beside the event loop; what cannot be read is logged once, and what was known stays."""
        try:
            changed = await asyncio.to_thread(self.load)
        except LedgerError as error:
            if not self._unreadable:
                _log.warning("keys cannot be read; those known go on being valid", reason=error.message)
            self._unreadable = True
            return
        if self._unreadable or changed:
            _log.info("keys read", n_keys=len(self._by_id), revision=self._revision)
        self._unreadable = False
        if changed and self.announce is not None:
            await self.announce(self._revision)

    async def follow(self, announced: str) -> None:
        """Looks at the table now, because another replica has read a revision that is not known here."""
        if announced != str(self._revision):
            await self.refresh()

    async def watch(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Refreshes for ever, every `REFRESH_S` seconds; ends at once where there is no source."""
        while self._source is not None:
            await sleep(REFRESH_S)
            await self.refresh()


NO_VIRTUAL_KEYS = VirtualKeys(None)


def is_limited(terms: KeyTerms) -> bool:
    """True when something is counted for a key of these terms."""
    counted = (
        terms.usd_per_day,
        terms.usd_per_month,
        terms.requests_per_min,
        terms.tokens_per_min,
        terms.max_concurrent,
    )
    return any(each is not None for each in counted)
