"""How a question is built: its stem, its options, the functions it offers, and what kind of answer they ask for.

Questions with options differ in how hard they are by how they are built: options of much the same words, all numbers,
long or short, a stem that asks to work something out. None of it needs a dictionary, so a text of 300 tokens takes some
tens of microseconds. A text without options is all stem; functions (`offered`) are never part of it. Part of a trained
router: changing what a number here means changes `QUESTION_VERSION`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import combinations
from math import log1p, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointsman.word_hashes import PlainText

from .ngrams import MAX_BYTES
from .offered import NOTHING_OFFERED, OFFERED_NAMES, offered, offered_shape

QUESTION_VERSION: Final = 3
MAX_OPTIONS: Final = 10
"""More marked lines are a list, not options; the first ones are read."""
N_COMPARED: Final = 5
"""Options that are compared with each other."""
QUESTION_GROUPS: Final = (
    (
        2.0,
        (
            "stem numbers",
            "stem numbers a word",
            "stem digits",
            "stem has formulas",
            "stem formulas",
            "stem asks to work out",
            "option digits",
            "most option digits",
            "fewest option digits",
            "options are numbers",
            "options rise",
            "options fall",
            "options with formulas",
        ),
    ),
    (
        1.0,
        (
            "stem characters",
            "stem words",
            "words a sentence",
            "longest sentence",
            "last sentence",
            "sentences",
            "stem word length",
            "stem distinct words",
            "stem capitals",
            "stem commas",
            "stem brackets",
            "stem ends in ?",
            "stem ends in :",
            "stem opens with what",
        ),
    ),
    (
        1.0,
        (
            "options",
            "option characters",
            "option characters spread",
            "longest option",
            "shortest option",
            "longest option's share",
            "longest option's place",
            "options of one length",
            "option words",
            "option word length",
            "options' longest word",
            "options' long words",
            "options' distinct words",
            "options alike",
            "options most alike",
            "option words in stem",
            "most option words in stem",
            "spread of option words in stem",
        ),
    ),
    (4.0, OFFERED_NAMES),
)
"""What a group counts in the likeness of two questions, and what is in it: figuring, the stem, the options, functions.

Where functions are offered they count as much as all else. Where none are, their numbers are constant and count
nothing, so the others' shares are as they would be without them.
"""
_WEIGHT_WITHOUT_FUNCTIONS: Final = sum(weight for weight, names in QUESTION_GROUPS if names is not OFFERED_NAMES)
QUESTION_NAMES: Final = tuple(name for _, names in QUESTION_GROUPS for name in names)
"""What each number of `question_shape` is."""
QUESTION_SHARES: Final = np.array(
    [weight / len(names) / _WEIGHT_WITHOUT_FUNCTIONS for weight, names in QUESTION_GROUPS for _ in names],
    dtype=np.float32,
)
"""What each number counts in the likeness of two questions; without those on functions they sum to 1."""

_TO_WORK_OUT: Final = frozenset(b"calculate compute find solve many much evaluate".split())
_SPACED_TO_WORK_OUT: Final = tuple(b" %b " % word for word in sorted(_TO_WORK_OUT))
_OPENS_WITH: Final = (b"what", b"which")
_SPACED_OPENS_WITH: Final = tuple(b"%b " % word for word in _OPENS_WITH)
_MARK: Final = re.compile(r"\n[ \t]*\(?([A-Ja-j])[.:)][ \t]*(?=\S)")
_NUMBER: Final = re.compile(r"[-−–]?[0-9][0-9,]*(?:\.[0-9]+)?")
_TO_NUMBERS: Final = bytes(b if b in b"0123456789" else 32 for b in range(256))
_INSIDE_NUMBERS: Final = b",."
_PLAIN: Final = str.maketrans({",": None, "−": "-", "–": "-"})
_WORD_BYTES: Final = frozenset(b for b in range(256) if b >= 128 or chr(b).isalnum() or b == ord("'"))
_TO_WORDS: Final = bytes(b if b in _WORD_BYTES else 32 for b in range(256))
_TO_CAPITAL: Final = ~32
"""Takes the bit off by which ASCII's small letters differ."""
_COUNTED_BYTES: Final = (b"0123456789", b"=^\\<>+*/$|", bytes(range(ord("A"), ord("Z") + 1)), b",;", b"([")
"""Digits, signs of formulas, capitals, commas and brackets."""
_NOT_DIGITS, _NOT_FORMULA, _NOT_CAPITALS, _, _ = (bytes(set(range(256)).difference(each)) for each in _COUNTED_BYTES)
_ALL_COUNTED: Final = np.array(list(b"".join(_COUNTED_BYTES)), dtype=np.intp)
_COUNTED_FROM: Final = np.cumsum([0, *map(len, _COUNTED_BYTES[:-1])])
_LONG: Final = 8


