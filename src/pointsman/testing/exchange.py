"""What the upstream received, and what it sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from pointsman.vocabulary import Dialect

_DIALECTS = {
    "/v1/chat/completions": Dialect.OPENAI_CHAT,
    "/v1/responses": Dialect.OPENAI_RESPONSES,
    "/v1/messages": Dialect.ANTHROPIC_MESSAGES,
}


@dataclass(frozen=True)
class Received:
    """One request as it arrived. `headers` keeps order, case and repeats."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None when it was not sent."""
        wanted = name.lower()
        for sent, value in self.headers:
            if sent.lower() == wanted:
                return value
        return None

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is not one."""
        try:
            parsed = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def dialect(self) -> Dialect | None:
        """The dialect of the path, None for the other endpoints."""
        return _DIALECTS.get(self.path)

    @property
    def model(self) -> str:
        """The body's `model`; empty when there is none."""
        model = self.json.get("model")
        return model if isinstance(model, str) else ""

    @property
    def stream(self) -> bool:
        """True when a stream was asked for."""
        return self.json.get("stream") is True


@dataclass(slots=True)
class Sent:
    """One answer as far as it was sent. `chunks` holds the body in the pieces in which it was written."""

    status: int | None = None
    """None while no status line was sent."""
    headers: tuple[tuple[str, str], ...] = ()
    chunks: list[bytes] = field(default_factory=list)
    finished: bool = False
    """True once the answer was sent whole, as its script had it."""
    cancelled: bool = False
    """True when the client left before that."""

    @property
    def body(self) -> bytes:
        """Every body byte that was sent, without the framing of HTTP."""
        return b"".join(self.chunks)
