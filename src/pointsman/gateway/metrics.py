"""Prometheus metrics of one application, in a registry of its own. Every label comes from a closed set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, generate_latest
from prometheus_client.registry import Collector

from pointsman.vocabulary import Attempt, AttemptStatus, Cost, Decision

from .tally import Tally, Times

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_DECIDE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Microseconds for the trained router, up to seconds where a model classifies."""


class Metrics:
    """Counts requests, decisions, money, times and errors. Money is USD."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Tally("pointsman_requests", "Requests answered.", ("endpoint", "status"), registry=registry)
        self.n_under_way = 0
        Gauge("pointsman_requests_under_way", "Requests under way.", registry=registry).set_function(
            lambda: self.n_under_way
        )
        self.clients_left = Counter(
            "pointsman_clients_left", "Requests whose client left before the answer.", ("endpoint",), registry=registry
        )
        self.errors = Counter(
            "pointsman_errors", "Errors told to clients, in mid-stream too.", ("code",), registry=registry
        )
        self._decisions = Tally(
            "pointsman_decisions",
            "Decisions by tier, policy kind and reason.",
            ("tier", "kind", "reason"),
            registry=registry,
        )
        self._cost = Tally("pointsman_cost_usd", "Spent on answers, USD.", ("tier",), registry=registry)
        self._router_cost = Tally(
            "pointsman_router_cost_usd", "Spent on deciding (classifier calls), USD.", registry=registry
        )
        self._saved_usd = 0.0
        Gauge(
            "pointsman_saved_usd", "Saved against the baseline, USD; falls when routing cost more.", registry=registry
        ).set_function(lambda: self._saved_usd)
        self._cost_unknown = Counter(
            "pointsman_cost_unknown", "Answers whose cost is not known.", ("tier",), registry=registry
        )
        self.reloads = Counter(
            "pointsman_reloads", "Reloads of the configuration: done or refused.", ("result",), registry=registry
        )
        self._judged = Counter(
            "pointsman_judged_answers",
            "Answers judged in cascades, by tier and what came of them.",
            ("tier", "outcome"),
            registry=registry,
        )
        self._escalations = Counter(
            "pointsman_escalations",
            "Calls of a cascade that another followed, by tier and why.",
            ("tier", "why"),
            registry=registry,
        )
        self._judge_cost = Counter("pointsman_judge_cost_usd", "Spent on judging answers, USD.", registry=registry)
        self._seconds = Times(
            "pointsman_request_seconds",
            "From request to the end of the answer.",
            ("endpoint",),
            bounds=_SECONDS,
            registry=registry,
        )
        self._first_byte_seconds = Times(
            "pointsman_first_byte_seconds",
            "From request to the first byte of the answer.",
            ("endpoint",),
            bounds=_SECONDS,
            registry=registry,
        )
        self._decide_seconds = Times(
            "pointsman_decide_seconds", "Time to decide.", bounds=_DECIDE_SECONDS, registry=registry
        )

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a request that was answered, and how long that took."""
        self._requests.n[endpoint, str(status)] += 1
        self._seconds.observe((endpoint,), seconds)

    def first_byte(self, endpoint: str, seconds: float) -> None:
        """Counts how long an answer's first byte took."""
        self._first_byte_seconds.observe((endpoint,), seconds)

    def decided(self, decision: Decision) -> None:
        """Counts a decision."""
        tier = "" if decision.tier is None else decision.tier
        self._decisions.n[tier, decision.policy_kind, decision.reason_code] += 1
        self._decide_seconds.observe((), decision.decide_ms / 1e3)
        self._router_cost.n[()] += decision.router_cost_usd

    def ended(self, tier: str | None, cost: Cost | None, saved_usd: float | None) -> None:
        """Counts what a finished answer cost and saved."""
        label = "" if tier is None else tier
        if cost is None or cost.usd is None:
            self._cost_unknown.labels(label).inc()
        else:
            self._cost.n[(label,)] += cost.usd
        if saved_usd is not None:
            self._saved_usd += saved_usd

    def register(self, figures: Collector) -> None:
        """Adds figures that are read when they are asked for."""
        self._registry.register(figures)

    def cascaded(self, attempts: Sequence[Attempt]) -> None:
        """Counts the calls of one request that was decided as a cascade."""
        for place, attempt in enumerate(attempts):
            tier = "" if attempt.tier is None else attempt.tier
            if attempt.verdicts:
                outcome = "accepted" if attempt.verdicts[-1].accepted else "rejected"
                if isnan(attempt.verdicts[-1].p_good):
                    outcome = "unjudged"
                self._judged.labels(tier, outcome).inc()
            for verdict in attempt.verdicts:
                self._judge_cost.inc(0.0 if verdict.cost.usd is None else verdict.cost.usd)
            if place < len(attempts) - 1:
                self._escalations.labels(tier, _why(attempt)).inc()

    def families(self) -> Iterable[Metric]:
        """Every figure as it is now."""
        return self._registry.collect()

    def text(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)


def _why(attempt: Attempt) -> str:
    """Why an attempt was not the last: a closed set."""
    if attempt.status is AttemptStatus.ESCALATED:
        return "rejected"
    return "lost_race" if attempt.error == "lost_race" else "failed"
