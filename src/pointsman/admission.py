"""Judges the first bytes of an answer with a wire codec, so that an upstream that only looks well gives way in time."""

from __future__ import annotations

from .call.attempts import Admission
from .vocabulary import Answer
from .wire import Codec, UnreadableAnswer


class Admit:
    """The `accept` of `first_answer` for one request.

    A whole body is read once here and kept, because the reply needs the same reading.
    """

    def __init__(self, codec: Codec, *, stream: bool) -> None:
        self._codec = codec
        self._stream = stream
        self._read: tuple[bytes, Answer] | None = None

    def __call__(self, head: bytes, ended: bool) -> Admission:
        """What is thought of the bytes so far; `ended` says that no more will come."""
        if not self._stream:
            try:
                self._read = (head, self._codec.read_answer(head))
            except UnreadableAnswer:
                return Admission.NO
            return Admission.YES
        reader = self._codec.stream(name="", strip_usage=False)
        try:
            reader.feed(head)
        except ValueError:
            return Admission.NO
        if reader.error is not None:
            return Admission.NO
        if reader.started:
            return Admission.YES
        return Admission.NO if ended or looks_like_a_document(head) else Admission.MORE

    def read_answer(self, raw: bytes) -> Answer:
        """The answer in a body.

        Raises:
            UnreadableAnswer: it is not an answer in this dialect.
        """
        if self._read is not None and self._read[0] == raw:
            return self._read[1]
        return self._codec.read_answer(raw)


def looks_like_a_document(head: bytes) -> bool:
    """True for bytes that begin as JSON or HTML do, which no event stream does."""
    return head.lstrip()[:1] in (b"{", b"[", b"<")
