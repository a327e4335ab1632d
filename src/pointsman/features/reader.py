"""Features and embedding of a request with one look at its text."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import Encoder, Request
from pointsman.word_hashes import PlainText

from .definitions import FEATURES
from .encoders.static import StaticEncoder
from .handcrafted import asking, row
from .scan import Scan, scan
from .tokens import Tokens
from .window import text_of

if TYPE_CHECKING:
    from pointsman.vocabulary import FloatArray


class _Read(threading.local):
    """What one thread read last, until it is encoded."""

    def __init__(self) -> None:
        self.looked: tuple[str, PlainText | None] = ("", None)
        self.texts: list[str] = []
        self.ids: list[NDArray[np.integer]] = []


class Reader:
    """Extracts features and encodes texts, by an encoder; the values are those of `extract` and of the encoder.

    With a `StaticEncoder` a text's tokens are looked up once for both: `encode` of the texts whose features the same
    thread has just extracted takes the word pieces from there. Implements `vocabulary.Encoder`. Safe to use from
    several threads.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._static = encoder if isinstance(encoder, StaticEncoder) else None
        # Made at the first text, because it reads the encoder's files.
        self._tokens: Tokens | None = None
        self._read = _Read()

    @property
    def id(self) -> str:
        """The encoder's."""
        return self._encoder.id

    @property
    def dim(self) -> int:
        """The encoder's."""
        return self._encoder.dim

    def look(self, text: str) -> PlainText | None:
        """What features and embedding have in common of a text, for `extract`; None where each must look by itself.

        It is taken by the thread's next `extract_texts` of the same text, too.

        Raises:
            EncoderError: as `extract`.
        """
        found = self._shared_tokens().plain(text)
        self._read.looked = text, found
        return found

    def extract(self, request: Request, plain: PlainText | None = None) -> FloatArray:
        """The features of one request, as `handcrafted.extract`.

        Raises:
            EncoderError: at the first call, when a file of the encoder is missing or damaged.
        """
        text, tokens = text_of(request), self._shared_tokens()
        seen = scan(text, tokens, plain)
        self._read.texts, self._read.ids = ([], []) if self._static is None else ([text], [self._ids(text, seen)])
        return np.array(row(request, seen, tokens), dtype=np.float32)

    def extract_batch(self, requests: Sequence[Request]) -> FloatArray:
        """The features of many requests, as `handcrafted.extract_batch`.

        Raises:
            EncoderError: as `extract`.
        """
        return np.array(self._rows(requests), dtype=np.float32).reshape(len(requests), len(FEATURES))

    def extract_texts(self, texts: Sequence[str]) -> FloatArray:
        """The features of texts, each as a single user turn: shape (len(texts), n_features), as `extract_text`.

        Raises:
            EncoderError: as `extract`.
        """
        return self.extract_batch([asking(text) for text in texts])

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """The vectors of texts, as the encoder's `encode`.

        Raises:
            EncoderError: as the encoder.
        """
        read = self._read
        read_texts, read_ids = read.texts, read.ids
        read.texts, read.ids, read.looked = [], [], ("", None)
        if self._static is None or read_texts != list(texts):
            return self._encoder.encode(texts)
        return self._static.encode_ids(read_ids)

    def _shared_tokens(self) -> Tokens:
        if self._tokens is None:
            if self._static is None:
                self._tokens = Tokens()
            else:
                wordpiece = self._static.wordpiece()
                self._tokens = Tokens(wordpiece.chunk_ids, wordpiece.word_ids, wordpiece.whole_words)
        return self._tokens

    def _rows(self, requests: Sequence[Request]) -> list[list[float]]:
        tokens = self._shared_tokens()
        rows, texts, found = [], [], []
        looked_at, plain = self._read.looked
        for request in requests:
            text = text_of(request)
            seen = scan(text, tokens, plain if text is looked_at else None)
            rows.append(row(request, seen, tokens))
            if self._static is not None:
                texts.append(text)
                found.append(self._ids(text, seen))
        self._read.texts, self._read.ids = texts, found
        return rows

    def _ids(self, text: str, seen: Scan) -> NDArray[np.integer]:
        assert self._static is not None
        # Of a long text features and encoder read the same ends: a newline between them, or a space, cuts no word.
        return np.sort(self._static.ids(text)) if seen.ids is None else seen.ids
