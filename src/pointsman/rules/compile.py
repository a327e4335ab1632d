"""Checks a rule and makes it testable: every fault is found, with its key path, before any request comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .conditions import CONDITIONS, Test, UnexpectedValueError
from .measures import Measures
from .suggest import did_you_mean

MODES = ("enforce", "observe")
RULE_KEYS = ("name", "when", "use", "mode")
COMBINATORS = ("all", "any", "not")
MAX_DEPTH = 8
"""How deep `all`, `any` and `not` may stand in one another."""

Fault = tuple[str, str]
"""The key path inside the rule, and what was expected there."""


def check(rule: object) -> list[Fault]:
    """Everything wrong with one rule as it stands in YAML, as (key path, what was expected); empty when nothing is.

    A key path is written `when.any[1].task`; the empty path is the rule itself.
    """
    return list(_faults(rule))


def _faults(rule: object) -> Iterator[Fault]:
    if not isinstance(rule, Mapping):
        yield "", "expected a mapping with name, when and use"
        return
    for key in rule:
        if key not in RULE_KEYS:
            yield str(key), f"expected one of {', '.join(RULE_KEYS)}{did_you_mean(str(key), RULE_KEYS)}"
    for key, what in (("name", "the rule's name"), ("use", "the name of a tier or model")):
        value = rule.get(key)
        if not isinstance(value, str) or not value.strip():
            yield key, f"expected {what}, a text"
    mode = rule.get("mode", "enforce")
    if mode not in MODES:
        yield "mode", f"expected enforce or observe{did_you_mean(str(mode), MODES)}"
    if "when" not in rule:
        yield "when", "expected the rule's conditions, a mapping ({} always holds)"
    else:
        faults: list[Fault] = []
        _all_of(rule["when"], "when", faults, 0)
        yield from faults


def compile_conditions(when: object) -> list[Test]:
    """The tests of conditions that `check` found nothing wrong with; all of them must hold."""
    return _tests_of(when, "when", [], 0)


def _tests_of(when: object, path: str, faults: list[Fault], depth: int) -> list[Test]:
    if not isinstance(when, Mapping):
        faults.append((path, "expected a mapping of conditions"))
        return []
    if depth > MAX_DEPTH:
        faults.append((path, f"expected at most {MAX_DEPTH} levels of all, any and not"))
        return []
    tests: list[Test] = []
    for name, value in when.items():
        here = f"{path}.{name}"
        if name in COMBINATORS:
            tests.append(_combine(str(name), value, here, faults, depth))
        elif name in CONDITIONS:
            try:
                tests.append(CONDITIONS[name].build(value))
            except UnexpectedValueError as error:
                faults.append((here, f"expected {error}"))
        else:
            known = (*CONDITIONS, *COMBINATORS)
            faults.append((here, f"expected a condition of the rule language{did_you_mean(str(name), known)}"))
    return tests


def _combine(name: str, value: object, path: str, faults: list[Fault], depth: int) -> Test:
    if name == "not":
        return _not(_all_of(value, path, faults, depth + 1))
    if not isinstance(value, list | tuple) or not value:
        faults.append((path, "expected a list of mappings of conditions"))
        return _conjunction([])
    parts = [_all_of(part, f"{path}[{at}]", faults, depth + 1) for at, part in enumerate(value)]
    return _conjunction(parts) if name == "all" else _disjunction(parts)


def _all_of(when: object, path: str, faults: list[Fault], depth: int) -> Test:
    return _conjunction(_tests_of(when, path, faults, depth))


def _conjunction(tests: list[Test]) -> Test:
    def test(measures: Measures) -> tuple[bool, str]:
        seen = []
        for part in tests:
            holds, why = part(measures)
            if not holds:
                return False, why
            seen.append(why)
        return True, ", ".join(seen) if seen else "no conditions"

    return test


def _disjunction(tests: list[Test]) -> Test:
    def test(measures: Measures) -> tuple[bool, str]:
        seen = []
        for part in tests:
            holds, why = part(measures)
            if holds:
                return True, why
            seen.append(why)
        return False, "none of: " + "; ".join(seen)

    return test


def _not(inner: Test) -> Test:
    def test(measures: Measures) -> tuple[bool, str]:
        holds, why = inner(measures)
        return (False, f"excluded: {why}") if holds else (True, why)

    return test
