"""One streamed answer: bytes in, bytes for the client out, and what the answer says so far.

The bytes that come out are the upstream's, cut after whole events, with `model` renamed in place. What never comes
out: half an event, an event whose data is not JSON, anything after the terminator or after an error.

States: an answer has `started` at its first event that is neither a comment, a ping, an error nor the terminator; it
is `complete` when the upstream has said why it ended; it is `terminated` when its terminator has come. A stream that
ends without being complete was cut, and its client must be told.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import orjson

from pointsman.vocabulary import Answer, Usage
from pointsman.wire.logprobs import MAX_LOGPROBS, token_logprobs
from pointsman.wire.spans import known_value_spans, replaced
from pointsman.wire.sse import PLAIN_EVENT, EventData, EventSplitter, StreamTooLarge, data_of
from pointsman.wire.tokens import estimate_tokens

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""The largest event held: images and files come as single events of many megabytes."""

MAX_ANSWER_CHARS = 32 * 1024 * 1024
"""The longest answer text gathered; 400 times the longest output that any model offers today."""

MAX_MOULDS = 16
"""How often the bytes around a piece of text are learned in one stream: some providers change them in every event."""

Edits = list[tuple[int, int, bytes]]

_UNESCAPED = re.compile(rb'[^"\\\x00-\x1f]*+')
_STRING = re.compile(rb'[ \t]*+:[ \t]*+"((?:[^"\\]++|\\.)*+)"')


@dataclass(frozen=True, slots=True)
class _Mould:
    """The bytes of an event around its text: as they come, and as they go to the client."""

    head: bytes
    tail: bytes
    head_out: bytes
    tail_out: bytes


def _mould(event: bytes, shift: int, data: bytes, edits: Edits, key: bytes, text: str) -> _Mould | None:
    """What an event consists of around the text under `key`; None when its place is not sure.

    Args:
        shift: where the data begin in the event.
    """
    at = data.find(key)
    if at < 0 or data.count(key) != 1 or data[at - 1] == 0x5C or b"\\u00" in data:
        return None
    string = _STRING.match(data, at + len(key))
    if string is None or orjson.loads(b'"%b"' % string[1]) != text:
        return None
    start, end = string.span(1)
    if any(from_ < end and to > start for from_, to, _ in edits):
        return None
    return _Mould(
        head=event[: shift + start],
        tail=event[shift + end :],
        head_out=event[:shift] + replaced(data[:start], [edit for edit in edits if edit[1] <= start]),
        tail_out=replaced(data[end:], [(f - end, t - end, new) for f, t, new in edits if f >= end])
        + event[shift + len(data) :],
    )


def _plain_text(said: bytes) -> str | None:
    """The text of a JSON string without escapes, None for one that has some or is none."""
    if _UNESCAPED.fullmatch(said) is None:
        return None
    try:
        return said.decode()
    except UnicodeDecodeError:
        return None


