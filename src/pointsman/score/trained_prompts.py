"""Which prompts a router has seen, so that it is never measured on them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SPACES: Final = re.compile(r"\s+")


def prompt_hash(prompt: str) -> int:
    """64 bits of SHA-256 of a prompt, the same for prompts that differ only in case, spaces or Unicode form (NFKC).

    Two of a million different prompts share a hash with a chance of 3 in 10^8 (birthday bound, 10^12 / 2 / 2^64).
    """
    normalised = _SPACES.sub(" ", unicodedata.normalize("NFKC", prompt).casefold()).strip()
    return int.from_bytes(hashlib.sha256(normalised.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def prompt_hashes(prompts: Sequence[str]) -> NDArray[np.uint64]:
    """Hashes in the order of the prompts, shape (n,)."""
    return np.array([prompt_hash(prompt) for prompt in prompts], dtype=np.uint64)


def seen(hashes: NDArray[np.uint64], trained_prompts: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True where a prompt was trained on; `trained_prompts` is sorted."""
    if trained_prompts.size == 0:
        return np.zeros(hashes.shape, dtype=np.bool_)
    places = np.minimum(np.searchsorted(trained_prompts, hashes), trained_prompts.size - 1)
    return np.asarray(trained_prompts[places] == hashes, dtype=np.bool_)
