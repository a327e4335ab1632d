"""What goes onto the wire for one answer, as data: a list of steps that a player carries out.

The answer writers make plans, faults change them, and `Upstream` (over sockets) and `FakeTransport` (without) play
them. Nothing here does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from pointsman.vocabulary import Dialect


@dataclass(frozen=True, slots=True)
class Head:
    """Sends status line and headers. `content_length` None means chunked transfer coding."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content_length: int | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Sends a piece of the body in one write; of a stream, one event."""

    data: bytes


@dataclass(frozen=True, slots=True)
class RawBytes:
    """Sends bytes past all HTTP framing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Waits, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Waits until the test releases it."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Sends nothing more and keeps the connection open until the client leaves."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Closes the connection here: in good order (FIN), or by a reset (RST)."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """No connection at all. Over real sockets use `Upstream.stop_listening` or `closed_port`."""


Step: TypeAlias = Head | Chunk | RawBytes | Pause | Hold | Stall | Cut | Refuse


@dataclass(frozen=True, slots=True)
class Plan:
    """One answer: its steps in order. After the last one the answer ends in good order."""

    dialect: Dialect | None
    stream: bool
    steps: tuple[Step, ...]

    def with_steps(self, *steps: Step) -> Plan:
        """The same answer with other steps."""
        return replace(self, steps=steps)

    @property
    def head(self) -> Head | None:
        """The status line and headers, None when none are sent."""
        return next((step for step in self.steps if isinstance(step, Head)), None)

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(step.data for step in self.steps if isinstance(step, Chunk))

    def after_chunk(self, n: int, *steps: Step, keep_rest: bool) -> Plan:
        """The plan with `steps` put in after its first `n` chunks (0: before the first), with or without the rest."""
        out: list[Step] = []
        n_seen = 0
        placed = False
        for step in self.steps:
            if isinstance(step, Chunk):
                if n_seen == n and not placed:
                    out += steps
                    placed = True
                    if not keep_rest:
                        return self.with_steps(*out)
                n_seen += 1
            out.append(step)
        if not placed:
            out += steps
        return self.with_steps(*out)
