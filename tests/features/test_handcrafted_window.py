"""Which text the features read, and how much of it."""

from __future__ import annotations

import pytest

from pointsman.features import FEATURES, extract_text, text_of
from pointsman.features.scan import scan
from pointsman.features.window import EDGE_CHARS, FOLLOW_UP_CHARS, INSTRUCTION_CHARS, window
from pointsman.vocabulary import Dialect, Request, Role, Turn

_SYSTEM, _USER, _ASSISTANT, _TOOL = Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL
_INDEX = {feature.name: i for i, feature in enumerate(FEATURES)}
_LONG = "A question that stands by itself and is longer than a follow-up could ever be."
assert len(_LONG) > FOLLOW_UP_CHARS


def asks(*turns: tuple[Role, str]) -> str:
    return text_of(
        Request(
            dialect=Dialect.OPENAI_CHAT,
            endpoint="/v1/chat/completions",
            model="auto",
            raw=b"",
            body={},
            turns=tuple(Turn(role, text) for role, text in turns),
        )
    )


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        ([], ""),
        ([(_USER, "hello")], "hello"),
        ([(_ASSISTANT, "hello")], ""),
        ([(_SYSTEM, "Translate into French.")], "Translate into French."),
        ([(_SYSTEM, "Translate into French."), (_USER, "hello")], "Translate into French.\nhello"),
        ([(_SYSTEM, "You are a helpful assistant."), (_USER, "hello")], "hello"),
        ([(_SYSTEM, "x" * INSTRUCTION_CHARS), (_USER, "hello")], "x" * INSTRUCTION_CHARS + "\nhello"),
        ([(_SYSTEM, "x" * (INSTRUCTION_CHARS + 1)), (_USER, "hello")], "hello"),
        ([(_USER, _LONG), (_ASSISTANT, "done"), (_USER, "yes, do it")], f"{_LONG}\nyes, do it"),
        ([(_USER, "hello"), (_ASSISTANT, "done"), (_USER, _LONG)], _LONG),
        ([(_USER, _LONG), (_ASSISTANT, ""), (_TOOL, "result"), (_USER, "")], _LONG),
    ],
)
def test_the_text_that_asks(turns: list[tuple[Role, str]], text: str) -> None:
    assert asks(*turns) == text


def test_a_text_of_twice_the_edge_is_read_whole() -> None:
    text = "x" * (2 * EDGE_CHARS)
    assert window(text) is text


def test_of_a_longer_text_both_ends_are_read() -> None:
    text = "a" * EDGE_CHARS + "b" + "c" * EDGE_CHARS
    assert window(text) == "a" * EDGE_CHARS + "\n" + "c" * EDGE_CHARS


def test_only_the_lengths_tell_what_the_middle_holds() -> None:
    head, tail = "Prove it. " * 1_000, " in 50 words" * 1_000
    plain = extract_text(head + "and so on " * 5_000 + tail)
    other = extract_text(head + "SELECT *; " * 5_000 + tail)
    longer = extract_text(head + "and so on " * 50_000 + tail)
    assert plain.tolist() == other.tolist()
    differ = {name for name, i in _INDEX.items() if plain[i] != longer[i]}
    assert differ == {"chars", "tokens"}


@pytest.mark.parametrize("n_chars", [40_000, 400_000, 4_000_000])
def test_the_work_does_not_grow_beyond_the_window(n_chars: int) -> None:
    seen = scan("word " * (n_chars // 5))
    assert seen.n_chars == n_chars
    assert seen.n_read == len(seen.lower) == len(seen.raw) == 2 * EDGE_CHARS + 1
    assert seen.n_words <= EDGE_CHARS + 1
