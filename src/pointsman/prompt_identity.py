"""When two prompts are the same, everywhere: in training, in measuring and in an eval set."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def normalised(prompt: str) -> str:
    """The prompt in Unicode form NFKC, without differences of case, with single spaces and none at its ends."""
    return " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())


def prompt_hash(prompt: str) -> int:
    """64 bits of SHA-256 of a prompt, the same for prompts that differ only in case, spaces or Unicode form (NFKC).

    Two of a million different prompts share a hash with a chance of 3 in 10^8 (birthday bound, 10^12 / 2 / 2^64).
    """
    return int.from_bytes(hashlib.sha256(normalised(prompt).encode("utf-8", "surrogatepass")).digest()[:8], "big")


def prompt_hashes(prompts: Iterable[str]) -> NDArray[np.uint64]:
    """Hashes in the order of the prompts, shape (n,)."""
    import numpy as np

    return np.fromiter((prompt_hash(prompt) for prompt in prompts), dtype=np.uint64)
