"""Every fault of a rule is found when it is loaded, with its key path and what was expected."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pointsman.rules import check, parse
from pointsman.rules.conditions import CONDITIONS
from pointsman.rules.reference import markdown
from pointsman.rules.regex import UnsafePatternError, compile_safely
from pointsman.vocabulary import Dialect, Request, Role, TaskKind, Turn


def test_a_good_rule_has_no_faults() -> None:
    assert check({"name": "a", "when": {"turns": 1}, "use": "cheap", "mode": "observe"}) == []


@pytest.mark.parametrize(
    ("rule", "path", "said"),
    [
        ("no mapping", "", "a mapping"),
        ({"when": {}, "use": "cheap"}, "name", "the rule's name"),
        ({"name": "a", "when": {}}, "use", "tier or model"),
        ({"name": "a", "use": "cheap"}, "when", "conditions"),
        ({"name": "a", "when": {}, "use": "cheap", "mode": "enforced"}, "mode", 'did you mean "enforce"?'),
        ({"name": "a", "when": {}, "use": "cheap", "mod": "observe"}, "mod", 'did you mean "mode"?'),
        ({"name": "a", "when": [], "use": "cheap"}, "when", "a mapping of conditions"),
        ({"name": "a", "when": {"max_tokens": 3}, "use": "cheap"}, "when.max_tokens", "did you mean"),
        ({"name": "a", "when": {"turns": "one"}, "use": "cheap"}, "when.turns", "a whole number"),
        ({"name": "a", "when": {"turns": True}, "use": "cheap"}, "when.turns", "a whole number"),
        ({"name": "a", "when": {"turns": -1}, "use": "cheap"}, "when.turns", "0 or more"),
        ({"name": "a", "when": {"no_code": "yes"}, "use": "cheap"}, "when.no_code", "true or false"),
        ({"name": "a", "when": {"task": "sumarisation"}, "use": "c"}, "when.task", 'did you mean "summarisation"?'),
        ({"name": "a", "when": {"language": "english"}, "use": "c"}, "when.language", "ISO 639-1"),
        ({"name": "a", "when": {"min_digits_share": 2}, "use": "c"}, "when.min_digits_share", "from 0 to 1"),
        ({"name": "a", "when": {"prompt_keywords": []}, "use": "c"}, "when.prompt_keywords", "a list of texts"),
        ({"name": "a", "when": {"prompt_matches": "("}, "use": "c"}, "when.prompt_matches", "regular expression"),
        ({"name": "a", "when": {"tools_offered": 3}, "use": "c"}, "when.tools_offered", "names of tools"),
        ({"name": "a", "when": {"any": {"turns": 1}}, "use": "c"}, "when.any", "a list of mappings"),
        ({"name": "a", "when": {"any": [{"turns": 1}, {"trns": 1}]}, "use": "c"}, "when.any[1].trns", '"turns"'),
        ({"name": "a", "when": {"not": {"key": 7}}, "use": "c"}, "when.not.key", "a text"),
    ],
)
def test_a_fault_is_named_with_its_path(rule: object, path: str, said: str) -> None:
    faults = check(rule)
    assert [where for where, _ in faults] == [path]
    assert said in faults[0][1]


def test_all_faults_come_at_once() -> None:
    assert {path for path, _ in check({"nam": "a", "when": {"trns": 1}, "mode": "x"})} == {
        "nam", "name", "use", "mode", "when.trns",
    }  # fmt: skip


def test_endless_nesting_is_refused() -> None:
    when: dict[str, object] = {"turns": 1}
    for _ in range(50):
        when = {"not": when}
    assert "at most 8 levels" in check({"name": "a", "when": when, "use": "c"})[0][1]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*CONDITIONS, "all", "any", "not", "name", "when", "use", "x"]), inner)
        ),
        max_leaves=12,
    )
)
def test_whatever_a_file_holds_check_answers_and_what_it_passes_can_be_parsed(value: object) -> None:
    for rule in (value, {"name": "a", "when": value, "use": "cheap"}):
        if isinstance(rule, dict) and not check(rule):
            assert parse([rule]).names == (rule["name"],)


@pytest.mark.parametrize(
    "pattern",
    [
        "refund", r"\bINV-\d{6}\b", "^(yes|no)$", "a.*b", ".{0,80}x.{0,80}", r"sum\s+up\s+this", "(?:abc){3}",
        r"(?i:hi)",
        "colou?r", r"\d+(?:\.\d+)?", "[a-z]{2,40}ing", r"(?<!not )urgent", "x{2}", r"[\]a]+", "(foo|bar) baz",
    ],
)  # fmt: skip
def test_everyday_patterns_are_accepted(pattern: str) -> None:
    assert compile_safely(pattern).source == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+", "(a|a)*b", "(a|ab)+c", r"(\w+\s?)*$", "(.*)*", "([a-z]+)*x", "((ab)*)*", "(a*)*", r"(a+){2,}",
        "(a+){10}",
        r"\s*\s*x", "a+a+", r"(x)\1", "(?P<n>x)(?P=n)", ".*.*=.*", ".*a.*b", r"\w+@\w+\.\w+", "(a?){30}", "(?(1)a|b)",
        "a?b?c?d?e?f?g?h?i?", "x" * 1_001, "[", "a{3,1}", "(?#note)x",
    ],
)  # fmt: skip
def test_patterns_that_could_run_away_are_refused(pattern: str) -> None:
    with pytest.raises(UnsafePatternError):
        compile_safely(pattern)


@pytest.mark.parametrize("pattern", ["a.*b", r"a\s+b", ".{0,80}x.{0,80}y", "a+b", "[ab]{1,90}c", r"\d+x"])
@pytest.mark.parametrize("unit", ["a", "ab", "a ", "1", "x"])
def test_the_worst_text_for_an_accepted_pattern_takes_less_than_a_second(pattern: str, unit: str) -> None:
    rules = parse([{"name": "a", "when": {"prompt_matches": pattern}, "use": "cheap"}])
    started = time.process_time()
    rules.evaluate(long_request(unit * 200_000))
    assert time.process_time() - started < 1.0


def long_request(prompt: str) -> Request:
    return Request(
        dialect=Dialect.OPENAI_CHAT, endpoint="/v1/chat/completions", model="auto", raw=b"{}", body={},
        turns=(Turn(Role.USER, prompt),), n_prompt_tokens=len(prompt) // 4,
    )  # fmt: skip


def test_the_reference_lists_every_condition_and_task_kind() -> None:
    text = markdown()
    for name in (*CONDITIONS, "all", "any", "not"):
        assert f"| `{name}` |" in text
    for kind in TaskKind:
        assert f"`{kind}`" in text


def test_every_example_of_the_reference_is_a_valid_condition() -> None:
    for name, row in CONDITIONS.items():
        when = yaml.safe_load(f"{{{name}: {row.example}}}")
        assert check({"name": "a", "when": when, "use": "cheap"}) == [], name
