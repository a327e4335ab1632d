"""How long an answer a prompt asks for, in tokens.

Recognised are a number and a unit ("in 500 words", "at least 3 pages", "höchstens 80 Wörter", "800字") at either end
of the prompt. A bare "500 words" counts as well: a prompt that mentions a length nearly always asks for it.
"""

from __future__ import annotations

import re

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

_ASKED = re.compile(
    r"(?<!\w)(?P<count>\d{1,3}(?:[.,]\d{3})|\d{1,6}|"
    + "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True))
    + r")[ \u00a0-]{0,2}(?P<unit>"
    + "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
    + r")(?![^\W\u3400-\u9fff])",
    re.IGNORECASE,
)

_MAX_TOKENS = 1_000_000


def asked_tokens(seen: str) -> int | None:
    """The longest answer that the text asks for by name, in tokens, at most 1,000,000; None when it names none."""
    longest: float | None = None
    for found in _ASKED.finditer(seen):
        count = found["count"].lower()
        number = _NUMBERS[count] if count in _NUMBERS else int(count.replace(",", "").replace(".", ""))
        tokens = number * _UNITS[found["unit"].lower()]
        longest = tokens if longest is None else max(longest, tokens)
    return None if longest is None else min(round(longest), _MAX_TOKENS)
