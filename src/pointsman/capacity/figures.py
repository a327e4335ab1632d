"""The figures that plans are made from: what was measured, when, where and how; and what is assumed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pointsman.errors import DataError

PACKAGED: Final = Path(__file__).with_name("figures.json")
FORMAT: Final = 1
MEASURED: Final = (
    "fixed_request_us",
    "auto_request_us",
    "fixed_stream_us",
    "auto_stream_us",
    "process_mib",
    "ledger_rows_per_s",
    "record_bytes",
    "stream_kib",
)
ASSUMED: Final = ("stream_s", "utilisation", "spare_replicas")
_PROVENANCE: Final = ("date", "machine", "command")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number and where it comes from; `date`, `machine` and `command` are None for what is assumed."""

    name: str
    value: float
    unit: str
    what: str
    date: str | None = None
    machine: str | None = None
    command: str | None = None

    @property
    def measured(self) -> bool:
        """True when it was measured and says by what."""
        return self.command is not None


@dataclass(frozen=True, slots=True)
class Figures:
    """Every figure by its name."""

    by_name: Mapping[str, Figure]

    def __getitem__(self, name: str) -> float:
        return self.by_name[name].value


def read_figures(path: Path = PACKAGED) -> Figures:
    """The figures of a file of the form of `figures.json`.

    A figure may stand under either heading, so that what is assumed here can be measured elsewhere; under "measured" it
    must say when, where and by which command.

    Raises:
        DataError: it cannot be read, or a figure is missing, below 0, or does not say where it comes from.
    """
    try:
        raw = json.loads(path.read_bytes())
        if raw["format"] != FORMAT:
            raise DataError(f"{path}: expected format {FORMAT}, found {raw['format']!r}")
        found = {
            name: _figure(path, name, given, measured=heading == "measured")
            for heading in ("measured", "assumed")
            for name, given in raw[heading].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read as figures of capacity: {type(error).__name__}: {error}") from error
    missing = [name for name in (*MEASURED, *ASSUMED) if name not in found]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}")
    return Figures(found)


def _figure(path: Path, name: str, given: Mapping[str, Any], *, measured: bool) -> Figure:
    value = given["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise DataError(f"{path}: {name} is {value!r}, expected a number from 0 up")
    if measured and not all(given.get(each) for each in _PROVENANCE):
        raise DataError(f"{path}: {name} stands under measured and must say its {', '.join(_PROVENANCE)}")
    told = {each: given[each] for each in _PROVENANCE} if measured else {}
    return Figure(name, float(value), given["unit"], given["what"], **told)
