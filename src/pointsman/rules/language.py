"""A guess at the language and script of a text, without machine learning; None when unsure.

The script is the one of Unicode's blocks that most letters of the text belong to. A script that one language owns
decides alone (Hangul: Korean); Latin text is decided by a vote of stop words, Cyrillic and Arabic by their letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SCRIPTS = (
    "latin", "cyrillic", "greek", "arabic", "hebrew", "devanagari", "thai", "han", "kana", "hangul",
)  # fmt: skip

_ASCII_LETTERS = re.compile(r"[A-Za-z]")
_RANGES = {
    "latin": re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]"),
    "cyrillic": re.compile("[\u0400-\u052f]"),
    "greek": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "arabic": re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff]"),
    "hebrew": re.compile("[\u0590-\u05ff]"),
    "devanagari": re.compile("[\u0900-\u097f]"),
    "thai": re.compile("[\u0e00-\u0e7f]"),
    "han": re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]"),
    "kana": re.compile("[\u3040-\u30ff]"),
    "hangul": re.compile("[\u1100-\u11ff\uac00-\ud7af]"),
}
_OWNERS = {"greek": "el", "hebrew": "he", "devanagari": "hi", "thai": "th", "kana": "ja", "hangul": "ko", "han": "zh"}

_KANA_SHARE_OF_JAPANESE = 0.1
"""Japanese mixes Han with kana; Chinese has no kana. A tenth is below any Japanese sentence."""

_HAN_WEIGHT = 2
"""One Han character or kana carries about as much as two Latin letters, so quoted Latin names do not outvote it."""


def _set(block: str) -> frozenset[str]:
    return frozenset(block.split())


STOP_WORDS: dict[str, frozenset[str]] = {
    "en": _set(
        "the a and of to is in that it for you with on this are be as was have not but from or what how my your please "
        "can we they i an which when does do if will there their"
    ),
    "es": _set(
        "el la los las de que y en un una por con para es no se del al lo como más pero su sus este esta cómo qué "
        "mi hay está son muy cuál puedo tiene"
    ),
    "de": _set(
        "der die das und ist nicht ich ein eine zu den mit auf für von im des dem sie es auch wie wir bitte was "
        "einen werden wird sind oder bei aus nach über kann mein meine"
    ),
    "fr": _set(
        "le la les de des et un une est que en pour dans pas je vous nous il elle sur au aux du ce cette qui avec par "
        "plus mon ma votre comment quel quelle sont ne"
    ),
    "it": _set(
        "il lo la gli di che e è un una per non con del della dei delle si in le come sono mi più nel nella questo "
        "questa anche ho alla al dal ma cosa"
    ),
    "pt": _set(
        "o os as de que e do da em um uma para com não por dos das no na se mais como mas ao meu minha é são você "
        "este esta qual isso foi está eu pelo pela"
    ),
    "nl": _set(
        "de het een en van ik te dat die in niet is op voor met zijn er aan ook als maar om hoe wat mijn naar bij "
        "deze dit kan je we worden wordt geen uit"
    ),
    "da": _set(
        "og i at det er en til af på for den der som ikke med de har jeg et om vi kan hvad hvordan min mit du fra "
        "skal ved blev lov ændring"
    ),
    "sv": _set(
        "och i att det är en som på av för med den till inte jag ett har om vi kan hur vad min mitt du från ska "
        "eller var"
    ),
    "hu": _set(
        "az és hogy nem egy ez van meg csak vagy mint szóló évi törvény módosításáról kell lesz hol "
        "miért hogyan kérem milyen volt mikor lehet nekem szeretném"
    ),
    "pl": _set("i w na nie z się że do jest to jak o po co ale za od czy dla przez są mój moje który która proszę tym"),
    "tr": _set("ve bir bu için ile da de ne mi çok nasıl var olarak daha gibi ama değil benim sonra"),
}

LANGUAGES = tuple(sorted({*STOP_WORDS, *_OWNERS.values(), "ru", "uk", "ar", "fa"}))
"""Every ISO 639-1 code that `guess` can return."""

_VOTES: dict[str, tuple[str, ...]] = {}
for _language, _stop_words in STOP_WORDS.items():
    for _word in _stop_words:
        _VOTES[_word] = (*_VOTES.get(_word, ()), _language)

_MIN_VOTES = 2.0
_MIN_LEAD = 1.2
"""The winner must have this many times the votes of the runner-up; below it two languages are too near to call."""


def script_of(text: str) -> str | None:
    """The script most of the text's letters are in, one of `SCRIPTS`; None when it has no letters of these."""
    if text.isascii():
        return "latin" if _ASCII_LETTERS.search(text) is not None else None
    counts = {script: len(letters.findall(text)) for script, letters in _RANGES.items()}
    counts["han"] *= _HAN_WEIGHT
    counts["kana"] *= _HAN_WEIGHT
    if counts["kana"] and counts["kana"] >= _KANA_SHARE_OF_JAPANESE * counts["han"]:
        counts["kana"] += counts.pop("han")
    best = max(counts, key=lambda script: counts[script])
    return best if counts[best] else None


def guess(text: str, words: Sequence[str], script: str | None) -> str | None:
    """The ISO 639-1 code of the text's language, one of `LANGUAGES`; None when unsure.

    Args:
        text: what `words` and `script` were made of.
        words: its words in lower case.
        script: its script, see `script_of`.
    """
    if script == "latin":
        return _vote(words)
    if script == "cyrillic":
        return "uk" if any(letter in text for letter in "іїєґІЇЄҐ") else "ru"
    if script == "arabic":
        return "fa" if any(letter in text for letter in "پچژگ") else "ar"
    return None if script is None else _OWNERS[script]


def _vote(words: Sequence[str]) -> str | None:
    votes: dict[str, float] = {}
    for word in words:
        languages = _VOTES.get(word)
        if languages is not None:
            for language in languages:
                votes[language] = votes.get(language, 0.0) + 1.0 / len(languages) ** 0.5
    if not votes:
        return None
    ranked = sorted(votes.values(), reverse=True)
    if ranked[0] < min(_MIN_VOTES, 0.4 * len(words)) or (len(ranked) > 1 and ranked[0] < _MIN_LEAD * ranked[1]):
        return None
    return max(votes, key=lambda language: votes[language])
