"""A sentence transformer run on this machine; needs the extra `sentence-transformers` (and with it torch)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pointsman.errors import EncoderError

from .capped import capped

if TYPE_CHECKING:
    from pointsman.vocabulary import FloatArray


class SentenceModel(Protocol):
    """The part of `sentence_transformers.SentenceTransformer` that is used."""

    def encode(self, sentences: list[str], *, batch_size: int, show_progress_bar: bool) -> FloatArray:
        """Vectors of shape (len(sentences), dim)."""


class SentenceTransformerEncoder:
    """The vectors of a sentence transformer; milliseconds for a text on a CPU, so meant for comparison and offline."""

    def __init__(self, name: str, *, model: SentenceModel | None = None, batch_size: int = 32) -> None:
        """Loads `name`, a folder or a name on the Hugging Face hub; `model` is used in its place when given.

        Raises:
            EncoderError: the extra is not installed, or there is no such model.
        """
        self._name = name
        self._batch_size = batch_size
        self._model = _load(name) if model is None else model
        self._dim: int | None = None

    @property
    def id(self) -> str:
        """Such as "sentence-transformers:all-MiniLM-L6-v2"."""
        return f"sentence-transformers:{self._name}"

    @property
    def dim(self) -> int:
        """Length of a vector, found by encoding one word the first time."""
        if self._dim is None:
            self._dim = int(self.encode(["dimension"]).shape[1])
        return self._dim

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of shape (len(texts), dim), float32, of length 1; zeros for an empty text."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        raw = self._model.encode([capped(text) for text in texts], batch_size=self._batch_size, show_progress_bar=False)
        vectors = np.array(raw, dtype=np.float32)
        vectors[[not text.strip() for text in texts]] = 0
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths > 0, lengths, 1)
        return vectors


def _load(name: str) -> SentenceModel:
    try:
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError as error:
        raise EncoderError(
            f"the encoder sentence-transformers:{name} needs an extra: pip install 'pointsman[sentence-transformers]'"
        ) from error
    try:
        model: SentenceModel = SentenceTransformer(name)
    except (OSError, ValueError) as error:
        raise EncoderError(f"sentence-transformers cannot load {name!r}: {type(error).__name__}") from error
    return model
