"""What is read of prompts before learning, once, so that folds and learning curves do not read it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.learned import question_shapes

from .basis import Floats, FoundGrams

Reader: TypeAlias = Callable[[Sequence[str]], NDArray[np.floating]]
"""Texts to rows: shape (n, columns). The same function must be used in serving."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """n prompts as features, vectors, n-grams and how they are built as questions."""

    texts: tuple[str, ...]
    features: Floats
    """Shape (n, features)."""
    embeddings: Floats
    """Shape (n, dim); dim is 0 without an encoder."""
    grams: FoundGrams
    questions: Floats
    """Shape (n, `QUESTION_NAMES`)."""

    @classmethod
    def read(cls, texts: Sequence[str], *, extract: Reader, encode: Reader | None) -> Inputs:
        """Reads n texts. `extract` gives hand-crafted features, `encode` vectors; None for no vectors."""
        embeddings = np.zeros((len(texts), 0), np.float32) if encode is None else encode(texts)
        return cls(
            tuple(texts),
            np.asarray(extract(texts), dtype=np.float32),
            np.asarray(embeddings, dtype=np.float32),
            FoundGrams.of(texts),
            question_shapes(texts),
        )

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def joined(cls, parts: Sequence[Inputs]) -> Inputs:
        """The first part's prompts, then the next one's; at least one part."""
        return cls(
            tuple(text for part in parts for text in part.texts),
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.embeddings for part in parts]),
            FoundGrams.joined([part.grams for part in parts]),
            np.concatenate([part.questions for part in parts]),
        )

    def __getitem__(self, rows: NDArray[np.int64]) -> Inputs:
        """The prompts at these places."""
        return Inputs(
            tuple(self.texts[i] for i in rows.tolist()),
            self.features[rows],
            self.embeddings[rows],
            self.grams[rows],
            self.questions[rows],
        )
