"""One exchange between a client and an upstream of another dialect: the request out, the answer back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import orjson

from pointsman.vocabulary import Dialect, JSONObject, Model, Request
from pointsman.wire.codec import UnreadableAnswer, parse_object
from pointsman.wire.dialects import CODECS
from pointsman.wire.faults import anthropic_error, anthropic_error_type
from pointsman.wire.sse import PLAIN_EVENT, EventSplitter, data_of
from pointsman.wire.stream import MAX_EVENT_BYTES
from pointsman.wire.translate import (
    read_chat,
    read_messages,
    read_responses,
    write_chat,
    write_messages,
    write_responses,
)
from pointsman.wire.translate.chat_answer import ChatReader, ChatWriter
from pointsman.wire.translate.conversation import Conversation
from pointsman.wire.translate.failures import UNTOLD, read_error_body
from pointsman.wire.translate.messages_answer import MessagesReader, MessagesWriter
from pointsman.wire.translate.pieces import Piece, Waiting
from pointsman.wire.translate.responses_answer import ResponsesReader, ResponsesWriter
from pointsman.wire.translate.writer import AnswerWriter, Asked

_CHAT, _RESPONSES, _MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES


class AnswerReader(Protocol):
    """Reads an upstream's answer into pieces."""

    def event(self, event: Mapping[str, Any]) -> list[Piece]:
        """The pieces in one event of a stream."""

    def done(self) -> list[Piece]:
        """The pieces of `[DONE]`."""

    def whole(self, body: Mapping[str, Any]) -> list[Piece]:
        """The pieces of a whole answer."""


_READ_REQUEST: Mapping[Dialect, Callable[[Mapping[str, Any]], Conversation]] = MappingProxyType(
    {_CHAT: read_chat.read, _RESPONSES: read_responses.read, _MESSAGES: read_messages.read}
)
_WRITE_REQUEST: Mapping[Dialect, Callable[[Conversation, Model], JSONObject]] = MappingProxyType(
    {_CHAT: write_chat.write, _RESPONSES: write_responses.write, _MESSAGES: write_messages.write}
)
_READERS: Mapping[Dialect, Callable[[], AnswerReader]] = MappingProxyType(
    {_CHAT: ChatReader, _RESPONSES: ResponsesReader, _MESSAGES: MessagesReader}
)
_WRITERS: Mapping[Dialect, Callable[[Asked], AnswerWriter]] = MappingProxyType(
    {_CHAT: ChatWriter, _RESPONSES: ResponsesWriter, _MESSAGES: MessagesWriter}
)


class Translation:
    """A request for one model whose upstream speaks another dialect than the client.

    Args:
        request: the client's.
        model: who shall answer.
        dialect: the one of the model's dialects to use.

    Attributes:
        body: the request for the upstream.
        dropped: JSON paths of what the client sent and the upstream does not get; paths only, never content.
    """

    def __init__(self, request: Request, model: Model, dialect: Dialect) -> None:
        conversation = _READ_REQUEST[request.dialect](request.body)
        self.body = orjson.dumps(_WRITE_REQUEST[dialect](conversation, model))
        self.dropped = tuple(sorted(conversation.dropped))
        self._client, self._upstream = request.dialect, dialect
        tools = {tool.name: tool for tool in conversation.tools}
        self._asked = Asked(conversation, request.body, request.n_total_tokens, tools)

    def answer(self, raw: bytes) -> bytes:
        """A whole answer of the upstream's, as the client expects it.

        Raises:
            UnreadableAnswer: it is not an answer in the upstream's dialect, or says that it failed.
        """
        pieces = _READERS[self._upstream]().whole(parse_object(raw))
        return _WRITERS[self._client](self._asked).whole(pieces)

    def error(self, raw: bytes, status: int) -> bytes:
        """An error body of the upstream's in the client's envelope, message and code kept; one that cannot be read
        stays as it is.

        Anthropic's envelope has no place for a code, and gets one all the same: clients pass over it, and what is done
        about the failure depends on it.
        """
        read = read_error_body(raw)
        if read is None:
            return raw
        code, message, param = read
        if self._client is _MESSAGES:
            told = None if code in (UNTOLD, anthropic_error_type(status)) else code
            return anthropic_error(status=status, message=message, request_id=None, code=told)
        return CODECS[self._client].write_error(status=status, code=code, message=message, param=param)

    def stream(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> StreamTranslator:
        """A translator for one streamed answer."""
        reader, writer = _READERS[self._upstream](), _WRITERS[self._client](self._asked)
        return StreamTranslator(reader, writer, max_event_bytes=max_event_bytes)


class StreamTranslator:
    """Bytes of the upstream's stream in, bytes for the client out; whole events only.

    Attributes:
        ended: the terminator or an error event has been written.
    """

    def __init__(self, reader: AnswerReader, writer: AnswerWriter, *, max_event_bytes: int) -> None:
        self._reader = reader
        self._writer = writer
        self._events = EventSplitter(max_event_bytes=max_event_bytes)

    @property
    def ended(self) -> bool:
        """See the class."""
        return self._writer.ended

    def feed(self, chunk: bytes) -> bytes:
        """What the client gets for this chunk, empty when nothing is complete.

        Raises:
            StreamTooLarge: an event has more bytes than allowed.
            UnreadableAnswer: an event is not a JSON object; the stream cannot be trusted any more.
        """
        if self.ended or not chunk:
            return b""
        return b"".join(self._translate(event) for event in self._events.feed(chunk))

    def end(self) -> bytes:
        """The last bytes, once the upstream's stream has ended or broken off.

        When the upstream had said why its answer ended, the answer is whole, and is closed as the client's protocol
        demands; otherwise nothing comes, and the client must be told that the answer was cut.
        """
        if self.ended:
            return b""
        rest = self._events.rest()
        out = b""
        if rest.strip():
            try:
                out = self._translate(rest.rstrip(b"\r\n") + b"\n\n")
            except UnreadableAnswer:
                out = b""
        return out + self._writer.close()

    def _translate(self, event: bytes) -> bytes:
        if self.ended:
            return b""
        plain = PLAIN_EVENT.fullmatch(event)
        if plain is not None and b"\r" not in event:
            data = plain[1]
        else:
            found = data_of(event)
            if found is None:
                return self._writer.take(Waiting())
            data = found.data
        try:
            parsed = orjson.loads(data)
        except orjson.JSONDecodeError:
            if data.strip() != b"[DONE]":
                raise UnreadableAnswer("an event of the stream is not JSON") from None
            pieces = self._reader.done()
        else:
            if not isinstance(parsed, dict):
                raise UnreadableAnswer("an event of the stream is not a JSON object")
            pieces = self._reader.event(parsed)
        return b"".join(self._writer.take(piece) for piece in pieces)
