"""The hand-crafted features of requests, as `definitions.FEATURES` lists them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from math import log, log1p
from typing import TYPE_CHECKING, Final

import numpy as np

from pointsman.vocabulary import Dialect, Request, Role, Turn
from pointsman.word_hashes import PlainText

from . import cues
from .definitions import CUE, FEATURES, MAX_LOG
from .scan import LINE_KINDS, Scan, scan
from .tokens import N_OPENING, Tokens
from .window import FOLLOW_UP_CHARS, text_of

if TYPE_CHECKING:
    from pointsman.vocabulary import FloatArray

MAX_ASKED_WORDS: Final = 100_000
_ASKED_DIGITS: Final = 6
_MAX_LETTERS: Final = 20.0

_TOKENS_PER_WORD: Final = 1.1
_TOKENS_PER_SIGN: Final = 0.8
"""A rough count for one feature; budgets and costs use the estimate in `Request`."""

_N_POLITE: Final = N_OPENING
"""Words looked at for the first verb of a request; "Hi, could you please help me to" has seven."""
_POLITE_WORDS: Final = """
    a also and bitte can could do favor for hello help hey hi i just kindly like me need now por please svp the to us
    want we will would you your
    """
_POLITE: Final = frozenset(_POLITE_WORDS.split())
_ADDRESSED: Final = ("you", "we", "i")
"""After an auxiliary these make a request ("can you …") of a question."""
_QUESTION_MARKS: Final = frozenset("?？؟")
_PLACEHOLDERS: Final = ("{{", "}}", "<<", "[your", "___")
_WORDS: Final = re.compile(r"\w+")
_COLONS: Final = frozenset(":：")

_BULLET, _NUMBERED, _OPTION, _HEADING, _QUOTE, _TABLE = range(len(LINE_KINDS))

_CUE_NAMES: Final = tuple(feature.name for feature in CUE)
_N_CUES: Final = len(CUE)
_CUE_IS_SHARE: Final = tuple(feature.unit == "share" for feature in CUE)
_ACKNOWLEDGEMENTS: Final = _CUE_NAMES.index("acknowledgements")
_PRONOUNS: Final = _CUE_NAMES.index("pronouns")
_SINGLE_LETTERS: Final = _CUE_NAMES.index("single_letters")


def _field(section: str) -> int:
    return 1 << cues.FIELD_BITS * _CUE_NAMES.index(section)


_WH: Final = _field("wh_words")
_AUXILIARY: Final = _field("auxiliaries")
_IMPERATIVE: Final = _field("imperatives")


def extract(request: Request, plain: PlainText | None = None) -> FloatArray:
    """The features of one request: shape (n_features,), float32, each finite and within its documented range.

    Reads the text of `window.text_of`, and of a text beyond twice `window.EDGE_CHARS` only its ends; lengths and
    turns count the whole. An empty request gives a row like any other. `plain` is that text's `plain_text` where it is
    known.
    """
    return np.array(row(request, scan(text_of(request), plain=plain)), dtype=np.float32)


def extract_batch(requests: Sequence[Request]) -> FloatArray:
    """The features of many requests: shape (len(requests), n_features), float32, each row as `extract` gives it."""
    rows = np.empty((len(requests), len(FEATURES)), dtype=np.float32)
    for values, request in zip(rows, requests, strict=True):
        values[:] = row(request, scan(text_of(request)))
    return rows


def extract_text(text: str) -> FloatArray:
    """The features of a text as a single user turn: shape (n_features,), as `extract`."""
    return extract(asking(text))


def asking(text: str) -> Request:
    """A request of a text as a single user turn."""
    return Request(
        dialect=Dialect.OPENAI_CHAT,
        endpoint="/v1/chat/completions",
        model="auto",
        raw=b"",
        body={},
        turns=(Turn(Role.USER, text),),
    )


def row(request: Request, seen: Scan, tokens: Tokens | None = None) -> list[float]:
    """The features of a request whose text, by `window.text_of`, was scanned with `tokens`."""
    return [*_of_text(seen), *_of_request(request, tokens)]


def _of_text(seen: Scan) -> list[float]:
    lower, n_words = seen.lower, seen.n_words
    (
        letters, upper, digits, spaces, punctuation, code, operators, newlines, question_marks, exclamations, commas,
        quotes, dollars, percents, backslashes, underscores, equals, controls, non_ascii, accented, greek, cyrillic,
        arabic, cjk, signs, astral,
    ) = seen.bytes_by_class  # fmt: skip
    per_word = 1.0 / max(n_words, 1)
    per_char = 1.0 / max(seen.n_read, 1)
    n_lines = newlines + 1.0
    n_sentences = lower.count(". ") + n_lines
    if question_marks:
        n_sentences += lower.count("? ")
    if exclamations:
        n_sentences += lower.count("! ")
    n_choices = seen.lines[_OPTION]
    n_placeholders = n_fences = n_calls = n_maths_signs = 0
    if code:
        n_choices += lower.count("(b)") + lower.count("(c)") + lower.count("(d)")
        n_placeholders = sum(map(lower.count, _PLACEHOLDERS))
        n_fences = lower.count("```")
        n_calls = lower.count("()") + lower.count(";\n")
    if non_ascii:
        question_marks += lower.count("？") + lower.count("؟")
        if signs:
            n_maths_signs = seen.raw.count(b"\xe2\x88") + seen.raw.count(b"\xe2\x89")
            quotes += lower.count("“") + lower.count("”")
        if cjk:
            n_sentences += lower.count("。")
    n_tokens = (_TOKENS_PER_WORD * n_words + _TOKENS_PER_SIGN * punctuation + cjk) * seen.n_chars * per_char
    counts, bands = seen.cues[:_N_CUES], seen.cues[_N_CUES:]
    n_plain = sum(bands) + seen.n_numbers + counts[_SINGLE_LETTERS]
    opens_wh, opens_yes_no, opens_imperative = _opening(seen.opening)
    end = lower.rstrip()[-1:]
    return [
        # Length
        min(log1p(seen.n_chars), MAX_LOG),
        min(log1p(n_tokens), MAX_LOG),
        log1p(n_words),
        log1p(n_sentences),
        log1p(n_lines),
        min((letters + digits + non_ascii) * per_word, _MAX_LETTERS),
        log1p(n_words / n_sentences),
        log1p(seen.n_read / n_lines),
        # Structure
        log1p(seen.lines[_BULLET]),
        log1p(seen.lines[_NUMBERED]),
        log1p(n_choices),
        log1p(seen.lines[_HEADING]),
        log1p(seen.lines[_QUOTE]),
        log1p(seen.lines[_TABLE]),
        log1p(lower.count("\n\n") if newlines else 0),
        log1p(quotes),
        log1p(lower.count("://") if commas else 0),
        log1p(n_placeholders),
        log1p(lower.count('":') if quotes else 0),
        min(commas * per_word, 1.0),
        # Question form
        log1p(question_marks),
        log1p(exclamations),
        opens_wh,
        opens_yes_no,
        opens_imperative,
        1.0 if end in _QUESTION_MARKS else 0.0,
        1.0 if end in _COLONS else 0.0,
        log1p(_asked_words(lower) if seen.asks_length else 0),
        # Characters, code and formulas
        upper / max(letters, 1.0),
        digits * per_char,
        spaces * per_char,
        punctuation * per_char,
        code * per_char,
        operators * per_char,
        seen.entropy_bits,
        log1p(seen.n_numbers),
        float(seen.max_number_digits),
        log1p(equals),
        log1p(backslashes),
        log1p(dollars),
        log1p(percents),
        log1p(n_maths_signs),
        log1p(n_fences),
        log1p(n_calls),
        log1p(underscores),
        (lower.count("\n  ") + lower.count("\n\t")) / n_lines if newlines else 0.0,
        log1p(controls),
        # Script
        non_ascii * per_char,
        accented * per_char,
        greek * per_char,
        cyrillic * per_char,
        arabic * per_char,
        cjk * per_char,
        astral * per_char,
        # Cue words, then vocabulary
        *[min(n * per_word, 1.0) if share else log1p(n) for n, share in zip(counts, _CUE_IS_SHARE, strict=True)],
        *[n * per_word for n in bands],
        max(n_words - n_plain, 0) * per_word,
        log(seen.n_distinct) / log(n_words) if n_words > 1 else 1.0,
    ]


def _of_request(request: Request, tokens: Tokens | None) -> list[float]:
    n_user, n_system_chars, n_history_chars = 0, 0, 0
    last = ""
    for turn in request.turns:
        if turn.role is Role.SYSTEM:
            n_system_chars += len(turn.text)
        else:
            n_history_chars += len(turn.text)
            if turn.role is Role.USER:
                n_user += 1
                last = turn.text
    return [
        min(log1p(n_user), MAX_LOG),
        min(log1p(n_history_chars - len(last)), MAX_LOG),
        min(log1p(n_system_chars), MAX_LOG),
        _leaning(last, tokens) if n_user > 1 and len(last) <= FOLLOW_UP_CHARS else 0.0,
        min(log1p(len(request.tools)), MAX_LOG),
        1.0 if request.tools_in_use else 0.0,
        1.0 if request.forces_tool else 0.0,
        min(log1p(request.n_images), MAX_LOG),
        1.0 if request.json_output else 0.0,
        1.0 if request.json_schema else 0.0,
        0.0 if request.max_output_tokens is None else min(log1p(max(request.max_output_tokens, 0)), MAX_LOG),
    ]


def _opening(words: Sequence[str]) -> tuple[float, float, float]:
    """Whether the text opens with a question word, as a yes-or-no question, or with a verb of command: 0 or 1 each."""
    if not words:
        return 0.0, 0.0, 0.0
    table = cues.load().words
    first = table.get(words[0], 0)
    if first & _WH:
        return 1.0, 0.0, 0.0
    if first & _AUXILIARY and (len(words) < 2 or words[1] not in _ADDRESSED):
        return 0.0, 1.0, 0.0
    for word in words[:_N_POLITE]:
        if word not in _POLITE:
            return 0.0, 0.0, 1.0 if table.get(word, 0) & _IMPERATIVE else 0.0
    return 0.0, 0.0, 0.0


def _asked_words(lower: str) -> int:
    """The largest number that stands right before "words", at most `MAX_ASKED_WORDS`; 0 when there is none."""
    asked = 0
    for number, word in pairwise(_WORDS.findall(lower)):
        # ASCII digits only: int() takes time that grows with the square of the digits, so long ones are cut first.
        if word in cues.LENGTH_WORDS and number.isascii() and number.isdigit():
            asked = max(asked, int(number[:_ASKED_DIGITS]))
    return min(asked, MAX_ASKED_WORDS)


def _leaning(last: str, tokens: Tokens | None) -> float:
    """The share of a short turn's words that acknowledge, continue or point elsewhere; 1 at most."""
    seen = scan(last, tokens)
    n = seen.cues[_ACKNOWLEDGEMENTS] + seen.cues[_PRONOUNS]
    return min(n / max(seen.n_words, 1), 1.0)
