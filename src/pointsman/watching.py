"""Watches the policies in force: counts what they decide and how their answers compare, and raises the alarm.

What is counted survives a restart: comparisons and events are read back from the ledger. An alarm stands until a person
acknowledges it, or another policy comes into force.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

import structlog

from .errors import LedgerError
from .vocabulary import Ledger, Record, ShadowLabel, ShadowStatus, WallClock, WatchEvent, WatchKind
from .watch import WINDOW, LossBound, Reference, Windows

NOT_ITS_OWN = frozenset({"named_model", "pinned_tier", "rule", "tool_loop", "session", "guarantee"})
"""Reasons of decisions that were not the policy's: the client's, a rule's, a conversation's that keeps its model, and
those that an alarm made."""
FOLLOW_EVERY_S = 5.0
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
QUALITY = "quality"

_log = structlog.get_logger("pointsman.watch")


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """What is promised by one policy, and what its promise was made with."""

    policy: str
    fingerprint: str
    strongest: str
    """The tier that answers are compared with."""
    limit: float | None
    """The most that the strong answers may be better by; None promises nothing."""
    confidence: float
    on_alarm: Literal["strong", "warn"]
    reference: Reference | None
    """Scores and acceptance when it was tuned; None takes its first windows."""
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By model: USD per million tokens in and out."""


class History(Protocol):
    """What is on record; see `pointsman.record.Reader`."""

    def watch_events(self, policy: str) -> list[WatchEvent]: ...
    def shadow_scores(self, fingerprint: str, *, since: datetime, not_for: Collection[str]) -> list[float]: ...
    def served(self, policy: str, *, since: datetime, not_for: Collection[str]) -> dict[str | None, int]: ...


class PolicyWatch:
    """What is known of one policy since it came into force, or since its last alarm was acknowledged.

    Attributes:
        plan: what it promises.
        since: when counting began.
        bound: bounds on the loss of the answers that were compared.
        n_served: requests that it decided and that were answered; `n_cheaper` of them by a cheaper tier.
        alarm: why its promise no longer holds; None while it does.
        drifts: what has moved, in words, by what it is.
        moved_prices: prices that are not what they were when it came into force, in words.
        in_force: it is on record as the one that decides.
    """

    def __init__(self, plan: WatchPlan, *, since: datetime = BEGINNING, reference: Reference | None = None) -> None:
        self.plan = plan
        self.since = since
        self.bound = LossBound(1.0 - plan.confidence)
        self.windows = Windows(reference, level=1.0 - plan.confidence)
        self.n_served = 0
        self.n_cheaper = 0
        self.alarm: str | None = None
        self.drifts: dict[str, str] = {}
        self.moved_prices: tuple[str, ...] = ()
        self.in_force = False

    @property
    def share(self) -> float:
        """The share of its requests that a cheaper tier served; 1 while there are none."""
        return self.n_cheaper / self.n_served if self.n_served else 1.0

    @property
    def loss(self) -> tuple[float, float, float]:
        """The loss over all its requests, by how much the strong answers are better: estimate, least, most.

        A request that the strongest tier served loses nothing.
        """
        return self.share * self.bound.mean, self.share * self.bound.lower, self.share * self.bound.upper

    def judge(self, score: float) -> bool:
        """Takes the score of a compared answer; True when with it the promise is broken."""
        self.bound.add(round(1.0 - 2.0 * score))
        limit, share = self.plan.limit, self.share
        if limit is None or self.alarm is not None or share == 0.0 or not self.bound.is_above(limit / share):
            return False
        estimate, least, _ = self.loss
        self.alarm = (
            f"the strong tier's answers are better by {estimate:.1%}, at least {least:.1%} with a confidence of "
            f"{self.plan.confidence:.0%}, where {limit:.1%} is allowed ({self.bound.n} comparisons)"
        )
        return True


def restored(plan: WatchPlan, history: History | None) -> PolicyWatch:
    """What is on record of a policy.

    Raises:
        LedgerError: it cannot be read.
    """
    if history is None:
        return PolicyWatch(plan, reference=plan.reference)
    of_all = history.watch_events(plan.policy)
    events = [event for event in of_all if event.fingerprint == plan.fingerprint]
    since = max((event.created_at for event in events if event.kind is WatchKind.ACKNOWLEDGED), default=BEGINNING)
    later = [event for event in events if event.created_at > since]
    told = [event.detail for event in later if event.kind is WatchKind.REFERENCE]
    reference = plan.reference if plan.reference is not None or not told else _read_reference(told[-1])
    watch = PolicyWatch(plan, since=since, reference=reference)
    for score in history.shadow_scores(plan.fingerprint, since=since, not_for=NOT_ITS_OWN):
        watch.bound.add(round(1.0 - 2.0 * score))
    begun = [event for event in events if event.kind is WatchKind.IN_FORCE]
    if begun:
        served = history.served(plan.policy, since=max(since, begun[-1].created_at), not_for=NOT_ITS_OWN)
        watch.n_served = sum(served.values())
        watch.n_cheaper = watch.n_served - served.get(plan.strongest, 0)
        watch.moved_prices = _moved_prices(begun[0].detail, plan.prices)
    # Windows that were compared, or would have been, keep their part of the level.
    watch.windows.n_windows = watch.n_served // WINDOW
    for event in later:
        if event.kind is WatchKind.ALARM:
            watch.alarm = event.text
        elif event.kind is WatchKind.DRIFT:
            watch.drifts.pop(event.what, None)
            if event.text:
                watch.drifts[event.what] = event.text
    latest = [event.fingerprint for event in of_all if event.kind is WatchKind.IN_FORCE][-1:]
    watch.in_force = latest == [plan.fingerprint]
    return watch


