"""Text from a model or a file, made safe to print: it must not move the cursor or turn what follows around."""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
"""Escape sequences of ECMA-48, section 5.4 (control sequences) and 5.6 (control strings)."""

_KEPT = frozenset("\n\t")


def plain(text: str) -> str:
    """The text without escape sequences and control characters (Unicode categories Cc, Cs and the bidirectional and
    other formatting of Cf, but not what joins letters and emoji); line ends become \\n."""
    text = _ESCAPE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(letter for letter in text if letter in _KEPT or not _hidden(letter))


def _hidden(letter: str) -> bool:
    category = unicodedata.category(letter)
    if category == "Cf":
        return letter not in "\u200c\u200d\u00ad"
    return category in ("Cc", "Cs", "Zl", "Zp")
