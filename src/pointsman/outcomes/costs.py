"""What each answer cost: as recorded, else from its tokens, else a flat price per call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float32]
TokenPrice: TypeAlias = Callable[[str, Float, Float], Float | None]
"""Takes a model, prompt tokens and completion tokens of shape (k,); gives USD of shape (k,), None for no price."""


def cost_matrix(
    models: Sequence[str],
    scored: NDArray[np.bool_],
    cost_usd: Float,
    prompt_tokens: Float,
    completion_tokens: Float,
    prices: Mapping[str, float],
    token_price: TokenPrice | None,
) -> tuple[Float, dict[str, int]]:
    """USD per answer, shape (n, m), NaN where not known, and how many scored cells each source gave.

    A negative or infinite recorded cost is not a cost and counts as not known.
    """
    out = np.where(np.isfinite(cost_usd) & (cost_usd >= 0), cost_usd, np.float32(np.nan))
    known = [_known(out, scored)]
    if token_price is not None:
        counted = np.isnan(out) & np.isfinite(prompt_tokens) & np.isfinite(completion_tokens)
        for index, model in enumerate(models):
            where = np.flatnonzero(counted[:, index])
            usd = (
                token_price(model, prompt_tokens[where, index], completion_tokens[where, index]) if where.size else None
            )
            if usd is not None:
                out[where, index] = usd
    known.append(_known(out, scored))
    for index, model in enumerate(models):
        if model in prices:
            out[np.isnan(out[:, index]), index] = prices[model]
    known.append(_known(out, scored))
    sources = {
        "cost_usd": known[0],
        "tokens": known[1] - known[0],
        "price": known[2] - known[1],
        "unknown": int(scored.sum()) - known[2],
    }
    return out.astype(np.float32), {name: count for name, count in sources.items() if count}


def _known(cost: Float, scored: NDArray[np.bool_]) -> int:
    return int((np.isfinite(cost) & scored).sum())
