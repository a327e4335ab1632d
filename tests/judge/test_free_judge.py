"""What the judge without training finds wrong, and what it makes of token probabilities."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pointsman.judge import FreeJudge
from pointsman.vocabulary import Answer, Dialect
from pointsman.wire import build_request

TOOL = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "required": ["q"], "properties": {"q": {}}}},
}


def answer(text: str = "Lisbon.", finish: str | None = "stop", **fields: Any) -> Answer:
    return Answer(text, finish, None, None, **fields)


def verdict(given: Answer, **request: Any) -> tuple[float, bool, str]:
    judged = FreeJudge().judge(build_request(prompt="Capital?", **request), given, model="m")
    return judged.p_good, judged.accepted, judged.reason


@pytest.mark.parametrize(
    ("given", "request_", "reason"),
    [
        (answer(""), {}, "the answer is empty"),
        (answer(" \n"), {}, "the answer is empty"),
        (answer(complete=False), {}, "the answer broke off"),
        (answer(finish="content_filter"), {}, "it ended with the reason 'content_filter'"),
        (answer(finish="length"), {}, "it ended with the reason 'length': too long for its limit"),
        (answer("I'm sorry, but I cannot help with that."), {}, "it opens with a refusal"),
        (answer("x"), {"response_format": {"type": "json_object"}}, "JSON was demanded and it is none"),
        (
            answer("[1]"),
            {"response_format": {"type": "json_object"}},
            "an object was demanded and it is another value",
        ),
        (
            answer(tool_calls=("other",), tool_inputs=("{}",)),
            {"tools": [TOOL]},
            "it calls a tool that was not offered",
        ),
        (
            answer(tool_calls=("find",), tool_inputs=("{",)),
            {"tools": [TOOL]},
            "the arguments for find are not JSON",
        ),
        (
            answer(tool_calls=("find",), tool_inputs=("",)),
            {"tools": [TOOL]},
            "the arguments for find break its schema: $ lacks 'q'",
        ),
        (answer(), {"tools": [TOOL], "tool_choice": "required"}, "it calls no tool, though one was demanded"),
    ],
)
def test_what_is_plainly_wrong_is_never_accepted(given: Answer, request_: dict[str, Any], reason: str) -> None:
    assert verdict(given, **request_) == (0.0, False, reason)


@pytest.mark.parametrize(
    ("given", "request_"),
    [
        (answer(finish="length"), {"max_tokens": 5}),
        (answer('{"a": 1}'), {"response_format": {"type": "json_object"}}),
        (answer("", tool_calls=("find",), tool_inputs=('{"q": "x"}',)), {"tools": [TOOL]}),
        (answer(tool_calls=("find",)), {"tools": [TOOL]}),
    ],
)
def test_what_is_in_order_is_accepted(given: Answer, request_: dict[str, Any]) -> None:
    assert verdict(given, **request_)[1]


def test_token_probability_comes_before_what_was_expected_of_the_request() -> None:
    judge, request = FreeJudge(), build_request(prompt="x", dialect=Dialect.ANTHROPIC_MESSAGES, max_tokens=9)
    sure = answer(logprobs=(-0.1, -0.3))
    assert judge.judge(request, sure, model="m", p_ahead=0.3).p_good == pytest.approx(math.exp(-0.2))
    assert judge.judge(request, answer(), model="m", p_ahead=0.3).p_good == 0.3
    assert judge.judge(request, answer(), model="m").p_good == 0.5


def test_a_doubt_of_its_own_caps_what_an_answer_is_worth() -> None:
    assert verdict(answer("I am not sure, but Lisbon.", logprobs=(-0.01,)))[0] == 0.2


def test_a_beginning_is_not_held_against_an_answer() -> None:
    judge, request = FreeJudge(), build_request(prompt="x", response_format={"type": "json_object"})
    assert judge.judge(request, answer('{"a', None, complete=False), model="m", early=True).accepted
