"""`pointsman doctor`: what is right, what may hurt, what is wrong, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.doctor import Finding


def doctor(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="pointsman.yaml; without one, POINTSMAN_CONFIG, then the current folder."),
    ] = None,
    ledger: Annotated[str | None, typer.Option("--ledger", help="Ledger instead of the configured one.")] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option("--labels", help="Labelled outcomes (files or eval-set folders); tells how many more are needed."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Make one small call to each model, which tries its key; costs a little.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Open no connection at all.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=120.0, help="Seconds for each connection or call.")
    ] = 10.0,
    acknowledge: Annotated[
        str | None,
        typer.Option(
            "--acknowledge", metavar="POLICY", help="Let this policy decide again after an alarm, and check nothing."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check configuration, keys, models, prices, router, ledger and clock; say what to do. Exits 1 on a fault.

    Without --live nothing is paid for: providers are only connected to.

    Example: pointsman doctor --live
    """
    from pointsman.doctor import State
    from pointsman.errors import BadRequest

    if acknowledge is not None:
        from .doctor_watch import acknowledge as acknowledged

        done = acknowledged(config, acknowledge, ledger=ledger)
        if as_json:
            import json

            done = json.dumps({"ok": True, "done": done}, ensure_ascii=False)
        typer.echo(done)
        return
    from .doctoring import examine

    if live and offline:
        raise BadRequest("--live calls models and --offline opens no connection; give one of them")
    findings = examine(
        config,
        ledger=ledger,
        labels=() if labels is None else labels,
        live=live,
        offline=offline,
        timeout_s=timeout,
        quiet=as_json,
    )
    n_faults = sum(finding.state is State.FAULT for finding in findings)
    n_warnings = sum(finding.state is State.WARNING for finding in findings)
    if as_json:
        import json

        out = {
            "ok": n_faults == 0,
            "n_faults": n_faults,
            "n_warnings": n_warnings,
            "checks": [finding.to_json() for finding in findings],
        }
        typer.echo(json.dumps(out, ensure_ascii=False, indent=2))
    else:
        _show(findings, n_faults, n_warnings)
    if n_faults:
        raise typer.Exit(1)


def _show(findings: Sequence[Finding], n_faults: int, n_warnings: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pointsman.doctor import State

    styles = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "bold red"}
    console = Console()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        said = Text(finding.found)
        if finding.advice is not None:
            said.append(f"\n→ {finding.advice}", style="dim")
        table.add_row(Text(finding.state.value, style=styles[finding.state]), finding.check, said)
    console.print(table)
    console.print(f"{_count(n_faults, 'fault')}, {_count(n_warnings, 'warning')}", highlight=False)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
