"""`${VAR}` and `${VAR:-default}` in text, as a shell reads them; `$$` stands for one dollar sign."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_PLACE = re.compile(
    r"""\$(?:
        (?P<dollar>\$)
      | \{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}
      | (?P<broken>\{[^}]*\}?)
    )""",
    re.VERBOSE,
)

_BARE = re.compile(r"\$(?P<name>[A-Z_][A-Z0-9_]*)")
"""`$NAME` alone: surely meant as a variable, and would otherwise be sent as a key."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """The text with variables put in, and the names of those that were set."""

    text: str
    variables: tuple[str, ...]


class MissingVariableError(Exception):
    """A variable has no value and no default, or a place cannot be read. `seen` holds the names used so far."""

    def __init__(self, message: str, advice: str, seen: tuple[str, ...]) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.seen = seen


def expand(text: str, environ: Mapping[str, str]) -> Expanded:
    """`text` with every place filled in, once: what a variable holds is not expanded again.

    As in a shell, `:-` also takes the default when the variable is set but empty; without a default an empty
    variable is an error, because an empty key fails much later and far from here.

    Raises:
        MissingVariableError: a variable has no value and no default, or a `${` is not closed.
    """
    if "$" not in text:
        return Expanded(text, ())
    bare = _BARE.fullmatch(text)
    if bare is not None:
        raise MissingVariableError(
            f"`{text}` is not filled in", f"write `${{{bare['name']}}}`, or `$${bare['name']}` for the text itself", ()
        )
    used: list[str] = []

    def fill(match: re.Match[str]) -> str:
        if match["dollar"] is not None:
            return "$"
        if match["broken"] is not None:
            raise MissingVariableError(
                "a `${` that is not `${NAME}` or `${NAME:-default}`", "write `$$` for a dollar sign", tuple(used)
            )
        name = match["name"]
        value = environ.get(name)
        if value:
            used.append(name)
            return value
        if match["default"] is not None:
            return str(match["default"])
        state = "not set" if value is None else "empty"
        raise MissingVariableError(
            f"the environment variable {name} is {state}",
            f"run `export {name}=…`, or write `${{{name}:-default}}`",
            (*used, name),
        )

    return Expanded(_PLACE.sub(fill, text), tuple(used))
