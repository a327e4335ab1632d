"""A value that fits a simple JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 32
"""Deeper schemas, and recursive ones, give None from there on."""


def instance_of(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """A value of the schema: the first of `enum`, `const`, `default`, else the least value of its type.

    Reads type, properties, items, minItems, minLength, minimum, anyOf/oneOf/allOf (the first), and local `$ref`s.
    """
    root = schema if root is None else root
    if depth > MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "default" in schema:
        return schema["default"]
    if "$ref" in schema:
        return instance_of(_resolved(str(schema["$ref"]), root), root, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return instance_of(schema[key][0], root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "null")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties: Mapping[str, Any] = schema.get("properties", {})
        return {name: instance_of(part, root, depth + 1) for name, part in properties.items()}
    if kind == "array":
        n = max(1, int(schema.get("minItems", 1)))
        return [instance_of(schema.get("items", {"type": "string"}), root, depth + 1)] * min(n, 100)
    if kind == "string":
        return "text".ljust(int(schema.get("minLength", 0)), ".")
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return True if kind == "boolean" else None


def _resolved(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
