"""The text itself: variables, aliases, tags and bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config.document import MAX_TEXT_BYTES, read_document
from pointsman.config.expand import MissingVariableError, expand


@pytest.mark.parametrize(
    ("text", "expected", "used"),
    [
        ("plain", "plain", ()),
        ("${A}", "one", ("A",)),
        ("x${A}y${B}z", "xoneytwoz", ("A", "B")),
        ("${NO:-fallback}", "fallback", ()),
        ("${EMPTY:-fallback}", "fallback", ()),
        ("${NO:-}", "", ()),
        ("$$5", "$5", ()),
        ("$${A}", "${A}", ()),
        ("$a and 5$", "$a and 5$", ()),
        ("${NESTED}", "${A}", ("NESTED",)),
    ],
)
def test_variables_are_filled_in_once(text: str, expected: str, used: tuple[str, ...]) -> None:
    environ = {"A": "one", "B": "two", "EMPTY": "", "NESTED": "${A}"}
    assert (expand(text, environ).text, expand(text, environ).variables) == (expected, used)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NO}", "the environment variable NO is not set"),
        ("${EMPTY}", "the environment variable EMPTY is empty"),
        ("${A", "a `${` that is not `${NAME}` or `${NAME:-default}`"),
        ("${1}", "a `${` that is not `${NAME}` or `${NAME:-default}`"),
        ("$OPENAI_API_KEY", "`$OPENAI_API_KEY` is not filled in"),
    ],
)
def test_a_variable_that_cannot_be_filled_in_is_an_error(text: str, message: str) -> None:
    with pytest.raises(MissingVariableError) as caught:
        expand(text, {"EMPTY": "", "A": "one"})
    assert caught.value.message == message


@given(st.text())
def test_doubling_every_dollar_keeps_any_text(text: str) -> None:
    assert expand(text.replace("$", "$$"), {}).text == text


def test_aliases_and_merge_keys_are_read() -> None:
    document = read_document("base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}\nsame: *b\n", "p", {})
    assert document.faults == []
    assert document.data == {"base": {"x": 1, "y": 2}, "mine": {"x": 1, "y": 3}, "same": {"x": 1, "y": 2}}


def test_an_alias_bomb_ends_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    document = read_document("\n".join(lines), "p", {})
    assert document.data is None
    assert "aliases expanded" in document.faults[0].message


def test_a_merge_bomb_ends_early() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    document = read_document("\n".join(lines), "p", {})
    assert document.data is None
    assert document.faults[0].message == "merge keys nested too deeply"


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "[" * 200 + "]" * 200, "[" * 50_000])
def test_depth_is_bounded(text: str) -> None:
    document = read_document(text, "p", {})
    assert document.data is None
    assert "nested deeper" in document.faults[0].message


def test_a_huge_text_is_refused_unread() -> None:
    document = read_document("x" * (MAX_TEXT_BYTES + 1), "p", {})
    assert "larger than" in document.faults[0].message


@pytest.mark.parametrize(
    "text", ["a: !!python/object/apply:os.system [x]", "a: !!python/name:os.system x", "a: !mine 1", "a: !!int x"]
)
def test_tags_run_nothing(text: str) -> None:
    document = read_document(text, "p", {})
    assert document.faults or document.data == {"a": ["x"]}


def test_lines_are_those_of_the_keys() -> None:
    document = read_document("a:\n  b:\n    - c\n    - d: 1\n", "p", {})
    assert document.line(("a",)) == 1
    assert document.line(("a", "b")) == 2
    assert document.line(("a", "b", 1, "d")) == 4
    assert document.line(("a", "b", 1, "missing")) == 4
