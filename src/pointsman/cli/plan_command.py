"""`pointsman plan`: how many replicas a load needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pointsman.capacity import CapacityPlan, Figures


def plan(
    rps: Annotated[float, typer.Option("--rps", min=0.0, help="Requests a second at the busiest time, streams too.")],
    streams: Annotated[int, typer.Option("--streams", min=0, help="Streams open at once.")] = 0,
    auto_share: Annotated[
        float,
        typer.Option("--auto-share", min=0.0, max=1.0, help="Share of requests that the router decides."),
    ] = 1.0,
    replicas: Annotated[
        int | None, typer.Option("--replicas", min=1, help="Ask whether so many are enough; exits 1 when they are not.")
    ] = None,
    stream_s: Annotated[
        float | None, typer.Option("--stream-s", min=0.001, help="Seconds that a stream is open; else what is assumed.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Figures of your own machine, in the form of the packaged file.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with every figure and where it comes from.")
    ] = False,
) -> None:
    """Say how many replicas (processes of one core each) a load needs, from figures measured on one.

    What was measured and what is assumed is printed with the answer. Measure on your own machine before you buy any.

    Example: pointsman plan --rps 200 --streams 500

    Example: pointsman plan --rps 200 --replicas 3 --json
    """
    from dataclasses import asdict, replace

    from pointsman import capacity

    found = capacity.read_figures() if figures is None else capacity.read_figures(figures)
    if stream_s is not None:
        told = replace(found.by_name["stream_s"], value=stream_s, what="given with --stream-s")
        found = capacity.Figures({**found.by_name, "stream_s": told})
    made = capacity.plan(capacity.Load(rps, streams, auto_share), found, replicas=replicas)
    if as_json:
        told_all = {name: {**asdict(figure), "measured": figure.measured} for name, figure in found.by_name.items()}
        typer.echo(json.dumps({**made.to_json(), "figures": told_all}, indent=2))
    else:
        _show(made, found, asked=replicas)
    if not made.enough:
        raise typer.Exit(1)


def _show(made: CapacityPlan, figures: Figures, *, asked: int | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    spare = int(figures["spare_replicas"])
    if asked is None:
        answer = f"{made.needed} replicas, {spare} of them spare; the {made.because} decides"
    elif made.enough:
        answer = f"{asked} replicas are enough; {made.needed} are needed, {spare} of them spare"
    else:
        answer = f"{asked} replicas are not enough: {made.needed} are needed, {spare} of them spare"
    console.print(answer, style="bold", highlight=False)
    table = Table("", "", show_header=False)
    table.add_row("processor time, all replicas", f"{made.cores_busy:.2f} cores")
    table.add_row("each core in use, spare ones stopped", f"{made.utilisation:.0%}")
    table.add_row("memory of a replica, spare ones stopped", f"{made.memory_mib:,.0f} MiB")
    table.add_row("streams begun", f"{made.stream_rps:,.1f} a second")
    table.add_row("ledger", f"{made.ledger_rows_per_s:,.0f} rows a second, {made.ledger_gb_per_day:,.1f} GB a full day")
    console.print(table)
    for measured in (True, False):
        rows = Table("figure", "value", "what", *(["date", "machine"] if measured else []))
        rows.title = "measured" if measured else "assumed, not measured"
        for figure in figures.by_name.values():
            if figure.measured is measured:
                more = [str(figure.date), str(figure.machine)] if measured else []
                rows.add_row(figure.name, f"{figure.value:,g} {figure.unit}", figure.what, *more)
        console.print(rows)
