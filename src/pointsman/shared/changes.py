"""What one replica has to tell the store, gathered until it can: bounded, and added up by key.

Money is kept by the time it was settled, because a store that has lost its data begins with what the ledger knew at a
certain moment, and what was settled before it stands there already.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

SLOT_S = 0.25
"""Money settled within so long is one sum."""
MAX_SLOTS = 1_000
"""Beyond, the two oldest become one: about four minutes in fine steps, and then all that was before."""
MAX_VALUES = 10_000
"""Values that wait to be written; beyond, the one that waits longest is dropped."""
EVERYBODY = "*"
"""Stands for all keys together; no key can be called so."""
_KEPT_AFTER = timedelta(days=2)


@dataclass(slots=True)
class Settled:
    """Money settled at `at_s` and shortly after, by account and day ("2026-11-25"), USD."""

    at_s: float
    usd: dict[tuple[str, str], float] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """Changes that belong into the store.

    Attributes:
        under_way: by account: requests more, with money set aside more, and USD of it more.
        missing: taken from limits per minute, by account and "requests" or "tokens": how much, of how much a minute.
        money: settled, oldest first.
        seen: the most that was known to be spent, by account and window ("2026-11-25" or "2026-11"), USD.
        values: by key: text and milliseconds to live, None to forget it.
    """

    under_way: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    missing: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    money: list[Settled] = field(default_factory=list)
    seen: dict[tuple[str, str], float] = field(default_factory=dict)
    values: OrderedDict[str, tuple[str, int] | None] = field(default_factory=OrderedDict)

    def __bool__(self) -> bool:
        return bool(self.under_way or self.missing or self.money or self.seen or self.values)

    def add_under_way(self, account: str, n: int, n_held: int, usd: float) -> None:
        """One request more or less."""
        before = self.under_way.get(account, (0, 0, 0.0))
        self.under_way[account] = (before[0] + n, before[1] + n_held, before[2] + usd)

    def take(self, account: str, what: str, amount: float, per_min: int) -> None:
        """Takes from a limit per minute, or gives back."""
        before = self.missing.get((account, what), (0.0, per_min))[0]
        self.missing[account, what] = (before + amount, per_min)

    def settle(self, account: str, day: str, usd: float, at_s: float) -> None:
        """Money spent on a day, settled now."""
        if not self.money or at_s - self.money[-1].at_s >= SLOT_S:
            self.money.append(Settled(at_s))
            if len(self.money) > MAX_SLOTS:
                oldest = self.money.pop(0)
                _add(self.money[0].usd, oldest.usd)
        _add(self.money[-1].usd, {(account, day): usd})

    def put(self, key: str, text: str, lives_ms: int) -> None:
        """A value to be written."""
        self.values[key] = (text, lives_ms)
        self.values.move_to_end(key)
        while len(self.values) > MAX_VALUES:
            self.values.popitem(last=False)

    def forget(self, key: str) -> None:
        """A value to be dropped."""
        self.values[key] = None

    def again(self, later: Changes) -> Changes:
        """These, which may not have been carried out, with those that came later; what is under way is told anew."""
        money = [*self.money, *later.money]
        while len(money) > MAX_SLOTS:
            oldest = money.pop(0)
            _add(money[0].usd, oldest.usd)
        missing = dict(self.missing)
        for what, (amount, per_min) in later.missing.items():
            missing[what] = (missing.get(what, (0.0, per_min))[0] + amount, per_min)
        both = Changes(dict(later.under_way), missing, money, {**self.seen, **later.seen})
        for key, value in (*self.values.items(), *later.values.items()):
            both.values[key] = value
            both.values.move_to_end(key)
        while len(both.values) > MAX_VALUES:
            both.values.popitem(last=False)
        return both

    def usd_by_window(self) -> dict[tuple[str, str], float]:
        """The money by account and window, that of everybody included."""
        out: dict[tuple[str, str], float] = {}
        for slot in self.money:
            for (account, window, _), usd in _by_window(slot.usd, True).items():
                _add(out, {(account, window): usd})
        return out

    def words(self, key: Callable[..., str], *, ledger_read_s: float) -> tuple[list[str], bytes]:
        """The keys that a `settle` names, and its changes as JSON.

        Args:
            key: makes the name of a key from its parts.
            ledger_read_s: when the ledger was read for the store's data; money settled later is not in there.
        """
        keys: dict[str, int] = {}
        out: list[list[Any]] = []

        def place(*parts: str) -> int:
            return keys.setdefault(key(*parts), len(keys) + 1)

        for account, (n, n_held, usd) in self.under_way.items():
            out.append(["under_way", place("under_way", account), n, n_held, usd])
        for (account, what), (amount, per_min) in self.missing.items():
            out.append(["missing", place("rates", account), what, amount, per_min])
        sums: dict[tuple[str, str, bool], float] = {}
        for slot in self.money:
            after = slot.at_s > ledger_read_s
            _add(sums, _by_window(slot.usd, after))
        for (account, window, after), usd in sums.items():
            out.append(["money", place("money", window, account), usd, int(after), expires_s(window)])
        for (account, window), usd in self.seen.items():
            out.append(["seen", place("money", window, account), usd, expires_s(window)])
        for name, value in self.values.items():
            number = keys.setdefault(name, len(keys) + 1)
            out.append(["forget", number] if value is None else ["value", number, *value])
        return list(keys), orjson.dumps(out)


def _by_window(usd_by_day: Mapping[tuple[str, str], float], after: bool) -> dict[tuple[str, str, bool], float]:
    out: dict[tuple[str, str, bool], float] = {}
    for (account, day), usd in usd_by_day.items():
        for each in (account, EVERYBODY):
            for window in (day, day[:7]):
                out[each, window, after] = out.get((each, window, after), 0.0) + usd
    return out


def _add(to: dict[Any, float], more: Mapping[Any, float]) -> None:
    for what, usd in more.items():
        to[what] = to.get(what, 0.0) + usd


def expires_s(window: str) -> int:
    """When what is known of a day or month may be forgotten, seconds since 1970."""
    if len(window) == len("2026-11"):
        begins = date.fromisoformat(f"{window}-01")
        ends = (begins + timedelta(days=32)).replace(day=1)
    else:
        ends = date.fromisoformat(window) + timedelta(days=1)
    return int((datetime(ends.year, ends.month, ends.day, tzinfo=UTC) + _KEPT_AFTER).timestamp())


def begin_words(amounts: Iterable[tuple[float, str]]) -> bytes:
    """The amounts of a `begin` as JSON: USD and window of each."""
    return orjson.dumps([[usd, expires_s(window)] for usd, window in amounts])


def account_of(key: str | None) -> str:
    """The name under which a key is counted; no key can be called as requests without one are."""
    return "-" if key is None else key
