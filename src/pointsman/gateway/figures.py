"""Metrics that are read off the router, the ledger and the turnstile when Prometheus asks; nothing is counted twice.

Labels are names of configured models and words from closed sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pointsman.shared import AWAY_REASONS

if TYPE_CHECKING:
    from .state import Gateway

STATES = ("closed", "open", "probing", "resting")


class LedgerStats(Protocol):
    """What is told of a ledger; see `pointsman.record.queue.LedgerStats`."""

    @property
    def n_queued(self) -> int: ...
    @property
    def queued_bytes(self) -> int: ...
    @property
    def n_written(self) -> int: ...
    @property
    def n_dropped(self) -> int: ...
    @property
    def lag_s(self) -> float: ...
    @property
    def degraded(self) -> bool: ...
    @property
    def spooled_bytes(self) -> int: ...
    @property
    def away(self) -> bool: ...


@runtime_checkable
class Telling(Protocol):
    """A ledger that tells how it is doing; not every one does."""

    @property
    def stats(self) -> LedgerStats: ...


def ledger_stats(gateway: Gateway) -> LedgerStats | None:
    """How the ledger is doing, None when it does not tell or there is none."""
    ledger = gateway.router.ledger
    return ledger.stats if isinstance(ledger, Telling) else None


class RouterFigures(Collector):
    """The figures of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterable[Metric]:
        """Every figure as it is now."""
        yield from self._calls()
        yield from self._load()
        yield from self._shadows()
        yield from self._shared()
        stats = ledger_stats(self._gateway)
        if stats is not None:
            yield _gauge("ledger_queued", "Records that wait to be written.", stats.n_queued)
            yield _gauge("ledger_queued_bytes", "Memory that they take.", stats.queued_bytes)
            yield _count("ledger_written", "Records written.", stats.n_written)
            yield _count("ledger_dropped", "Records lost: the queue was full or the database refused.", stats.n_dropped)
            yield _gauge("ledger_lag_seconds", "Age of the oldest record that waits.", stats.lag_s)
            yield _gauge("ledger_degraded", "1 while writing fails or lags behind.", int(stats.degraded))
            yield _gauge("ledger_away", "1 while the ledger's server is away.", int(stats.away))
            yield _gauge("ledger_spooled_bytes", "What waits on disk for the ledger's server.", stats.spooled_bytes)

    def _calls(self) -> Iterable[Metric]:
        router = self._gateway.router
        health, counts = router.health, router.health.counts
        yield _counts("attempts", "Calls of models by outcome.", ("model", "outcome"), counts.attempts)
        yield _counts("retries", "Calls of a model the same request had called before.", ("model",), counts.retries)
        yield _counts(
            "fallbacks",
            "Calls of a model because another did not answer, by the model called.",
            ("model",),
            counts.fallbacks,
        )
        yield _counts("models_passed_over", "Times a model was left alone.", ("model",), counts.skipped)
        yield _counts("alerts", "Failures that somebody must see to.", ("model", "kind"), counts.alerts)
        yield _count("retries_refused", "Retries not made for want of budget.", health.budget.n_refused)
        scoring = router.scoring
        unscored = {"failed": scoring.n_faults, "skipped": scoring.n_skipped}
        yield _counts("unscored", "Requests routed without a score: it failed, or was left out.", ("why",), unscored)
        yield _count("slow_scores", "Scores that took longer than router.max_score_ms.", scoring.n_slow)
        states = GaugeMetricFamily(
            "pointsman_breaker_state", "1 for the state each model is in.", None, ("model", "state")
        )
        for model, state in health.states(router.models.values(), self._gateway.clock()).items():
            for each in STATES:
                states.add_metric((model, each), int(each == state))
        yield states

    def _shared(self) -> Iterable[Metric]:
        sharing = self._gateway.router.sharing
        if sharing is None:
            return
        yield _gauge("shared_state_away", "1 while Redis does not answer.", int(not sharing.present))
        away = dict.fromkeys(AWAY_REASONS, 0) | sharing.told.n_away
        yield _counts("shared_state_losses", "Times Redis went away or was not reached, by why.", ("why",), away)
        yield _count("shared_state_calls", "Calls of Redis.", sharing.told.n_calls)
        yield _count(
            "shared_state_joins", "Times this replica has joined the others over Redis.", sharing.told.n_joined
        )
        yield _gauge(
            "shared_state_unsettled", "Sums of money that wait to be told to Redis.", sharing.limits.n_unsettled
        )
        yield _gauge("replicas_live", "Replicas that share, as of the last beat.", sharing.n_live)

    def _shadows(self) -> Iterable[Metric]:
        shadow = self._gateway.router.shadow
        if shadow is None:
            return
        yield _counts("shadows", "Answers drawn for a comparison, by what became of it.", ("outcome",), shadow.counts)
        yield CounterMetricFamily(
            "pointsman_shadow_cost_usd", "Spent on comparisons, strong calls and judge, USD.", shadow.cost_usd
        )
        yield from self._watches()
        yield _gauge("shadows_queued", "Comparisons that wait.", shadow.n_waiting)

    def _watches(self) -> Iterable[Metric]:
        watch = self._gateway.router.watch
        watches = {} if watch is None else watch.watches
        alarms = GaugeMetricFamily(
            "pointsman_guarantee_broken", "1 while a policy's promise is broken.", None, ("policy",)
        )
        drifts = GaugeMetricFamily("pointsman_drift", "1 while something has moved.", None, ("policy", "what"))
        losses = GaugeMetricFamily(
            "pointsman_quality_loss", "By how much the strong answers are better.", None, ("policy", "bound")
        )
        for name, each in watches.items():
            alarms.add_metric((name,), int(each.alarm is not None))
            for what in ("scores", "acceptance"):
                drifts.add_metric((name, what), int(what in each.drifts))
            drifts.add_metric((name, "prices"), int(bool(each.moved_prices)))
            if each.bound.n:
                for bound, loss in zip(("estimate", "least", "most"), each.loss, strict=True):
                    losses.add_metric((name, bound), loss)
        yield from (alarms, drifts, losses)

    def _load(self) -> Iterable[Metric]:
        gateway = self._gateway
        turnstile = gateway.turnstile
        yield _counts(
            "shed",
            "Requests turned away because of too much load.",
            ("reason",),
            turnstile.n_shed,
        )
        yield _gauge("connections", "Connections of clients, idle ones included.", gateway.door.n_inside)
        yield _gauge("requests_queued", "Requests that wait for their turn.", turnstile.n_waiting)
        yield _gauge("event_loop_lag_seconds", "How late the event loop was at the last look.", turnstile.lag.lag_s)
        yield _gauge(
            "config_refused", "1 while the configuration on disk is refused.", int(gateway.refused_config is not None)
        )


def _counts(
    name: str, help_: str, labels: tuple[str, ...], counts: Mapping[str, int] | Mapping[tuple[str, str], int]
) -> Metric:
    family = CounterMetricFamily(f"pointsman_{name}", help_, None, labels)
    for key, n in counts.items():
        family.add_metric((key,) if isinstance(key, str) else key, n)
    return family


def _count(name: str, help_: str, n: int) -> Metric:
    return CounterMetricFamily(f"pointsman_{name}", help_, n)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pointsman_{name}", help_, value)
