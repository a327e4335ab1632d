"""Ways in which an upstream goes wrong, as data. Give one, or several in order, as `Reply(fault=…)`.

A fault turns the plan of a good answer into the plan of a bad one. Faults that are nothing but another answer (an error
status, HTML, an empty body, a redirect, JSON where a stream was asked for) are functions that return a `Reply`'s
fields; see `pointsman.testing.script`.
"""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from .answers.errors import error_event
from .plan import Chunk, Cut, Head, Hold, Pause, Plan, RawBytes, Refuse, Stall, Step


class Fault(Protocol):
    """Turns a good answer into a bad one."""

    def apply(self, plan: Plan) -> Plan:
        """The plan with the fault in it."""


@dataclass(frozen=True, slots=True)
class RefuseConnection:
    """No connection (only `FakeTransport`; over sockets, use `Upstream.stop_listening` or `closed_port`)."""

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(Refuse())


@dataclass(frozen=True, slots=True)
class CutBeforeAnswer:
    """The request is read, then the connection closes without a byte."""

    reset: bool = True

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(Cut(self.reset))


@dataclass(frozen=True, slots=True)
class CutAfter:
    """The connection closes after so many chunks: events of a stream, pieces of a plain body."""

    n_chunks: int
    reset: bool = False

    def apply(self, plan: Plan) -> Plan:
        return plan.after_chunk(self.n_chunks, Cut(self.reset), keep_rest=False)


@dataclass(frozen=True, slots=True)
class CutAfterBytes:
    """The connection closes after so many bytes of the body, wherever that is."""

    n_bytes: int
    reset: bool = False

    def apply(self, plan: Plan) -> Plan:
        out: list[Step] = []
        left = self.n_bytes
        for step in plan.steps:
            if isinstance(step, Chunk):
                out.append(Chunk(step.data[:left]))
                left -= len(step.data)
                if left <= 0:
                    break
            else:
                out.append(step)
        return plan.with_steps(*out, Cut(self.reset))


@dataclass(frozen=True, slots=True)
class NeverAnswer:
    """The request is read and nothing comes back."""

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(Stall())


@dataclass(frozen=True, slots=True)
class StallAfter:
    """Nothing more comes after so many chunks, and the connection stays open."""

    n_chunks: int

    def apply(self, plan: Plan) -> Plan:
        return plan.after_chunk(self.n_chunks, Stall(), keep_rest=False)


@dataclass(frozen=True, slots=True)
class HoldAfter:
    """Waits after so many chunks until `Upstream.release` is called; 0 waits before the first, headers sent."""

    n_chunks: int

    def apply(self, plan: Plan) -> Plan:
        return plan.after_chunk(self.n_chunks, Hold(), keep_rest=True)


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """Waits before the status line until `Upstream.release` is called."""

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(Hold(), *plan.steps)


@dataclass(frozen=True, slots=True)
class SlowFirstByte:
    """The status line comes late."""

    seconds: float

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(Pause(self.seconds), *plan.steps)


@dataclass(frozen=True, slots=True)
class Drip:
    """A pause before every chunk."""

    seconds: float

    def apply(self, plan: Plan) -> Plan:
        steps: list[Step] = []
        for step in plan.steps:
            steps += (Pause(self.seconds), step) if isinstance(step, Chunk) else (step,)
        return plan.with_steps(*steps)


@dataclass(frozen=True, slots=True)
class EmptyStream:
    """Status 200 and a body without a byte."""

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(*(step for step in plan.steps if not isinstance(step, Chunk)))


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """An error event of the dialect in place of what follows so many events; 0 makes it the first."""

    after: int = 0
    message: str = "The server had an error while processing your request."
    code: str = "server_error"

    def apply(self, plan: Plan) -> Plan:
        event = Chunk(error_event(plan.dialect, message=self.message, code=self.code, sequence_number=self.after))
        return plan.after_chunk(self.after, event, keep_rest=False)


@dataclass(frozen=True, slots=True)
class MalformedEvent:
    """An event whose data is no JSON (or bytes that are no UTF-8), put in after so many events."""

    after: int = 0
    data: bytes = b'{"id": "broken", "choices": [{'

    def apply(self, plan: Plan) -> Plan:
        return plan.after_chunk(self.after, Chunk(b"data: " + self.data + b"\n\n"), keep_rest=True)


@dataclass(frozen=True, slots=True)
class EndAfter:
    """The answer ends in good order after so many events, without its terminator. A negative number counts from the
    end: -1 leaves out the last event."""

    n_chunks: int

    def apply(self, plan: Plan) -> Plan:
        n = self.n_chunks
        if n < 0:
            n += sum(isinstance(step, Chunk) for step in plan.steps)
        return plan.after_chunk(n, keep_rest=False)


