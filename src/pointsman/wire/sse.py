"""Server-sent events, decoded as they come, without I/O and without changing a byte.

WHATWG HTML Living Standard, section 9.2 "Server-sent events": lines end with CR LF, LF or CR; a line that begins with
a colon is a comment; one space after a field's colon is dropped; the data lines of an event are joined by LF; a blank
line ends the event; a byte order mark may stand at the beginning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_END_OF_EVENT = re.compile(rb"\r\n?+(?:\r\n?+|\n)|\n(?:\r\n?+|\n)")
PLAIN_EVENT = re.compile(rb"(?:event:[^\n]*+\n)?data: ?([^\n]*+)\n\n")
"""What nearly every event is, when it holds no CR: an optional type and one line of data, in group 1."""
_LINE = re.compile(rb"([^\r\n]*+)(\r\n?+|\n|\Z)")
_BOM = b"\xef\xbb\xbf"


class StreamTooLarge(ValueError):
    """One event, or the whole answer, is larger than the reader was told to hold."""


class EventSplitter:
    """Cuts a byte stream after the blank line that ends each event. Concatenated, the pieces are the stream.

    Where a lone CR ends an event and an LF follows in the next chunk, the LF stands at the front of the next piece: one
    more blank line, which means nothing.
    """

    def __init__(self, *, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._has_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that are complete now, each with its blank line.

        Raises:
            StreamTooLarge: an event has more bytes than allowed.
        """
        if not self._has_cr and b"\r" in chunk:
            self._has_cr = True
        if not self._buffer and not self._has_cr and chunk.endswith(b"\n\n"):
            if chunk.find(b"\n\n") == len(chunk) - 2:
                self._check(len(chunk))
                return [chunk]
            pieces = chunk.split(b"\n\n")
            if pieces.pop() == b"":  # else a third LF belongs to the next event
                events = [piece + b"\n\n" for piece in pieces]
                self._check(max(map(len, events)))
                return events
        self._buffer += chunk
        events = []
        start = 0
        while (end := self._next_end()) >= 0:
            self._check(end - start)
            events.append(bytes(self._buffer[start:end]))
            start = self._searched = end
        if start:
            del self._buffer[:start]
        # An end of event is at most four bytes long, so it can begin three bytes before what comes next.
        self._searched = max(0, len(self._buffer) - 3)
        self._check(len(self._buffer))
        return events

    def rest(self) -> bytes:
        """What came after the last complete event; empties the buffer."""
        out = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return out

    def _next_end(self) -> int:
        if self._has_cr:
            match = _END_OF_EVENT.search(self._buffer, self._searched)
            if match is None or (match.end() == len(self._buffer) and self._buffer.endswith(b"\n\r")):
                return -1  # CR LF CR: the LF that belongs to it is on its way
            return match.end()
        at = self._buffer.find(b"\n\n", self._searched)
        return -1 if at < 0 else at + 2

    def _check(self, n_bytes: int) -> None:
        if n_bytes > self._max_event_bytes:
            raise StreamTooLarge(f"one event of the stream has more than {self._max_event_bytes} bytes")


@dataclass(slots=True)
class EventData:
    """An event's data and where each of its lines stands in the event's bytes."""

    data: bytes
    lines: tuple[tuple[int, int], ...]
    """(offset in `data`, offset in the event) of each data line."""

    def offset(self, at: int) -> int:
        """The offset in the event of an offset in the data."""
        in_data, in_event = self.lines[0]
        for line in self.lines:
            if line[0] > at:
                break
            in_data, in_event = line
        return in_event + at - in_data


def data_of(event: bytes) -> EventData | None:
    """The data of one event as `EventSplitter` gives it; None when it has none (a comment, a bare `id:`)."""
    if b"\r" not in event:
        match = PLAIN_EVENT.fullmatch(event)
        if match is not None:
            return EventData(match.group(1), ((0, match.start(1)),))
    parts: list[bytes] = []
    lines: list[tuple[int, int]] = []
    length = 0
    for match in _LINE.finditer(event, 3 if event.startswith(_BOM) else 0):
        name, colon, value = match.group(1).partition(b":")
        if name != b"data":
            continue
        start = match.start(1) + len(name) + len(colon)
        if value.startswith(b" "):
            value = value[1:]
            start += 1
        lines.append((length, start))
        parts.append(value)
        length += len(value) + 1
    if not parts:
        return None
    return EventData(b"\n".join(parts), tuple(lines))
