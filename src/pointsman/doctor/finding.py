"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pointsman.vocabulary import JSONObject


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and something about it may cost money, quality or safety."""
    FAULT = "fault"
    """It does not work, or not as it says."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. Never holds a key: messages name variables, models and files."""

    check: str
    """What was looked at, one word or two."""
    state: State
    found: str
    advice: str | None = None
    """What to do; None when there is nothing to do."""

    def to_json(self) -> JSONObject:
        """Plain JSON types, names as here."""
        return {"check": self.check, "state": self.state.value, "found": self.found, "advice": self.advice}
