"""JSON Schemas as other providers take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.vocabulary import JSONObject

_CONSTRAINTS = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maximum",
        "maxItems",
        "maxLength",
        "maxProperties",
        "minimum",
        "minLength",
        "minProperties",
        "multipleOf",
        "pattern",
        "uniqueItems",
    }
)
"""Keywords that Anthropic refuses (platform.claude.com, "Structured outputs", JSON Schema limitations; its SDK moves
them into the description, and so do we)."""
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_ONE, _MANY, _NAMED = ("items", "not"), ("anyOf", "allOf", "prefixItems"), ("properties", "$defs", "definitions")


def for_anthropic(schema: Mapping[str, Any]) -> JSONObject:
    """The schema with every object closed, `oneOf` as `anyOf`, and refused constraints told in the description."""
    out: JSONObject = {}
    told: list[str] = []
    for key, value in schema.items():
        if key in _CONSTRAINTS or (key == "minItems" and value not in (0, 1)):
            told.append(f"{key}: {value}")
        elif key == "format" and value not in _FORMATS:
            told.append(f"format: {value}")
        elif key in _NAMED and isinstance(value, Mapping):
            out[key] = {name: _inner(inner) for name, inner in value.items()}
        elif (key in _MANY or key == "oneOf") and isinstance(value, list):
            out["anyOf" if key == "oneOf" else key] = [_inner(inner) for inner in value]
        elif key in _ONE:
            out[key] = _inner(value)
        elif key not in ("$schema", "$id"):
            out[key] = value
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema:
        out["additionalProperties"] = False
    if told:
        described = out.get("description")
        words = "{" + ", ".join(told) + "}"
        out["description"] = f"{described}\n\n{words}" if isinstance(described, str) else words
    return out


def _inner(schema: object) -> Any:
    return for_anthropic(schema) if isinstance(schema, Mapping) else schema


def fits_strict(schema: object) -> bool:
    """True when OpenAI would take the schema as strict: every object closed, and each of its properties required
    (platform.openai.com/docs/guides/structured-outputs, "Supported schemas")."""
    if isinstance(schema, list):
        return all(fits_strict(inner) for inner in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        names = set(properties) if isinstance(properties, Mapping) else set()
        required = schema.get("required", [])
        if (
            schema.get("additionalProperties") is not False
            or not isinstance(required, list)
            or not names <= set(map(str, required))
        ):
            return False
    nested = [schema[key] for key in (*_ONE, *_MANY, "oneOf") if key in schema]
    for key in _NAMED:
        inner = schema.get(key)
        nested += inner.values() if isinstance(inner, Mapping) else ()
    return all(fits_strict(inner) for inner in nested)
