"""`pointsman demo`: the bundled mix through a gateway, and what routing brought."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from pointsman.demo.beside import Way
    from pointsman.demo.run import Summary
    from pointsman.intervals import Share


def demo(
    live: Annotated[
        bool, typer.Option("--live", help="Use the models of your pointsman.yaml; this costs money.")
    ] = False,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="pointsman.yaml, with --live.")] = None,
    max_usd: Annotated[
        float, typer.Option("--max-usd", min=0.0, help="With --live: stop sending once this much is spent.")
    ] = 1.0,
    requests: Annotated[
        int | None, typer.Option("--requests", "-n", min=1, help="Send only N requests, spread over the mix.")
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=256, help="Requests under way at once.")] = 16,
    ledger: Annotated[Path, typer.Option("--ledger", help="SQLite file that the demo's records go to.")] = Path(
        "pointsman-demo.db"
    ),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --live: do not ask before spending.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Route a bundled mix of everyday requests and show where each went and what it cost.

    Without --live the answers are simulated; the decisions, the list prices, the gateway and the ledger are real.

    Example: pointsman demo

    Example: pointsman demo --live --config pointsman.yaml --max-usd 0.50
    """
    import asyncio

    import orjson
    from rich.console import Console

    from pointsman.demo.mix import load_mix
    from pointsman.demo.stage import play

    console = Console()
    mix = load_mix()
    n = len(mix) if requests is None else min(requests, len(mix))
    items = [mix[place * len(mix) // n] for place in range(n)]
    if live and not yes:
        typer.confirm(
            f"Send {len(items)} requests to your configuration's models, spending at most about {max_usd:.2f} USD?",
            abort=True,
        )
    with _progress(console, len(items) * (1 if live else 2), quiet=as_json) as advance:
        summary, ways = asyncio.run(
            play(
                items,
                config=config,
                live=live,
                ledger=ledger,
                concurrency=concurrency,
                max_usd=max_usd if live else None,
                advance=advance,
            )
        )
    if as_json:
        console.file.write(
            orjson.dumps(
                {"live": live, **summary.to_json(), "cascade": [way.to_json() for way in ways]},
                option=orjson.OPT_INDENT_2,
            ).decode()
            + "\n"
        )
    else:
        _show(console, summary, ways, live=live, ledger=ledger)
    if not summary.answered:
        raise typer.Exit(1)


class _progress:  # noqa: N801 - reads as a function where it is used
    """A progress bar with the time left, or nothing."""

    def __init__(self, console: Console, total: int, *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("routing"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("routing", total=total)

    def __enter__(self) -> _progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self) -> None:
        self._bar.advance(self._task)


def _show(console: Console, summary: Summary, ways: Sequence[Way], *, live: bool, ledger: Path) -> None:
    from rich.table import Table

    if not live:
        console.print("[bold]The answers below were simulated.[/bold] The decisions, list prices and times are real.\n")
    answered = summary.answered
    kinds = Table(title=f"{len(answered):,} of {len(summary.outcomes):,} requests answered: what went where")
    kinds.add_column("kind of task")
    for column in ("requests", summary.cheap_tier, summary.strong_tier, "right tier"):
        kinds.add_column(column, justify="right")
    rows: dict[str, list[int]] = {}
    for outcome in answered:
        row = rows.setdefault(outcome.item.kind, [0, 0, 0, 0])
        ideal = summary.cheap_tier if outcome.item.ideal_tier == "cheap" else summary.strong_tier
        row[0] += 1
        row[1] += outcome.tier == summary.cheap_tier
        row[2] += outcome.tier == summary.strong_tier
        row[3] += outcome.tier == ideal
    for kind, row in sorted(rows.items(), key=lambda item: -item[1][0]):
        kinds.add_row(kind, str(row[0]), str(row[1]), str(row[2]), f"{row[3] / row[0]:.0%}")
    console.print(kinds)

    costs = Table(title="cost at list prices, USD")
    costs.add_column("")
    for column in ("requests", "cost", "per 1,000"):
        costs.add_column(column, justify="right")
    n = len(summary.priced)
    if n:
        costs.add_row("routed", f"{n:,}", f"{summary.cost_usd:.4f}", f"{1000 * summary.cost_usd / n:.2f}")
        costs.add_row(
            "always strong", f"{n:,}", f"{summary.baseline_usd:.4f}", f"{1000 * summary.baseline_usd / n:.2f}"
        )
        saved = summary.baseline_usd - summary.cost_usd
        share = f"{saved / summary.baseline_usd:.1%}" if summary.baseline_usd > 0 else "-"
        costs.add_row(f"saved ({share})", "", f"{saved:.4f}", f"{1000 * saved / n:.2f}")
    console.print(costs)

    quality = Table(title="tier against the mix's own ideal tier, with 95 % intervals")
    quality.add_column("")
    quality.add_column("share", justify="right")
    quality.add_row("right tier", _share(summary.right_tier))
    quality.add_row("  control: the same decisions shuffled", f"{summary.shuffled:.1%}")
    quality.add_row("  control: always cheap", _share(summary.always_cheap))
    quality.add_row("  control: always strong", _share(summary.always_strong))
    quality.add_row("hard requests sent to the cheap tier", _share(summary.too_cheap))
    quality.add_row("easy requests sent to the strong tier", _share(summary.too_strong))
    console.print(quality)

    if ways:
        _show_ways(console, ways)

    dear = Table(title="the five most expensive requests, and why", show_lines=True)
    for column in ("request", "model"):
        dear.add_column(column)
    dear.add_column("USD", justify="right")
    dear.add_column("why")
    for outcome in summary.most_expensive(5):
        dear.add_row(outcome.item.id, str(outcome.model), f"{outcome.cost_usd or 0.0:.5f}", outcome.reason)
    console.print(dear)

    console.print(
        f"deciding took {summary.decide_ms(0.5):.2f} ms in the median, {summary.decide_ms(0.99):.2f} ms at the 99th "
        "percentile, with all requests in one process"
    )
    if summary.stopped_by_cap:
        console.print("[yellow]stopped by --max-usd: the rest of the mix was not sent[/yellow]")
    failed = len(summary.outcomes) - len(answered)
    if failed:
        console.print(
            f"[yellow]{failed} requests were not answered; see `pointsman logs --ledger sqlite:///{ledger}`[/yellow]"
        )
    console.print(f"\nEvery request is on record in {ledger}. Next:")
    console.print(f"  pointsman savings --ledger sqlite:///{ledger}    what was saved, by tier and model", markup=False)
    if not live:
        console.print("  pointsman init                                     write pointsman.yaml for your keys")
        console.print("  pointsman demo --live --max-usd 0.50               the same mix through your models")
    console.print("  pointsman serve                                    then point your client's base URL at it")


def _show_ways(console: Console, ways: Sequence[Way]) -> None:
    """A cascade beside direct routing, and what it saved or cost."""
    from rich.table import Table

    table = Table(title="the same requests once more through a cascade (simulated answers)")
    table.add_column("")
    for column in ("cost, USD", "good answers", "from the strong tier"):
        table.add_column(column, justify="right")
    for way in ways:
        table.add_row(way.name, f"{way.cost_usd:.4f}", _share(way.good), f"{way.strong.value:.1%}")
    console.print(table)
    direct, cascade, *_ = ways
    if direct.cost_usd > 0:
        change = 1 - cascade.cost_usd / direct.cost_usd
        word = "saved" if change >= 0 else "cost"
        more = "beside" if change >= 0 else "more than"
        console.print(
            f"the cascade {word} {abs(change):.1%} {more} direct routing, with {cascade.good.value:.1%} good answers "
            f"in place of {direct.good.value:.1%}; calls whose answer was rejected are in its cost"
        )


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%})"
