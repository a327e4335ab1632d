"""What stands above every printed table: what it is, when it was measured, at which commit, by which command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def heading(title: str, module: str, arguments: Sequence[str] | None = None) -> str:
    """The title, and a line with the date, the commit and the command.

    Args:
        title: what the table shows.
        module: as `python -m` takes it.
        arguments: of the command; None takes this process's.
    """
    given = sys.argv[1:] if arguments is None else arguments
    command = " ".join(["python -m", module, *given])
    return f"## {title}\n\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}: `{command}`\n"


def commit() -> str:
    """The commit of this checkout, with "+" when tracked files differ from it; "unknown" outside of one."""
    root = Path(__file__).parent
    try:
        found = _git(root, "rev-parse", "--short", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
