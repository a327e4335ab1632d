"""What rules measure of one request: each quantity is computed when a rule first asks, once for all rules."""

from __future__ import annotations

from functools import cached_property

from pointsman.vocabulary import Request, Role, TaskKind

from . import language, output_length, structure, task_kind
from .window import SCAN_CHARS, TASK_EDGE_CHARS, edges


class Measures:
    """The quantities of one request. Not safe to share between threads."""

    def __init__(self, request: Request) -> None:
        self.request = request

    @cached_property
    def prompt(self) -> str:
        """The last user message."""
        return self.request.last_user_text

    @cached_property
    def system(self) -> str:
        """The system prompt."""
        return self.request.system_text

    @cached_property
    def conversation(self) -> str:
        """The text of all turns: of each turn and of the whole, the first and the last 10,000 characters."""
        edge_chars = SCAN_CHARS // 2
        first, last, n_chars = [], [], 0
        for turn in self.request.turns:
            first.append(edges(turn.text, edge_chars))
            n_chars += len(first[-1])
            if n_chars >= edge_chars:
                break
        if len(first) == len(self.request.turns):
            return edges("\n".join(first), edge_chars)
        n_chars = 0
        for turn in reversed(self.request.turns):
            last.append(edges(turn.text, edge_chars))
            n_chars += len(last[-1])
            if n_chars >= edge_chars:
                break
        return "\n".join(first)[:edge_chars] + "\n" + "\n".join(reversed(last))[-edge_chars:]

    @cached_property
    def seen(self) -> str:
        """The first and the last 2,000 characters of the last user message."""
        return edges(self.prompt, TASK_EDGE_CHARS)

    @cached_property
    def words(self) -> list[str]:
        """The words of `seen`, in lower case."""
        return structure.words_of(self.seen)

    @cached_property
    def task_kind(self) -> TaskKind:
        """See `pointsman.rules.task_kind`."""
        return task_kind.vote(
            self.seen,
            self.words,
            structure.words_of(edges(self.system, TASK_EDGE_CHARS)) if self.system else (),
            code=self.has_code,
            formula=self.has_formula,
            n_prompt_tokens=self.request.n_prompt_tokens,
        )

    @cached_property
    def has_code(self) -> bool:
        """Whether the last user message holds code."""
        return structure.has_code(self.prompt)

    @cached_property
    def has_formula(self) -> bool:
        """Whether the last user message holds a formula."""
        return structure.has_formula(self.prompt)

    @cached_property
    def digits_share(self) -> float:
        """Digits among the visible characters of the last user message, 0 to 1."""
        return structure.digits_share(self.prompt)

    @cached_property
    def script(self) -> str | None:
        """The script of the last user message."""
        return language.script_of(self.seen)

    @cached_property
    def language(self) -> str | None:
        """The ISO 639-1 code of the last user message's language; None when unsure."""
        return language.guess(self.seen, self.words, self.script)

    @cached_property
    def n_user_turns(self) -> int:
        """How many turns the user has spoken."""
        return self.request.n_user_turns

    @cached_property
    def n_tool_turns(self) -> int:
        """How many answers of tools the conversation holds."""
        return sum(turn.role is Role.TOOL for turn in self.request.turns)

    @cached_property
    def tools_in_use(self) -> bool:
        """Whether a tool has been called or has answered."""
        return self.request.tools_in_use

    @cached_property
    def n_output_tokens(self) -> int | None:
        """The answer's length that is asked for, in tokens; None when neither the words nor the request say.

        Words such as "in 500 words" say what is wanted, the request's limit only what is allowed: the smaller counts.
        """
        asked = output_length.asked_tokens(self.seen, self.words)
        limit = self.request.max_output_tokens
        if asked is None:
            return limit
        return asked if limit is None else min(asked, limit)
