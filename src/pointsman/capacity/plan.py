"""From a load to replicas: processor time, memory and ledger rows, each by its own sum; the largest decides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pointsman.errors import DataError

from .figures import Figures

SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a fleet at its busiest.

    Attributes:
        rps: requests begun a second, streams among them.
        streams: streams open at once.
        auto_share: share of the requests that the router decides; the rest name a model or have a fixed policy.
    """

    rps: float
    streams: int = 0
    auto_share: float = 1.0


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """What a load needs. A replica is one process, which uses one core.

    Attributes:
        load: what was asked.
        replicas: how many there are: those given, else those needed.
        needed: replicas that carry the load, the spare ones included.
        because: what decides their number: "processor", "ledger" or "streams".
        cores_busy: processor time used per second, over all replicas.
        utilisation: share of its core that each replica uses when the spare ones have stopped.
        stream_rps: streams begun a second.
        memory_mib: of each replica, when the spare ones have stopped.
        ledger_rows_per_s: over all replicas.
        ledger_gb_per_day: at this load all day.
        enough: True when `replicas` are at least `needed`.
    """

    load: Load
    replicas: int
    needed: int
    because: str
    cores_busy: float
    utilisation: float
    stream_rps: float
    memory_mib: float
    ledger_rows_per_s: float
    ledger_gb_per_day: float

    @property
    def enough(self) -> bool:
        """Whether the replicas carry the load."""
        return self.replicas >= self.needed

    def to_json(self) -> Mapping[str, Any]:
        """Plain JSON types."""
        return {
            "load": {"rps": self.load.rps, "streams": self.load.streams, "auto_share": self.load.auto_share},
            "replicas": self.replicas,
            "needed": self.needed,
            "enough": self.enough,
            "because": self.because,
            "cores_busy": self.cores_busy,
            "utilisation_without_spares": self.utilisation,
            "stream_rps": self.stream_rps,
            "memory_mib_per_replica": self.memory_mib,
            "ledger_rows_per_s": self.ledger_rows_per_s,
            "ledger_gb_per_day": self.ledger_gb_per_day,
        }


def plan(load: Load, figures: Figures, *, replicas: int | None = None) -> CapacityPlan:
    """The replicas that a load needs, or how the given ones carry it.

    Requests that are not streams cost a request's processor time, streams a stream's; both are mixed by `auto_share`.
    Streams begin as often as keeps `load.streams` open for `stream_s` each. Costs are taken to add up: nothing is known
    here of how they grow near a full core, which is what `utilisation` stays away from.

    Raises:
        DataError: the load is not a number from 0 up, or more streams begin than requests.
    """
    _check(load, replicas)
    stream_rps = load.streams / figures["stream_s"]
    if stream_rps > load.rps * (1 + 1e-9):
        raise DataError(
            f"{load.streams:,} streams open for {figures['stream_s']:g} s each begin {stream_rps:,.1f} times a second, "
            f"more than the {load.rps:g} requests a second; raise --rps or give --stream-s"
        )
    cores = (
        (load.rps - stream_rps) * _mixed(load, figures, "request") + stream_rps * _mixed(load, figures, "stream")
    ) / 1e6
    by_processor = math.ceil(_rounded(cores / figures["utilisation"]))
    by_ledger = math.ceil(_rounded(load.rps / figures["ledger_rows_per_s"]))
    working = max(1, by_processor, by_ledger)
    spare = int(figures["spare_replicas"])
    needed = working + spare
    there = needed if replicas is None else replicas
    left = max(1, there - spare)
    return CapacityPlan(
        load=load,
        replicas=there,
        needed=needed,
        because="ledger" if by_ledger > by_processor else "processor",
        cores_busy=cores,
        utilisation=cores / left,
        stream_rps=stream_rps,
        memory_mib=figures["process_mib"] + load.streams / left * figures["stream_kib"] / 1_024,
        ledger_rows_per_s=load.rps,
        ledger_gb_per_day=load.rps * figures["record_bytes"] * SECONDS_PER_DAY / 1e9,
    )


def _mixed(load: Load, figures: Figures, what: str) -> float:
    auto, fixed = figures[f"auto_{what}_us"], figures[f"fixed_{what}_us"]
    return load.auto_share * auto + (1 - load.auto_share) * fixed


def _rounded(value: float) -> float:
    """Without the rounding of binary fractions: 0.6 / 0.2 is a little more than 3."""
    return round(value, 9)


def _check(load: Load, replicas: int | None) -> None:
    if not (math.isfinite(load.rps) and load.rps >= 0 and load.streams >= 0 and 0 <= load.auto_share <= 1):
        raise DataError(f"a load needs requests and streams from 0 up and a share from 0 to 1, got {load}")
    if replicas is not None and replicas < 1:
        raise DataError(f"at least one replica is needed, got {replicas}")
