"""How far two answers to the same prompt agree: a second sample, or a second model's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .final_answer import compared, final_answer, letter_of

_WORD: Final = re.compile(r"\w+")
MAX_CHARS: Final = 8_000


def agreement(first: str, second: str) -> float:
    """1 when both come to the same result, 0 when to different ones; the share of common words where none is clear.

    A result is clear when it stands in a marked place or is a number, a letter, or a whole short answer.
    """
    (one, one_clear), (two, two_clear) = _clear(first), _clear(second)
    if one_clear and two_clear:
        return float(one == two)
    words, others = (set(_WORD.findall(text[:MAX_CHARS].lower())) for text in (first, second))
    either = words | others
    return len(words & others) / len(either) if either else 1.0


def _clear(answer: str) -> tuple[str, bool]:
    result, marked = final_answer(answer)
    letter = letter_of(result)
    if letter is not None:
        return letter, True
    plain = compared(result)
    return plain, bool(plain) and (marked or len(answer.strip()) <= 40 or _is_number(plain))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def agreement_matrix(answers: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """How far the answers of m models agree on n prompts, shape (n, m, m), 1 on the diagonal.

    Args:
        answers: shape (m, n).
    """
    m, n = len(answers), len(answers[0]) if answers else 0
    out = np.ones((n, m, m), dtype=np.float32)
    clear = [[_clear(answer) for answer in each] for each in answers]
    for a in range(m):
        for b in range(a + 1, m):
            for i, (one, two) in enumerate(zip(clear[a], clear[b], strict=True)):
                both = one[1] and two[1]
                out[i, a, b] = out[i, b, a] = (
                    float(one[0] == two[0]) if both else agreement(answers[a][i], answers[b][i])
                )
    return out
