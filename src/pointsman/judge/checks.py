"""Checks of an answer that cost nothing: each either finds a fault or says nothing.

A fault found is certain enough to escalate on; what is only a hint (hedging, repetition) is a signal that a trained
scorer weighs (`signals`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from .code import unreadable_code
from .phrases import MAX_OPENING_CHARS, refuses
from .repetition import repeated_share
from .schema import broken
from .signals import SIGNALS, TRUNCATED, answer_signals

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
    forces_tool: bool = False
    """True when a tool must be called."""


@dataclass(frozen=True, slots=True)
class Given:
    """What of an answer the checks look at."""

    text: str
    finish_reason: str | None = None
    tool_calls: tuple[tuple[str, str | None], ...] = ()
    """(name, arguments as JSON text, None when not known) of each call."""
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
    "no_tool_call",
    "refusal",
    "bad_json",
    "bad_schema",
    "repetition",
    "other_language",
    "bad_code",
    "hedging",
)


OF_SIGNALS: Final = frozenset({"repetition", "other_language", "bad_code", "hedging"})
"""Faults that are read off an answer's signals."""
WITHHELD: Final = frozenset({"content_filter", "refusal", "failed", "cancelled", "model_context_window_exceeded"})
"""Finish reasons of an answer that is none (OpenAI and Anthropic API references, read 2026-11)."""
REFUSES: Final = "it opens with a refusal"


def faults(
    asked: Asked, given: Given, *, signals: NDArray[np.float32] | None = None, only: frozenset[str] = frozenset(FAULTS)
) -> tuple[Fault, ...]:
    """All faults found, the plainest first; empty when the checks find none.

    Args:
        signals: `answer_signals` of the answer, where they are there already.
        only: codes to look for; without those of `OF_SIGNALS` no signals are needed, which take most of the time.
    """
    found = _of_ending(given)
    text = given.text.strip()
    if not text and not given.tool_calls:
        found.append(Fault("empty", "the answer is empty"))
    found += _of_tool_calls(asked, given)
    if text:
        if refuses(text[:MAX_OPENING_CHARS].lower()):
            found.append(Fault("refusal", REFUSES))
        if (asked.json_output or asked.json_schema is not None) and not given.tool_calls:
            found += _of_json(asked, text)
        if not only.isdisjoint(OF_SIGNALS):
            found += _of_signals(asked, text, answer_signals(asked.prompt, text) if signals is None else signals)
    return tuple(fault for fault in found if fault.code in only)


def _of_ending(given: Given) -> list[Fault]:
    if not given.complete:
        return [Fault("cut", "the answer broke off")]
    if given.finish_reason in TRUNCATED:
        return [Fault("truncated", f"it ended with the reason {given.finish_reason!r}: too long for its limit")]
    if given.finish_reason in WITHHELD:
        return [Fault("stopped", f"it ended with the reason {given.finish_reason!r}")]
    return []


def _of_tool_calls(asked: Asked, given: Given) -> list[Fault]:
    found = list[Fault]()
    if asked.forces_tool and not given.tool_calls:
        found.append(Fault("no_tool_call", "it calls no tool, though one was demanded"))
    tools = {} if asked.tools is None else asked.tools
    for name, arguments in given.tool_calls:
        if name not in tools:
            found.append(Fault("bad_tool_call", "it calls a tool that was not offered"))
            continue
        if arguments is None:
            continue
        try:
            value = orjson.loads(arguments) if arguments.strip() else {}
        except orjson.JSONDecodeError:
            found.append(Fault("bad_tool_call", f"the arguments for {name} are not JSON"))
            continue
        why = broken(value, tools[name])
        if why is not None:
            found.append(Fault("bad_tool_call", f"the arguments for {name} break its schema: {why}"))
    return found


def _of_signals(asked: Asked, text: str, signals: NDArray[np.float32]) -> list[Fault]:
    found = []
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
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [Fault("bad_json", "JSON was demanded and it is none")]
    if asked.json_schema is None:
        return [] if isinstance(value, dict) else [Fault("bad_json", "an object was demanded and it is another value")]
    why = broken(value, asked.json_schema)
    return [] if why is None else [Fault("bad_schema", f"it breaks the schema: {why}")]
