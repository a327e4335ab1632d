"""Values of top-level keys are found by place, whatever stands around them."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pointsman.wire.spans import known_value_spans, replaced, value_spans


def found(raw: bytes, key: str = "model") -> list[bytes]:
    return [raw[start:end] for start, end in value_spans(raw, key)]


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b'{"model":"a"}', [b'"a"']),
        (b' \r\n\t{ "model" :\n "a" , "b" : 1 } ', [b'"a"']),
        (b'{"model":"a","model":"b"}', [b'"a"', b'"b"']),
        (b'{"x":{"model":"nested"},"model":"a"}', [b'"a"']),
        (b'{"x":[{"model":"nested"}],"y":[[["model"]]],"model":"a"}', [b'"a"']),
        (b'{"model":null,"x":-1.5e+3,"model":true,"model":[1,{"model":2}]}', [b"null", b"true", b'[1,{"model":2}]']),
        (b'{"a\\"model":1,"model":"b"}', [b'"b"']),
        (b'{"x":"\\"model\\": \\"y\\"","model":"b"}', [b'"b"']),
        (b'{"x":"ends with a backslash \\\\","model":"b"}', [b'"b"']),
        (b'{"x":"\\\\\\"","model":"b\\\\\\""}', [b'"b\\\\\\""']),
        (b'{"mod\\u0065l":"b","x":{"model":"nested"}}', [b'"b"']),
        (b'{"\\u006D\\u006fdel":"b"}', [b'"b"']),
        (b'{"x":"model","Model":"c","models":"d"}', []),
        (b'{"x":"}{][","model":"}"}', [b'"}"']),
        (b"{}", []),
        ('{"ключ":"модель","model":"é"}'.encode(), ['"é"'.encode()]),
    ],
)
def test_top_level_values_are_found_and_nested_ones_are_not(raw: bytes, values: list[bytes]) -> None:
    assert found(raw) == values


@pytest.mark.parametrize("depth", [1, 15, 16, 17, 40, 199])
def test_a_value_of_any_depth_is_stepped_over(depth: int) -> None:
    nested = b'{"model":[' * depth + b'"model"' + b"]}" * depth
    raw = b'{"x":' + nested + b',"model":"a"}'
    assert found(raw) == [b'"a"']
    assert found(b'{"model":' + nested + b"}") == [nested]


def test_a_nested_object_can_be_looked_into() -> None:
    raw = b'{"model":"outer","message":{"x":{"model":1},"model":"inner"},"model":"outer"}'
    (span,) = value_spans(raw, "message")
    assert [raw[a:b] for a, b in value_spans(raw, "model", span)] == [b'"inner"']
    assert [raw[a:b] for a, b in known_value_spans(raw, "model", ("message",))] == [b'"inner"']


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a\\"model":1,"mod\\u0065l":"b"}',
        b'{"x":{"model":"nested"},"\\u006dodel":"b"}',
        b'{"x":"model","\\u006dodel":"b"}',
        b'{"x\\\\":{"\\"model":1},"model":"b"}',
    ],
)
def test_a_lone_look_alike_is_not_taken_for_the_key(raw: bytes) -> None:
    spans = known_value_spans(raw, "model")
    assert [raw[a:b] for a, b in spans] == [b'"b"']


def test_edits_are_put_in_place_in_any_order() -> None:
    assert replaced(b"0123456789", [(5, 7, b"B"), (1, 2, b"AA"), (10, 10, b"!")]) == b"0AA234B789!"
    assert replaced(b"abc", []) == b"abc"


keys = st.sampled_from(["model", "mod", "stream", "a", 'quo"te', "back\\slash", "ключ", "\x00", ""])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)


@given(st.lists(st.tuples(keys, values), max_size=8), st.sampled_from([b"", b" ", b"\n\t "]))
@example([("model", "x"), ("a", {"model": "y"}), ("model", 1)], b" ")
def test_the_spans_are_the_values_in_order(pairs: list[tuple[str, object]], blank: bytes) -> None:
    members = (b"%b%b%b:%b%b%b" % (blank, orjson.dumps(k), blank, blank, orjson.dumps(v), blank) for k, v in pairs)
    raw = blank + b"{" + b",".join(members) + b"}" + blank
    assert found(raw) == [orjson.dumps(value) for key, value in pairs if key == "model"]
    if any(key == "model" for key, _ in pairs):
        assert known_value_spans(raw, "model") == value_spans(raw, "model")
