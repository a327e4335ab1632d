"""Shadows: a sample of answers of cheaper tiers is compared with the strong tier's, in the background.

Nothing here can delay or fail a request: what is drawn waits in a bounded queue, is left out when there is no room or
no money, and is dropped when the process stops. Each comparison ends as one label in the ledger.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from .call.health import Health
from .catalog import cost_of
from .comparing import Comparison, Drawn, Served, compare, most_comparison_usd, why_not_compared
from .constrain import candidates
from .limit import DayCap
from .vocabulary import (
    Clock,
    Decision,
    Ledger,
    Model,
    Request,
    ShadowLabel,
    ShadowStatus,
    Tier,
    Transport,
    Usage,
    WallClock,
)

MAX_QUEUED_BYTES = 64 * 2**20
"""Of request bodies that wait; a comparison keeps its request in memory, prompts stored or not."""
NOT_ROUTED = frozenset({"named_model", "pinned_tier"})
"""Reasons of decisions that the client made itself."""
OUTCOMES = ("judged", "strong_failed", "judge_failed", "queue_full", "over_budget", "unavailable", "failed", "stopped")
"""What becomes of a drawn answer. `queue_full`, `over_budget` and `unavailable` leave no label; `stopped` and `failed`
leave one where a call may have been made."""

_log = structlog.get_logger("pointsman.shadow")


@dataclass(frozen=True, slots=True)
class ShadowPlan:
    """What is compared with what, and for how much money."""

    share: float
    max_usd_per_day: float
    tiers: tuple[Tier, ...]
    models: Mapping[str, Model]
    judge: Model | None = None
    """None for the strong model that answered."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """By policy; see `ShadowLabel.fingerprint`."""
    concurrency: int = 2
    max_queued: int = 100
    store_prompts: bool = False


class Shadowing:
    """Draws, queues and compares. It outlives a reload of the configuration: `configure` changes its plan.

    Args:
        spent_usd: what comparisons have cost today before the process began.
        tell: gets every label beside the ledger.

    Attributes:
        counts: answers that were drawn, by what became of them; see `OUTCOMES`.
        cost_usd: of all comparisons since the process began.
    """

    def __init__(
        self,
        plan: ShadowPlan,
        *,
        transport: Transport,
        ledger: Ledger,
        health: Health,
        clock: Clock,
        now: WallClock,
        spent_usd: float = 0.0,
        tell: Callable[[ShadowLabel], None] = lambda _: None,
    ) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.cost_usd = 0.0
        self._plan = plan
        self._transport = transport
        self._ledger = ledger
        self._health = health
        self._clock = clock
        self._now = now
        self._tell = tell
        self._cap = DayCap(spent_usd=spent_usd, now=now())
        self._waiting: deque[Served] = deque()
        self._waiting_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._n_working = 0
        """Tasks that will look at the queue once more; one that has ended stays in `_tasks` for a moment."""
        self._stopped = False

    def configure(self, plan: ShadowPlan) -> None:
        """Goes on with another plan; what waits is compared by it."""
        self._plan = plan

    @property
    def n_waiting(self) -> int:
        """How many comparisons wait for their turn."""
        return len(self._waiting)

    @property
    def spent_today_usd(self) -> float:
        """What comparisons have cost today, UTC."""
        return self._cap.spent_usd(self._now())

    def drawn(self, request: Request, decision: Decision) -> Drawn | None:
        """What the answer to this request is compared for, should a cheaper tier give it; None when it is not.

        The draw depends on the request's id alone, so that it can be repeated.
        """
        plan = self._plan
        if plan.share <= 0.0 or self._stopped or draw(decision.request_id) >= plan.share:
            return None
        if decision.reason_code in NOT_ROUTED or why_not_compared(request) is not None:
            return None
        # A caller that sets the limit itself says nothing of what the policy promises by its own.
        own = request.hints.max_quality_loss is None
        return Drawn(plan.fingerprints.get(decision.policy, "") if own else "", plan.share)

    def offer(self, served: Served) -> None:
        """Takes a drawn answer that its client has got; it is left out, and counted, when there is no room."""
        plan = self._plan
        if served.tier not in [tier.name for tier in plan.tiers[:-1]]:
            return
        n_bytes = len(served.request.raw) + 4 * len(served.answer.text)
        if self._stopped:
            self.counts["stopped"] += 1
        elif len(self._waiting) >= plan.max_queued or self._waiting_bytes + n_bytes > MAX_QUEUED_BYTES:
            self.counts["queue_full"] += 1
        else:
            self._waiting.append(served)
            self._waiting_bytes += n_bytes
            if self._n_working < plan.concurrency:
                self._n_working += 1
                task = asyncio.get_running_loop().create_task(self._work())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Takes nothing more and drops what waits; comparisons under way are cut off. Money spent stays on record."""
        self._stopped = True
        self.counts["stopped"] += len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        for task in self._tasks:
            task.cancel()

    async def idle(self) -> None:
        """Returns when nothing waits or is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """As `stop`, and returns when nothing is under way any more."""
        self.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _work(self) -> None:
        """Compares until nothing waits."""
        try:
            while self._waiting and self._n_working <= self._plan.concurrency:
                served = self._waiting.popleft()
                self._waiting_bytes -= len(served.request.raw) + 4 * len(served.answer.text)
                try:
                    await self._compare(served)
                except Exception as error:  # noqa: BLE001 - the edge of a background task: the next one must go on
                    self.counts["failed"] += 1
                    _log.error("a shadow failed", request_id=served.request_id, error=type(error).__name__)
        finally:
            self._n_working -= 1

    async def _compare(self, served: Served) -> None:
        plan = self._plan
        strong = self._strong(served.request, plan)
        if strong is None:
            self.counts["unavailable"] += 1
            return
        judge = strong if plan.judge is None else plan.judge
        most_usd = most_comparison_usd(served, strong, judge)
        if not self._cap.hold(most_usd, plan.max_usd_per_day, self._now()):
            self.counts["over_budget"] += 1
            return
        # What is cut off may have cost anything up to what was set aside, and is on record with that.
        found = Comparison(ShadowStatus.STRONG_FAILED, None, None, "", most_usd, 0.0, "failed")
        try:
            found = await compare(served, strong, judge, self._transport)
            self.counts[found.status.value] += 1
        except asyncio.CancelledError:
            found = replace(found, error="stopped")
            self.counts["stopped"] += 1
            raise
        finally:
            self._cap.settle(most_usd, found.cost_usd, self._now())
            self._keep(served, strong, found, plan)

    def _keep(self, served: Served, strong: Model, found: Comparison, plan: ShadowPlan) -> None:
        """Writes the label of a comparison."""
        self.cost_usd += found.cost_usd
        label = ShadowLabel(
            reason_code=served.reason_code,
            request_id=served.request_id,
            created_at=self._now(),
            policy=served.policy,
            fingerprint=served.drawn.fingerprint,
            model=served.model,
            tier=served.tier,
            strong_model=strong.name,
            strong_tier=plan.tiers[-1].name,
            judge=found.judge,
            status=found.status,
            score=found.score,
            orders_agree=found.orders_agree,
            propensity=served.drawn.share,
            strong_cost_usd=found.strong_cost_usd,
            judge_cost_usd=found.judge_cost_usd,
            error=found.error,
            strong_answer=found.strong_answer if plan.store_prompts else None,
        )
        self._ledger.write_shadow(label)
        self._tell(label)

    def _strong(self, request: Request, plan: ShadowPlan) -> Model | None:
        """The first model of the strongest tier that can serve the request, is well, and whose answers have a price."""
        able = [each.model for each in candidates(request, plan.tiers[-1:], plan.models) if each.ruled_out is None]
        states = self._health.states(able, self._clock())
        return next((model for model in able if states[model.name] == "closed" and _is_priced(model)), None)


def draw(request_id: str) -> float:
    """A number in [0, 1) that belongs to the request's id for ever."""
    digest = hashlib.blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"shadow").digest()
    return int.from_bytes(digest, "little") / 2**64


def _is_priced(model: Model) -> bool:
    return cost_of(model.price, model.price_missing, Usage(1, 1)).usd is not None
