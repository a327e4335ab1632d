"""Free checks: each fault on an answer that has it, and none on one that does not."""

from __future__ import annotations

import pytest

from pointsman.judge import FAULTS, PLAIN, Asked, Given, faults

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}
LONG_PROMPT = (
    "Tell me in a few words what the weather of the north is like in May, and for whom it is that bad of late."
)
FAR = "He stood before the emperor and the diet at Worms in 1521 and was asked to take back what he had written. " * 2
CIRCLE = "It rains and it rains and the wind is cold and strong. " * 20


def codes(asked: Asked, given: Given) -> tuple[str, ...]:
    return tuple(fault.code for fault in faults(asked, given))


@pytest.mark.parametrize(
    ("asked", "given", "code"),
    [
        (Asked("hi"), Given("  \n "), "empty"),
        (Asked("hi"), Given("Hello th", complete=False), "cut"),
        (Asked("hi"), Given("Hello th", "length"), "truncated"),
        (Asked("hi"), Given("Hello th", "max_tokens"), "truncated"),
        (Asked("hi"), Given("Hello th", "content_filter"), "stopped"),
        (Asked("hi"), Given("I'm sorry, but I can't help with that.", "stop"), "refusal"),
        (Asked("hi", json_output=True), Given('{"city": "Oslo"', "stop"), "bad_json"),
        # Whoever demanded JSON parses the answer as it is.
        (Asked("hi", json_schema=SCHEMA), Given('```json\n{"city": "Oslo", "days": 2}\n```', "end_turn"), "bad_json"),
        (Asked("hi", json_output=True), Given("[1]", "stop"), "bad_json"),
        (Asked("hi", json_schema=SCHEMA), Given('{"city": 3}', "stop"), "bad_schema"),
        (Asked("hi", json_schema=SCHEMA), Given('{"city": "Oslo", "days": 0}', "stop"), "bad_schema"),
        (Asked("hi"), Given(CIRCLE, "stop"), "repetition"),
        (
            Asked(LONG_PROMPT),
            Given(
                "Das Wetter ist im Mai in dem Norden nicht sehr warm und es regnet auf den Bergen mit dem Wind, "
                "der von der See kommt, die kalt ist und das Land."
            ),
            "other_language",
        ),
        (
            Asked(LONG_PROMPT),
            Given("北の地方の五月は涼しくて風が強いことが多いですが、晴れる日もあります。"),
            "other_language",
        ),
        (Asked("hi"), Given("Here:\n```python\ndef f(:\n    pass\n```\n"), "bad_code"),
        (Asked("hi"), Given("Here:\n```json\n{'a': 1}\n```\n"), "bad_code"),
        (Asked("hi"), Given("Maybe, perhaps, it might not, probably."), "hedging"),
        (Asked("hi", tools={"go": SCHEMA}, forces_tool=True), Given("Oslo.", "stop"), "no_tool_call"),
        (Asked("hi", tools={"go": SCHEMA}), Given("", "tool_calls", (("fly", "{}"),)), "bad_tool_call"),
        (Asked("hi", tools={"go": SCHEMA}), Given("", "tool_calls", (("go", '{"city":'),)), "bad_tool_call"),
        (Asked("hi", tools={"go": SCHEMA}), Given("", "tool_calls", (("go", '{"days": 2}'),)), "bad_tool_call"),
    ],
)
def test_each_fault_is_found(asked: Asked, given: Given, code: str) -> None:
    assert codes(asked, given) == (code,)
    assert code in FAULTS


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (Asked("What is 2 + 2?"), Given("4", "stop")),
        (Asked("hi", json_schema=SCHEMA), Given('{"city": "Oslo", "days": 2}', "end_turn")),
        (Asked("hi", tools={"go": SCHEMA}), Given("", "tool_calls", (("go", None),))),
        (Asked("hi"), Given("Hello", "a reason of its own")),
        (Asked("hi", tools={"go": SCHEMA}), Given("", "tool_use", (("go", '{"city": "Oslo"}'),))),
        (Asked("hi", tools={"ping": None}), Given("", "tool_calls", (("ping", ""),))),
        (Asked("hi"), Given("Run:\n```python\nfor i in range(3):\n    print(i)\n```\n", "stop")),
        (Asked("hi"), Given("Type:\n```python\n>>> 1 +\n```\n", "stop")),
        (
            Asked("Who said 'I cannot'?"),
            Given(f"Luther. {FAR} I cannot say more.", "stop"),
        ),
        (
            Asked(LONG_PROMPT, translates=True),
            Given(
                "Das Wetter ist im Mai in dem Norden nicht sehr warm und es regnet auf den Bergen mit dem Wind, der."
            ),
        ),
        (
            Asked(LONG_PROMPT),
            Given("It is cool and windy in the north, and it rains on the coast as often as in April."),
        ),
    ],
)
def test_a_sound_answer_has_no_fault(asked: Asked, given: Given) -> None:
    assert codes(asked, given) == ()


def test_a_fault_does_not_quote_what_was_said() -> None:
    found = faults(Asked("secret-prompt", json_output=True), Given("secret-answer"))
    assert found
    assert all("secret" not in fault.why for fault in found)


def test_the_plainest_fault_comes_first() -> None:
    assert codes(Asked("hi", json_output=True), Given('{"a": ', "length")) == ("truncated", "bad_json")


def test_only_what_is_asked_for_is_looked_for() -> None:
    given = Given(CIRCLE, "length")
    assert codes(Asked("hi"), given) == ("truncated", "repetition")
    assert [fault.code for fault in faults(Asked("hi"), given, only=frozenset({"repetition"}))] == ["repetition"]
    assert [fault.code for fault in faults(Asked("hi"), given, only=PLAIN)] == ["truncated"]
