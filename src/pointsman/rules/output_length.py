"""How long an answer a prompt asks for, in tokens.

Recognised are a number and a unit ("in 500 words", "at least 3 pages", "höchstens 80 Wörter", "800字") at either end
of the prompt. A bare "500 words" counts as well: a prompt that mentions a length nearly always asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress

TOKENS_PER_WORD = 4 / 3
"""OpenAI's rule of thumb, 100 tokens to 75 English words (help.openai.com, "What are tokens", read 2026-11)."""
WORDS_PER_PAGE = 500
WORDS_PER_PARAGRAPH = 120
WORDS_PER_SENTENCE = 20
TOKENS_PER_CHARACTER = 0.25
TOKENS_PER_HAN = 1.0


def _each(block: str, tokens: float) -> dict[str, float]:
    return dict.fromkeys(block.split(), tokens)


def _counted(block: str) -> dict[str, int]:
    return {word: n for n, word in enumerate(block.split(), start=1)}


_UNITS: dict[str, float] = {
    **_each(
        "words word wörter worte wörtern worten palabras mots parole palavras woorden ord szó szóban", TOKENS_PER_WORD
    ),
    **_each(
        "pages page seiten seite páginas página pagine pagina pagina's sider side oldal oldalas 页 頁",
        WORDS_PER_PAGE * TOKENS_PER_WORD,
    ),
    **_each(
        "paragraphs paragraph absätze absätzen absatz párrafos párrafo paragraphes paragraphe paragrafi paragrafo "
        "parágrafos parágrafo alinea's alinea afsnit bekezdés 段",
        WORDS_PER_PARAGRAPH * TOKENS_PER_WORD,
    ),
    **_each(
        "sentences sentence sätze sätzen satz frases frase phrases phrase frasi zinnen zin sætninger sætning mondat "
        "mondatban oraciones 句 句话",
        WORDS_PER_SENTENCE * TOKENS_PER_WORD,
    ),
    **_each("characters character chars zeichen caracteres caractères caratteri tekens tegn", 0.25),
    **_each("字 个字 字符", TOKENS_PER_HAN),
    **_each("tokens token", 1.0),
}

_NUMBERS = {
    **_counted("one two three four five six seven eight nine ten"),
    **_counted("un dos tres cuatro cinco"),
    **_counted("einem zwei drei vier fünf"),
    **_counted("une deux trois quatre cinq"),
    **_counted("一 两 三 四 五"),
    "a": 1,
    "tre": 3,
}

_UNSPACED = re.compile(r"(\d{1,6}|[一两三四五]) ?(个字|字|页|頁|段|句)")

_MAX_TOKENS = 1_000_000
_MAX_DIGITS = 6
_THOUSANDS_DIGITS = 3


def asked_tokens(seen: str, words: Sequence[str]) -> int | None:
    """The longest answer that a text asks for by name, in tokens, at most 1,000,000; None when it names none.

    Args:
        seen: the text.
        words: its words, in lower case.
    """
    units = compress(enumerate(words), map(_UNITS.__contains__, words))
    asked = [_number(seen, words, at) * _UNITS[word] for at, word in units]
    for word in [word for word in words if "-" in word] if "-" in seen else ():
        number, _, unit = word.partition("-")  # a 500-word essay
        if unit in _UNITS:
            asked.append(_count_of(number) * _UNITS[unit])
    if not seen.isascii():
        asked += [_count_of(number) * _UNITS[unit] for number, unit in _UNSPACED.findall(seen)]
    longest = max(asked, default=0.0)
    return min(round(longest), _MAX_TOKENS) if longest > 0 else None


def _number(seen: str, words: Sequence[str], at: int) -> int:
    """The number before the unit at `at`; 0 when there is none."""
    if at == 0:
        return 0
    number = words[at - 1]
    if at > 1 and len(number) == _THOUSANDS_DIGITS and number.isascii() and number.isdigit():
        thousands = words[at - 2]
        if _count_of(thousands) and any(f"{thousands}{mark}{number}" in seen for mark in ",."):
            number = thousands + number
    return _count_of(number)


def _count_of(word: str) -> int:
    """What a numeral or number word counts; 0 when the word is neither."""
    if word.isascii() and word.isdigit() and len(word) <= _MAX_DIGITS:
        return int(word)
    return _NUMBERS.get(word, 0)
