"""The option `--engine`, the same in every command that has it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from pointsman.engine import EngineName

EngineOption: TypeAlias = Annotated[
    EngineName, typer.Option("--engine", help="Where the work is done: in this process, or on a Ray cluster.")
]
