"""The plain part of JSON Schema, beside the library that knows all of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pointsman.judge.schema import broken

NESTED = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "size": {"type": ["integer", "null"], "maximum": 9},
        "kind": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
        "either": {"anyOf": [{"type": "boolean"}, {"const": 7}]},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "string", "maxLength": 3}},
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-12, 12) | st.sampled_from(["", "a", "b", "long word"]) | st.floats(-3, 3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "size", "kind", "tags", "either", "other"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_it_agrees_with_the_library_on_the_keywords_it_reads(value: Any) -> None:
    assert (broken(value, NESTED) is None) == Draft202012Validator(NESTED).is_valid(value)


@pytest.mark.parametrize(
    ("value", "place"),
    [({"name": "x", "tags": ["ok", "long"]}, "$.tags[1]"), ({"name": "x", "size": 10}, "$.size"), ([], "$")],
)
def test_it_says_where(value: Any, place: str) -> None:
    why = broken(value, NESTED)
    assert why is not None
    assert place in why


def test_what_it_does_not_read_passes() -> None:
    assert broken("x", {"format": "date", "pattern": "^y$"}) is None
    assert broken(1, {"$ref": "https://example.org/schema"}) is None
    assert broken(1, True) is None
    assert broken(1, False) is not None


def test_a_schema_that_refers_to_itself_ends() -> None:
    endless = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
    assert broken(1, endless) is None
