"""Which prompts a router has seen, so that it is never measured on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointsman.prompt_identity import prompt_hash, prompt_hashes

__all__ = ["prompt_hash", "prompt_hashes", "seen"]


def seen(hashes: NDArray[np.uint64], trained_prompts: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True where a prompt was trained on; `trained_prompts` is sorted."""
    if trained_prompts.size == 0:
        return np.zeros(hashes.shape, dtype=np.bool_)
    places = np.minimum(np.searchsorted(trained_prompts, hashes), trained_prompts.size - 1)
    return np.asarray(trained_prompts[places] == hashes, dtype=np.bool_)
