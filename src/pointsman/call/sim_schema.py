"""A small value that fits a JSON Schema, for simulated tool arguments and JSON answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 8
MAX_ITEMS = 16


def example(schema: Mapping[str, Any], text: str) -> Any:
    """A value that fits `schema`; `text` stands wherever any string would do. An empty schema gives {"answer": text}.

    Knows what structured outputs allow (platform.openai.com, "Structured outputs", "Supported schemas"): types, enum,
    const, properties, items, anyOf, $ref into the schema itself, bounds on numbers, items and string lengths. Deeper
    than 8 levels, where a recursive schema leads, it gives null or the emptiest value of the type.
    """
    if not schema:
        return {"answer": text}
    return _value(schema, schema, text, 0)


def _value(schema: object, root: Mapping[str, Any], text: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _value(_resolve(reference, root), root, text, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        if isinstance(options, list) and options:
            # Past half the depth a nullable branch ends a recursion.
            null = next((one for one in options if isinstance(one, dict) and one.get("type") == "null"), None)
            return _value(null if null is not None and depth > MAX_DEPTH // 2 else options[0], root, text, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object" or (kind is None and "properties" in schema):
        properties = schema.get("properties")
        names = properties if isinstance(properties, dict) else {}
        return {name: _value(inner, root, text, depth + 1) for name, inner in names.items()}
    if kind == "array":
        n_items = min(MAX_ITEMS, _whole(schema.get("minItems"), 0 if depth >= MAX_DEPTH else 1))
        return [_value(schema.get("items"), root, text, depth + 1) for _ in range(n_items)]
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _string(schema, text)


def _string(schema: Mapping[str, Any], text: str) -> str:
    formats = {"date": "2026-01-01", "date-time": "2026-01-01T00:00:00Z", "time": "00:00:00", "email": "a@example.com"}
    kind = schema.get("format")
    if isinstance(kind, str) and kind in formats:
        return formats[kind]
    shortest, longest = _whole(schema.get("minLength"), 0), _whole(schema.get("maxLength"), len(text))
    return text[:longest].ljust(min(shortest, 4_096), ".")


def _number(schema: Mapping[str, Any], *, whole: bool) -> float | int:
    """1 where the bounds allow it, else the bound that forbids it, moved inwards where it is exclusive."""
    inwards = 1 if whole else 0.5
    least, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    most, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    number = 1.0
    if least is not None:
        number = max(number, least)
    if above is not None and number <= above:
        number = above + inwards
    if most is not None:
        number = min(number, most)
    if below is not None and number >= below:
        number = below - inwards
    return int(number) if whole else number


def _bound(schema: Mapping[str, Any], key: str) -> float | None:
    bound = schema.get(key)
    return float(bound) if isinstance(bound, int | float) and not isinstance(bound, bool) else None


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise


def _resolve(reference: str, root: Mapping[str, Any]) -> object:
    """What a reference such as "#/$defs/Step" points to; None when there is no such place."""
    place: object = root
    for key in reference.removeprefix("#").split("/")[1:]:
        place = place.get(key) if isinstance(place, dict) else None
    return place
