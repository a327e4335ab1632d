"""What a conversation's next model cannot use is taken out of a request, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pointsman.vocabulary import Dialect
from pointsman.wire.translate import after_another_model

ODD = "functions.read:0"
THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": "EqQB"}
SEALED = {"type": "redacted_thinking", "data": "EmwK"}


def made_safe(dialect: Dialect, body: dict[str, Any], n_foreign: int = 99) -> dict[str, Any] | None:
    """The body after another model; None when it stays as it is."""
    safe = after_another_model(orjson.dumps(body), dialect, n_foreign=n_foreign)
    if safe is None:
        return None
    assert orjson.loads(safe[0]) == safe[1]
    return safe[1]


def messages(*contents: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": role, "content": content} for role, content in contents], **fields}


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (Dialect.ANTHROPIC_MESSAGES, messages(("user", "Hi"), ("assistant", "Ho"), ("user", "So?"))),
        (Dialect.ANTHROPIC_MESSAGES, messages(("assistant", [{"type": "tool_use", "id": "toolu_1", "input": {}}]))),
        (Dialect.OPENAI_CHAT, messages(("user", "Hi"))),
        (Dialect.OPENAI_CHAT, {"messages": "odd"}),
        (Dialect.OPENAI_RESPONSES, {"input": "Hi"}),
        (Dialect.OPENAI_RESPONSES, {"input": [{"type": "reasoning", "summary": []}]}),
    ],
)
def test_nothing_to_do_is_nothing_done(dialect: Dialect, body: dict[str, Any]) -> None:
    assert made_safe(dialect, body) is None


def test_thinking_of_earlier_turns_is_left_out_and_thinking_goes_on() -> None:
    body = messages(
        ("user", "Hi"),
        ("assistant", [THOUGHT, SEALED, {"type": "text", "text": "Ho"}]),
        ("user", "And?"),
        thinking={"type": "enabled", "budget_tokens": 2_000},
    )
    safe = made_safe(Dialect.ANTHROPIC_MESSAGES, body)
    assert safe is not None
    assert safe["messages"][1]["content"] == [{"type": "text", "text": "Ho"}]
    assert safe["thinking"] == {"type": "enabled", "budget_tokens": 2_000}
    assert (safe["messages"][0], safe["messages"][2]) == (body["messages"][0], body["messages"][2])


def test_in_a_tool_loop_thinking_cannot_go_on_without_what_was_thought() -> None:
    body = messages(
        ("user", "Hi"),
        ("assistant", [THOUGHT, {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}}]),
        ("user", [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py"}]),
        thinking={"type": "enabled", "budget_tokens": 2_000},
        context_management={"edits": [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]},
    )
    safe = made_safe(Dialect.ANTHROPIC_MESSAGES, body)
    assert safe is not None
    assert "thinking" not in safe
    assert safe["context_management"] == {"edits": [{"type": "clear_tool_uses_20250919"}]}
    body["context_management"]["edits"].pop()
    assert "context_management" not in (made_safe(Dialect.ANTHROPIC_MESSAGES, body) or {"context_management": 1})


def test_a_turn_of_thinking_alone_goes() -> None:
    safe = made_safe(Dialect.ANTHROPIC_MESSAGES, messages(("user", "Hi"), ("assistant", [SEALED]), ("user", "So?")))
    assert safe is not None
    assert [message["role"] for message in safe["messages"]] == ["user", "user"]


def test_encrypted_reasoning_goes_and_its_answer_stays() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Ho"}]}
    body = {"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA", "summary": []}, said]}
    assert made_safe(Dialect.OPENAI_RESPONSES, body) == {"input": [said]}


def test_odd_ids_become_ones_that_every_provider_takes_and_pairs_stay_pairs() -> None:
    chat = made_safe(
        Dialect.OPENAI_CHAT,
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"id": ODD, "type": "function"}, {"id": "call_2"}]},
                {"role": "tool", "tool_call_id": ODD, "content": "a"},
                {"role": "tool", "tool_call_id": "call_2", "content": "b"},
            ]
        },
    )
    assert chat is not None
    first, second = chat["messages"][0]["tool_calls"]
    assert first["id"] == chat["messages"][1]["tool_call_id"] != ODD
    assert second["id"] == chat["messages"][2]["tool_call_id"] == "call_2"
    assert first["id"].replace("_", "").replace("-", "").isalnum()
    claude = made_safe(
        Dialect.ANTHROPIC_MESSAGES,
        messages(
            ("assistant", [{"type": "tool_use", "id": ODD, "name": "ls", "input": {}}]),
            ("user", [{"type": "tool_result", "tool_use_id": ODD, "content": "a"}]),
        ),
    )
    assert claude is not None
    assert (
        claude["messages"][0]["content"][0]["id"] == claude["messages"][1]["content"][0]["tool_use_id"] == first["id"]
    )
    responses = made_safe(
        Dialect.OPENAI_RESPONSES,
        {"input": [{"type": "function_call", "call_id": ODD}, {"type": "function_call_output", "call_id": ODD}]},
    )
    assert responses is not None
    assert {item["call_id"] for item in responses["input"]} == {first["id"]}


def test_what_the_model_said_itself_stays() -> None:
    said = [("user", "Hi"), ("assistant", [THOUGHT, {"type": "text", "text": "Ho"}]), ("user", "And?")]
    call = {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}}
    own = [
        ("assistant", [THOUGHT, call]),
        ("user", [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a"}]),
    ]
    body = messages(*said, *own, thinking={"type": "enabled", "budget_tokens": 2_000})
    safe = made_safe(Dialect.ANTHROPIC_MESSAGES, body, n_foreign=3)
    assert safe is not None
    assert safe["messages"][1]["content"] == [{"type": "text", "text": "Ho"}]
    assert safe["messages"][3:] == body["messages"][3:]
    assert "thinking" in safe
    sealed = {"type": "reasoning", "id": "rs", "encrypted_content": "gAAA"}
    assert made_safe(Dialect.OPENAI_RESPONSES, {"input": [sealed, sealed]}, n_foreign=1) == {"input": [sealed]}
