"""Which conversation a request continues, and whether tools have just answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pointsman.session import conversation_key, in_tool_loop
from pointsman.vocabulary import Dialect, Hints, Request
from pointsman.wire import build_request, read_request

TOOLS = [{"type": "function", "function": {"name": "ls", "parameters": {}}}]


def chat(*turns: tuple[str, str], **fields: Any) -> Request:
    return build_request(messages=[{"role": role, "content": text} for role, text in turns], **fields)


def test_without_a_session_and_without_tools_there_is_no_conversation() -> None:
    assert conversation_key(chat(("user", "Hi"))) is None


def test_later_turns_continue_it_and_another_beginning_does_not() -> None:
    first = chat(("user", "Hi"), user="ada")
    assert conversation_key(first) is not None
    later = chat(("user", "Hi"), ("assistant", "Ho"), ("user", "So?"), tools=TOOLS)
    assert conversation_key(later) == conversation_key(chat(("user", "Hi"), tools=TOOLS)) != conversation_key(first)
    assert conversation_key(chat(("user", "Ho"), user="ada")) != conversation_key(first)
    assert conversation_key(chat(("user", "Hi"), user="bob")) != conversation_key(first)


def test_another_key_never_reaches_it() -> None:
    request = chat(("user", "Hi"), hints=Hints(session="s"))
    keys = {conversation_key(replace(request, key_id=key_id)) for key_id in (None, "a", "b")}
    assert len(keys) == 3


def test_a_session_that_the_caller_names_is_one_conversation_however_it_begins() -> None:
    one, other = (chat(("user", text), hints=Hints(session="s")) for text in ("Hi", "Ho"))
    assert conversation_key(one) == conversation_key(other)


def test_subagents_of_one_claude_code_run_are_conversations_of_their_own() -> None:
    def request(text: str) -> Request:
        raw = b'{"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "%s"}]}' % text.encode()
        return read_request(Dialect.ANTHROPIC_MESSAGES, raw, headers={"x-claude-code-session-id": "run-1"})

    assert conversation_key(request("main")) != conversation_key(request("subagent"))


LOOPS: list[tuple[list[dict[str, Any]], bool]] = [
    ([{"role": "user", "content": "Hi"}], False),
    ([{"role": "assistant", "tool_calls": [{"id": "c"}]}, {"role": "tool", "tool_call_id": "c", "content": "a"}], True),
    (
        [
            {"role": "assistant", "tool_calls": [{"id": "c"}]},
            {"role": "tool", "tool_call_id": "c", "content": "a"},
            {"role": "user", "content": "and now?"},
        ],
        True,
    ),
    (
        [
            {"role": "tool", "tool_call_id": "c", "content": "a"},
            {"role": "assistant", "content": "done"},
            {"role": "user", "content": "thanks"},
        ],
        False,
    ),
]


@pytest.mark.parametrize(("turns", "expected"), LOOPS)
def test_a_tool_loop_lasts_until_the_assistant_speaks(turns: list[dict[str, Any]], expected: bool) -> None:
    assert in_tool_loop(build_request(messages=turns)) is expected
