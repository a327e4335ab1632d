"""Which prompts changed side between two policies, shown safely in a terminal or a log."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import Outcomes

SHOWN_CHARS: Final = 120
_READ_CHARS: Final = 2_000
_SHARED_CHARS: Final = 24
"""A shorter beginning that all have in common, such as "What is the", is left where it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """One prompt that another model serves now."""

    prompt_id: str
    dataset: str
    text: str
    """The prompt's start, without what all prompts shown begin with, and without line breaks or control characters."""
    before: str
    after: str
    score_before: float
    score_after: float


def changes(
    outcomes: Outcomes,
    rows: NDArray[np.int64],
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    n_shown: int,
) -> tuple[Change, ...]:
    """The changed prompts that matter most: those that lost most first, then those that gained, then the rest.

    Args:
        rows: numbers of the compared prompts; `before` and `after` are their models, same shape.
    """
    score = outcomes.score[rows]
    at = np.arange(rows.size)
    lost = (score[at, before] - score[at, after]).astype(np.float64)
    changed = np.flatnonzero(before != after)
    order = changed[np.lexsort((changed, -np.abs(lost[changed]), lost[changed] <= 0))]
    shown = order[:n_shown].tolist()
    texts = _without_shared_start([outcomes.prompts[rows[place]] for place in shown])
    return tuple(
        Change(
            prompt_id=visible(outcomes.prompt_ids[rows[place]]),
            dataset=visible(outcomes.datasets[rows[place]]),
            text=visible(text),
            before=outcomes.models[before[place]],
            after=outcomes.models[after[place]],
            score_before=float(score[place, before[place]]),
            score_after=float(score[place, after[place]]),
        )
        for place, text in zip(shown, texts, strict=True)
    )


def _without_shared_start(texts: list[str]) -> list[str]:
    """The texts from where they begin to differ; instructions that all share would fill the lines."""
    if len(texts) < 2:
        return texts
    first, last = min(texts), max(texts)  # in order, what these two share all share
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(map(len, texts)))
    at = first[:length].rfind(" ") + 1
    return [f"…{text[at:]}" for text in texts] if at >= _SHARED_CHARS else texts


def visible(text: str) -> str:
    """The text's start on one line: no control, format, surrogate or private character can reach the terminal."""
    kept = "".join(
        " " if unicodedata.category(letter) in ("Zl", "Zp", "Cc") else letter
        for letter in text[:_READ_CHARS]
        if unicodedata.category(letter) not in ("Cf", "Cs", "Co", "Cn")
    )
    words = " ".join(kept.split())
    return words if len(words) <= SHOWN_CHARS else words[: SHOWN_CHARS - 1] + "…"
