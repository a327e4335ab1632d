"""The limits of one process, in memory. No method waits, so that each is one step for all tasks of an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pointsman.errors import BudgetSpent, RateLimited
from pointsman.vocabulary import Clock, KeyTerms, Spent, Standing, WallClock

from .bucket import TokenBucket
from .budget import Purse
from .window import Window

FULL_RETRY_S = 1.0
"""When to come back where all of a key's requests at once are under way: nobody knows when one will end."""

Terms: TypeAlias = Callable[[str | None], KeyTerms]
"""What a key may do, by its name (None: requests without a key), defaults filled in."""


@dataclass(slots=True)
class _Account:
    """What one key has under way and has used up."""

    purse: Purse
    requests: TokenBucket | None = None
    tokens: TokenBucket | None = None
    n_under_way: int = 0


@dataclass(slots=True)
class _Entered:
    """One request under way."""

    key: str | None
    account: _Account
    tokens: int
    held_usd: float | None = None


class MemoryLimits:
    """A `Limits`; its accounts are as many as there are keys.

    Args:
        terms: of the keys.
        budget: of all keys together; of these terms only the money counts.
        clock: for the limits per minute.
        now: for days and months.
    """

    def __init__(self, terms: Terms, *, budget: KeyTerms, clock: Clock, now: WallClock) -> None:
        self._terms = terms
        self._budget = _budget(budget)
        self._clock = clock
        self._now = now
        self._everybody = Purse("the budget of this gateway")
        self._accounts: dict[str | None, _Account] = {}
        self._entered: dict[str, _Entered] = {}

    def configure(self, terms: Terms, *, budget: KeyTerms) -> None:
        """Goes on with other terms; what was spent and is under way stays."""
        self._terms, self._budget = terms, _budget(budget)

    def restore(self, window: Window, spent_usd: Mapping[str | None, float]) -> None:
        """Adds what each key spent in the present window before this process began."""
        now = self._now()
        for key, usd in spent_usd.items():
            self._account(key).purse.restore(window, usd, now)
            self._everybody.restore(window, usd, now)

    @property
    def n_under_way(self) -> int:
        """Requests that have entered and are not settled."""
        return len(self._entered)

    def spent_usd(self, key: str | None, window: Window) -> float:
        """What a key spent in the present window."""
        return self._account(key).purse.spent_usd(window, self._now())

    def overall(self) -> dict[Window, tuple[float, float]]:
        """What all keys spent in the present window of each budget that holds for all, and that budget, USD."""
        now = self._now()
        return {window: (self._everybody.spent_usd(window, now), usd) for window, usd in self._budget.items()}

    def terms(self, key: str | None) -> KeyTerms:
        """As `Limits.terms`."""
        return self._terms(key)

    def has_budget(self, key: str | None) -> bool:
        """As `Limits.has_budget`."""
        return bool(self._budget or _budget(self._terms(key)))

    def standing(self, key: str | None) -> Standing:
        """As `Limits.standing`."""
        terms = self._terms(key)
        if terms.requests_per_min is None and terms.tokens_per_min is None:
            return _NO_LIMIT
        now_s = self._clock()
        account = self._filled(key, terms, now_s)
        return Standing(
            None if account.requests is None else account.requests.allowance(now_s),
            None if account.tokens is None else account.tokens.allowance(now_s),
        )

    async def enter(self, request_id: str, key: str | None, *, tokens: int) -> None:
        """As `Limits.enter`."""
        terms, now_s = self._terms(key), self._clock()
        account = self._filled(key, terms, now_s)
        if terms.max_concurrent is not None and account.n_under_way >= terms.max_concurrent:
            raise too_many_at_once(account.n_under_way, terms)
        for bucket, amount, what in ((account.requests, 1, "requests"), (account.tokens, tokens, "tokens")):
            wait_s = 0.0 if bucket is None else bucket.wait_s(amount, now_s)
            if wait_s > 0:
                raise too_many_a_minute(what, wait_s, terms)
        own = _budget(terms)
        if own or self._budget:
            now = self._now()
            account.purse.check(own, now)
            self._everybody.check(self._budget, now)
        if account.requests is not None:
            account.requests.take(1, now_s)
        if account.tokens is not None:
            account.tokens.take(tokens, now_s)
        account.n_under_way += 1
        self._entered[request_id] = _Entered(key, account, tokens)

    async def hold(self, request_id: str, *, most_usd: float) -> None:
        """As `Limits.hold`."""
        entered, now = self._entered[request_id], self._now()
        own = entered.account.purse
        own.hold(most_usd, _budget(self._terms(entered.key)), now)
        try:
            self._everybody.hold(most_usd, self._budget, now)
        except (BudgetSpent, RateLimited):
            own.free(most_usd)
            raise
        entered.held_usd = most_usd

    def settle(self, request_id: str, spent: Spent) -> None:
        """As `Limits.settle`."""
        entered = self._entered.pop(request_id, None)
        if entered is None:
            return
        account, now = entered.account, self._now()
        account.n_under_way -= 1
        if account.tokens is not None and spent.tokens is not None:
            account.tokens.take(spent.tokens - entered.tokens, self._clock())
        usd = spent.usd
        if usd is None:
            usd = 0.0 if entered.held_usd is None else entered.held_usd
        for purse in (account.purse, self._everybody):
            if entered.held_usd is not None:
                purse.free(entered.held_usd)
            purse.spend(usd, now)

    # ------------------------------------------------------------ where replicas count together

    def budget(self, key: str | None) -> dict[Window, float]:
        """What a key of its own may spend, USD."""
        return _budget(self._terms(key))

    @property
    def total_budget(self) -> dict[Window, float]:
        """What all keys together may spend, USD."""
        return self._budget

    def purse(self, key: str | None) -> Purse:
        """What a key has spent and set aside, as far as this process knows."""
        return self._account(key).purse

    @property
    def everybody(self) -> Purse:
        """The same of all keys together."""
        return self._everybody

    def admit(self, request_id: str, key: str | None, *, tokens: int, held_usd: float | None) -> None:
        """As `enter` and `hold`, for a request that somebody has let in who counts for more than this process."""
        account = self._account(key)
        account.n_under_way += 1
        self._entered[request_id] = _Entered(key, account, tokens)
        if held_usd is not None:
            self.set_aside(request_id, held_usd)

    def set_aside(self, request_id: str, usd: float) -> None:
        """Sets money aside for a request under way without asking, in place of what it had set aside."""
        entered = self._entered.get(request_id)
        if entered is None:
            return
        for purse in (entered.account.purse, self._everybody):
            if entered.held_usd is not None:
                purse.free(entered.held_usd)
            purse.set_aside(usd)
        entered.held_usd = usd

    def learn_rates(self, key: str | None, *, requests_missing: float | None, tokens_missing: float | None) -> None:
        """Takes over what is gone of a key's limits per minute; None where it has no such limit."""
        now_s = self._clock()
        account = self._filled(key, self._terms(key), now_s)
        for bucket, missing in ((account.requests, requests_missing), (account.tokens, tokens_missing)):
            if bucket is not None and missing is not None:
                bucket.set_missing(missing, now_s)

    def under_way(self) -> Iterator[tuple[str | None, float | None]]:
        """Of each request that has entered and is not settled: whose it is, and what is set aside for it, USD."""
        for entered in self._entered.values():
            yield entered.key, entered.held_usd

    def _account(self, key: str | None) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            whose = "the budget of requests without a key" if key is None else "the budget of this key"
            account = self._accounts[key] = _Account(Purse(whose))
        return account

    def _filled(self, key: str | None, terms: KeyTerms, now_s: float) -> _Account:
        """The account with buckets of the rates in force now."""
        account = self._account(key)
        if terms.requests_per_min is None and terms.tokens_per_min is None:
            account.requests = account.tokens = None
            return account
        account.requests = _bucket(account.requests, terms.requests_per_min, now_s)
        account.tokens = _bucket(account.tokens, terms.tokens_per_min, now_s)
        return account


