"""`pointsman serve`: the gateway."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="pointsman.yaml.")] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; one that others reach needs keys configured.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", min=0, max=65_535, help="Port; 0 takes a free one.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", "-w", min=1, max=64, help="Processes that serve, instead of server.workers."),
    ] = None,
    ledger: Annotated[str | None, typer.Option("--ledger", help="Ledger URL instead of the configured one.")] = None,
) -> None:
    """Serve the OpenAI and Anthropic protocols; point a client's base URL at it.

    Example: pointsman serve --config pointsman.yaml --port 8484
    """
    # What is loaded at the start stays: looking through it for garbage time and again takes a part of the start. The
    # gateway turns collection on again.
    gc.disable()
    try:
        from pointsman.dashboard import pages
        from pointsman.gateway import serve as run

        code = run(config, host=host, port=port, ledger_url=ledger, workers=workers, pages=pages)
    finally:
        gc.enable()
    if code:
        raise typer.Exit(code)
