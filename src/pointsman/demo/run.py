"""Sends the bundled mix through a real gateway and gathers what happened.

Decisions, prices, the gateway and the ledger are the real ones. Answers are simulated unless `live` models are given.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from pointsman.intervals import Share
from pointsman.vocabulary import Dialect, JSONObject

from .mix import MixItem

Post = Callable[[Dialect, JSONObject, Mapping[str, str]], Awaitable["Sent"]]
"""Sends one body in a dialect to the gateway."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came back over HTTP for one request."""

    status: int
    request_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """One item of the mix, where it went, and what it cost. Money is USD, None when not known."""

    item: MixItem
    status: int
    tier: str | None
    model: str | None
    reason: str
    cost_usd: float | None
    baseline_cost_usd: float | None
    decide_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """All outcomes, counted."""

    outcomes: tuple[Outcome, ...]
    cheap_tier: str
    strong_tier: str
    stopped_by_cap: bool = False

    @property
    def answered(self) -> tuple[Outcome, ...]:
        """Outcomes with an answer."""
        return tuple(outcome for outcome in self.outcomes if outcome.status < 400)

    @property
    def cost_usd(self) -> float:
        """What the answered requests cost, as far as their cost is known."""
        return math.fsum(o.cost_usd for o in self.priced if o.cost_usd is not None)

    @property
    def baseline_usd(self) -> float:
        """What the same tokens would have cost with the strong tier alone."""
        return math.fsum(o.baseline_cost_usd for o in self.priced if o.baseline_cost_usd is not None)

    @property
    def priced(self) -> tuple[Outcome, ...]:
        """Answered outcomes with both costs known."""
        return tuple(o for o in self.answered if o.cost_usd is not None and o.baseline_cost_usd is not None)

    @property
    def right_tier(self) -> Share:
        """How often the request went to the tier that the mix calls ideal."""
        return self._rate(lambda outcome: outcome.tier == self._tier(outcome.item))

    @property
    def too_cheap(self) -> Share:
        """Of the requests that need the strong tier, how many went to the cheap one."""
        hard = [o for o in self.answered if o.item.ideal_tier == "strong"]
        return Share(sum(o.tier == self.cheap_tier for o in hard), len(hard))

    @property
    def too_strong(self) -> Share:
        """Of the requests that the cheap tier serves well, how many went to the strong one."""
        easy = [o for o in self.answered if o.item.ideal_tier == "cheap"]
        return Share(sum(o.tier == self.strong_tier for o in easy), len(easy))

    @property
    def always_strong(self) -> Share:
        """The control: every request to the strong tier."""
        return self._rate(lambda outcome: outcome.item.ideal_tier == "strong")

    @property
    def always_cheap(self) -> Share:
        """The control: every request to the cheap tier."""
        return self._rate(lambda outcome: outcome.item.ideal_tier == "cheap")

    @property
    def shuffled(self) -> float:
        """The control: the expected share of right tiers when the same decisions are dealt out at random."""
        n = len(self.answered)
        if n == 0:
            return math.nan
        sent_strong = sum(o.tier == self.strong_tier for o in self.answered) / n
        need_strong = self.always_strong.value
        return sent_strong * need_strong + (1 - sent_strong) * (1 - need_strong)

    def decide_ms(self, share: float) -> float:
        """A quantile of the time to decide; NaN of nothing."""
        times = sorted(o.decide_ms for o in self.outcomes if o.decide_ms is not None)
        return times[min(len(times) - 1, int(share * len(times)))] if times else math.nan

    def most_expensive(self, n: int) -> tuple[Outcome, ...]:
        """The requests that cost most."""
        return tuple(sorted(self.priced, key=lambda o: -(o.cost_usd or 0.0))[:n])

    def _rate(self, hit: Callable[[Outcome], bool]) -> Share:
        return Share(sum(map(hit, self.answered)), len(self.answered))

    def _tier(self, item: MixItem) -> str:
        return self.cheap_tier if item.ideal_tier == "cheap" else self.strong_tier

    def to_json(self) -> JSONObject:
        """The figures as plain JSON."""

        def rate(value: Share) -> JSONObject:
            return {"value": value.value, "ci": list(value.interval), "n": value.n}

        by_model: dict[str, JSONObject] = {}
        for outcome in self.answered:
            row = by_model.setdefault(str(outcome.model), {"tier": outcome.tier, "requests": 0, "cost_usd": 0.0})
            row["requests"] += 1
            row["cost_usd"] += 0.0 if outcome.cost_usd is None else outcome.cost_usd
        return {
            "n": len(self.outcomes),
            "n_answered": len(self.answered),
            "n_priced": len(self.priced),
            "models": by_model,
            "cost_usd": self.cost_usd,
            "always_strong_cost_usd": self.baseline_usd,
            "saved_usd": self.baseline_usd - self.cost_usd,
            "right_tier": rate(self.right_tier),
            "too_cheap": rate(self.too_cheap),
            "too_strong": rate(self.too_strong),
            "controls": {
                "always_strong": rate(self.always_strong),
                "always_cheap": rate(self.always_cheap),
                "shuffled": self.shuffled,
            },
            "decide_ms": {"p50": self.decide_ms(0.5), "p99": self.decide_ms(0.99)},
            "stopped_by_cap": self.stopped_by_cap,
        }


async def run(
    items: Sequence[MixItem],
    *,
    post: AbstractAsyncContextManager[Post],
    record_of: Callable[[str], Awaitable[JSONObject | None]],
    cheap_tier: str,
    strong_tier: str,
    concurrency: int = 16,
    max_usd: float | None = None,
    model: str = "auto",
    advance: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Summary:
    """Sends every item, at most `concurrency` at once, and reads back what the ledger recorded of each.

    Args:
        post: opens the way to the gateway.
        record_of: the gateway's record of a request id.
        model: what the requests ask for.
        max_usd: no further request is sent once the known costs have reached it; what is under way is finished.
        advance: called after each answer.
    """
    outcomes: dict[str, Outcome] = {}
    spent_usd = 0.0
    capped = False
    queue = iter(items)

    async def worker(send: Post) -> None:
        nonlocal spent_usd, capped
        for item in queue:
            if max_usd is not None and spent_usd >= max_usd:
                capped = True
                return
            started_s = clock()
            body = {"model": model, **item.input}
            sent = await send(item.dialect, body, {"x-pointsman-tags": "demo"})
            total_ms = (clock() - started_s) * 1e3
            record = await record_of(sent.request_id)
            outcome = _outcome(item, sent, record, total_ms)
            spent_usd += 0.0 if outcome.cost_usd is None else outcome.cost_usd
            outcomes[item.id] = outcome
            advance()

    async with post as send, asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(items))):
            group.create_task(worker(send))
    ordered = tuple(outcomes[item.id] for item in items if item.id in outcomes)
    return Summary(ordered, cheap_tier, strong_tier, stopped_by_cap=capped)


def _outcome(item: MixItem, sent: Sent, record: JSONObject | None, total_ms: float) -> Outcome:
    if record is None:
        return Outcome(item, sent.status, None, None, "no record", None, None, None, total_ms)
    return Outcome(
        item=item,
        status=sent.status,
        tier=record["tier"],
        model=record["model"],
        reason=str(record["reason"]),
        cost_usd=record["cost_usd"],
        baseline_cost_usd=record["baseline_cost_usd"],
        decide_ms=record["decide_ms"],
        total_ms=total_ms,
    )