def too_many_at_once(n_under_way: int, terms: KeyTerms) -> RateLimited:
    """The error of a key with all its requests under way."""
    return RateLimited(
        f"this key has {n_under_way} requests under way, and may have {terms.max_concurrent} at once",
        retry_after_s=FULL_RETRY_S,
    )


def too_many_a_minute(what: str, wait_s: float, terms: KeyTerms) -> RateLimited:
    """The error of a key that has taken its "requests" or "tokens" of this minute."""
    limit = terms.requests_per_min if what == "requests" else terms.tokens_per_min
    return RateLimited(f"this key may take {limit} {what} a minute; try again in {wait_s:.1f} s", retry_after_s=wait_s)


_NO_LIMIT = Standing(None, None)


def _bucket(bucket: TokenBucket | None, per_min: int | None, now_s: float) -> TokenBucket | None:
    if per_min is None:
        return None
    if bucket is None:
        return TokenBucket(per_min, now_s)
    bucket.change(per_min, now_s)
    return bucket


def _budget(terms: KeyTerms) -> dict[Window, float]:
    out: dict[Window, float] = {}
    if terms.usd_per_day is not None:
        out[Window.DAY] = terms.usd_per_day
    if terms.usd_per_month is not None:
        out[Window.MONTH] = terms.usd_per_month
    return out