class Watching:
    """The policies in force, watched. It outlives a reload: `prepare` reads, `take_over` changes what is watched.

    Args:
        plans: by policy.
        ledger: takes events.
        history: where earlier ones are read; None begins anew.

    Raises:
        LedgerError: the history cannot be read.
    """

    def __init__(
        self, plans: Mapping[str, WatchPlan], *, ledger: Ledger, history: History | None, now: WallClock
    ) -> None:
        self.watches: dict[str, PolicyWatch] = {}
        self._ledger = ledger
        self._history = history
        self._now = now
        self.take_over(self.prepare(plans))

    def prepare(self, plans: Mapping[str, WatchPlan]) -> dict[str, PolicyWatch]:
        """What is on record of these policies. May be called from any thread.

        Raises:
            LedgerError: it cannot be read.
        """
        return {name: restored(plan, self._history) for name, plan in plans.items()}

    def take_over(self, prepared: Mapping[str, PolicyWatch]) -> None:
        """Watches these policies; what was counted of one that is the same, and not acknowledged since, goes on.

        One that comes into force is written down, with the prices of now.
        """
        watches: dict[str, PolicyWatch] = {}
        for name, fresh in prepared.items():
            known = self.watches.get(name)
            same = known is not None and known.plan.fingerprint == fresh.plan.fingerprint
            if known is not None and same and fresh.since <= known.since:
                known.plan, known.moved_prices = fresh.plan, fresh.moved_prices
                fresh = known
            if not fresh.in_force:
                fresh.in_force = True
                self._write(fresh, WatchKind.IN_FORCE, detail=json.dumps(dict(fresh.plan.prices)))
            watches[name] = fresh
        self.watches = watches

    def alarm_of(self, policy: str) -> str | None:
        """Why the strong tier shall serve what this policy would decide; None while it may decide."""
        watch = self.watches.get(policy)
        return None if watch is None or watch.plan.on_alarm != "strong" else watch.alarm

    @property
    def alarmed(self) -> bool:
        """True while some policy's promise is broken."""
        return any(watch.alarm is not None for watch in self.watches.values())

    def note(self, record: Record) -> None:
        """Counts a record that is its policy's own."""
        decision = record.decision
        if decision is None or record.status != "ok" or decision.reason_code in NOT_ITS_OWN or not record.attempts:
            return
        watch = self.watches.get(decision.policy)
        if watch is None:
            return
        cheaper = record.attempts[-1].tier != watch.plan.strongest
        watch.n_served += 1
        watch.n_cheaper += cheaper
        had_reference = watch.windows.reference is not None
        if not watch.windows.add(decision.p_cheap, accepted=cheaper):
            return
        if not had_reference:
            assert watch.windows.reference is not None
            self._write(watch, WatchKind.REFERENCE, detail=json.dumps(asdict(watch.windows.reference)))
            return
        shifts = {shift.what: shift.text for shift in watch.windows.shifts}
        for what in {*shifts, *watch.drifts}:
            text = shifts.get(what, "")
            if text != watch.drifts.get(what, ""):
                self._write(watch, WatchKind.DRIFT, what=what, text=text)
                _log.warning(
                    "traffic has moved" if text else "traffic is back", policy=decision.policy, what=text or what
                )
        watch.drifts = shifts

    def judged(self, label: ShadowLabel) -> None:
        """Takes a comparison; raises the alarm when the policy's promise is broken with it."""
        watch = self.watches.get(label.policy)
        if watch is None or label.status is not ShadowStatus.JUDGED or label.score is None:
            return
        if label.fingerprint != watch.plan.fingerprint or label.reason_code in NOT_ITS_OWN:
            return
        if watch.judge(label.score):
            assert watch.alarm is not None
            self._write(watch, WatchKind.ALARM, what=QUALITY, text=watch.alarm)
            _log.error(
                "guarantee no longer holds",
                policy=label.policy,
                why=watch.alarm,
                strong_serves=watch.plan.on_alarm == "strong",
            )

    async def follow(self, *, every_s: float = FOLLOW_EVERY_S) -> None:
        """Looks for acknowledgements while there is an alarm; goes on until it is cancelled."""
        while True:
            await asyncio.sleep(every_s)
            if not self.alarmed or self._history is None:
                continue
            plans = {name: watch.plan for name, watch in self.watches.items()}
            try:
                self.take_over(await asyncio.to_thread(self.prepare, plans))
            except LedgerError as error:
                _log.warning("acknowledgements cannot be read and will be looked for again", error=error.message)

    def _write(self, watch: PolicyWatch, kind: WatchKind, *, what: str = "", text: str = "", detail: str = "") -> None:
        plan = watch.plan
        self._ledger.write_watch(WatchEvent(plan.policy, plan.fingerprint, kind, self._now(), what, text, detail))


def _read_reference(detail: str) -> Reference:
    found = json.loads(detail)
    return Reference(tuple(found["thresholds"]), tuple(found["below"]), found["accepted"], found["n"])


def _moved_prices(detail: str, prices: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    before = json.loads(detail) if detail else {}
    return tuple(
        f"{name} costs {now[0]:g} and {now[1]:g} USD per million tokens in and out, and cost {was[0]:g} and {was[1]:g}"
        for name, now in prices.items()
        if (was := before.get(name)) is not None and tuple(was) != tuple(now)
    )
