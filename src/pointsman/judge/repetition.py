"""Whether an answer goes round in circles."""

from __future__ import annotations

import zlib
from typing import Final

RUN_WORDS: Final = 8
MIN_WORDS: Final = 48
"""A shorter answer cannot repeat a run often enough to tell."""
MIN_BYTES: Final = 200
"""A shorter text does not shrink, whatever it says."""


def repeated_share(text: str) -> float:
    """The share of an answer's runs of eight words that stood in it before, 0 to 1; 0 for a short answer."""
    words = text.split()
    if len(words) < MIN_WORDS:
        return 0.0
    n = len(words) - RUN_WORDS + 1
    runs = set(zip(*(words[i : i + n] for i in range(RUN_WORDS)), strict=True))
    return 1 - len(runs) / n


def compressed_share(text: str) -> float:
    """What quick compression leaves of a text, 0 to 1: a text that repeats itself shrinks; 1 for a short one."""
    raw = text.encode("utf-8", "replace")
    return 1.0 if len(raw) < MIN_BYTES else min(1.0, len(zlib.compress(raw, 1)) / len(raw))
