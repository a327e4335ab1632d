"""What kind of work a prompt asks for, recognised without machine learning.

A vote: cue words (see `pointsman.rules.cues`) in the first and last 2,000 characters of the last user message and of
the system prompt, and the structure of the message (code, formulas, lettered options, length). An instruction stands
at the beginning or the end of a message, so a cue there counts in full, and a cue in the middle of pasted material for
little. When nothing wins clearly, a short message with a question is `short_question`, a long one `long_document`,
anything else `other`.

A multiple-choice exam question (three or more lettered options) is `maths` or `code` when its stem is, and `reasoning`
otherwise: it never is `classification` or `short_question`, because what is easy about those is not easy in exams.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import compress

from pointsman.vocabulary import Request, TaskKind

from .cues import QUESTION_WORDS, STRONG, UNSPACED, WEAK
from .structure import has_clues, has_code, has_digits, has_formula, has_given_numbers, has_options, words_of
from .window import TASK_EDGE_CHARS, edges

_STRONG_WEIGHT = 3.0
_WEAK_WEIGHT = 0.7
_MIDDLE_SHARE = 0.25
"""What a cue counts for in the middle of a message."""
_SYSTEM_SHARE = 0.8
_INSTRUCTION_WORDS = 24
"""How many words at each end of a message count as its instruction."""
_OPENING_WORDS = 6
_OPENING_SHARE = 1.6
"""A cue among the first words is nearly always the verb of the instruction."""
_CODE_SCORE = 5.0
_FORMULA_SCORE = 3.0
_CLUES_SCORE = 4.0
_GIVEN_NUMBERS_SCORE = 1.5
"""Numbers and a question mark alone are no sum: a further hint must come."""
_REPEAT_SHARE = 0.3
"""What each further cue of the same kind adds: naming the work twice is little more evidence than once."""
_MIN_SCORE = 2.0
_CLEAR_SCORE = 3.5
"""In a long message a lower score than this is an accident of the pasted text."""
_SHORT_QUESTION_WORDS = 90
_SHORT_QUESTION_CHARS = 600
_CHAT_WORDS = 12
_LONG_DOCUMENT_TOKENS = 1_000

_PRIORITY = (
    TaskKind.CODE,
    TaskKind.TRANSLATION,
    TaskKind.SUMMARISATION,
    TaskKind.REWRITING,
    TaskKind.EXTRACTION,
    TaskKind.CLASSIFICATION,
    TaskKind.MATHS,
    TaskKind.REASONING,
)
"""Who wins a tie: the kinds whose cues are least often said in passing come first."""

_EAST_ASIAN = re.compile("[\u3040-\u9fff]")
"""Every one of the unspaced cues has one of these: kana and Chinese characters."""

_Cue = tuple[tuple[str, ...], int, TaskKind, float]
"""The words of a cue, which of them it is found by, the kind it speaks for and its weight."""


def _index() -> Mapping[str, tuple[_Cue, ...]]:
    """Cues by their longest word, which is their rarest: looking words up by it finds little in vain."""
    index: dict[str, dict[tuple[tuple[str, ...], int, TaskKind], float]] = {}
    for table, weight in ((WEAK, _WEAK_WEIGHT), (STRONG, _STRONG_WEIGHT)):
        for kind, block in table.items():
            for cue in re.split(r"[|\n]", block):
                parts = tuple(words_of(cue))
                if parts:
                    key = max(parts, key=len)
                    index.setdefault(key, {})[parts, parts.index(key), kind] = weight
    return {key: tuple((*cue, weight) for cue, weight in cues.items()) for key, cues in index.items()}


_CUES = _index()


def recognise(request: Request) -> TaskKind:
    """The kind of work that the request's last user message asks for, read with its system prompt."""
    text = request.last_user_text
    seen = edges(text, TASK_EDGE_CHARS)
    return vote(
        seen,
        words_of(seen),
        words_of(edges(request.system_text, TASK_EDGE_CHARS)),
        code=has_code(text),
        formula=has_formula(text),
        n_prompt_tokens=request.n_prompt_tokens,
    )