def question_shape(text: str, plain: PlainText | None = None) -> NDArray[np.float32]:
    """The numbers that `QUESTION_NAMES` names, shape (names,): counts as log(1 + n), shares from 0 to 1, or 0 and 1.

    Of a text beyond `MAX_BYTES` characters the two ends are read. An empty text gives zeros. `plain` is the
    `plain_text` of the text where that is known.
    """
    if len(text) > MAX_BYTES:
        text = text[: MAX_BYTES // 2] + text[-MAX_BYTES // 2 :]
        plain = None
    functions = offered(text)
    if functions is not None:
        text, plain = functions.asked, None
    stem, options = divided(text)
    distinct: set[bytes] = set()
    # Beyond ASCII white space belongs to words here, and a text's plain form has none of it.
    if plain is not None and not options and len(plain.starts) and text.isascii():
        counted = _Counted.of_plain(plain)
    else:
        words = _words(stem)
        distinct.update(words)
        counted = _Counted.of(stem, words, distinct)
    figuring, shape = _of_stem(stem, counted) if counted.n_words else _NO_STEM
    more_figuring, more_shape = _of_options(distinct, options) if options else _NO_OPTIONS
    fit = NOTHING_OFFERED if functions is None else offered_shape(functions)
    return np.array(figuring + more_figuring + shape + more_shape + fit, dtype=np.float32)


def question_shapes(texts: Sequence[str]) -> NDArray[np.float32]:
    """`question_shape` of n texts, shape (n, names)."""
    out = np.empty((len(texts), len(QUESTION_NAMES)), dtype=np.float32)
    for row, text in zip(out, texts, strict=True):
        row[:] = question_shape(text)
    return out


def divided(text: str) -> tuple[str, list[str]]:
    """The stem, and the options: lines marked A to J in order, in either case. None when there are fewer than two."""
    text = "\n" + text
    marks, expected = [], 65
    for mark in _MARK.finditer(text):
        if ord(mark[1]) & _TO_CAPITAL == expected:
            marks.append(mark)
            expected += 1
    if len(marks) < 2:
        return text[1:], []
    last = text.find("\n", marks[-1].end())
    ends = [mark.start() for mark in marks[1:]] + [len(text) if last < 0 else last]
    return text[1 : marks[0].start()], [text[m.end() : end].strip() for m, end in zip(marks, ends, strict=True)]


def _words(text: str) -> list[bytes]:
    return text.lower().encode("utf-8", "replace").translate(_TO_WORDS).split()


class _Counted(NamedTuple):
    """What is counted in a stem."""

    n_words: int
    n_distinct: int
    n_word_bytes: int
    to_work_out: bool
    """Whether one of `_TO_WORK_OUT` is among the words."""
    opens_with_what: bool
    n_bytes: int
    n_digits: int
    n_numbers: int
    n_formula: int
    n_capitals: int
    n_commas: int
    n_brackets: int

    @classmethod
    def of(cls, stem: str, words: list[bytes], distinct: set[bytes]) -> _Counted:
        raw = stem.encode("utf-8", "replace")
        n_digits = len(raw.translate(None, _NOT_DIGITS))
        return cls(
            n_words=len(words),
            n_distinct=len(distinct),
            n_word_bytes=len(b"".join(words)),
            to_work_out=not _TO_WORK_OUT.isdisjoint(distinct),
            opens_with_what=bool(words) and words[0] in _OPENS_WITH,
            n_bytes=len(raw),
            n_digits=n_digits,
            n_numbers=_n_numbers(raw) if n_digits else 0,
            n_formula=len(raw.translate(None, _NOT_FORMULA)),
            n_capitals=len(raw.translate(None, _NOT_CAPITALS)),
            n_commas=raw.count(b",") + raw.count(b";"),
            n_brackets=raw.count(b"(") + raw.count(b"["),
        )

    @classmethod
    def of_plain(cls, plain: PlainText) -> _Counted:
        """The same of a text with words that is all stem."""
        counts: list[int] = np.add.reduceat(plain.histogram.take(_ALL_COUNTED), _COUNTED_FROM).tolist()
        digits, formula, capitals, commas, brackets = counts
        spaced = b" %b " % plain.raw.translate(_TO_WORDS)
        if b"'" in plain.raw:
            words = spaced.split()
            n_words, n_distinct = len(words), len(set(words))
        else:
            n_words, n_distinct = len(plain.starts), plain.n_distinct
        return cls(
            n_words,
            n_distinct,
            len(spaced) - spaced.count(b" "),
            any(map(spaced.__contains__, _SPACED_TO_WORK_OUT)),
            spaced.lstrip().startswith(_SPACED_OPENS_WITH),
            len(plain.as_it_was),
            digits,
            _n_numbers(plain.raw) if digits else 0,
            formula,
            capitals,
            commas,
            brackets,
        )


def _n_numbers(raw: bytes) -> int:
    """Runs of digits, commas and points, each from its first digit on."""
    return len(raw.translate(_TO_NUMBERS, _INSIDE_NUMBERS).split())


def _of_stem(stem: str, counted: _Counted) -> tuple[list[float], list[float]]:
    n, n_bytes, by_sentence = counted.n_words, counted.n_bytes, _sentence_lengths(stem)
    n_sentences = len(by_sentence)
    last = stem.rstrip()[-1:]
    figuring = [
        log1p(counted.n_numbers),
        counted.n_numbers / n,
        counted.n_digits / n_bytes,
        float(counted.n_formula > 0),
        log1p(counted.n_formula),
        float(counted.to_work_out),
    ]
    return figuring, [
        log1p(n_bytes),
        log1p(n),
        log1p(n / n_sentences),
        log1p(max(by_sentence)),
        log1p(by_sentence[-1]),
        log1p(n_sentences),
        counted.n_word_bytes / n,
        counted.n_distinct / n,
        counted.n_capitals / n,
        counted.n_commas / n,
        counted.n_brackets / n,
        float(last == "?"),
        float(last == ":"),
        float(counted.opens_with_what),
    ]


def _sentence_lengths(stem: str) -> list[int]:
    """Characters of each sentence that has more than one; a 0 when none has."""
    sentences = stem.replace("?", ".").replace("!", ".").replace(".\n", ". ").split(". ")
    return [n for n in map(len, sentences) if n > 1] or [0]


def _of_options(in_stem: set[bytes], options: list[str]) -> tuple[list[float], list[float]]:
    n = len(options)
    by_option = [_words(option) for option in options]
    sets = [set(words) for words in by_option]
    words = [word for option in by_option for word in option]
    n_words = max(len(words), 1)
    lengths = [len(option) for option in options]
    mean = sum(lengths) / n
    longest, shortest = max(lengths), min(lengths)
    by_word = sorted(map(len, words)) or [0]
    shared = [len(some & in_stem) / max(len(some), 1) for some in sets]
    mean_shared = sum(shared) / n
    both = [(len(a & b), len(a) + len(b)) for a, b in combinations(sets[:N_COMPARED], 2)]
    alike = [n_both / max(n_all - n_both, 1) for n_both, n_all in both]
    raws = [option.encode("utf-8", "replace") for option in options]
    digits = [len(raw.translate(None, _NOT_DIGITS)) / len(raw) for raw in raws]
    values = _values(options) if all(digits) else []
    distinct = set().union(*sets)
    figuring = [
        sum(digits) / n,
        max(digits),
        min(digits),
        float(bool(values)),
        float(bool(values) and values == sorted(values)),
        float(bool(values) and values == sorted(values, reverse=True)),
        sum(len(raw.translate(None, _NOT_FORMULA)) > 0 for raw in raws) / n,
    ]
    return figuring, [
        log1p(n),
        log1p(mean),
        log1p(sqrt(sum((length - mean) ** 2 for length in lengths) / n)),
        log1p(longest),
        log1p(shortest),
        longest / mean / MAX_OPTIONS,
        lengths.index(longest) / n,
        float(shortest == longest),
        log1p(len(words)),
        sum(by_word) / n_words,
        log1p(by_word[-1]),
        1 - bisect_right(by_word, _LONG) / n_words,
        len(distinct) / n_words,
        sum(alike) / len(alike),
        max(alike),
        mean_shared,
        max(shared),
        sqrt(sum((share - mean_shared) ** 2 for share in shared) / n),
    ]


def _values(options: list[str]) -> list[float]:
    """The first number of each option, 0 where only other signs are digits."""
    found = [_NUMBER.search(option) for option in options]
    return [float(number[0].translate(_PLAIN)) if number else 0.0 for number in found]


_NO_STEM: Final = ([0.0] * 6, [0.0] * 14)
_NO_OPTIONS: Final = ([0.0] * 7, [0.0] * 18)
