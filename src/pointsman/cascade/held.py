"""Answers that were read before they are served: they come again as they came, byte for byte."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Protocol

from pointsman.errors import AnswerRejected, UpstreamError
from pointsman.vocabulary import Answer, UpstreamAnswer

from .called import Reader

PIECE_BYTES = 16 * 2**10


class Splitter(Protocol):
    """What is needed of a splitter of server-sent events."""

    def feed(self, chunk: bytes, /) -> list[bytes]:
        """The events that are complete now."""

    def rest(self) -> bytes:
        """What came after the last of them."""


class Held:
    """An answer of which some chunks were read, and come again; `rest` is None when they were all."""

    def __init__(self, answer: UpstreamAnswer, chunks: Sequence[bytes], rest: AsyncIterator[bytes] | None) -> None:
        self._answer = answer
        self._chunks = _pieces(chunks)
        self._rest = rest

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        if self._rest is None:
            raise StopAsyncIteration
        return await anext(self._rest)

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def aclose(self) -> None:
        await self._answer.aclose()


def _pieces(chunks: Sequence[bytes]) -> Iterator[bytes]:
    """The chunks joined to pieces of about `PIECE_BYTES`: they are all there, and each write costs a system call."""
    joined, n_bytes = list[bytes](), 0
    for chunk in chunks:
        joined.append(chunk)
        n_bytes += len(chunk)
        if n_bytes >= PIECE_BYTES:
            yield b"".join(joined)
            joined, n_bytes = [], 0
    if n_bytes:
        yield b"".join(joined)


class EndHeld:
    """A stream that flows but for its end, which waits for a last judgement.

    Args:
        answer: the stream, from its first byte on.
        splitter: cuts it into events.
        reader: reads it on its own.
        model: the model's name, for the error.
        judge: why the whole answer may not end as a success, None when it may; asked once, when the upstream has said
            why it ended.

    Its `chunks` raise `AnswerRejected` in place of the events that would tell the client that all is well.
    """

    def __init__(
        self,
        answer: UpstreamAnswer,
        *,
        splitter: Splitter,
        reader: Reader,
        model: str,
        judge: Callable[[Answer], str | None],
    ) -> None:
        self._answer = answer
        self.reader = reader
        self._splitter = splitter
        self._model = model
        self._judge = judge
        self._flowing: AsyncGenerator[bytes, None] | None = None

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    def chunks(self) -> AsyncIterator[bytes]:
        if self._flowing is None:
            self._flowing = self._flow()
        return self._flowing

    async def _flow(self) -> AsyncGenerator[bytes, None]:
        reader = self.reader
        held: list[bytes] = []
        broken: UpstreamError | None = None
        rest = self._answer.chunks()
        try:
            async for chunk in rest:
                out: list[bytes] = []
                for event in self._splitter.feed(chunk):
                    # An event that cannot be read goes on: whoever reads for the client says so.
                    reader.feed(event)
                    (held if reader.complete else out).append(event)
                if out:
                    yield b"".join(out)
                if reader.terminated:
                    break
        except UpstreamError as error:
            if not reader.complete:
                raise
            broken = error
        tail = self._splitter.rest()
        why = self._judge(reader.answer) if reader.complete else None
        if why is not None:
            raise AnswerRejected(f"the answer of {self._model} was rejected at its end: {why}", model=self._model)
        if held or tail:
            yield b"".join((*held, tail))
        if broken is not None:
            raise broken
        async for chunk in rest:
            yield chunk

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def aclose(self) -> None:
        await self._answer.aclose()
        if self._flowing is not None:
            await self._flowing.aclose()
