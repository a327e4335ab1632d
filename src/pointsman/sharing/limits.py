"""Rates, concurrency and budgets of keys over all replicas: a `Limits` whose counts lie in the shared store.

One script takes a request in: it checks the limits, reads values beside, and sets aside the most that the request can
cost where that fits. Only where it does not fit, near the end of a budget, a second one asks for what the decided model
can cost. What was spent is told afterwards, and nobody waits for that.

Beside the store a `MemoryLimits` follows what this replica does and learns what the store says. While the store is away
it decides alone, or requests that have a budget are refused; that is the operator's choice.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from pointsman.errors import LedgerError, PointsmanError, RateLimited, SharedStateAway
from pointsman.limit import (
    MemoryLimits,
    Purse,
    TokenBucket,
    Window,
    too_many_a_minute,
    too_many_at_once,
    window_start,
)
from pointsman.shared import EVERYBODY, Changes, account_of, begin_words
from pointsman.vocabulary import Clock, KeyTerms, Spent, Standing, WallClock

if TYPE_CHECKING:
    from pointsman.shared.store import SharedStore

ALIVE_FOR_S = 10.0
"""A replica that is silent for longer is taken for dead, and what it has under way no longer counts."""
BACK_WITHIN_S = 60.0
"""So long after it joined anew, a replica leaves alone what others may be spending that are not back yet."""
BEGIN_WITHIN_S = 15.0
"""How long the replica that reads the ledger for an empty store may take before another may try."""
_BATCH = 500

Spending: TypeAlias = Callable[[], Mapping[Window, Mapping[str | None, float]]]
"""What each key has spent in the present day and month, as the ledger knows it; called in a thread."""
_log = structlog.get_logger("pointsman.sharing")


@dataclass(slots=True)
class _Entered:
    """One request under way; `counted` where the store counts it."""

    key: str | None
    tokens: int
    counted: bool
    held_usd: float | None = None


class SharedLimits:
    """See the module.

    Args:
        store: not started; the limits are told when it comes and goes.
        local: follows this replica; its figures are what is told to people.
        closed: requests that have a budget are refused while the store is away.
        spending: None where no budget is in force, so that the ledger need not be asked.
        alive_for_s: as `ALIVE_FOR_S`.
    """

    def __init__(
        self,
        store: SharedStore,
        local: MemoryLimits,
        *,
        closed: bool,
        spending: Spending | None,
        clock: Clock,
        now: WallClock,
        alive_for_s: float = ALIVE_FOR_S,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:16],
    ) -> None:
        self._store = store
        self._local = local
        self._closed = closed
        self._spending = spending
        self._clock = clock
        self._now = now
        self._alive_for_ms = int(alive_for_s * 1e3)
        self.replica = new_id()
        """This process, for as long as it runs."""
        self._n_joins = 0
        self._epoch = ""
        self._counting = False
        """Whether the store knows what is under way here, and must be told of each change."""
        self._ledger_read_s = float("-inf")
        self._seq = 0
        self._day = ""
        self._entered: dict[str, _Entered] = {}
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}
        """The most that is surely spent, by account and window, and the number of the call that told it."""
        self._changes = Changes()
        self._sent: tuple[int, Changes] | None = None
        self._absent: dict[tuple[str, str], TokenBucket] = {}
        self._unsure: list[tuple[int, str | None, int]] = []
        self._spent_before: dict[tuple[str, str], float] = {}
        self._n_before = 0
        self._joined_s = 0.0
        self.n_live = 1
        """Replicas that live, as of the last beat."""
        self._wanted = asyncio.Event()

    # ------------------------------------------------------------ as `Limits`

    def terms(self, key: str | None) -> KeyTerms:
        """As `Limits.terms`."""
        return self._local.terms(key)

    def configure(self, terms: Callable[[str | None], KeyTerms], *, budget: KeyTerms) -> None:
        """As `Limits.configure`."""
        self._local.configure(terms, budget=budget)

    def has_budget(self, key: str | None) -> bool:
        """As `Limits.has_budget`."""
        return self._local.has_budget(key)

    def standing(self, key: str | None) -> Standing:
        """As `Limits.standing`, as of the key's last request here."""
        return self._local.standing(key)

    def overall(self) -> dict[Window, tuple[float, float]]:
        """As `MemoryLimits.overall`."""
        return self._local.overall()

    @property
    def n_under_way(self) -> int:
        """Requests that have entered here and are not settled."""
        return self._local.n_under_way

    @property
    def n_unsettled(self) -> int:
        """Sums of money that wait to be told to the store, or were not confirmed."""
        return len(self._changes.money) + (0 if self._sent is None else len(self._sent[1].money))

    def spent_usd(self, key: str | None, window: Window) -> float:
        """What a key spent in the present window, as far as this replica knows."""
        return self._local.spent_usd(key, window)

    async def enter(self, request_id: str, key: str | None, *, tokens: int) -> None:
        """As `Limits.enter`."""
        await self.take_in(request_id, key, tokens=tokens)

    async def take_in(
        self,
        request_id: str,
        key: str | None,
        *,
        tokens: int,
        most_usd: float | None = None,
        read: Sequence[str] = (),
    ) -> tuple[float, list[bytes]] | None:
        """Takes a request in, by one script, and reads values beside.

        Args:
            most_usd: what the request can cost at most, to be set aside where that fits; None sets nothing aside.
            read: names of values.

        Returns:
            Milliseconds by the store's clock, and the values, empty where there is none; None while it is away.

        Raises:
            RateLimited, BudgetSpent: as `Limits.enter`.
            SharedStateAway: it is away, the request has a budget, and such requests are refused then.
        """
        limited = self._is_limited(key)
        if not limited and not read:
            self._admit(request_id, key, tokens, counted=False)
            return None
        if not self._store.present:
            await self._enter_alone(request_id, key, tokens, sent_as=None)
            return None
        terms = self._local.terms(key)
        keys = [*self.common_keys(), self._key("rates", key), *self._account_keys(key), *read]
        words = [
            *self._begin_words(),
            _word(terms.requests_per_min),
            _word(terms.tokens_per_min),
            _word(terms.max_concurrent),
            tokens,
            *self._budget_words(key),
            _word(most_usd),
            int(limited),
        ]
        seq = self._seq
        try:
            future = self._store.send("enter", keys, words)
            answer = await self._answered(future, lambda told: self._take_back(key, told, most_usd))
        except SharedStateAway:
            await self._enter_alone(request_id, key, tokens, sent_as=seq if limited else None)
            return None
        self._learn(key, answer, seq)
        verdict, detail, values = answer[0].decode(), answer[1], (float(answer[2]), answer[10:])
        if verdict != "ok":
            raise self._refusal(key, terms, verdict, detail)
        held = bool(answer[5])
        self._admit(request_id, key, tokens, counted=limited, held_usd=most_usd if held else None)
        return values

    async def hold(self, request_id: str, *, most_usd: float) -> None:
        """As `Limits.hold`; at once where the most that any model can cost is set aside already."""
        entered = self._entered[request_id]
        before = entered.held_usd
        if before is not None and before >= most_usd:
            self._set_aside(request_id, entered, most_usd)
            return
        if not self._store.present or not entered.counted:
            self._refuse_if_closed(entered.key)
            await self._hold_alone(request_id, entered, most_usd)
            return
        had, had_usd = int(before is not None), 0.0 if before is None else before
        keys = [*self.common_keys(), *self._account_keys(entered.key)]
        words = [*self._begin_words(), *self._budget_words(entered.key), most_usd, had, had_usd]
        seq = self._seq
        try:
            future = self._store.send("hold", keys, words)
            answer = await self._answered(future, lambda _: self._count(entered.key, 0, had - 1, had_usd - most_usd))
        except SharedStateAway:
            self._refuse_if_closed(entered.key)
            await self._hold_alone(request_id, entered, most_usd)
            return
        self._learn_spent(entered.key, answer[2:6], seq)
        if answer[0] != b"ok":
            raise self._refusal(entered.key, self._local.terms(entered.key), answer[0].decode(), answer[1])
        entered.held_usd = most_usd
        self._local.set_aside(request_id, most_usd)

    def settle(self, request_id: str, spent: Spent) -> None:
        """As `Limits.settle`."""
        entered = self._entered.pop(request_id, None)
        self._local.settle(request_id, spent)
        if entered is None:
            return
        usd = spent.usd
        if usd is None:
            usd = 0.0 if entered.held_usd is None else entered.held_usd
        changes, account = self._changes, account_of(entered.key)
        if usd > 0:
            changes.settle(account, f"{window_start(Window.DAY, self._now()):%Y-%m-%d}", usd, self._clock())
        per_min = self._local.terms(entered.key).tokens_per_min
        if per_min is not None and spent.tokens is not None and spent.tokens != entered.tokens:
            self._take(entered.key, "tokens", spent.tokens - entered.tokens, per_min)
        if entered.counted and self._counting:
            held = entered.held_usd
            self._count(entered.key, -1, -int(held is not None), 0.0 if held is None else -held)
        self.tell()

    # ------------------------------------------------------------ what becomes of it

    @property
    def changes(self) -> Changes:
        """What waits to be told; others may add to it, and then `tell`."""
        return self._changes

    @property
    def epoch(self) -> str:
        """Names the store's data: another one after they were lost."""
        return self._epoch

    @property
    def me(self) -> str:
        """This replica since it last joined."""
        return self._me

    @property
    def alive_for_ms(self) -> int:
        """See `ALIVE_FOR_S`."""
        return self._alive_for_ms

    def common_keys(self) -> list[str]:
        """Who lives, what was carried out of what this replica sent, and the epoch, as the scripts name them."""
        store = self._store
        return [store.key("replicas"), store.key("applied", self.replica), store.key("epoch")]

    def tell(self) -> None:
        """What waits goes to the store as soon as may be."""
        self._wanted.set()

    async def keep_telling(self) -> None:
        """Tells the store of changes as they come, one batch after another; for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.flush()

    async def flush(self) -> None:
        """Tells the store of what waits; while it is away, that goes on waiting."""
        if not self._store.present or not self._changes:
            return
        changes, self._changes = self._changes, Changes()
        self._sent = (self._next_seq(), changes)
        try:
            answer = await self._store.ask("settle", *self._batch(self._sent))
        except SharedStateAway:
            # Carried out or not: joining will tell.
            return
        if answer == b"lost":
            # Its data are gone, so nothing of this was carried out.
            self._store.gone("lost")
            return
        self._confirmed()

    async def join(self) -> None:
        """Begins anew over a fresh connection: learns what was carried out, and tells all that the store cannot know.

        Raises:
            LineBroken: the connection is gone, or another replica is about to fill the store.
        """
        self._count_no_more()
        old, self._n_joins = self._me, self._n_joins + 1
        keys = [*self.common_keys(), self._store.key("ledger_read"), self._store.key("begins")]
        begins_within_ms = int(BEGIN_WITHIN_S * 1e3)
        told = await self._store.answer_joining("join", keys, [old, self._me, begins_within_ms])
        now_s, now_ms, epoch, read_ms, applied = (
            self._clock(),
            float(told[0]),
            told[1].decode(),
            float(told[2]),
            int(told[3]),
        )
        if not epoch:
            if not told[4]:
                self._store.refuse_to_join("another replica fills the store")
            epoch, read_ms = await self._begin(now_ms), now_ms
        is_new = epoch != self._epoch
        if self._sent is not None:
            seq, changes = self._sent
            if is_new or seq > applied:
                self._changes = changes.again(self._changes)
                self._sent = None
            else:
                self._confirmed()
        if is_new and self._epoch:
            self._forget_old_windows()
            self._changes.seen |= {named: usd for named, (usd, _) in self._seen.items()}
        self._tell_all(applied=-1 if is_new else applied, now_s=now_s)
        self._epoch, self._ledger_read_s = epoch, now_s - (now_ms - read_ms) / 1e3
        changes, self._changes = self._changes, Changes()
        self._sent = (self._next_seq(), changes)
        if await self._store.answer_joining("settle", *self._batch(self._sent, joins=True)) != b"ok":
            self._store.refuse_to_join("the store has lost its data again")
        self._confirmed()
        # The next beat tells how many others are back.
        self.n_live, self._joined_s = 1, self._clock()

    def left(self) -> None:
        """The store has gone away: from now on a replica keeps to its share."""
        self._n_before = self._n_expected()
        self._count_no_more()

    def _count_no_more(self) -> None:
        """The store cannot know what is under way until it is told anew."""
        self._counting = False
        self._changes.under_way.clear()

    # ------------------------------------------------------------ inside

    @property
    def _me(self) -> str:
        # Another name each time: whatever of what was sent before was carried out, it counts no longer.
        return f"{self.replica}.{self._n_joins}"

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _key(self, what: str, key: str | None) -> str:
        return self._store.key(what, account_of(key))

    def _account_keys(self, key: str | None) -> list[str]:
        """Under way and money of a key, and of everybody, as the scripts name them."""
        store, account = self._store, account_of(key)
        day = f"{window_start(Window.DAY, self._now()):%Y-%m-%d}"
        money = [store.key("money", window, each) for each in (account, EVERYBODY) for window in (day, day[:7])]
        return [store.key("under_way", account), store.key("under_way", EVERYBODY), *money]

    def _budget_words(self, key: str | None) -> list[str]:
        """The budgets as the scripts take them. Beside replicas that are not back yet and spend their shares alone,
        those that are back have only theirs together."""
        present = self.n_live / self._n_expected()
        own = (account_of(key), self._local.purse(key), self._local.budget(key))
        out = []
        for account, purse, budget in (own, (EVERYBODY, self._local.everybody, self._local.total_budget)):
            for window in (Window.DAY, Window.MONTH):
                limit_usd = budget.get(window)
                if limit_usd is not None and present < 1:
                    limit_usd = self._part(account, purse, window, limit_usd, present)
                out.append(_word(limit_usd))
        return out

    def _part(self, account: str, purse: Purse, window: Window, limit_usd: float, part: float) -> float:
        """What was spent when the store was lost, and so great a part of what was left then, USD."""
        now = self._now()
        named = (account, f"{window_start(window, now):%Y-%m-%d}")
        spent_usd = self._spent_before.setdefault(named, purse.spent_usd(window, now))
        return spent_usd + max(0.0, limit_usd - spent_usd) * part

    def _n_expected(self) -> int:
        """Replicas that live, and those that lived when the store was lost and may still be on their way back."""
        waited = self.n_live >= self._n_before or self._clock() - self._joined_s > BACK_WITHIN_S
        if self._n_before > 0 and self._store.present and waited:
            self._n_before = 0
            self._spent_before.clear()
        return max(self.n_live, self._n_before)

    def _batch(self, sent: tuple[int, Changes], *, joins: bool = False) -> tuple[list[str], list[Any]]:
        seq, changes = sent
        keys, body = changes.words(self._store.key, ledger_read_s=self._ledger_read_s)
        return [*self.common_keys(), *keys], [self._me, seq, self._epoch, int(joins), body]

    def _is_limited(self, key: str | None) -> bool:
        terms = self._local.terms(key)
        rates = (terms.requests_per_min, terms.tokens_per_min, terms.max_concurrent)
        return any(limit is not None for limit in rates) or self._local.has_budget(key)

    async def _answered(self, future: asyncio.Future[Any], take_back: Callable[[list[Any]], None]) -> list[Any]:
        """The answer of `enter` or `hold`. Of a client that leaves meanwhile, what it is counted for is taken back."""
        try:
            answer: list[Any] = await self._store.answer(future)
        except asyncio.CancelledError:
            me = self._me

            def answered(done: asyncio.Future[Any]) -> None:
                if not done.cancelled() and done.exception() is None and self._me == me and done.result()[0] == b"ok":
                    take_back(done.result())

            future.add_done_callback(answered)
            raise
        if answer[0] == b"lost":
            self._store.gone("lost")
            raise self._store.away()
        return answer

    def _take_back(self, key: str | None, answer: list[Any], most_usd: float | None) -> None:
        held = bool(answer[5]) and most_usd is not None
        self._count(key, -1, -int(held), 0.0 if most_usd is None or not held else -most_usd)

    def _count(self, key: str | None, n: int, n_held: int, usd: float) -> None:
        """Tells the store of a change of what is under way."""
        for each in (account_of(key), EVERYBODY):
            self._changes.add_under_way(each, n, n_held, usd)
        self.tell()

    def _begin_words(self) -> list[Any]:
        """The first arguments of `enter` and `hold`."""
        return [self._me, self._next_seq(), self._epoch, self._alive_for_ms]

    def _admit(
        self, request_id: str, key: str | None, tokens: int, *, counted: bool, held_usd: float | None = None
    ) -> None:
        self._entered[request_id] = _Entered(key, tokens, counted, held_usd)
        self._local.admit(request_id, key, tokens=tokens, held_usd=held_usd)

    async def _enter_alone(self, request_id: str, key: str | None, tokens: int, *, sent_as: int | None) -> None:
        """Takes a request in without the store; `sent_as` where the store may have counted it."""
        self._refuse_if_closed(key)
        self._keep_to_the_share(key, 0.0)
        await self._local.enter(request_id, key, tokens=tokens)
        self._entered[request_id] = _Entered(key, tokens, counted=self._counting)
        if self._counting:
            self._count(key, 1, 0, 0.0)
        if sent_as is not None and not self._counting:
            self._unsure.append((sent_as, key, tokens))
            return
        terms = self._local.terms(key)
        for what, amount, per_min in (
            ("requests", 1, terms.requests_per_min),
            ("tokens", tokens, terms.tokens_per_min),
        ):
            if per_min is not None:
                self._take(key, what, amount, per_min)

    async def _hold_alone(self, request_id: str, entered: _Entered, most_usd: float) -> None:
        before = entered.held_usd
        if before is None:
            self._keep_to_the_share(entered.key, most_usd)
            await self._local.hold(request_id, most_usd=most_usd)
        else:
            self._local.set_aside(request_id, most_usd)
        entered.held_usd = most_usd
        if entered.counted and self._counting:
            self._count(entered.key, 0, int(before is None), most_usd - (0.0 if before is None else before))

    def _keep_to_the_share(self, key: str | None, most_usd: float) -> None:
        """Alone, a replica spends of what was left of each budget when the store went away only its equal share, and
        nothing beyond: the others spend theirs, and it may not know of their latest requests.

        Raises:
            RateLimited: its share is spent, or set aside.
        """
        now, share = self._now(), 1 / self._n_expected()
        own = (account_of(key), self._local.purse(key), self._local.budget(key))
        for account, purse, budget in (own, (EVERYBODY, self._local.everybody, self._local.total_budget)):
            for window, limit_usd in budget.items():
                part_usd = self._part(account, purse, window, limit_usd, share)
                if purse.spent_usd(window, now) < limit_usd and not purse.surely_pays(most_usd, window, part_usd, now):
                    raise _shared(limit_usd, window, self._store.away().retry_after_s)

    def _refuse_if_closed(self, key: str | None) -> None:
        if self._closed and self._local.has_budget(key):
            raise self._store.away()

    def _set_aside(self, request_id: str, entered: _Entered, usd: float) -> None:
        """Lowers what is set aside; the store is told in passing."""
        assert entered.held_usd is not None
        if entered.counted and self._counting:
            self._count(entered.key, 0, 0, usd - entered.held_usd)
        entered.held_usd = usd
        self._local.set_aside(request_id, usd)

    def _take(self, key: str | None, what: str, amount: float, per_min: int) -> None:
        """Takes from a limit per minute outside of `enter`; kept for later, as far as it does not flow back before."""
        if self._counting:
            self._changes.take(account_of(key), what, amount, per_min)
            self.tell()
            return
        bucket = self._absent.get((account_of(key), what))
        now_s = self._clock()
        if bucket is None:
            bucket = self._absent[account_of(key), what] = TokenBucket(per_min, now_s)
        bucket.change(per_min, now_s)
        bucket.take(amount, now_s)

    def _tell_all(self, *, applied: int, now_s: float) -> None:
        """What is under way, and what was taken from limits per minute while the store was away."""
        self._changes.under_way.clear()
        for key, held_usd in self._local.under_way():
            for each in (account_of(key), EVERYBODY):
                self._changes.add_under_way(each, 1, int(held_usd is not None), 0.0 if held_usd is None else held_usd)
        for entered in self._entered.values():
            entered.counted = True
        self._counting = True
        for (account, what), bucket in self._absent.items():
            allowance = bucket.allowance(now_s)
            if bucket.missing(now_s) > 0:
                self._changes.take(account, what, bucket.missing(now_s), allowance.limit)
        self._absent.clear()
        for seq, key, tokens in self._unsure:
            terms = self._local.terms(key)
            if seq > applied and terms.requests_per_min is not None:
                self._changes.take(account_of(key), "requests", 1, terms.requests_per_min)
            if seq > applied and terms.tokens_per_min is not None:
                self._changes.take(account_of(key), "tokens", tokens, terms.tokens_per_min)
        self._unsure.clear()

    async def _begin(self, now_ms: float) -> str:
        """Fills an empty store with what the ledger knows; the name of its new epoch."""
        amounts: list[tuple[str, float, str]] = []
        if self._spending is not None:
            try:
                spending = await asyncio.to_thread(self._spending)
            except LedgerError as error:
                # What replicas remember is told when they join.
                _log.warning("the ledger cannot be read for the shared store", reason=error.message)
            else:
                amounts = _amounts(spending, window_start(Window.DAY, self._now()).strftime("%Y-%m-%d"))
        epoch = uuid.uuid4().hex
        store = self._store
        common = [store.key("epoch"), store.key("ledger_read"), store.key("begins")]
        for first in range(0, max(1, len(amounts)), _BATCH):
            some = amounts[first : first + _BATCH]
            is_last = first + _BATCH >= len(amounts)
            keys = [*common, *(store.key("money", window, account) for account, _, window in some)]
            words: list[Any] = [
                self._me,
                epoch if is_last else "",
                now_ms,
                begin_words((usd, window) for _, usd, window in some),
            ]
            if await store.answer_joining("begin", keys, words) != b"ok":
                store.refuse_to_join("another replica has filled the store")
        return epoch

    # ------------------------------------------------------------ learning

    def _learn(self, key: str | None, answer: list[Any], seq: int) -> None:
        missing = [None if not word else float(word) for word in answer[3:5]]
        if missing != [None, None]:
            self._local.learn_rates(key, requests_missing=missing[0], tokens_missing=missing[1])
        self._learn_spent(key, answer[6:10], seq)

    def _learn_spent(self, key: str | None, words: Sequence[bytes], seq: int) -> None:
        """Takes over what the store says is spent; what it has not been told yet this replica knows by itself."""
        if not any(words):
            return
        now = self._now()
        day = f"{window_start(Window.DAY, now):%Y-%m-%d}"
        if day != self._day:
            self._day = day
            self._forget_old_windows()
        account = account_of(key)
        places = [(each, window) for each in (account, EVERYBODY) for window in (Window.DAY, Window.MONTH)]
        for (each, window), word in zip(places, words, strict=True):
            if word:
                named = (each, day if window is Window.DAY else day[:7])
                self._seen[named] = (float(word), seq)
                purse = self._local.everybody if each == EVERYBODY else self._local.purse(key)
                purse.learn(window, float(word), now)

    def _confirmed(self) -> None:
        """What was sent was carried out: so much more is surely spent than was told before it."""
        assert self._sent is not None
        seq, changes = self._sent
        self._sent = None
        for named, usd in changes.usd_by_window().items():
            told_usd, told_by = self._seen.get(named, (0.0, 0))
            if seq > told_by:
                self._seen[named] = (told_usd + usd, seq)

    def _forget_old_windows(self) -> None:
        day = f"{window_start(Window.DAY, self._now()):%Y-%m-%d}"
        self._seen = {named: told for named, told in self._seen.items() if named[1] in (day, day[:7])}

    def _refusal(self, key: str | None, terms: KeyTerms, verdict: str, detail: bytes) -> PointsmanError:
        if verdict == "at_once":
            return too_many_at_once(int(float(detail)), terms)
        if verdict in ("requests", "tokens"):
            return too_many_a_minute(verdict, float(detail) / 1e3, terms)
        place = int(detail) - 1
        window = (Window.DAY, Window.MONTH)[place % 2]
        purse = self._local.purse(key) if place < 2 else self._local.everybody
        limit_usd = (self._local.budget(key) if place < 2 else self._local.total_budget)[window]
        if verdict == "held":
            return purse.rest_is_held(window, limit_usd)
        if purse.spent_usd(window, self._now()) < limit_usd:
            return _shared(limit_usd, window, self._store.timeout_s + 1.0)
        return purse.nothing_left(window, limit_usd, self._now())


def _shared(limit_usd: float, window: Window, retry_after_s: float) -> RateLimited:
    return RateLimited(
        f"what is left of the budget of {limit_usd:g} USD per {window} is shared with other replicas, which cannot be "
        "asked at the moment",
        retry_after_s=retry_after_s,
    )


def _word(value: float | int | None) -> str:
    return "" if value is None else repr(value)


def _amounts(spending: Mapping[Window, Mapping[str | None, float]], day: str) -> list[tuple[str, float, str]]:
    """Account, USD and window of what was spent, everybody's included."""
    out: list[tuple[str, float, str]] = []
    for window, by_key in spending.items():
        name = day if window is Window.DAY else day[:7]
        out += [(account_of(key), usd, name) for key, usd in by_key.items()]
        out.append((EVERYBODY, sum(by_key.values()), name))
    return out
