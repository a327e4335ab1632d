"""Who asked again was not served well: re-asks and regenerations among the records of a ledger.

A regeneration is the same conversation sent once more; a re-ask ends with nearly the same words. Both say something of
the first answer only when the same caller sent them, after that answer had come, and soon. What a program does is not
meant: a client that tries again after an error, samples several answers at once, or goes on in a tool loop.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import SequenceMatcher

from pointsman.prompt_identity import normalised

from ..prompt_text import routed_text

WITHIN = timedelta(minutes=10)
"""After ten minutes a similar question is taken for a new one."""
NEAR = 0.85
"""The least ratio of matching characters of two texts that say the same (difflib's `ratio`)."""
MIN_CHARS = 20
"""Shorter texts ("yes, go on") are said again without being asked again."""
MAX_CHARS = 2_000
"""What is compared of each text; the comparison is quadratic at worst."""
MAX_REMEMBERED = 20
"""Answers of one caller that a request is compared with."""
MAX_CALLERS = 10_000
REGENERATION, RE_ASK = "regeneration", "re-ask"

_NOT_ASKED = frozenset({"model", "stream", "stream_options", "user", "metadata", "store", "seed", "safety_identifier"})
"""Fields that may differ between a request and its regeneration."""


@dataclass(frozen=True, slots=True)
class _Asked:
    request_id: str
    begun: datetime
    ended: datetime
    conversation: str
    text: str


@dataclass(slots=True)
class AskedAgain:
    """Goes through records in the order in which they ended; remembers a bounded number of each caller's."""

    _callers: OrderedDict[tuple[str, str], deque[_Asked]] = field(default_factory=OrderedDict)

    def look(self, entry: Mapping[str, object]) -> tuple[str, str] | None:
        """Which earlier answer this request was dissatisfied with, by request id, and how: `REGENERATION` or `RE_ASK`.

        None when with none, or when it cannot be told: the prompt is not stored, or there is neither session nor key.
        """
        caller, asked = _caller(entry), _asked(entry)
        if caller is None or asked is None:
            return None
        known = self._callers.setdefault(caller, deque(maxlen=MAX_REMEMBERED))
        self._callers.move_to_end(caller)
        if len(self._callers) > MAX_CALLERS:
            self._callers.popitem(last=False)
        found = next((how for before in reversed(known) if (how := _again(before, asked)) is not None), None)
        known.append(asked)
        return found


def _again(before: _Asked, asked: _Asked) -> tuple[str, str] | None:
    if not before.ended <= asked.begun <= before.ended + WITHIN:
        return None
    if asked.conversation == before.conversation:
        return before.request_id, REGENERATION
    return (before.request_id, RE_ASK) if _near(before.text, asked.text) else None


def _near(one: str, two: str) -> bool:
    if min(len(one), len(two)) < MIN_CHARS:
        return False
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    return matcher.real_quick_ratio() >= NEAR and matcher.quick_ratio() >= NEAR and matcher.ratio() >= NEAR


def _caller(entry: Mapping[str, object]) -> tuple[str, str] | None:
    for name in ("session_id", "key_id"):
        value = entry.get(name)
        if isinstance(value, str) and value:
            return name, value
    return None


def _asked(entry: Mapping[str, object]) -> _Asked | None:
    """What was asked, of a request that ended well and whose conversation ends with the user's own words."""
    if entry.get("status") != "ok":
        return None
    body, begun, total_ms = _body(entry.get("prompt")), _moment(entry.get("created_at")), entry.get("total_ms")
    if body is None or begun is None or not isinstance(total_ms, int | float):
        return None
    said = body.get("messages", body.get("input"))
    if isinstance(said, list) and said and routed_text(said[-1:]) is None:
        return None
    text = routed_text(said)
    if text is None:
        return None
    conversation = {name: value for name, value in body.items() if name not in _NOT_ASKED}
    return _Asked(
        str(entry["request_id"]),
        begun,
        begun + timedelta(milliseconds=total_ms),
        json.dumps(conversation, sort_keys=True, ensure_ascii=True),
        normalised(text)[:MAX_CHARS],
    )


def _body(prompt: object) -> Mapping[str, object] | None:
    if isinstance(prompt, str):
        try:
            prompt = json.loads(prompt)
        except ValueError:
            return None
    return prompt if isinstance(prompt, Mapping) else None


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
