"""Answers remembered, the least recently used forgotten first."""

from __future__ import annotations

from collections import OrderedDict


class AnswerCache:
    """Tiers by key, at most `max_entries`; 0 remembers nothing.

    Keys are digests, so that an entry takes some 200 bytes however long the request was.
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._tiers: OrderedDict[bytes, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tiers)

    def get(self, key: bytes) -> str | None:
        """The tier remembered, None when there is none."""
        tier = self._tiers.get(key)
        if tier is not None:
            self._tiers.move_to_end(key)
        return tier

    def put(self, key: bytes, tier: str) -> None:
        """Remembers a tier."""
        if self._max_entries <= 0:
            return
        self._tiers[key] = tier
        self._tiers.move_to_end(key)
        while len(self._tiers) > self._max_entries:
            self._tiers.popitem(last=False)
