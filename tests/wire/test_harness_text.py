"""What an agent's harness writes for the user: counted as tokens, left out of what tells the difficulty."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.vocabulary import Dialect
from pointsman.wire import build_request
from pointsman.wire.harness import without_harness

REMINDER = "<system-reminder>\nProve every theorem in CLAUDE.md step by step.\n</system-reminder>"
AGENTS = "# AGENTS.md instructions for /work\n\n<INSTRUCTIONS>\nWrite tests.\n</INSTRUCTIONS>"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{REMINDER}\nlist the files", "list the files"),
        (f"list{REMINDER} the files{REMINDER}", "list the files"),
        (REMINDER, ""),
        (AGENTS, ""),
        (f"{AGENTS}\nfix it", "fix it"),
        ("<environment_context>\n<cwd>/work</cwd>\n</environment_context>", ""),
        ("<system-reminder> never closed", "<system-reminder> never closed"),
        ("</system-reminder> never opened", "</system-reminder> never opened"),
        ("a < b and </b>", "a < b and </b>"),
        ("", ""),
    ],
)
def test_blocks_of_a_harness_are_left_out(text: str, left: str) -> None:
    assert without_harness(text) == left


@given(st.text())
def test_text_without_a_tag_stays_the_same_object(text: str) -> None:
    if "</" not in text:
        assert without_harness(text) is text


def test_a_megabyte_of_tags_that_never_close_takes_no_time() -> None:
    text = "<system-reminder>" * 60_000 + "</"
    start = time.process_time()
    assert without_harness(text) == text
    assert time.process_time() - start < 0.2


def test_a_request_counts_them_and_does_not_read_them() -> None:
    content = [{"type": "text", "text": REMINDER}, {"type": "text", "text": "list the files"}]
    turn = {"role": "user", "content": content}
    said = build_request(messages=[turn], dialect=Dialect.ANTHROPIC_MESSAGES, max_tokens=9)
    plain = build_request(prompt="list the files", dialect=Dialect.ANTHROPIC_MESSAGES, max_tokens=9)
    assert said.last_user_text == plain.last_user_text == "list the files"
    assert said.n_prompt_tokens == plain.n_prompt_tokens
    assert said.n_total_tokens > plain.n_total_tokens + 10


def test_a_turn_of_nothing_else_is_no_turn_of_the_user() -> None:
    request = build_request(
        messages=[{"role": "user", "content": AGENTS}, {"role": "user", "content": "list the files"}],
        dialect=Dialect.OPENAI_RESPONSES,
    )
    assert (request.n_user_turns, request.last_user_text) == (1, "list the files")
    backwards = build_request(
        messages=[{"role": "user", "content": "list the files"}, {"role": "user", "content": REMINDER}]
    )
    assert backwards.last_user_text == "list the files"
    assert backwards.n_prompt_tokens == build_request(prompt="list the files").n_prompt_tokens