@dataclass(frozen=True, slots=True)
class OpenAfterEnd:
    """Everything is sent, the terminator too, but the connection stays open and the body has no end."""

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(*plan.steps, Stall())


@dataclass(frozen=True, slots=True)
class Rechunk:
    """The same bytes in writes of another size: 1 sends byte by byte, 0 everything in one write."""

    n_bytes: int

    def apply(self, plan: Plan) -> Plan:
        body, size = plan.body, self.n_bytes
        size = len(body) if size == 0 else size
        rest = tuple(step for step in plan.steps if not isinstance(step, Chunk))
        return plan.with_steps(*rest, *(Chunk(body[at : at + size]) for at in range(0, len(body), size)))


@dataclass(frozen=True, slots=True)
class CrLf:
    """Server-sent events with CR LF line ends, a comment before each, and no blank after "data:"."""

    def apply(self, plan: Plan) -> Plan:
        def rewritten(data: bytes) -> bytes:
            return b": keep-alive\r\n\r\n" + data.replace(b"data: ", b"data:", 1).replace(b"\n", b"\r\n")

        return plan.with_steps(
            *(Chunk(rewritten(step.data)) if isinstance(step, Chunk) else step for step in plan.steps)
        )


@dataclass(frozen=True, slots=True)
class ShortBody:
    """A Content-Length that promises more bytes than come before the connection closes."""

    n_missing: int = 10

    def apply(self, plan: Plan) -> Plan:
        body = plan.body
        steps: list[Step] = [
            Head(step.status, step.headers, len(body) + self.n_missing) if isinstance(step, Head) else step
            for step in plan.steps
        ]
        return plan.with_steps(*steps, Cut())


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that are not HTTP (or half of a header), then the connection closes or, with `stall`, stays open."""

    data: bytes = b"\x16\x03\x01 this is not HTTP\r\n\r\n"
    stall: bool = False

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(RawBytes(self.data), Stall() if self.stall else Cut())


@dataclass(frozen=True, slots=True)
class SlowHead:
    """The status line and the headers come one byte at a time and have no end."""

    seconds: float

    def apply(self, plan: Plan) -> Plan:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Padding: " + b"a" * 1_000
        steps: list[Step] = []
        for at in range(len(head)):
            steps += (RawBytes(head[at : at + 1]), Pause(self.seconds))
        return plan.with_steps(*steps, Stall())


@dataclass(frozen=True, slots=True)
class RawHead:
    """Another status line and other headers, as they stand; then the body as it is, ended by closing."""

    head: bytes = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(RawBytes(self.head + plan.body), Cut())


@dataclass(frozen=True, slots=True)
class Gzip:
    """The body compressed, though nobody asked for it."""

    def apply(self, plan: Plan) -> Plan:
        return _compressed(plan, plan.body)


@dataclass(frozen=True, slots=True)
class GzipBomb:
    """A small body that decompresses to so many bytes."""

    n_bytes: int = 64 * 2**20

    def apply(self, plan: Plan) -> Plan:
        return _compressed(plan, b'{"choices":[{"message":{"content":"' + b"0" * self.n_bytes + b'"}}]}')


def _compressed(plan: Plan, body: bytes) -> Plan:
    packed = gzip.compress(body, compresslevel=9, mtime=0)
    steps: list[Step] = []
    for step in plan.steps:
        if isinstance(step, Head):
            steps += (Head(step.status, (*step.headers, ("Content-Encoding", "gzip")), len(packed)), Chunk(packed))
        elif not isinstance(step, Chunk):
            steps.append(step)
    return plan.with_steps(*steps)


@dataclass(frozen=True, slots=True)
class MultiLineData:
    """Every event's data on two lines, which a decoder joins by a line feed."""

    def apply(self, plan: Plan) -> Plan:
        return plan.with_steps(
            *(
                Chunk(step.data.replace(b"data: {", b"data: {\ndata:", 1)) if isinstance(step, Chunk) else step
                for step in plan.steps
            )
        )


@dataclass(frozen=True, slots=True)
class MoreAfterEnd:
    """So many further events after the terminator, the last of the answer's own repeated."""

    n_events: int = 3

    def apply(self, plan: Plan) -> Plan:
        last = [step for step in plan.steps if isinstance(step, Chunk)][-2:]
        return plan.with_steps(*plan.steps, *(last * self.n_events))


@contextmanager
def black_hole() -> Iterator[str]:
    """The URL of a loopback port where connections are neither taken nor refused for as long as the context is open."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        # The kernel drops further SYNs once the queue of a listener that takes none is full.
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def closed_port() -> Iterator[str]:
    """The URL of a loopback port where connections are refused for as long as the context is open."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        # Bound and not listening: nobody else can take the port, and the kernel refuses every connection.
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
