"""Words and phrases that say something of an answer's worth: refusals, hedges, second thoughts, misfits.

English alone: in other languages they find nothing, and find nothing wrong. Looked up in a text already in lower case,
single words in sets and phrases by plain search, which is several times as fast as regular expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

HEDGES: Final = frozenset(
    (
        "might",
        "maybe",
        "perhaps",
        "possibly",
        "probably",
        "likely",
        "seems",
        "seem",
        "appears",
        "appear",
        "unclear",
        "uncertain",
        "unsure",
        "assume",
        "assuming",
        "assumed",
        "assumption",
        "assumptions",
        "presumably",
        "supposedly",
        "guess",
    )
)
SECOND_THOUGHTS: Final = frozenset(
    (
        "wait",
        "however",
        "actually",
        "hmm",
        "reexamine",
        "reevaluate",
        "reconsider",
        "recheck",
        "recalculate",
        "recalculating",
        "mistake",
        "mistakes",
        "correction",
        "discrepancy",
        "apologize",
        "apologise",
        "oops",
        "incorrect",
    )
)
SECOND_THOUGHT_PHRASES: Final = ("let's try", "let me try", "double-check", "double check", "re-e", "made an error")
CONTRADICTIONS: Final = frozenset(
    ("closest", "nearest", "approximately", "roughly", "about", "around", "rounding", "typo")
)
CONTRADICTION_PHRASES: Final = (
    "none of the",
    "not match",
    "n't match",
    "not listed",
    "not among",
    "not one of",
    "n't one of",
    "not an option",
    "error in the",
    "best guess",
    "best option",
    "best choice",
    "cannot be determined",
    "≈",
    "\\approx",
)
CONCLUSIONS: Final = frozenset(("therefore", "thus", "hence", "consequently", "finally", "conclusion"))
REFUSAL_PHRASES: Final = (
    "i'm sorry",
    "i am sorry",
    "i cannot ",
    "i can't ",
    "i can’t ",
    "i won't ",
    "i'm unable",
    "i am unable",
    "i'm not able",
    "i am not able",
    "as an ai",
    "i don't have access",
    "i don't have enough information",
    "unable to assist",
    "unable to help",
)
MAX_OPENING_CHARS: Final = 200
"""A refusal stands at the beginning; further on, the same words are usually part of the answer's subject."""


def refuses(lowered: str) -> bool:
    """Whether an answer, in lower case, opens with a refusal."""
    opening = lowered[:MAX_OPENING_CHARS]
    return any(phrase in opening for phrase in REFUSAL_PHRASES)


def counted(words: Sequence[str], known: frozenset[str], vocabulary: set[str]) -> int:
    """How many of the words are known ones; `vocabulary` are the words, each once."""
    return sum(map(known.__contains__, words)) if not known.isdisjoint(vocabulary) else 0


def found(lowered: str, phrases: Sequence[str]) -> int:
    """How often the phrases stand in a text in lower case, all together."""
    return sum(map(lowered.count, phrases))
