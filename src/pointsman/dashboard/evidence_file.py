"""The evaluation that the dashboard shows as evidence: what `pointsman evaluate --json` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from pointsman.errors import DataError

MAX_BYTES = 64 * 2**20
FRESH_DAYS = 30
"""Evidence older than this is called old: models and traffic change."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The verdict of the current eval set in one glance.

    Attributes:
        delta: quality of the policy minus that of always-strong, with its 95 % interval.
        written_at: when the evaluation was made.
        age_s: how long ago that was.
        fault: why there is none, for a person; None when there is one.
    """

    helps: bool | None = None
    policy: str | None = None
    delta: float | None = None
    delta_ci: tuple[float, float] | None = None
    saves: float | None = None
    n: int | None = None
    reason: str | None = None
    written_at: datetime | None = None
    age_s: float = 0.0
    fault: str | None = None

    @property
    def is_old(self) -> bool:
        """True when it should be made again."""
        return self.age_s > FRESH_DAYS * 86_400


def current(path: Path | None, now: datetime) -> Quality | None:
    """The verdict in the file; None when none is configured."""
    if path is None:
        return None
    try:
        content, written_at = evaluation(path)
    except DataError as error:
        return Quality(fault=error.message)
    verdict = _map(content.get("verdict"))
    interval = verdict.get("quality_delta_ci")
    ends = [_number(end) for end in interval] if isinstance(interval, list) and len(interval) == 2 else []
    low, high = ends if len(ends) == 2 else (None, None)
    name = verdict.get("policy")
    delta = next(
        (
            _number(each.get("quality_delta"))
            for each in content.get("policies", ())
            if isinstance(each, Mapping) and each.get("name") == name
        ),
        None,
    )
    n = content.get("n")
    return Quality(
        helps=verdict.get("routing_helps") if isinstance(verdict.get("routing_helps"), bool) else None,
        policy=name if isinstance(name, str) else None,
        delta=delta,
        delta_ci=None if low is None or high is None else (low, high),
        saves=_number(verdict.get("saves")),
        n=n if isinstance(n, int) else None,
        reason=verdict.get("reason") if isinstance(verdict.get("reason"), str) else None,
        written_at=written_at,
        age_s=max(0.0, (now - written_at).total_seconds()),
    )


def evaluation(path: Path) -> tuple[dict[str, Any], datetime]:
    """The JSON in a file, and when it was written.

    Raises:
        DataError: there is none, or it is no JSON object.
    """
    try:
        state = path.stat()
        if state.st_size > MAX_BYTES:
            raise DataError(f"{path.name} is larger than {MAX_BYTES >> 20} MiB")
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path.name} is not JSON") from error
    if not isinstance(content, dict):
        raise DataError(f"{path.name} is not the JSON object that pointsman evaluate --json writes")
    return content, datetime.fromtimestamp(state.st_mtime, UTC)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
