"""Checks of an answer that cost nothing: each either finds a fault or says nothing.

A fault found is certain enough to escalate on; what is only a hint (hedging, repetition) is a signal that a trained
scorer weighs (`signals`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .code import fenced_blocks, unreadable_code
from .phrases import refuses
from .repetition import repeated_share
from .schema import broken
from .signals import FINISHED, SIGNALS, TRUNCATED, answer_signals

MAX_REPEATED: Final = 0.5
"""An answer half of whose runs of words stood in it before goes round in circles."""
_MAY_REPEAT: Final = 0.35
"""Compressed share above which repetition is not looked for: such a text cannot be half repeated."""
MAX_HEDGES_PER_WORD: Final = 0.05
MIN_HEDGES: Final = 3
_COMPRESSED, _OTHER_LANGUAGE, _UNREADABLE, _HEDGES, _WORDS = (
    SIGNALS.index(name) for name in ("compressed_share", "other_language", "unreadable_code", "hedges", "log_words")
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request the checks look at."""

    prompt: str
    json_output: bool = False
    """True when JSON is demanded."""
    json_schema: Mapping[str, Any] | None = None
    tools: Mapping[str, Mapping[str, Any] | None] | None = None
    """Schemas of the arguments by name of each tool offered; None for a tool without one. None: no tools."""
    translates: bool = False
    """True when an answer in another language is wanted."""


@dataclass(frozen=True, slots=True)
class Given:
    """What of an answer the checks look at."""

    text: str
    finish_reason: str | None = None
    tool_calls: tuple[tuple[str, str], ...] = ()
    """(name, arguments as JSON text) of each call."""
    complete: bool = True
    """False when the answer broke off."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with an answer. `code` comes from `FAULTS`; `why` is for a person and quotes no content."""

    code: str
    why: str


FAULTS: Final = (
    "cut",
    "truncated",
    "stopped",
    "empty",
    "bad_tool_call",
    "refusal",
    "bad_json",
    "bad_schema",
    "repetition",
    "other_language",
    "bad_code",
    "hedging",
)


def faults(asked: Asked, given: Given, *, signals: NDArray[np.float32] | None = None) -> tuple[Fault, ...]:
    """All faults found, the plainest first; empty when the checks find none.

    Args:
        signals: `answer_signals` of the answer, where they are there already.
    """
    found = [*_of_ending(given), *_of_tool_calls(asked, given)]
    text = given.text.strip()
    if not text and not given.tool_calls:
        found.append(Fault("empty", "the answer is empty"))
    if text:
        found.extend(_of_text(asked, text, answer_signals(asked.prompt, text) if signals is None else signals))
    return tuple(found)


def _of_ending(given: Given) -> list[Fault]:
    if not given.complete:
        return [Fault("cut", "the answer broke off")]
    if given.finish_reason in TRUNCATED:
        return [Fault("truncated", f"it ended with the reason {given.finish_reason!r}: too long for its limit")]
    if given.finish_reason is not None and given.finish_reason not in FINISHED:
        return [Fault("stopped", f"it ended with the reason {given.finish_reason!r}")]
    return []


def _of_tool_calls(asked: Asked, given: Given) -> list[Fault]:
    found = []
    tools = {} if asked.tools is None else asked.tools
    for name, arguments in given.tool_calls:
        if name not in tools:
            found.append(Fault("bad_tool_call", "it calls a tool that was not offered"))
            continue
        try:
            value = json.loads(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError):
            found.append(Fault("bad_tool_call", f"the arguments for {name} are not JSON"))
            continue
        why = broken(value, tools[name])
        if why is not None:
            found.append(Fault("bad_tool_call", f"the arguments for {name} break its schema: {why}"))
    return found


def _of_text(asked: Asked, text: str, signals: NDArray[np.float32]) -> list[Fault]:
    found = []
    lowered = text.lower()
    if refuses(lowered):
        found.append(Fault("refusal", "it opens with a refusal"))
    if asked.json_output or asked.json_schema is not None:
        found.extend(_of_json(asked, text))
    if signals[_COMPRESSED] < _MAY_REPEAT and repeated_share(text) > MAX_REPEATED:
        found.append(Fault("repetition", "it repeats itself"))
    if not asked.translates and signals[_OTHER_LANGUAGE]:
        found.append(Fault("other_language", "it is in another language than the prompt"))
    if signals[_UNREADABLE]:
        found.append(Fault("bad_code", f"it holds {unreadable_code(text)}"))
    n_hedges, n_words = (math.expm1(float(signals[place])) for place in (_HEDGES, _WORDS))
    if round(n_hedges) >= MIN_HEDGES and n_hedges > MAX_HEDGES_PER_WORD * n_words:
        found.append(Fault("hedging", f"{n_hedges:.0f} of its words hedge"))
    return found


def _of_json(asked: Asked, text: str) -> list[Fault]:
    blocks = [body for language, body in fenced_blocks(text) if language in ("json", "")]
    try:
        value = json.loads(blocks[-1] if blocks else text)
    except (ValueError, RecursionError):
        return [Fault("bad_json", "JSON was demanded and it is none")]
    why = None if asked.json_schema is None else broken(value, asked.json_schema)
    return [] if why is None else [Fault("bad_schema", f"it breaks the schema: {why}")]
