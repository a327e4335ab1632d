"""Counters and histograms for figures that every request touches.

A counter of prometheus-client takes a lock and five calls to count one; these are counted on one event loop only, and
cost an addition. Read by Prometheus they look the same (prometheus.io/docs/instrumenting/exposition_formats).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class Tally(Collector):
    """A counter. Count with `tally.n[labels] += 1`.

    Attributes:
        n: by the values of the labels, in the order of their names.
    """

    def __init__(self, name: str, what: str, labels: Sequence[str] = (), *, registry: CollectorRegistry) -> None:
        self.n: defaultdict[Labels, float] = defaultdict(float)
        self._name = name
        self._what = what
        self._labels = tuple(labels)
        if not labels:
            self.n[()] = 0.0
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._what, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._what, labels=self._labels)
        for labels, n in tuple(self.n.items()):
            family.add_metric(labels, n)
        return [family]


class Times(Collector):
    """A histogram of seconds.

    Args:
        bounds: upper ends of the buckets, ascending; one more takes what is longer.
    """

    def __init__(
        self, name: str, what: str, labels: Sequence[str] = (), *, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name = name
        self._what = what
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: defaultdict[Labels, float] = defaultdict(float)
        if not labels:
            self._counts[()] = self._nothing()
        registry.register(self)

    def observe(self, labels: Labels, seconds: float) -> None:
        """Counts one time."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = self._nothing()
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[labels] += seconds

    def describe(self) -> Iterable[Metric]:
        return [HistogramMetricFamily(self._name, self._what, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._what, labels=self._labels)
        names = [*map(repr, self._bounds), "+Inf"]
        for labels, counts in tuple(self._counts.items()):
            buckets: list[tuple[str, float]] = []
            so_far = 0
            for name, count in zip(names, counts, strict=True):
                so_far += count
                buckets.append((name, so_far))
            family.add_metric(labels, buckets, self._sums[labels])
        return [family]

    def _nothing(self) -> list[int]:
        return [0] * (len(self._bounds) + 1)
