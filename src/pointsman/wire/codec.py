"""The protocol that each dialect's codec keeps, and what is the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

import orjson

from pointsman.vocabulary import Answer, Dialect, JSONObject, Request, Usage
from pointsman.wire.draft import Draft
from pointsman.wire.spans import known_value_spans, replaced
from pointsman.wire.stream import StreamReader


class UnreadableAnswer(ValueError):
    """An upstream's answer is not its dialect's JSON: empty, HTML, cut off, or an error body under status 200."""


class Codec(Protocol):
    """One dialect: bytes in, bytes and facts out, without I/O and without state."""

    @property
    def dialect(self) -> Dialect:
        """The dialect it speaks."""

    def read_body(self, body: Mapping[str, Any]) -> Draft:
        """What routing needs of a request's parsed body.

        Raises:
            BadRequest: a field that routing needs is missing or of the wrong type.
        """

    def write_request(
        self, request: Request, *, provider_model: str, ask_usage: bool, stream: bool | None = None
    ) -> bytes:
        """The client's bytes with `model` replaced, for an upstream of this dialect.

        Args:
            request: a request of this dialect.
            provider_model: what the provider calls the model.
            ask_usage: for a stream of chat completions, also ask for the usage chunk; ignored elsewhere.
            stream: overrides the client's `stream`; None leaves it as it is.
        """

    def read_answer(self, raw: bytes) -> Answer:
        """What a whole answer says.

        Raises:
            UnreadableAnswer: it is not an answer in this dialect.
        """

    def rename_model(self, raw: bytes, name: str, *, seen: bool = False) -> bytes:
        """A whole answer's bytes with the value of `model` replaced, if it has one; all else byte for byte.

        Args:
            seen: `read_answer` has found a model in it, so that it need not be read again.

        Raises:
            UnreadableAnswer: it is not a JSON object.
        """

    def stream(
        self,
        *,
        name: str,
        strip_usage: bool = False,
        usage_extra: Callable[[Usage], JSONObject] | None = None,
        max_event_bytes: int = ...,
        max_answer_chars: int = ...,
    ) -> StreamReader:
        """A reader for one streamed answer.

        Args:
            name: what `model` is called in the events that the client gets.
            strip_usage: leave out the chunk that holds usage only (chat completions; ignored elsewhere).
            usage_extra: gives an object to put under `pointsman` in the usage chunk, which the client asked for (chat
                completions; ignored elsewhere).
            max_event_bytes: the largest event that is held in memory.
            max_answer_chars: the longest answer text that is gathered.
        """

    def write_error(
        self, *, status: int, code: str, message: str, request_id: str | None = None, param: str | None = None
    ) -> bytes:
        """An error body."""

    def write_stream_error(
        self, *, status: int, code: str, message: str, request_id: str | None = None, sequence_number: int = 0
    ) -> bytes:
        """An error event for a stream that has begun; a terminator must not follow it.

        Args:
            status: decides the error's type, though a stream's own status has long been sent.
            code: a machine-readable word.
            message: for a person.
            request_id: given by Anthropic errors only.
            sequence_number: given by Responses errors only, the number of events before it.
        """


def parse_object(raw: bytes) -> dict[str, Any]:
    """A whole answer as a JSON object.

    Raises:
        UnreadableAnswer: it is not one; the message says what came instead, not what it says.
    """
    if not raw or raw.isspace():
        raise UnreadableAnswer("the answer is empty")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        what = "HTML" if raw.lstrip()[:1] == b"<" else f"not JSON ({len(raw)} bytes)"
        raise UnreadableAnswer(f"the answer is {what}") from None
    if not isinstance(body, dict):
        raise UnreadableAnswer("the answer is JSON, but not an object")
    return body


def error_words(error: object) -> str:
    """An error's type and code, which are safe to show; its message may quote the prompt."""
    if not isinstance(error, dict):
        return "no details"
    words = (error.get("type"), error.get("code"))
    return ", ".join(str(word)[:64] for word in words if isinstance(word, str | int)) or "no details"


def with_model(raw: bytes, name: str, *, seen: bool = False) -> bytes:
    """A whole JSON object's bytes with the value of its top-level `model` replaced, if it has one.

    Args:
        seen: it has one, as its reading has shown; otherwise it is read again.

    Raises:
        UnreadableAnswer: it is no JSON object.
    """
    if not seen and "model" not in parse_object(raw):
        return raw
    new = _as_json(name)
    return replaced(raw, [(start, end, new) for start, end in known_value_spans(raw, "model")])


@lru_cache(1_024)
def _as_json(name: str) -> bytes:
    return orjson.dumps(name)


def request_edits(request: Request, provider_model: str, stream: bool | None) -> list[tuple[int, int, bytes]]:
    """The edits that every dialect makes to a request: `model`, and `stream` when it is overridden."""
    new = _as_json(provider_model)
    edits = [(start, end, new) for start, end in known_value_spans(request.raw, "model")]
    if stream is not None and stream is not request.stream:
        word = b"true" if stream else b"false"
        if "stream" in request.body:
            edits += ((start, end, word) for start, end in known_value_spans(request.raw, "stream"))
        else:
            edits.append(after_brace(request.raw, 0, b'"stream":' + word + b","))
    return edits


def after_brace(raw: bytes, start: int, new: bytes) -> tuple[int, int, bytes]:
    """The edit that puts `new` behind the first brace at or after `start`."""
    at = raw.index(b"{", start) + 1
    return (at, at, new)
