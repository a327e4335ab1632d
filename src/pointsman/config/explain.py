"""Where each setting came from, secrets masked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel, SecretStr

from .faults import Path, path_text
from .loaded import LoadedSettings
from .values import SecretUrl


class Explained(NamedTuple):
    """One setting: its key path, its value as it may be shown, and where it came from."""

    path: str
    shown: str
    origin: str


def explain(settings: LoadedSettings) -> list[Explained]:
    """Every setting in use, in the order of the schema; origin is "file:line", "env NAME" or "default"."""
    return [
        Explained(path_text(path), _shown(value), settings.origin_of(path)) for path, value in _leaves(settings, ())
    ]


def used_variables(settings: LoadedSettings) -> tuple[str, ...]:
    """Names of the environment variables that gave some setting, in the order of the schema."""
    names = [
        name
        for path, _ in _leaves(settings, ())
        if (origin := settings.origin_of(path)).startswith("env ")
        for name in origin.removeprefix("env ").split(", ")
    ]
    return tuple(dict.fromkeys(names))


def written_secrets(settings: LoadedSettings) -> tuple[str, ...]:
    """Key paths of secrets that stand in the file in full: not from a variable, and no address without a password."""
    return tuple(
        path_text(path)
        for path, value in _leaves(settings, ())
        if isinstance(value, SecretStr)
        and not (isinstance(value, SecretUrl) and str(value) == value.get_secret_value())
        and not settings.origin_of(path).startswith(("env ", "default"))
    )


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping) and value and path[-1] != "when":
        for name, item in value.items():
            yield from _leaves(item, (*path, name))
    elif isinstance(value, list | tuple) and any(isinstance(item, BaseModel) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif value is not None:
        yield path, value


def _shown(value: object) -> str:
    if isinstance(value, SecretUrl):
        return str(value)
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, str):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)