class StreamReader(ABC):
    """Reads one stream; each dialect says what its events mean.

    Attributes:
        started: a first real event was seen.
        complete: the upstream said why the answer ended (finish reason or terminator).
        terminated: the terminator was seen (`[DONE]`, `message_stop`, `response.completed|incomplete|failed`).
        error: the message of an error event, or what is wrong with a malformed one; None while all is well.
        error_sent: the error came as an event of the upstream's, which went on to the client; no second one is needed.
        n_events: events passed on, which is the next `sequence_number` of a Responses stream.
        gather: also read token probabilities and the arguments of tool calls, for a judge; set it before the first
            event.
        keeps_model: leave the model's name as the upstream has it; set it before the first event.
        strip_logprobs: take token probabilities out of what the client gets; set it before the first event.
    """

    def __init__(self, *, name: str, max_event_bytes: int, max_answer_chars: int) -> None:
        self.gather = False
        self.keeps_model = False
        self.strip_logprobs = False
        self.started = False
        self.complete = False
        self.terminated = False
        self.error: str | None = None
        self.error_sent = False
        self.n_events = 0
        self._mould: _Mould | None = None
        self._n_moulds = 0
        self._terminator = b""
        self._model = orjson.dumps(name)
        self._events = EventSplitter(max_event_bytes=max_event_bytes)
        self._max_answer_chars = max_answer_chars
        self._spelling = b""
        self._value_offset = 0
        self._texts: list[str] = []
        self._n_chars = 0
        self._finish_reason: str | None = None
        self._usage: Usage | None = None
        self._upstream_model: str | None = None
        self._id: str | None = None
        self._tool_calls: list[str] = []
        self._tool_inputs: dict[object, list[str]] = {}
        self._n_input_chars = 0
        self._logprobs: list[float] = []

    @property
    def n_chars(self) -> int:
        """How many characters of text have come."""
        return self._n_chars

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
            id=self._id,
            logprobs=tuple(self._logprobs),
            tool_inputs=tuple("".join(pieces) for pieces in self._tool_inputs.values()),
        )

    def feed(self, chunk: bytes) -> bytes:
        """The bytes to pass to the client now, empty when no event is complete.

        Raises:
            StreamTooLarge: an event or the answer's text is larger than allowed.
        """
        if self._is_over() or not chunk:
            return b""
        out: list[bytes] = []
        for event in self._events.feed(chunk):
            mould = self._mould
            if mould is not None and event.startswith(mould.head) and event.endswith(mould.tail):
                said = event[len(mould.head) : -len(mould.tail)]
                text = _plain_text(said)
                if text is not None:
                    self._add_text(text)
                    self.n_events += 1
                    out += (mould.head_out, said, mould.tail_out)
                    continue
            out.append(self._pass(event))
            if self._is_over():
                break
        return out[0] if len(out) == 1 else b"".join(out)

    def end(self) -> bytes:
        """The last bytes for the client once the upstream has ended: an event that lacks only its blank line.

        The blank line is added, because a decoder drops an event without one. Half an event is dropped here.
        """
        rest = self._events.rest()
        if self._is_over() or not rest:
            return b""
        if rest.endswith(b"\n\r"):
            event = rest
        else:
            event = rest + (b"\n" if rest.endswith(b"\n") else b"\n\n")
        data = data_of(event)
        if data is None:
            return b""
        if data.data.strip() != b"[DONE]":
            try:
                orjson.loads(data.data)
            except orjson.JSONDecodeError:
                return b""
        return self._pass(event)

    def closing(self) -> bytes:
        """The terminator, for a stream that said why it ended and lacks only this; empty when it is there or not due.

        Clients wait for it, or take its absence for a break.
        """
        if not self.complete or self.terminated or self.error is not None:
            return b""
        self.terminated = True
        return self._terminator

    def _is_over(self) -> bool:
        return self.terminated or self.error is not None

    def _said(self, event: dict[str, Any]) -> tuple[bytes, str] | None:
        """Of an event that does nothing but add text to the answer: the key that the text stands under, and the text.

        Another event with the same bytes around its text would be read in the same way; None where that is not so.
        """
        return None

    @abstractmethod
    def _read(self, event: dict[str, Any], data: bytes) -> Edits | None:
        """Takes in one event; gives the edits to its data, None to leave the event out."""

    def _done(self) -> None:  # noqa: B027 (doing nothing is the answer of the other dialects)
        """Takes in `[DONE]`, which only chat completions end with; elsewhere it means nothing."""

    def _logprob_edits(self, data: bytes) -> Edits:
        """The edits that take token probabilities out of one event."""
        return []

    def _usage_so_far(self, text: str) -> Usage | None:
        return self._usage

    def _pass(self, event: bytes) -> bytes:
        plain = PLAIN_EVENT.fullmatch(event)
        found: EventData | None = None
        if plain is not None and b"\r" not in event:
            data = plain[1]
        else:
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
        if self.strip_logprobs:
            edits = [*edits, *self._logprob_edits(data)]
        self.n_events += 1
        if found is None and self._n_moulds < MAX_MOULDS and not self.strip_logprobs:
            said = self._said(parsed)
            if said is not None:
                self._n_moulds += 1
                self._mould = _mould(event, len(event) - len(data) - 2, data, edits, *said)
        if not edits:
            return event
        if found is not None:
            return replaced(event, ((found.offset(start), found.offset(end), new) for start, end, new in edits))
        shift = len(event) - len(data) - 2
        if len(edits) == 1:
            start, end, new = edits[0]
            return b"".join((event[: start + shift], new, event[end + shift :]))
        return replaced(event, ((start + shift, end + shift, new) for start, end, new in edits))

    def _rename(self, data: bytes, path: tuple[str, ...] = ()) -> Edits:
        """The edits that rename the model at `path`, where the parser has seen one.

        The events of one stream spell it alike, so its text is looked for as it stood in the event before: it is the
        right one when "model" stands there once and no escape can spell it another way.
        """
        if self.keeps_model:
            return []
        known = self._spelling
        at = data.find(known) if known else -1
        if at >= 0 and data.count(b'"model"') == 1 and data[at - 1] != 0x5C and b"\\u00" not in data:
            return [(at + self._value_offset, at + len(known), self._model)]
        spans = known_value_spans(data, "model", path)
        if len(spans) == 1:
            start, end = spans[0]
            key = data.rfind(b'"model"', 0, start)
            if key >= 0 and data[end - 1] == 0x22:
                self._spelling, self._value_offset = data[key:end], start - key
        return [(start, end, self._model) for start, end in spans]

    def _fail(self, message: object) -> None:
        self.error = message if isinstance(message, str) and message else "the upstream sent an error"
        self.error_sent = True

    def _add_text(self, text: object) -> None:
        if isinstance(text, str) and text:
            self._n_chars += len(text)
            if self._n_chars > self._max_answer_chars:
                raise StreamTooLarge(f"the answer has more than {self._max_answer_chars} characters")
            self._texts.append(text)

    def _add_tool_input(self, call: object, text: object) -> None:
        """Adds a piece of the arguments of a call, which is known by its id or place."""
        if self.gather:
            pieces = self._tool_inputs.setdefault(call, [])
            if isinstance(text, str) and text:
                self._n_input_chars += len(text)
                if self._n_input_chars > self._max_answer_chars:
                    raise StreamTooLarge(f"the calls of the answer have more than {self._max_answer_chars} characters")
                pieces.append(text)

    def _add_logprobs(self, entries: object) -> None:
        if self.gather and isinstance(entries, list):
            room = MAX_LOGPROBS - len(self._logprobs)
            self._logprobs += token_logprobs(entries)[:room]

    def _add_tool_call(self, name: object) -> None:
        if isinstance(name, str) and name:
            self._tool_calls.append(name)


def estimated_output(usage: Usage, text: str) -> Usage:
    """Usage whose output count is at least what the text so far must have cost, marked as estimated."""
    return replace(usage, output_tokens=max(usage.output_tokens, estimate_tokens(text)), estimated=True)
