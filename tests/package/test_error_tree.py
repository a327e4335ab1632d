"""The tree drawn in errors.py is the tree there is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pointsman import errors
from pointsman.errors import PointsmanError


def classes(root: type[PointsmanError]) -> Iterator[type[PointsmanError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from classes(child)


def drawn() -> list[tuple[int, str]]:
    """(depth, name) of every line of the drawing, in order."""
    assert errors.__doc__ is not None
    found = re.findall(r"^    ((?:[│├└─ ]*))([A-Z]\w+)(?:\s|$)", errors.__doc__, flags=re.MULTILINE)
    return [(len(lead) // 4, name) for lead, name in found]


def test_every_error_is_drawn_under_its_parent() -> None:
    stack: list[str] = []
    seen: dict[str, str | None] = {}
    for depth, name in drawn():
        del stack[depth:]
        seen[name] = stack[-1] if stack else None
        stack.append(name)
    real = {
        kind.__name__: None if kind is PointsmanError else kind.__mro__[1].__name__ for kind in classes(PointsmanError)
    }
    assert seen == real


def test_codes_are_safe_as_metric_labels_and_statuses_are_errors() -> None:
    for kind in classes(PointsmanError):
        assert re.fullmatch(r"[a-z_]{3,40}", kind.code), kind
        assert 400 <= kind.status <= 599, kind
