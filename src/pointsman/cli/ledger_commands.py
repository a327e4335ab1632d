"""`pointsman savings`, `logs` and `export`: what the ledger holds."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import db_commands
from .ledger_address import ConfigOption, JsonOption, LedgerOption, SinceOption, UntilOption, ledger_url, moment

if TYPE_CHECKING:
    from rich.console import Console

    from pointsman.record.savings import SavingsLine, SavingsSection
    from pointsman.vocabulary import JSONObject


class By(StrEnum):
    """What savings are broken down by; the words of `pointsman.record.savings.SavingsBy`."""

    DAY = "day"
    TIER = "tier"
    MODEL = "model"
    POLICY = "policy"
    KEY = "key"
    ENDPOINT = "endpoint"
    REASON = "reason"


class ExportFormat(StrEnum):
    """File formats of `pointsman export`."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Mounts the commands of the ledger."""
    app.command("savings")(savings)
    app.command("logs")(logs)
    app.command("export")(export)
    app.add_typer(db_commands.app, name="db", help="Look after the ledger's database.")


def savings(
    by: Annotated[By, typer.Option("--by", help="What to break the figures down by.")] = By.TIER,
    since: SinceOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was spent, what the baseline would have cost, and what that saved.

    Router and judge are in what was spent. Requests whose cost is not known are left out of the sums and counted.

    Example: pointsman savings --since 7d --by model
    """
    from pointsman.record import open_reader
    from pointsman.record.savings import SavingsBy

    start, end = moment(since, option="--since"), moment(until, option="--until")
    reader = open_reader(ledger_url(config, ledger))
    try:
        found = reader.savings(since=start, until=end, by=SavingsBy(by.value))
    finally:
        reader.close()
    if as_json:
        out = {
            "since": None if start is None else start.isoformat(),
            "until": None if end is None else end.isoformat(),
            "by": by.value,
            "real": _section_json(found.real),
            "simulated": _section_json(found.simulated),
        }
        typer.echo(json.dumps(out, ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    console = Console()
    if found.real.total.n_requests:
        _show(console, found.real, by, "Savings")
    if found.simulated.total.n_requests:
        _show(console, found.simulated, by, "Simulated answers, at real list prices")
    if not found.real.total.n_requests and not found.simulated.total.n_requests:
        console.print("no requests on record in this span of time")


def logs(
    since: SinceOption = None,
    until: UntilOption = None,
    model: Annotated[str | None, typer.Option("--model", help="Only what this model served.")] = None,
    tier: Annotated[str | None, typer.Option("--tier", help="Only this tier.")] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="Only this policy.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only ok, error, cancelled or incomplete ones.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only requests with the key of this name.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Only this session.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only requests with this tag.")] = None,
    request_id: Annotated[
        str | None, typer.Option("--id", help="One request, with its decision, attempts and feedback.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on where the page before ended.")] = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show requests, newest first.

    Exits 1 when --id finds nothing.

    Example: pointsman logs --status error --since 1d
    """
    from pointsman.record import open_reader
    from pointsman.record.logs import LogFilter

    chosen = LogFilter(
        since=moment(since, option="--since"),
        until=moment(until, option="--until"),
        model=model,
        tier=tier,
        policy=policy,
        status=status,
        key=key,
        session=session,
        tag=tag,
    )
    reader = open_reader(ledger_url(config, ledger))
    try:
        if request_id is not None:
            one = reader.decision(request_id)
            if one is None:
                typer.echo(f"no request {request_id!r} on record", err=True)
                raise typer.Exit(1)
            typer.echo(json.dumps(one, ensure_ascii=False, indent=2))
            return
        page = reader.logs(chosen, limit=limit, cursor=cursor)
    finally:
        reader.close()
    if as_json:
        out = {"records": page.records, "next_cursor": page.next_cursor}
        typer.echo(json.dumps(out, ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    _list(Console(), page.records, page.next_cursor)


def export(
    to: Annotated[Path, typer.Option("--to", help="The file to write; - writes JSONL to standard output.")],
    format_: Annotated[
        ExportFormat | None, typer.Option("--format", help="Without it, by the file's ending, else jsonl.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    with_prompts: Annotated[
        bool, typer.Option("--with-prompts", help="Prompts and answers too, where the ledger was told to keep them.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file when it exists.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every record to a file, oldest first: JSONL, CSV, or Parquet when pyarrow is installed.

    Example: pointsman export --to november.parquet --since 2026-11-01 --until 2026-12-01
    """
    from pointsman.record import open_reader

    from .export_files import write_export

    chosen = format_
    if chosen is None:
        endings = {f".{each.value}": each for each in ExportFormat}
        chosen = endings.get(to.suffix.lower(), ExportFormat.JSONL)
    start, end = moment(since, option="--since"), moment(until, option="--until")
    reader = open_reader(ledger_url(config, ledger))
    try:
        blocks = reader.export(since=start, until=end, with_prompts=with_prompts)
        n = write_export(blocks, to, chosen.value, with_prompts=with_prompts, force=force)
    finally:
        reader.close()
    if str(to) == "-":
        return
    if as_json:
        typer.echo(json.dumps({"path": str(to), "format": chosen.value, "n_records": n}))
    else:
        typer.echo(f"{n:,} records written to {to}")


def _section_json(section: SavingsSection) -> JSONObject:
    return {"total": _line_json(section.total), "groups": [_line_json(line) for line in section.groups]}


def _line_json(line: SavingsLine) -> JSONObject:
    from dataclasses import asdict

    return {**asdict(line), "saved_share": line.saved_share}


def _show(console: Console, section: SavingsSection, by: By, title: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    table.add_column(by.value, overflow="fold")
    for name in ("requests", "share", "spent $", "baseline $", "saved $", "saved"):
        table.add_column(name, justify="right")

    def add(line: SavingsLine, name: str, style: str | None = None) -> None:
        saved = "-" if line.saved_share is None else f"{line.saved_share:.1%}"
        figures = (line.spent_usd, line.baseline_usd, line.saved_usd)
        money = [f"{usd:,.6f}" if line.n_compared else "unknown" for usd in figures]
        table.add_row(escape(name), f"{line.n_requests:,}", f"{line.share:.1%}", *money, saved, style=style)

    for line in section.groups:
        add(line, "-" if line.name is None else line.name)
    total = section.total
    add(total, "all", "bold")
    console.print(table)
    if total.shadow_usd:
        console.print(f"{total.shadow_usd:,.6f} USD of what was spent went into shadows", highlight=False)
    if total.n_unknown_cost:
        console.print(f"{total.n_unknown_cost:,} requests of unknown cost are left out of the sums", highlight=False)
    if total.n_unknown_baseline:
        console.print(
            f"{total.n_unknown_baseline:,} requests cost {total.uncompared_usd:,.6f} USD, but what the baseline would "
            "have cost is not known; they are left out of the sums",
            highlight=False,
        )


def _list(console: Console, records: tuple[JSONObject, ...], next_cursor: str | None) -> None:
    """Two lines a record: what happened, and why."""
    for record in records:
        model = "no model" if record["model"] is None else record["model"]
        parts = [
            record["created_at"][:19].replace("T", " "),
            record["request_id"],
            record["status"] if record["error"] is None else f"{record['status']} ({record['error']})",
            model if record["tier"] is None else f"{model} ({record['tier']})",
            _usd("cost", record["cost_usd"]),
            _usd("saved", record["saved_usd"]),
        ]
        if record["total_ms"] is not None:
            parts.append(f"{record['total_ms']:,.0f} ms")
        if record["simulated"]:
            parts.append("simulated")
        console.print("  ".join(parts), markup=False, highlight=False, soft_wrap=True)
        if record["reason"] is not None:
            why = f"{record['policy']}: {record['reason']}"
            console.print(f"    {why}", style="dim", markup=False, highlight=False, soft_wrap=True)
    if not records:
        console.print("no such requests on record")
    if next_cursor is not None:
        console.print(f"more: --cursor {next_cursor}", highlight=False, markup=False, soft_wrap=True)


def _usd(word: str, usd: float | None) -> str:
    return f"{word} unknown" if usd is None else f"{word} ${usd:.6f}"
