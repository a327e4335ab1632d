"""The plain part of JSON Schema: enough to tell that a tool call or a JSON answer breaks its schema, without a library.

Read are `type`, `enum`, `const`, `required`, `properties`, `additionalProperties: false`, `items`, `minItems`,
`maxItems`, `minLength`, `maxLength`, `minimum`, `maximum`, `anyOf` and `oneOf` (as "at least one"), and `$ref` within
the document. Other keywords are not looked at, so a value that passes may still break its schema; one that fails does
break it. (JSON Schema 2020-12, "Validation" and "Core".)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_DEPTH: Final = 32
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def broken(value: Any, schema: Any, *, root: Any = None, at: str = "$", depth: int = 0) -> str | None:
    """Where and how a value breaks the schema, None when nothing that is looked at is broken."""
    if schema is False:
        return f"{at} is not allowed"
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    root = schema if root is None else root
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = _resolved(root, reference)
        return None if target is None else broken(value, target, root=root, at=at, depth=depth + 1)
    why = _of_type(value, schema, at) or _of_choice(value, schema, root, at, depth)
    if why is not None:
        return why
    if isinstance(value, dict):
        return _of_object(value, schema, root, at, depth)
    if isinstance(value, list):
        return _of_array(value, schema, root, at, depth)
    if isinstance(value, str):
        return _bounded(len(value), schema, "minLength", "maxLength", f"the length of {at}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _bounded(value, schema, "minimum", "maximum", at)
    return None


def _of_type(value: Any, schema: Mapping[str, Any], at: str) -> str | None:
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    known = [name for name in names if name in _TYPES]
    if not known or any(_is(value, name) for name in known):
        return None
    return f"{at} is not of type {' or '.join(known)}"


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _of_choice(value: Any, schema: Mapping[str, Any], root: Any, at: str, depth: int) -> str | None:
    enum = schema.get("enum")
    if isinstance(enum, list) and value not in enum:
        return f"{at} is none of the values allowed"
    if "const" in schema and value != schema["const"]:
        return f"{at} is not the one value allowed"
    for name in ("anyOf", "oneOf"):
        choices = schema.get(name)
        if isinstance(choices, list) and choices:
            found = [broken(value, choice, root=root, at=at, depth=depth + 1) for choice in choices]
            if all(why is not None for why in found):
                return f"{at} fits none of {name}"
    return None


def _of_object(value: dict[str, Any], schema: Mapping[str, Any], root: Any, at: str, depth: int) -> str | None:
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            return f"{at} lacks {name!r}"
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    for name, each in value.items():
        if name in properties:
            why = broken(each, properties[name], root=root, at=f"{at}.{name}", depth=depth + 1)
            if why is not None:
                return why
        elif schema.get("additionalProperties") is False and "patternProperties" not in schema:
            return f"{at} has {name!r}, which is not allowed"
    return None


def _of_array(value: list[Any], schema: Mapping[str, Any], root: Any, at: str, depth: int) -> str | None:
    why = _bounded(len(value), schema, "minItems", "maxItems", f"the length of {at}")
    if why is not None or "prefixItems" in schema:
        return why
    for index, each in enumerate(value):
        why = broken(each, schema.get("items"), root=root, at=f"{at}[{index}]", depth=depth + 1)
        if why is not None:
            return why
    return None


def _bounded(value: float, schema: Mapping[str, Any], low: str, high: str, what: str) -> str | None:
    least, most = schema.get(low), schema.get(high)
    if isinstance(least, int | float) and value < least:
        return f"{what} is below {least}"
    if isinstance(most, int | float) and value > most:
        return f"{what} is above {most}"
    return None


def _resolved(root: Any, reference: str) -> Any:
    if not reference.startswith("#"):
        return None
    at = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(at, Mapping) or key not in at:
            return None
        at = at[key]
    return at
