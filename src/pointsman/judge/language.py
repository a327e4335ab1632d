"""Whether an answer is in another language than its prompt: by script, and by function words within Latin script."""

from __future__ import annotations

import re
from typing import Final

_SCRIPTS: Final = (
    ("latin", re.compile(r"[A-Za-z\u00c0-\u024f]")),
    ("cyrillic", re.compile(r"[\u0400-\u04ff]")),
    ("greek", re.compile(r"[\u0370-\u03ff]")),
    ("hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("arabic", re.compile(r"[\u0600-\u06ff]")),
    ("devanagari", re.compile(r"[\u0900-\u097f]")),
    ("thai", re.compile(r"[\u0e00-\u0e7f]")),
    ("kana", re.compile(r"[\u3040-\u30ff]")),
    ("hangul", re.compile(r"[\uac00-\ud7af]")),
    ("han", re.compile(r"[\u4e00-\u9fff]")),
)
_FUNCTION_WORDS: Final = {
    "en": frozenset(
        ["the", "of", "and", "to", "is", "that", "it", "for", "with", "this", "are", "was", "be", "on", "as", "you"]
    ),
    "de": frozenset(
        [
            "der",
            "die",
            "und",
            "das",
            "ist",
            "nicht",
            "ein",
            "eine",
            "zu",
            "den",
            "mit",
            "von",
            "sie",
            "es",
            "dem",
            "auf",
        ]
    ),
    "fr": frozenset(
        ["le", "la", "les", "et", "est", "une", "des", "que", "qui", "dans", "pour", "pas", "du", "sur", "au", "avec"]
    ),
    "es": frozenset(
        ["el", "los", "las", "es", "una", "que", "en", "por", "con", "para", "del", "se", "como", "más", "su", "lo"]
    ),
    "it": frozenset(
        [
            "il",
            "che",
            "di",
            "è",
            "una",
            "per",
            "non",
            "sono",
            "con",
            "della",
            "del",
            "gli",
            "nel",
            "più",
            "questo",
            "anche",
        ]
    ),
    "pt": frozenset(
        ["o", "os", "as", "é", "uma", "que", "em", "para", "com", "não", "do", "da", "dos", "das", "mais", "ao"]
    ),
    "nl": frozenset(
        ["de", "het", "een", "en", "van", "is", "niet", "dat", "op", "te", "zijn", "met", "voor", "aan", "er", "ook"]
    ),
}
MIN_LETTERS: Final = 40
"""Below this a script with letters says nothing: a name or a formula may be all there is."""
MIN_SIGNS: Final = 12
"""The same for scripts whose signs stand for syllables or words."""
MIN_WORDS: Final = 20
MAX_WORDS: Final = 120
MAX_CHARS: Final = 1_000
_LEAST_DIFFERENT: Final = 4
"""Different function words that must occur: running text has them soon, lists and formulas hardly ever."""


def language_of(text: str) -> str | None:
    """The script's name, within Latin script a language's code; None when it cannot be told."""
    head = text[:MAX_CHARS]
    if not head.isascii():
        counts = {name: len(pattern.findall(head)) for name, pattern in _SCRIPTS}
        script = max(counts, key=lambda name: counts[name])
        least = MIN_SIGNS if script in ("kana", "hangul", "han") else MIN_LETTERS
        if counts[script] < least:
            return None
        if script != "latin":
            return "kana" if script == "han" and counts["kana"] >= MIN_SIGNS else script
    words = head.lower().split(None, MAX_WORDS)[:MAX_WORDS]
    if len(words) < MIN_WORDS:
        return None
    there = set(words)
    scored = sorted((len(known & there), code) for code, known in _FUNCTION_WORDS.items())
    (second, _), (most, code) = scored[-2:]
    return code if most >= _LEAST_DIFFERENT and most >= 1.5 * second else None


def other_language(prompt: str, answer: str) -> bool:
    """True when both languages can be told and they differ; a prompt that asks for a translation differs too."""
    given = language_of(answer)
    if given is None:
        return False
    asked = language_of(prompt)
    return asked is not None and asked != given
