"""`pointsman route`: decide without calling, and explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from pointsman.router import Router
    from pointsman.vocabulary import Decision, Hints, Request


def route(
    text: Annotated[str | None, typer.Argument(help="A prompt to decide on.", show_default=False)] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Requests to decide on: JSONL, or Parquet with a prompt or messages column."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="pointsman.yaml; without one, the example tiers of the demo.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", help="Decide with the rules in this YAML file instead of the configured ones."),
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="Policy to decide with.")] = None,
    max_quality_loss: Annotated[
        float | None,
        typer.Option("--max-quality-loss", min=0.0, max=1.0, help="Quality that may be lost against the strong tier."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write every decision to this JSONL file.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Read at most this many requests.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one decision a line.")] = False,
) -> None:
    """Decide which model would serve, without calling any; explain why.

    Example: pointsman route "Translate 'good morning' into French"

    Example: pointsman route --file requests.jsonl --rules my-rules.yaml
    """
    from rich.console import Console

    from pointsman.errors import BadRequest
    from pointsman.router import Router
    from pointsman.vocabulary import Hints

    if (text is None) == (file is None):
        raise BadRequest("expected either a prompt or --file FILE, and not both")
    console = Console()
    router = Router.for_decisions(config, rules=rules)
    hints = Hints(policy=policy, max_quality_loss=max_quality_loss)
    if text is not None:
        decision = router.route(prompt=text, policy=policy, max_quality_loss=max_quality_loss)
        if as_json:
            console.file.write(_line(decision))
        else:
            _show(console, decision, router)
        return
    assert file is not None
    _route_file(console, router, file, hints=hints, to=to, limit=limit, as_json=as_json)


def _route_file(
    console: Console,
    router: Router,
    file: Path,
    *,
    hints: Hints,
    to: Path | None,
    limit: int | None,
    as_json: bool,
) -> None:
    import contextlib
    from dataclasses import replace

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from .request_files import read_requests

    requests: list[tuple[str, Request]] = [
        (id_, replace(request, hints=hints)) for id_, request in read_requests(file, limit=limit)
    ]
    summary = _Summary()
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(to.open("w", encoding="utf-8")) if to is not None else None
        progress = stack.enter_context(
            Progress(
                TextColumn("deciding"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
                disable=as_json or not console.is_terminal,
            )
        )
        task = progress.add_task("deciding", total=len(requests))
        for id_, request in requests:
            decision = router.decide(request, request_id=id_)
            summary.add(decision)
            if as_json:
                console.file.write(_line(decision))
            if out is not None:
                out.write(_line(decision))
            progress.advance(task)
    if not as_json:
        summary.show(console)
        if to is not None:
            console.print(f"every decision: {to}")


class _Summary:
    """Counts of many decisions, for a table."""

    def __init__(self) -> None:
        self.n = 0
        self.by_model: dict[tuple[str, str], list[float]] = {}
        self.by_reason: dict[str, int] = {}
        self.by_rule: dict[tuple[str, str, str], int] = {}
        self.by_kind: dict[tuple[str, str], int] = {}
        self.cost_usd = 0.0
        self.baseline_usd = 0.0
        self.n_unpriced = 0
        self.decide_ms: list[float] = []

    def add(self, decision: Decision) -> None:
        self.n += 1
        key = (decision.tier if decision.tier is not None else "-", decision.model)
        row = self.by_model.setdefault(key, [0.0, 0.0])
        row[0] += 1
        if decision.estimated_cost_usd is None or decision.estimated_baseline_cost_usd is None:
            self.n_unpriced += 1
        else:
            row[1] += decision.estimated_cost_usd
            self.cost_usd += decision.estimated_cost_usd
            self.baseline_usd += decision.estimated_baseline_cost_usd
        self.by_reason[decision.reason_code] = self.by_reason.get(decision.reason_code, 0) + 1
        for rule in decision.rules:
            if rule.fired:
                rule_key = (rule.rule, rule.mode, rule.use)
                self.by_rule[rule_key] = self.by_rule.get(rule_key, 0) + 1
        if decision.task_kind is not None:
            kind_key = (decision.task_kind.value, key[0])
            self.by_kind[kind_key] = self.by_kind.get(kind_key, 0) + 1
        self.decide_ms.append(decision.decide_ms)

    def show(self, console: Console) -> None:
        from rich.table import Table

        if self.n == 0:
            console.print("no requests in the file")
            return
        table = Table(title=f"{self.n:,} decisions")
        for column in ("tier", "model"):
            table.add_column(column)
        for column in ("requests", "share", "estimated cost, USD"):
            table.add_column(column, justify="right")
        for (tier, model), (count, cost) in sorted(self.by_model.items(), key=lambda item: -item[1][0]):
            table.add_row(tier, model, f"{count:,.0f}", f"{count / self.n:.1%}", f"{cost:.4f}")
        console.print(table)

        if self.by_kind:
            kinds = Table(title="by kind of task")
            kinds.add_column("task")
            tiers = sorted({tier for _, tier in self.by_kind})
            for tier in tiers:
                kinds.add_column(tier, justify="right")
            totals: dict[str, int] = {}
            for (kind, _), count in self.by_kind.items():
                totals[kind] = totals.get(kind, 0) + count
            for kind in sorted(totals, key=lambda k: -totals[k]):
                kinds.add_row(kind, *(f"{self.by_kind.get((kind, tier), 0):,}" for tier in tiers))
            console.print(kinds)

        if self.by_rule:
            fired = Table(title="rules whose conditions held")
            for column in ("rule", "mode", "would use"):
                fired.add_column(column)
            fired.add_column("requests", justify="right")
            for (rule, mode, use), count in sorted(self.by_rule.items(), key=lambda item: -item[1]):
                fired.add_row(rule, mode, use, f"{count:,}")
            console.print(fired)

        ordered = sorted(self.decide_ms)
        console.print(
            "decided by: "
            + ", ".join(f"{code} {n:,}" for code, n in sorted(self.by_reason.items(), key=lambda i: -i[1]))
        )
        if self.baseline_usd > 0:
            saved = 1 - self.cost_usd / self.baseline_usd
            console.print(
                f"estimated cost {self.cost_usd:.4f} USD against {self.baseline_usd:.4f} USD with the baseline alone: "
                f"{saved:.1%} less. Token counts are estimates and no answer was judged; "
                "run the requests and measure before relying on it."
            )
        if self.n_unpriced:
            console.print(f"{self.n_unpriced:,} decisions have no estimate because a price is not known")
        console.print(
            f"decision time: median {ordered[len(ordered) // 2]:.2f} ms, "
            f"99th percentile {ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]:.2f} ms"
        )


def _line(decision: Decision) -> str:
    import orjson

    return orjson.dumps(decision.to_json(), option=orjson.OPT_APPEND_NEWLINE).decode()


def _show(console: Console, decision: Decision, router: Router) -> None:
    from rich.table import Table

    console.print(f"[bold]{decision.model}[/bold]" + ("" if decision.tier is None else f" (tier {decision.tier})"))
    console.print(decision.reason, markup=False)
    if decision.why_not_cheaper is not None:
        console.print(f"why not cheaper: {decision.why_not_cheaper}", markup=False)
    if decision.moved:
        table = Table(title="what moved the score")
        table.add_column("feature")
        table.add_column("effect", justify="right")
        table.add_column("in words")
        for part in decision.moved:
            table.add_row(part.feature, f"{part.effect:+.2f}", part.text)
        console.print(table)
    if decision.rules:
        table = Table(
            title="rules, in order" + ("" if decision.task_kind is None else f" (task: {decision.task_kind})")
        )
        for column in ("rule", "mode", "use", "conditions", "why"):
            table.add_column(column)
        for rule in decision.rules:
            table.add_row(rule.rule, rule.mode, rule.use, "held" if rule.fired else "did not hold", rule.why)
        console.print(table)
    table = Table(title="alternatives")
    for column in ("tier", "model"):
        table.add_column(column)
    table.add_column("estimated cost, USD", justify="right")
    table.add_column("P(good)", justify="right")
    table.add_column("why")
    for other in decision.alternatives:
        table.add_row(
            "-" if other.tier is None else other.tier,
            f"[bold]{other.model}[/bold]" if other.chosen else other.model,
            "unknown" if other.estimated_cost_usd is None else f"{other.estimated_cost_usd:.6f}",
            "-" if other.p_good is None else f"{other.p_good:.2f}",
            other.why,
        )
    console.print(table)
    console.print(f"decided in {decision.decide_ms:.2f} ms; nothing was called")
    if router.example_config:
        console.print(
            "These are example tiers: no pointsman.yaml was given. `pointsman init` writes one for your keys.",
            style="dim",
        )
