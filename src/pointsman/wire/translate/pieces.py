"""An answer in pieces: what the events of all three dialects come to, in order. A whole answer is the same pieces.

Tool calls are told apart by a `key`, which is the upstream's own number for them, so that calls whose arguments come
interleaved stay apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from pointsman.vocabulary import Usage


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    CALLS = "calls"
    FILTER = "filter"
    """A filter cut the answer off, or the model refused to go on."""
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Started:
    """The answer begins. `id` and `model` are the upstream's, `created_s` is Unix time."""

    id: str
    model: str
    created_s: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A part of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A part of what is said in place of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A part of the thinking, as far as it is shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """The end of one piece of thinking, with what its provider wants back (see `seals`)."""

    seal: str | None


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call begins."""

    key: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Argued:
    """A part of a call's arguments, as JSON text."""

    key: int
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """What was under way is whole: the call of this key, or with None the text or thinking."""

    key: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The tokens, as known now; a later count replaces an earlier one."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """Why the answer ended. Usage may still follow."""

    reason: Finish
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The upstream says that it cannot go on."""

    message: str
    code: str
    status: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The protocol's terminator."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign of life."""


Piece: TypeAlias = (
    Started
    | Said
    | Refused
    | Thought
    | Sealed
    | Called
    | Argued
    | Closed
    | Counted
    | Finished
    | Failed
    | Ended
    | Waiting
)