def vote(
    seen: str,
    words: Sequence[str],
    system_words: Sequence[str],
    *,
    code: bool,
    formula: bool,
    n_prompt_tokens: int,
) -> TaskKind:
    """The kind with the most votes.

    Args:
        seen: the part of the last user message that is looked at.
        words: its words, in lower case.
        system_words: those of the system prompt.
        code: whether the message holds code.
        formula: whether it holds a formula.
        n_prompt_tokens: estimated tokens of the whole message.
    """
    scores: dict[TaskKind, float] = {}
    _count(words, scores, 1.0)
    if system_words:
        from_system: dict[TaskKind, float] = {}
        _count(system_words, from_system, _SYSTEM_SHARE)
        for kind, score in from_system.items():
            scores[kind] = scores.get(kind, 0.0) + score
    if not seen.isascii() and _EAST_ASIAN.search(seen) is not None:
        for kind, cues in UNSPACED.items():
            if any(cue in seen for cue in cues):
                scores[kind] = scores.get(kind, 0.0) + _STRONG_WEIGHT
    if code:
        scores[TaskKind.CODE] = scores.get(TaskKind.CODE, 0.0) + _CODE_SCORE
    if formula:
        scores[TaskKind.MATHS] = scores.get(TaskKind.MATHS, 0.0) + _FORMULA_SCORE
    if has_clues(seen):
        scores[TaskKind.REASONING] = scores.get(TaskKind.REASONING, 0.0) + _CLUES_SCORE
    if not formula and not has_digits(seen):
        scores.pop(TaskKind.MATHS, None)
    if scores.get(TaskKind.MATHS, 0.0) > 0 and has_given_numbers(seen, len(words)):
        scores[TaskKind.MATHS] += _GIVEN_NUMBERS_SCORE
    if has_options(seen):
        return _exam_question(scores)
    best = max(_PRIORITY, key=lambda kind: scores.get(kind, 0.0))
    score = scores.get(best, 0.0)
    is_long = n_prompt_tokens >= _LONG_DOCUMENT_TOKENS
    if score >= (_CLEAR_SCORE if is_long else _MIN_SCORE):
        return best
    if is_long:
        return TaskKind.LONG_DOCUMENT
    if _is_short_question(seen, words):
        return TaskKind.SHORT_QUESTION
    return TaskKind.OTHER


def _count(words: Sequence[str], scores: dict[TaskKind, float], share: float) -> None:
    """Adds the cues among the words to the scores: the best one of a kind in full, the others by `_REPEAT_SHARE`."""
    last_instruction = len(words) - _INSTRUCTION_WORDS
    best: dict[TaskKind, float] = {}
    total: dict[TaskKind, float] = {}
    for at, word in compress(enumerate(words), map(_CUES.__contains__, words)):
        if at < _OPENING_WORDS:
            here = share * _OPENING_SHARE
        elif at < _INSTRUCTION_WORDS or at >= last_instruction:
            here = share
        else:
            here = share * _MIDDLE_SHARE
        for parts, offset, kind, weight in _CUES[word]:
            if len(parts) > 1:
                start = at - offset
                if start < 0 or tuple(words[start : start + len(parts)]) != parts:
                    continue
            value = weight * here
            total[kind] = total.get(kind, 0.0) + value
            if value > best.get(kind, 0.0):
                best[kind] = value
    for kind, value in best.items():
        scores[kind] = scores.get(kind, 0.0) + value + _REPEAT_SHARE * (total[kind] - value)


def _exam_question(scores: Mapping[TaskKind, float]) -> TaskKind:
    """The kind of a question with lettered options, from its stem."""
    for kind in (TaskKind.CODE, TaskKind.MATHS):
        if scores.get(kind, 0.0) >= _STRONG_WEIGHT:
            return kind
    return TaskKind.REASONING


def _is_short_question(seen: str, words: Sequence[str]) -> bool:
    if not words or len(words) > _SHORT_QUESTION_WORDS or len(seen) > _SHORT_QUESTION_CHARS:
        return False
    if any(mark in seen for mark in "?？؟") or words[0] in QUESTION_WORDS or seen.endswith(("吗", "呢")):
        return True
    # Chat users leave the question mark out: "lost my card what do i do".
    return len(words) <= _CHAT_WORDS and not QUESTION_WORDS.isdisjoint(words[:_CHAT_WORDS]) and seen[-1:] not in ".!"
