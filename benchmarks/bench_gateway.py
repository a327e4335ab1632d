"""What gateways cost, in alternation in one run: throughput, added latency, CPU, memory, start-up.

    python -m benchmarks.bench_gateway [--rounds 5] [--seconds 1.5] [--only "ours;tensorzero"] [--json OUT]

Each gateway runs as one worker on the last core, the upstream and the load generator (both in C) on the first. In every
round every gateway gets every scenario once, in an order that turns; every request has a text of its own. Ratios are
medians over the rounds of the ratio within a round, so that a machine that is busy at times slows both sides of it.
"direct" is the load generator against the upstream: what is not the gateway's. Needs a C compiler; gateways that are
not installed are left out and named.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.gateways import ALL, Direct, Gateway, LiteLlm, LiteLlmAuto, Ours, OursFixed, TensorZero
from benchmarks.headed import heading
from benchmarks.native_load import Load, Native, Scenario

SCENARIOS = tuple(
    Scenario(f"{name}, {n} at once", n, body_bytes, stream, wait_ms)
    for name, body_bytes, stream, wait_ms in (
        ("small", 1_500, False, 0),
        ("30 KB", 30_000, False, 0),
        ("stream", 1_500, True, 0),
        ("stream after 20 ms", 1_500, True, 20),
    )
    for n in (1, 16, 128)
)
MAX_MEMORY_MB = 150.0
MAX_START_S = 2.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One gateway in one scenario of one round."""

    load: Load
    cpu_us: float
    """Processor time of the gateway per answer, in microseconds; NaN without an answer."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the project, and whether it holds."""

    text: str
    measured: float
    bar: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        """True when what was measured is on the right side."""
        return self.measured <= self.bar if self.at_most else self.measured >= self.bar


Cells = Mapping[tuple[str, str], Sequence[Cell]]
"""By the names of gateway and scenario; one for each round."""


def measure(
    gateways: Sequence[Gateway], native: Native, rounds: int, seconds: float
) -> dict[tuple[str, str], list[Cell]]:
    """All rounds."""
    cells: dict[tuple[str, str], list[Cell]] = {}
    for gateway in gateways:
        _run(gateway, SCENARIOS[1], native, seconds)
    for n in range(rounds):
        for scenario in SCENARIOS:
            turned = [*gateways[n % len(gateways) :], *gateways[: n % len(gateways)]]
            for gateway in turned:
                cell = _run(gateway, scenario, native, seconds)
                cells.setdefault((gateway.name, scenario.name), []).append(cell)
                if cell.load.n_failed:
                    print(f"! {gateway.name}, {scenario.name}: {cell.load.n_failed} failed: {cell.load.said[:300]}")
    return cells


def _run(gateway: Gateway, scenario: Scenario, native: Native, seconds: float) -> Cell:
    before_s = gateway.cpu_s()
    load = native.load(
        scenario,
        port=gateway.port,
        path=gateway.path,
        model=gateway.model,
        headers=gateway.headers,
        seconds=seconds,
    )
    spent_s = gateway.cpu_s() - before_s
    return Cell(load, spent_s / load.n_done * 1e6 if load.n_done else math.nan)


def median(cells: Cells, gateway: str, scenario: str, of: Callable[[Cell], float]) -> float:
    """The median over the rounds in which there were answers; NaN when there were none."""
    found = [of(cell) for cell in cells[gateway, scenario] if cell.load.n_done]
    return statistics.median(found) if found else math.nan


def ratio(cells: Cells, ours: str, theirs: str, scenario: str, of: Callable[[Cell], float]) -> float:
    """The median over the rounds of ours over theirs; NaN when they never gave an answer."""
    pairs = zip(cells[ours, scenario], cells[theirs, scenario], strict=True)
    found = [of(mine) / of(other) for mine, other in pairs if of(other) > 0]
    return statistics.median(found) if found else math.nan


def per_s(cell: Cell) -> float:
    """Answers a second."""
    return cell.load.per_s


def bars(cells: Cells, gateways: Sequence[Gateway]) -> list[Bar]:
    """The bars on speed, as far as the gateways that they name were measured."""
    there = {gateway.name for gateway in gateways}
    out: list[Bar] = []

    def against(ours: str, theirs: str, floor: float, scenarios: Iterable[str]) -> None:
        if {ours, theirs} <= there:
            for scenario in scenarios:
                times = ratio(cells, ours, theirs, scenario, per_s)
                out.append(Bar(f"{ours} over {theirs}: {scenario}", times, floor))

    def at(kind: str, *places: int) -> list[str]:
        return [f"{kind}, {n} at once" for n in places]

    fixed, auto = OursFixed.name, Ours.name
    against(fixed, TensorZero.name, 1.0, at("small", 16, 128))
    against(fixed, LiteLlm.name, 50.0, at("small", 16, 128))
    against(fixed, TensorZero.name, 1.5, at("30 KB", 16, 128))
    against(fixed, TensorZero.name, 2.5, at("stream", 16, 128))
    against(fixed, LiteLlm.name, 80.0, at("stream", 16, 128))
    against(auto, TensorZero.name, 0.5, at("small", 16, 128))
    against(auto, LiteLlm.name, 25.0, at("small", 16, 128))
    against(auto, LiteLlmAuto.name, 25.0, at("small", 16, 128))
    against(auto, TensorZero.name, 0.8, at("30 KB", 16, 128))
    against(auto, TensorZero.name, 3.0, at("stream", 16))
    against(auto, TensorZero.name, 1.2, at("stream", 128))
    for name, most_ms in ((fixed, 0.4), (auto, 0.8)):
        if {name, Direct.name} <= there:
            whole = added_ms(cells, name, "small, 1 at once", lambda cell: cell.load.last_p50_us)
            first = added_ms(cells, name, "stream, 1 at once", lambda cell: cell.load.first_p50_us)
            out.append(Bar(f"{name}: added p50 of a small call, 1 at once, ms", whole, most_ms, at_most=True))
            out.append(Bar(f"{name}: added p50 to the first byte of a stream, ms", first, most_ms, at_most=True))
    for gateway in gateways:
        if isinstance(gateway, Ours):
            memory = gateway.memory_bytes() / 2**20
            out.append(Bar(f"{gateway.name}: memory after all rounds, MiB", memory, MAX_MEMORY_MB, at_most=True))
            out.append(Bar(f"{gateway.name}: start to the first answer, s", gateway.start_s, MAX_START_S, at_most=True))
    return out


