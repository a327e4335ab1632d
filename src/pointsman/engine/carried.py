"""Errors on their way between processes: rebuilt as they were, keyword-only arguments and all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pointsman.errors import PointsmanError


@dataclass(frozen=True, slots=True)
class Carried:
    """An error that was raised on purpose.

    Pickling an exception calls its class with positional arguments again, which ours do not take.
    """

    kind: type[PointsmanError]
    arguments: tuple[Any, ...]
    state: dict[str, Any]

    @classmethod
    def of(cls, error: PointsmanError) -> Carried:
        """The error without its traceback."""
        return cls(type(error), error.args, dict(vars(error)))

    def error(self) -> PointsmanError:
        """The error as it was raised."""
        made = self.kind.__new__(self.kind, *self.arguments)
        vars(made).update(self.state)
        return made
