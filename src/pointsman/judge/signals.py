"""What can be read off an answer and its prompt for nothing, as numbers that a trained scorer weighs.

The list and its order are part of a trained scorer: changing what any of them means means changing `SIGNAL_VERSION`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .code import fenced_blocks, unreadable_code
from .final_answer import compared, final_answer, letter_of, options_of
from .language import other_language
from .phrases import (
    CONCLUSIONS,
    CONTRADICTION_PHRASES,
    CONTRADICTIONS,
    HEDGES,
    SECOND_THOUGHT_PHRASES,
    SECOND_THOUGHTS,
    counted,
    found,
    refuses,
)
from .repetition import compressed_share

SIGNAL_VERSION: Final = 1
MAX_CHARS: Final = 16_000
"""Of a longer text the first and the last half of this many characters are read."""

_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_TO_NUMBERS: Final = bytes(byte if chr(byte) in "0123456789." else 32 for byte in range(256))
_IN_WORDS: Final = bytes(byte if byte >= 128 or chr(byte).isalpha() or byte == 39 else 32 for byte in range(256))
"""Everything of ASCII but letters and the apostrophe becomes a space; several times as fast as a regular expression."""
_STEP: Final = re.compile(r"\n[ \t]*(?:\d+[.)]|[-*•]|#{1,6}) ")
_ENDS_WELL: Final = frozenset(".!?)]}\"'`*$。！？…”’>:;")
_LONGEST_OPTION_CHARS: Final = 60

SIGNALS: Final = (
    "log_chars",
    "log_words",
    "log_lines",
    "log_words_over_prompt",
    "log_prompt_words",
    "distinct_word_share",
    "compressed_share",
    "refuses",
    "hedges",
    "second_thoughts",
    "contradictions",
    "conclusions",
    "late_second_thoughts",
    "digit_share",
    "log_numbers",
    "equals_per_line",
    "log_steps",
    "fenced_blocks",
    "unreadable_code",
    "other_language",
    "ends_well",
    "finish_length",
    "finish_other",
    "result_marked",
    "result_missing",
    "log_result_chars",
    "result_is_number",
    "result_is_whole",
    "log_result_size",
    "result_is_letter",
    "letter_place",
    "log_result_before",
    "result_in_prompt",
    "n_options",
    "letter_not_offered",
    "option_in_answer",
    "option_number_in_answer",
    "log_other_options_in_answer",
    "share_numbers_from_prompt",
    "share_prompt_numbers_used",
    "share_words_from_prompt",
    "share_prompt_words_used",
    "log_longest_number",
    "log_decimals",
    "questions",
)
"""Names, in order. Counts are log(1 + n); shares are from 0 to 1; what does not apply is 0."""


def answer_signals(prompt: str, answer: str, finish_reason: str | None = None) -> NDArray[np.float32]:
    """The signals of one answer, shape (len(SIGNALS),), all finite."""
    prompt, answer = _window(prompt), _window(answer)
    lowered = answer.lower()
    words, prompt_words = _words(lowered), _words(prompt.lower())
    numbers, asked_numbers = _numbers(answer), set(_numbers(prompt))
    vocabulary, asked = set(words), set(prompt_words)
    given_numbers = set(numbers)
    n_lines = answer.count("\n") + 1
    n_late = counted(words[int(0.6 * len(words)) :], SECOND_THOUGHTS, vocabulary)
    result = _result(prompt, answer, given_numbers)
    values = (
        _log(len(answer)),
        _log(len(words)),
        _log(n_lines),
        _log(len(words)) - _log(len(prompt_words)),
        _log(len(prompt_words)),
        len(vocabulary) / max(len(words), 1),
        compressed_share(answer),
        float(refuses(lowered)),
        _log(counted(words, HEDGES, vocabulary)),
        _log(counted(words, SECOND_THOUGHTS, vocabulary) + found(lowered, SECOND_THOUGHT_PHRASES)),
        _log(counted(words, CONTRADICTIONS, vocabulary) + found(lowered, CONTRADICTION_PHRASES)),
        _log(counted(words, CONCLUSIONS, vocabulary)),
        _log(n_late),
        sum(map(len, numbers)) / max(len(answer), 1),
        _log(len(numbers)),
        answer.count("=") / n_lines,
        _log(len(_STEP.findall(answer))),
        float(len(fenced_blocks(answer))),
        float(unreadable_code(answer) is not None),
        float(other_language(prompt, answer)),
        float(answer.rstrip()[-1:] in _ENDS_WELL),
        float(finish_reason in TRUNCATED),
        float(finish_reason is not None and finish_reason not in TRUNCATED | FINISHED),
        *result,
        len(given_numbers & asked_numbers) / max(len(given_numbers), 1),
        len(given_numbers & asked_numbers) / max(len(asked_numbers), 1),
        len(vocabulary & asked) / max(len(vocabulary), 1),
        len(vocabulary & asked) / max(len(asked), 1),
        _log(max(map(len, numbers), default=0)),
        _log(sum("." in number for number in numbers)),
        _log(answer.count("?")),
    )
    return np.array(values, dtype=np.float32)


TRUNCATED: Final = frozenset({"length", "max_tokens", "max_output_tokens", "incomplete"})
"""Finish reasons of an answer that was cut: OpenAI chat, Anthropic messages, OpenAI responses (as of 2026-11)."""
FINISHED: Final = frozenset(
    {"stop", "end_turn", "stop_sequence", "tool_calls", "tool_use", "function_call", "completed"}
)


def read_signals(
    prompts: Sequence[str], answers: Sequence[str], finish_reasons: Sequence[str | None] | None = None
) -> NDArray[np.float32]:
    """The signals of n answers, shape (n, len(SIGNALS))."""
    if not answers:
        return np.zeros((0, len(SIGNALS)), dtype=np.float32)
    reasons = [None] * len(answers) if finish_reasons is None else finish_reasons
    return np.stack([answer_signals(*each) for each in zip(prompts, answers, reasons, strict=True)])


@dataclass(frozen=True, slots=True)
class _Shown:
    """The prompt's options as they show in the answer."""

    n: int = 0
    letter_not_offered: bool = False
    chosen: bool = False
    chosen_number: bool = False
    n_others: int = 0


