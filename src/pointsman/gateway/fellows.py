"""The metrics of several workers as one: whichever of them is asked adds up what all of them count.

Each worker tells its figures to the others through a socket in a folder that only this gateway's user can enter. What
it tells it also keeps in a file there: the worker that takes its place goes on counting from that, so that no counter
that was ever told falls when a worker is killed. Killed, a worker takes with it what it counted since it last told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
from prometheus_client import Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from .metrics import Metrics

KEEP_EVERY_S: Final = 5.0
"""How often a worker keeps its figures though nobody asks."""
ANSWER_WITHIN_S: Final = 1.0
"""How long a worker that is busy may take to tell its figures; after that, those that it kept last stand for it."""
SUMMED_GAUGES: Final = frozenset(
    {
        "pointsman_requests_under_way",
        "pointsman_requests_queued",
        "pointsman_connections",
        "pointsman_shadows_queued",
        "pointsman_ledger_queued",
        "pointsman_ledger_queued_bytes",
    }
)
"""Of all other gauges the highest value of any worker is told: how late, how broken, how far."""
KEPT_GAUGES: Final = frozenset({"pointsman_saved_usd"})
"""Gauges that count: added up, and gone on with by the next worker."""
SUPERVISOR: Final = "workers.json"

_log = structlog.get_logger("pointsman.gateway")

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Family:
    kind: str
    documentation: str
    values: dict[tuple[str, Labels], float] = field(default_factory=dict)


class Figures:
    """Metrics of one worker, or of several added up."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}

    @classmethod
    def of(cls, metrics: Iterable[Metric]) -> Figures:
        """What these metrics say now."""
        figures = cls()
        for metric in metrics:
            family = figures._families.setdefault(metric.name, _Family(metric.type, metric.documentation))
            for sample in metric.samples:
                family.values[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
        return figures

    @classmethod
    def read(cls, raw: bytes) -> Figures:
        """As `written`.

        Raises:
            ValueError: it is something else.
        """
        figures = cls()
        for name, kind, documentation, values in orjson.loads(raw):
            family = figures._families.setdefault(name, _Family(kind, documentation))
            for sample, labels, value in values:
                family.values[sample, tuple((key, each) for key, each in labels)] = value
        return figures

    def written(self) -> bytes:
        """As JSON."""
        return orjson.dumps(
            [
                [
                    name,
                    each.kind,
                    each.documentation,
                    [[sample, labels, v] for (sample, labels), v in each.values.items()],
                ]
                for name, each in self._families.items()
            ]
        )

    def add(self, other: Figures, *, counted_only: bool = False) -> None:
        """Adds another worker's.

        Args:
            counted_only: the other is gone; what it counted goes on, what it was like does not.
        """
        for name, theirs in other._families.items():
            counts = theirs.kind != "gauge" or name in KEPT_GAUGES
            if counted_only and not counts:
                continue
            ours = self._families.setdefault(name, _Family(theirs.kind, theirs.documentation))
            for key, value in theirs.values.items():
                known = ours.values.get(key)
                if known is None:
                    ours.values[key] = value
                elif key[0].endswith("_created"):
                    ours.values[key] = min(known, value)
                elif counts or name in SUMMED_GAUGES:
                    ours.values[key] = known + value
                else:
                    ours.values[key] = max(known, value)

    def collect(self) -> Iterable[Metric]:
        """As Prometheus' client wants them."""
        for name, family in self._families.items():
            metric = Metric(name, family.documentation, family.kind)
            for (sample, labels), value in family.values.items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


class Fellows:
    """One worker among several.

    Args:
        folder: where the sockets and files are.
        number: of this worker, from 0.
        n_workers: how many there are.
        metrics: its own.
    """

    def __init__(self, folder: Path, number: int, n_workers: int, metrics: Metrics) -> None:
        self._folder = folder
        self._number = number
        self._others = [each for each in range(n_workers) if each != number]
        self._metrics = metrics
        self._before = _kept(folder, number)
        self._server: asyncio.Server | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Begins to tell the others."""
        path = _socket(self._folder, self._number)
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._tell, path)
        self._keeping = asyncio.create_task(self._keep_on())

    async def stop(self) -> None:
        """Tells the others no more; what was counted stays in the folder."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        if self._server is not None:
            self._server.close()
        await self._own()

    async def text(self) -> bytes:
        """The figures of all workers together, as the text that Prometheus reads."""
        asked = [asyncio.ensure_future(self._asked(each)) for each in self._others]
        total = await self._own()
        for each in asked:
            other, is_running = await each
            total.add(other, counted_only=not is_running)
        parents = await asyncio.to_thread(_told, self._folder)
        return generate_latest(_Collected([*total.collect(), *parents]))

    async def _own(self) -> Figures:
        async with self._lock:
            figures = Figures.of(self._metrics.families())
            figures.add(self._before, counted_only=True)
            try:
                # Before anybody is told, so that what is told is never forgotten.
                await asyncio.to_thread(_keep, self._folder, self._number, figures.written())
            except OSError as error:
                _log.warning("figures not kept", error=type(error).__name__)
            return figures

    async def _asked(self, number: int) -> tuple[Figures, bool]:
        """A worker's figures, and whether it told them itself."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(_socket(self._folder, number))
                try:
                    return Figures.read(await reader.read()), True
                finally:
                    writer.close()
        except (OSError, ValueError, TimeoutError):
            return await asyncio.to_thread(_kept, self._folder, number), False

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write((await self._own()).written())
            await writer.drain()
        except OSError as error:
            _log.warning("figures not told", error=type(error).__name__)
        finally:
            writer.close()

    async def _keep_on(self) -> None:
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            await self._own()


@dataclass(frozen=True, slots=True)
class _Collected:
    metrics: list[Metric]

    def collect(self) -> list[Metric]:
        return self.metrics


def tell_workers(folder: Path, *, n_workers: int, n_up: int, restarts: Mapping[str, int]) -> None:
    """Writes down for all workers what only their parent knows.

    Args:
        restarts: how many workers were started anew, by why the one before had ended.
    """
    _write(folder / SUPERVISOR, orjson.dumps({"n_workers": n_workers, "n_up": n_up, "restarts": dict(restarts)}))


def _told(folder: Path) -> list[Metric]:
    try:
        return supervised(orjson.loads((folder / SUPERVISOR).read_bytes()))
    except (OSError, orjson.JSONDecodeError):
        return []


def supervised(told: Mapping[str, Any]) -> list[Metric]:
    """The metrics that come from the parent; `told` as `tell_workers` wrote it."""
    restarts = CounterMetricFamily("pointsman_worker_restarts", "Workers started anew, by why.", None, ("why",))
    for why, n in told["restarts"].items():
        restarts.add_metric((why,), n)
    return [
        GaugeMetricFamily("pointsman_workers", "Worker processes configured.", told["n_workers"]),
        GaugeMetricFamily("pointsman_workers_up", "Worker processes that serve.", told["n_up"]),
        restarts,
    ]


def _socket(folder: Path, number: int) -> Path:
    return folder / f"{number}.sock"


def _keep(folder: Path, number: int, raw: bytes) -> None:
    _write(folder / f"{number}.json", raw)


def _kept(folder: Path, number: int) -> Figures:
    """What a worker kept last; nothing when it never did."""
    try:
        return Figures.read((folder / f"{number}.json").read_bytes())
    except (OSError, ValueError):
        return Figures()


def _write(path: Path, raw: bytes) -> None:
    """Whole or not at all, whoever reads or is killed meanwhile."""
    half = path.with_suffix(".half")
    half.write_bytes(raw)
    half.replace(path)
