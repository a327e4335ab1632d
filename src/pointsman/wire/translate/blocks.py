"""An answer's blocks one after the other, however its pieces come.

Messages and Responses show one block at a time: opened, filled, closed. Chat Completions may fill several tool calls
in turns. The first block that is not whole is the live one, whose parts go on as they come; those of later blocks wait
until it is closed. A call is whole when its upstream says so, or when another begins and its arguments are a complete
JSON object; what is still open at the answer's end is closed then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import orjson

from pointsman.wire.translate.pieces import Argued, Called, Closed, Piece, Refused, Said, Sealed, Thought


class Kind(StrEnum):
    """What a block holds."""

    TEXT = "text"
    REFUSAL = "refusal"
    THINKING = "thinking"
    CALL = "call"


@dataclass(slots=True)
class Block:
    """One block, as far as it has come."""

    kind: Kind
    index: int
    """Its place in the answer, from 0."""
    key: int | None = None
    id: str = ""
    name: str = ""
    seal: str | None = None
    parts: list[str] = field(default_factory=list)
    whole: bool = False
    n_shown: int = 0

    @property
    def text(self) -> str:
        """Text, thinking, or arguments."""
        return "".join(self.parts)


class Step(StrEnum):
    """What happens to the live block."""

    OPEN = "open"
    PART = "part"
    CLOSE = "close"


Move: TypeAlias = tuple[Step, Block, str]
"""A step, the live block, and with PART the new text."""

_KINDS: dict[type, Kind] = {Said: Kind.TEXT, Refused: Kind.REFUSAL, Thought: Kind.THINKING}


class Blocks:
    """Takes pieces, gives moves. Every part is kept once and shown once, so the work is linear in the answer."""

    def __init__(self) -> None:
        self.all: list[Block] = []
        self._live = 0
        self._opened = False
        self._calls: dict[int, Block] = {}

    @property
    def has_calls(self) -> bool:
        """True once a tool was called."""
        return bool(self._calls)

    def take(self, piece: Piece) -> Iterator[Move]:
        """The moves that a piece leads to; pieces that belong to no block lead to none."""
        match piece:
            case Said(text) | Refused(text) | Thought(text):
                if not text:
                    return
                kind = _KINDS[type(piece)]
                last = self.all[-1] if self.all else None
                if last is None or last.kind is not kind or last.whole:
                    self._end_plain()
                    last = self._new(kind)
                last.parts.append(text)
            case Sealed(seal):
                last = self.all[-1] if self.all else None
                if last is None or last.kind is not Kind.THINKING or last.whole:
                    if seal is None:
                        return
                    self._end_plain()
                    last = self._new(Kind.THINKING)
                last.seal, last.whole = seal, True
            case Called(key, id_, name):
                known = self._calls.get(key)
                if known is not None:
                    known.id, known.name = known.id or id_, known.name or name
                    return
                self._end_plain()
                self._end_complete_call()
                block = self._new(Kind.CALL)
                block.key, block.id, block.name = key, id_, name
                self._calls[key] = block
            case Argued(key, text):
                call = self._calls.get(key)
                if call is None or call.whole or not text:
                    return
                call.parts.append(text)
            case Closed(None):
                self._end_plain()
            case Closed(key):
                call = self._calls.get(key) if key is not None else None
                if call is not None:
                    call.whole = True
            case _:
                return
        yield from self._advance()

    def extend(self, kind: Kind, text: str) -> Block | None:
        """The live block with one more part, already shown, when it is of this kind and everything of it has been
        shown: what nearly every piece of a stream does. None when more has to happen."""
        if not self._opened or self._live != len(self.all) - 1 or not text:
            return None
        live = self.all[self._live]
        if live.kind is not kind or live.whole:
            return None
        live.parts.append(text)
        live.n_shown += 1
        return live

    def finish(self) -> Iterator[Move]:
        """The moves that close everything."""
        for block in self.all[self._live :]:
            block.whole = True
        yield from self._advance()

    def _new(self, kind: Kind) -> Block:
        self._end_complete_call()
        block = Block(kind, len(self.all))
        self.all.append(block)
        return block

    def _end_plain(self) -> None:
        """Text and thinking are whole when something else begins."""
        if self.all and self.all[-1].kind is not Kind.CALL:
            self.all[-1].whole = True

    def _end_complete_call(self) -> None:
        if self._live < len(self.all):
            live = self.all[self._live]
            if live.kind is Kind.CALL and not live.whole and live.parts and live.parts[-1].endswith("}"):
                live.whole = _is_json(live.text)

    def _advance(self) -> Iterator[Move]:
        while self._live < len(self.all):
            block = self.all[self._live]
            if not self._opened:
                self._opened = True
                yield Step.OPEN, block, ""
            while block.n_shown < len(block.parts):
                part = block.parts[block.n_shown]
                block.n_shown += 1
                yield Step.PART, block, part
            if not block.whole:
                return
            if block.kind is Kind.CALL and not block.parts:
                block.parts.append("{}")
                block.n_shown = 1
                yield Step.PART, block, "{}"
            yield Step.CLOSE, block, ""
            self._live += 1
            self._opened = False


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
