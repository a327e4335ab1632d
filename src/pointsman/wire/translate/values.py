"""Values out of JSON that anybody may have written."""

from __future__ import annotations

from typing import Any

import orjson

from pointsman.vocabulary import JSONObject


def entries(value: object) -> list[Any]:
    """The list itself, an empty one for anything else."""
    return value if isinstance(value, list) else []


def objects(value: object) -> list[dict[str, Any]]:
    """The objects in a list; an empty list for anything else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def words(value: object) -> str:
    """The string itself, an empty one for anything else."""
    return value if isinstance(value, str) else ""


def maybe(value: object) -> str | None:
    """The string itself, None for anything else."""
    return value if isinstance(value, str) else None


def arguments_of(arguments: str) -> JSONObject:
    """A call's arguments as an object; text that is none becomes the value of "arguments"."""
    if not arguments.strip():
        return {}
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {"arguments": arguments}
    return parsed if isinstance(parsed, dict) else {"arguments": parsed}
