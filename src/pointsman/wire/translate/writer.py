"""What the writers of answers in all dialects have in common: pieces in; events, or one whole body, out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from pointsman.vocabulary import JSONObject, Usage
from pointsman.wire.codec import UnreadableAnswer
from pointsman.wire.translate.blocks import Block, Blocks, Kind, Step
from pointsman.wire.translate.conversation import Conversation, Tool
from pointsman.wire.translate.names import made_id
from pointsman.wire.translate.pieces import Counted, Ended, Failed, Finish, Finished, Piece, Said, Started, Waiting


@dataclass(frozen=True, slots=True)
class Asked:
    """What the client asked for, as far as its answer depends on it."""

    conversation: Conversation
    body: Mapping[str, Any]
    """The client's own body."""
    n_input_tokens: int
    """Our estimate, for places that want a count before there is one."""
    tools: Mapping[str, Tool] = field(default_factory=dict)
    """Those on offer, by the name that the upstream knows."""

    def tool(self, name: str) -> Tool | None:
        """The client's tool of this name, None when the model made one up."""
        return self.tools.get(name)


class AnswerWriter(ABC):
    """Writes one answer. Feed it the pieces in order, with `take` for a stream or `whole` for a body.

    Attributes:
        ended: the terminator or an error was written; nothing more will come out.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.ended = False
        self.id = ""
        self.model = ""
        self.created_s = 0
        self.blocks = Blocks()
        self.usage: Usage | None = None
        self.finish: Finished | None = None
        self._started = False

    @property
    def finished(self) -> bool:
        """The upstream has said why the answer ended, so that it is whole for the client."""
        return self.finish is not None

    def take(self, piece: Piece) -> bytes:
        """The events for the client that this piece leads to, empty when there are none."""
        if self.ended:
            return b""
        if type(piece) is Said:
            block = self.blocks.extend(Kind.TEXT, piece.text)
            if block is not None:
                return self.write_move(Step.PART, block, piece.text)
        match piece:
            case Started():
                if self._started:
                    return b""
                self._note_start(piece)
                return self.write_start()
            case Counted(usage):
                self.usage = usage
                return b""
            case Finished():
                self.finish = piece
                return b""
            case Ended():
                if self.finish is None and not self._started:
                    # A terminator alone is no answer.
                    return b""
                if self.finish is None:
                    self.finish = Finished(Finish.STOP)
                return self.close()
            case Failed():
                self.ended = True
                return self.write_failure(piece)
            case Waiting():
                return self.write_sign_of_life()
        moves = list(self.blocks.take(piece))
        if not moves:
            return b""
        start = b"" if self._started else self.take(Started("", self.model))
        return start + b"".join(self.write_move(*move) for move in moves)

    def close(self) -> bytes:
        """The last events, once the upstream has finished; empty when it has not, because then the answer was cut."""
        if self.ended or self.finish is None:
            return b""
        self.ended = True
        start = b""
        if not self._started:
            self._note_start(Started("", self.model))
            start = self.write_start()
        moves = b"".join(self.write_move(*move) for move in self.blocks.finish())
        return start + moves + self.write_end(self.reason)

    def whole(self, pieces: Iterable[Piece]) -> bytes:
        """The whole answer as a body.

        Raises:
            UnreadableAnswer: the pieces say that the upstream failed.
        """
        for piece in pieces:
            match piece:
                case Started():
                    self._note_start(piece)
                case Counted(usage):
                    self.usage = usage
                case Finished():
                    self.finish = piece
                case Failed():
                    raise UnreadableAnswer(f"the answer is a failure: {piece.code}")
                case _:
                    for _ in self.blocks.take(piece):
                        pass
        for _ in self.blocks.finish():
            pass
        return orjson.dumps(self.body())

    @property
    def reason(self) -> Finish:
        """Why it ended; an upstream that calls tools and says it merely stopped is put right."""
        reason = Finish.STOP if self.finish is None else self.finish.reason
        return Finish.CALLS if reason is Finish.STOP and self.blocks.has_calls else reason

    def _note_start(self, piece: Started) -> None:
        self._started = True
        # An upstream without ids gets one by the request, because items of two turns must not share theirs.
        self.id = piece.id or made_id(orjson.dumps(self.asked.body))
        self.model = piece.model
        self.created_s = 0 if piece.created_s is None else piece.created_s

    def of_kind(self, *kinds: Kind) -> list[Block]:
        """The blocks of some kinds, in order."""
        return [block for block in self.blocks.all if block.kind in kinds]

    @abstractmethod
    def write_start(self) -> bytes:
        """The first event."""

    @abstractmethod
    def write_move(self, step: Step, block: Block, text: str) -> bytes:
        """The events of one move of the live block."""

    @abstractmethod
    def write_end(self, reason: Finish) -> bytes:
        """Finish reason, usage and terminator."""

    @abstractmethod
    def write_failure(self, failure: Failed) -> bytes:
        """An error event."""

    @abstractmethod
    def body(self) -> JSONObject:
        """The whole answer."""

    def write_sign_of_life(self) -> bytes:
        """A comment, which every client ignores."""
        return b": ping\n\n"