def added_ms(cells: Cells, gateway: str, scenario: str, of: Callable[[Cell], float]) -> float:
    """What a gateway adds to what the upstream takes when it is asked directly, ms; NaN without an answer."""
    pairs = zip(cells[gateway, scenario], cells[Direct.name, scenario], strict=True)
    found = [of(mine) - of(bare) for mine, bare in pairs if mine.load.n_done and bare.load.n_done]
    return statistics.median(found) / 1e3 if found else math.nan


def show(cells: Cells, gateways: Sequence[Gateway]) -> None:
    """Prints all tables."""
    names = [gateway.name for gateway in gateways]
    if TensorZero.name in names:
        print("\nAnswers a second, as a multiple of TensorZero's\n")
        _table(names, lambda name, scenario: f"{ratio(cells, name, TensorZero.name, scenario, per_s):.2f}")
    print("\nAnswers a second, medians\n")
    _table(names, lambda name, scenario: f"{median(cells, name, scenario, per_s):,.0f}")
    print("\nProcessor time of the gateway per answer, microseconds\n")
    _table(names[1:], lambda name, scenario: f"{median(cells, name, scenario, lambda cell: cell.cpu_us):,.0f}")
    if Direct.name in names:
        print("\nAdded to the last byte, p50 / p99, ms\n")
        _table(names[1:], lambda name, scenario: _added(cells, name, scenario))
        print("\nAdded to the first byte, p50, ms\n")
        _table(
            names[1:],
            lambda name, scenario: f"{added_ms(cells, name, scenario, lambda cell: cell.load.first_p50_us):.2f}",
        )
    print("\n| | start to first answer, s | memory after all rounds, MiB |\n|---|---|---|")
    for gateway in gateways[1:]:
        print(f"| {gateway.name} | {gateway.start_s:.2f} | {gateway.memory_bytes() / 2**20:.0f} |")


def _added(cells: Cells, name: str, scenario: str) -> str:
    middle = added_ms(cells, name, scenario, lambda cell: cell.load.last_p50_us)
    high = added_ms(cells, name, scenario, lambda cell: cell.load.last_p99_us)
    return f"{middle:.2f} / {high:.2f}"


def _table(names: Sequence[str], cell: Callable[[str, str], str]) -> None:
    print("| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for scenario in SCENARIOS:
        print(f"| {scenario.name} | " + " | ".join(cell(name, scenario.name) for name in names) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of load, for each gateway, scenario and round")
    parser.add_argument("--only", default="", help="gateways whose names begin so, separated by semicolons")
    parser.add_argument("--free", action="store_true", help="pin nothing to a core: on a machine that others use too")
    parser.add_argument("--json", type=Path, help="where to write every measurement")
    options = parser.parse_args()
    n_cores = os.cpu_count() or 1
    ours, theirs = (None, None) if n_cores == 1 or options.free else ("0", str(n_cores - 1))
    wanted = tuple(name for name in options.only.split(";") if name)
    print(heading("Gateways", "benchmarks.bench_gateway"))
    print(f"{n_cores} cores, load {os.getloadavg()[0]:.1f} before the start")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # nginx gives up root for its worker, which must reach its folders all the same.
        folder.chmod(0o755)
        native = Native(folder, pin=ours)
        with native.upstream() as port:
            gateways = [kind(port, folder, theirs) for kind in ALL if _is_wanted(kind, wanted)]
            for gateway in list(gateways):
                missing = gateway.missing()
                if missing is not None:
                    print(f"! left out: {gateway.name}: needs {missing}")
                    gateways.remove(gateway)
            try:
                for gateway in gateways:
                    gateway.start()
                cells = measure(gateways, native, options.rounds, options.seconds)
                show(cells, gateways)
                found = bars(cells, gateways)
            finally:
                for gateway in gateways:
                    gateway.stop()
    print("\n| bar | | measured | holds |\n|---|---|---|---|")
    for bar in found:
        sign = "≤" if bar.at_most else "≥"
        said = "not measured" if math.isnan(bar.measured) else "yes" if bar.holds else "**no**"
        print(f"| {bar.text} | {sign} {bar.bar:g} | {bar.measured:.2f} | {said} |")
    print(f"\nload {os.getloadavg()[0]:.1f} at the end; {sum(bar.holds for bar in found)} of {len(found)} bars hold")
    if options.json is not None:
        rows = [{"gateway": g, "scenario": s} | asdict(cell) for (g, s), run in cells.items() for cell in run]
        options.json.write_text(json.dumps(rows))


def _is_wanted(kind: type[Gateway], wanted: tuple[str, ...]) -> bool:
    return not wanted or kind is Direct or kind.name.startswith(wanted)


if __name__ == "__main__":
    main()
