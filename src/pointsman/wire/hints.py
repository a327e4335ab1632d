"""What a caller asks of routing in `x-pointsman-*` headers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from pointsman.errors import BadRequest
from pointsman.vocabulary import Hints

MAX_TAGS = 32
"""A bound on what one request can write into the ledger."""

MAX_LATENCY_MS = 3_600_000.0
"""An hour: above any limit that means something."""

_NAME = re.compile(r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,126}[^\x00-\x20\x7f])?")
"""1 to 128 printable characters, no blank at either end."""

_SESSION = re.compile(r"[^\x00-\x1f\x7f]{1,512}")


_HINTS = frozenset(
    f"x-pointsman-{name}"
    for name in ("policy", "max-quality-loss", "tier", "session", "tags", "max-latency-ms", "shadow")
)
_NO_HINTS = Hints()


def _name(header: str, value: str) -> str:
    value = value.strip()
    if _NAME.fullmatch(value) is None:
        raise BadRequest(f"{header} must be 1 to 128 printable characters", param=header)
    return value


def _loss(header: str, value: str) -> float:
    try:
        loss = float(value)
    except ValueError:
        loss = math.nan
    if not 0.0 <= loss <= 1.0:
        raise BadRequest(f"{header} must be a number from 0 to 1, such as 0.01", param=header)
    return loss


def _latency_ms(header: str, value: str) -> float:
    try:
        latency_ms = float(value)
    except ValueError:
        latency_ms = math.nan
    if not 0.0 < latency_ms <= MAX_LATENCY_MS:
        raise BadRequest(f"{header} must be a number of milliseconds above 0, such as 1500", param=header)
    return latency_ms


def _switch(header: str, value: str) -> bool:
    word = value.strip().lower()
    if word not in ("on", "off"):
        raise BadRequest(f"{header} must be on or off", param=header)
    return word == "on"


def read_hints(headers: Mapping[str, str]) -> Hints:
    """The hints in a request's headers, whose names are in lower case; empty tags are dropped.

    Raises:
        BadRequest: a value is out of range, too long, or holds control characters; `param` is the header's name.
    """
    if _HINTS.isdisjoint(headers):
        return _NO_HINTS
    policy = headers.get("x-pointsman-policy")
    loss = headers.get("x-pointsman-max-quality-loss")
    tier = headers.get("x-pointsman-tier")
    session = headers.get("x-pointsman-session")
    tags = headers.get("x-pointsman-tags")
    latency = headers.get("x-pointsman-max-latency-ms")
    shadow = headers.get("x-pointsman-shadow")
    if session is not None:
        session = session.strip()
        if _SESSION.fullmatch(session) is None:
            raise BadRequest("x-pointsman-session must be 1 to 512 printable characters", param="x-pointsman-session")
    names: list[str] = []
    if tags is not None:
        names = [_name("x-pointsman-tags", tag) for tag in tags.split(",") if tag.strip()]
        if len(names) > MAX_TAGS:
            problem = f"x-pointsman-tags holds {len(names)} tags; {MAX_TAGS} are allowed"
            raise BadRequest(problem, param="x-pointsman-tags")
    return Hints(
        policy=None if policy is None else _name("x-pointsman-policy", policy),
        max_quality_loss=None if loss is None else _loss("x-pointsman-max-quality-loss", loss),
        tier=None if tier is None else _name("x-pointsman-tier", tier),
        session=session,
        tags=tuple(dict.fromkeys(names)),
        max_latency_ms=None if latency is None else _latency_ms("x-pointsman-max-latency-ms", latency),
        shadow=True if shadow is None else _switch("x-pointsman-shadow", shadow),
    )