def _result(prompt: str, answer: str, numbers: set[str]) -> tuple[float, ...]:
    result, marked = final_answer(answer)
    plain = compared(result)
    letter = letter_of(result)
    try:
        number = float(plain)
    except ValueError:
        number = math.nan
    is_number = math.isfinite(number)
    shown = _shown(prompt, answer, letter, numbers)
    return (
        float(marked),
        float(not result),
        _log(len(result)),
        float(is_number),
        float(is_number and number == round(number)),
        _log(min(abs(number), 1e12)) if is_number else 0.0,
        float(letter is not None),
        0.0 if letter is None else (ord(letter) - ord("A")) / 10,
        _log(answer.count(result) - 1) if result and letter is None else 0.0,
        float(bool(result) and letter is None and result in prompt),
        shown.n / 10,
        float(shown.letter_not_offered),
        float(shown.chosen),
        float(shown.chosen_number),
        _log(shown.n_others),
    )


def _shown(prompt: str, answer: str, letter: str | None, numbers: set[str]) -> _Shown:
    options = options_of(prompt)
    if not options:
        return _Shown()
    texts = {name: text[:_LONGEST_OPTION_CHARS] for name, text in options.items()}
    n_others = sum(text in answer for name, text in texts.items() if name != letter)
    chosen = None if letter is None else texts.get(letter)
    if chosen is None:
        return _Shown(len(options), letter is not None, n_others=n_others)
    own = _NUMBER.findall(chosen)
    return _Shown(len(options), False, chosen in answer, bool(own) and all(each in numbers for each in own), n_others)


def _words(lowered: str) -> list[str]:
    return lowered.encode("utf-8", "replace").translate(_IN_WORDS).decode("utf-8", "replace").split()


def _numbers(text: str) -> list[str]:
    if text.isascii():
        # Nothing else is in a number, and bytes are dropped ten times as fast as a regular expression passes them over.
        text = b" ".join(text.encode("ascii").translate(_TO_NUMBERS).split()).decode("ascii")
    return _NUMBER.findall(text)


def _log(n: float) -> float:
    return math.log1p(max(n, 0))


def _window(text: str) -> str:
    half = MAX_CHARS // 2
    return text if len(text) <= MAX_CHARS else text[:half] + text[-half:]
