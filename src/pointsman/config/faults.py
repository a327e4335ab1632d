"""What is wrong in a configuration file, said so that a person can mend it; and all of it at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pointsman.errors import ConfigError

Path: TypeAlias = tuple[str | int, ...]

MAX_FAULTS_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: where, what was expected and came, what to do."""

    path: Path
    line: int | None
    message: str
    advice: str


def path_text(path: Path) -> str:
    """The path as people write it: `models[1].price.input_usd_per_mtok`."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out


def parse_path(text: str) -> Path:
    """The path that `path_text` writes; the empty text is the empty path."""
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", text)
    return tuple(int(index) if index else name for index, name in parts)


def config_error(source: str, faults: Sequence[Fault]) -> ConfigError:
    """One error that tells all faults, in the order of the file, each on its own line."""
    unique = list(dict.fromkeys(faults))
    unique.sort(key=lambda fault: (fault.line is None, fault.line if fault.line is not None else 0))
    lines = []
    for fault in unique[:MAX_FAULTS_SHOWN]:
        where = source if fault.line is None else f"{source}:{fault.line}"
        path = path_text(fault.path)
        lines.append(f"{where}: {path + ': ' if path else ''}{fault.message}; {fault.advice}")
    if len(unique) > MAX_FAULTS_SHOWN:
        lines.append(f"{source}: and {len(unique) - MAX_FAULTS_SHOWN} more")
    return ConfigError("\n".join(lines))
