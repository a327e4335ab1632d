"""`pointsman promote`: moves a store's `latest` to an artifact, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pointsman.promote import Promotion


def promote(
    artifact: Annotated[Path | None, typer.Argument(help="The artifact's folder.", show_default=False)] = None,
    to: Annotated[Path, typer.Option("--to", help="The store: a folder of artifacts.")] = Path("routers"),
    undo: Annotated[bool, typer.Option("--undo", help="Point `latest` back to what it was before.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Only list what was promoted and undone.")] = False,
    note: Annotated[str, typer.Option("--note", help="Kept in the history.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make an artifact the store's `latest` in one step; an artifact that is damaged is refused.

    Gateways whose router is `STORE/latest` pick it up. Every move is in the store's history.

    Example: pointsman promote art --to routers --note "retrained on May's labels"; pointsman promote --undo
    """
    from pointsman.errors import BadRequest
    from pointsman.promote import Store
    from pointsman.router_artifact import verified_hash

    if (artifact is not None) + undo + history != 1:
        raise BadRequest("promote expects one of: an artifact's folder, --undo, --history")
    store = Store(to, verify=verified_hash, now=lambda: datetime.now(UTC))
    if history:
        _show_history(store.history(), as_json)
        return
    move = store.undo(note=note) if artifact is None else store.promote(artifact, note=note)
    if as_json:
        typer.echo(json.dumps(asdict(move), ensure_ascii=False))
    else:
        typer.echo(f"{to / 'latest'} is now {move.name} (move {move.seq}, {move.action})")


def _show_history(moves: tuple[Promotion, ...], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(move) for move in moves], ensure_ascii=False))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    rows = Table("move", "when (UTC)", "what", "artifact", "note")
    for move in moves:
        rows.add_row(str(move.seq), move.at, move.action, escape(move.name), escape(move.note))
    Console().print(rows)
