"""One streamed answer: bytes in, bytes for the client out, and what the answer says so far.

The bytes that come out are the upstream's, cut after whole events, with `model` renamed in place. What never comes
out: half an event, an event whose data is not JSON, anything after the terminator or after an error (RELIABILITY D1
rows 24 and 33).

States: an answer has `started` at its first event that is neither a comment, a ping, an error nor the terminator; it
is `complete` when the upstream has said why it ended; it is `terminated` when its terminator has come. A stream that
ends without being complete was cut, and its client must be told.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import orjson

from pointsman.vocabulary import Answer, Usage
from pointsman.wire.spans import known_value_spans, replaced
from pointsman.wire.sse import EventData, EventSplitter, StreamTooLarge, data_of
from pointsman.wire.tokens import estimate_tokens

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""The largest event held: images and files come as single events of many megabytes."""

MAX_ANSWER_CHARS = 32 * 1024 * 1024
"""The longest answer text gathered; 400 times the longest output that any model offers today."""

Edits = list[tuple[int, int, bytes]]


class StreamReader(ABC):
    """Reads one stream; each dialect says what its events mean.

    Attributes:
        started: a first real event was seen.
        complete: the upstream said why the answer ended (finish reason or terminator).
        terminated: the terminator was seen (`[DONE]`, `message_stop`, `response.completed|incomplete|failed`).
        error: the message of an error event, or what is wrong with a malformed one; None while all is well.
        error_sent: the error came as an event of the upstream's, which went on to the client; no second one is needed.
        n_events: events passed on, which is the next `sequence_number` of a Responses stream.
    """

    def __init__(self, *, name: str, max_event_bytes: int, max_answer_chars: int) -> None:
        self.started = False
        self.complete = False
        self.terminated = False
        self.error: str | None = None
        self.error_sent = False
        self.n_events = 0
        self._model = orjson.dumps(name)
        self._events = EventSplitter(max_event_bytes=max_event_bytes)
        self._max_answer_chars = max_answer_chars
        self._texts: list[str] = []
        self._n_chars = 0
        self._finish_reason: str | None = None
        self._usage: Usage | None = None
        self._upstream_model: str | None = None
        self._tool_calls: list[str] = []

    @property
    def answer(self) -> Answer:
        """The answer so far. When the upstream was cut before it gave usage, usage is estimated where it can be."""
        text = "".join(self._texts)
        return Answer(
            text=text,
            finish_reason=self._finish_reason,
            usage=self._usage_so_far(text),
            upstream_model=self._upstream_model,
            tool_calls=tuple(self._tool_calls),
            complete=self.complete,
        )

    def feed(self, chunk: bytes) -> bytes:
        """The bytes to pass to the client now, empty when no event is complete.

        Raises:
            StreamTooLarge: an event or the answer's text is larger than allowed.
        """
        if self.terminated or self.error is not None or not chunk:
            return b""
        out: list[bytes] = []
        for event in self._events.feed(chunk):
            out.append(self._pass(event))
            if self.terminated or self.error is not None:
                break
        return out[0] if len(out) == 1 else b"".join(out)

    def end(self) -> bytes:
        """The last bytes for the client once the upstream has ended: an event that lacks only its blank line.

        The blank line is added, because a decoder drops an event without one. Half an event is dropped here.
        """
        rest = self._events.rest()
        if self.terminated or self.error is not None or not rest:
            return b""
        event = rest + (b"\n" if rest.endswith((b"\n", b"\r")) else b"\n\n")
        data = data_of(event)
        if data is None:
            return b""
        if data.data.strip() != b"[DONE]":
            try:
                orjson.loads(data.data)
            except orjson.JSONDecodeError:
                return b""
        return self._pass(event)

    @abstractmethod
    def _read(self, event: dict[str, Any], data: bytes) -> Edits | None:
        """Takes in one event; gives the edits to its data, None to leave the event out."""

    def _done(self) -> None:
        """Takes in `[DONE]`, which only chat completions end with; elsewhere it means nothing."""

    def _usage_so_far(self, text: str) -> Usage | None:
        return self._usage

    def _pass(self, event: bytes) -> bytes:
        found = data_of(event)
        if found is None:
            return event
        data = found.data
        try:
            parsed = orjson.loads(data)
        except orjson.JSONDecodeError:
            if data.strip() == b"[DONE]":
                self._done()
                return event
            self.error = "an event of the stream is not JSON"
            return b""
        if not isinstance(parsed, dict):
            self.error = "an event of the stream is not a JSON object"
            return b""
        edits = self._read(parsed, data)
        if edits is None:
            return b""
        self.n_events += 1
        return event if not edits else _edited(event, found, edits)

    def _rename(self, data: bytes, path: tuple[str, ...] = ()) -> Edits:
        return [(start, end, self._model) for start, end in known_value_spans(data, "model", path)]

    def _fail(self, message: object) -> None:
        self.error = message if isinstance(message, str) and message else "the upstream sent an error"
        self.error_sent = True

    def _add_text(self, text: object) -> None:
        if isinstance(text, str) and text:
            self._n_chars += len(text)
            if self._n_chars > self._max_answer_chars:
                raise StreamTooLarge(f"the answer has more than {self._max_answer_chars} characters")
            self._texts.append(text)

    def _add_tool_call(self, name: object) -> None:
        if isinstance(name, str) and name:
            self._tool_calls.append(name)


def _edited(event: bytes, found: EventData, edits: Edits) -> bytes:
    if len(found.lines) == 1:
        shift = found.lines[0][1]
        if len(edits) == 1:
            start, end, new = edits[0]
            return event[: start + shift] + new + event[end + shift :]
        return replaced(event, ((start + shift, end + shift, new) for start, end, new in edits))
    return replaced(event, ((found.offset(start), found.offset(end), new) for start, end, new in edits))


def estimated_output(usage: Usage, text: str) -> Usage:
    """Usage whose output count is at least what the text so far must have cost, marked as estimated."""
    n_out = max(usage.output_tokens, estimate_tokens(text))
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=n_out,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        estimated=True,
    )
