"""A static embedding: one vector per word piece, looked up, averaged and normalised. No model runs.

Distilled from a sentence transformer with model2vec (https://github.com/MinishLab/model2vec): each piece's vector is
the teacher's output for that piece alone, reduced by PCA and scaled by how rare the piece is (SIF weights, estimated
from its rank), so that a plain mean is already a weighted one. `docs/design/embedding.md` has the choices and the
numbers.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import EncoderError

from .capped import capped
from .wordpiece import WordPiece

if TYPE_CHECKING:
    from pointsman.vocabulary import FloatArray, JSONObject

FORMAT: Final = 1
BUILTIN_FOLDER: Final = Path(__file__).parent / "builtin"
CARD_FILE: Final = "encoder.json"
VECTORS_FILE: Final = "vectors.safetensors"
TOKENIZER_FILE: Final = "tokenizer.json"
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Larger files are refused; the built-in vectors have 8 MB."""


@dataclass(frozen=True, slots=True)
class _Weights:
    wordpiece: WordPiece
    rows: NDArray[np.int8]
    """(pieces, dim); a piece's vector is its row times its scale."""
    scales: NDArray[np.float32]
    """(pieces,)"""


class StaticEncoder:
    """Mean of the word pieces' vectors, at about 60 µs for a text of 300 tokens.

    Opening reads a small card; vectors and tokenizer are read, and their hashes checked, at the first `encode` or
    `warm`. Of a text longer than `capped.MAX_CHARS` only its beginning and end are read. Safe to use from several
    threads.
    """

    def __init__(self, folder: Path = BUILTIN_FOLDER) -> None:
        """Opens the encoder in `folder`: encoder.json, vectors.safetensors and tokenizer.json.

        Raises:
            EncoderError: the card is missing, unreadable or of another format.
        """
        self._folder = folder
        self._card = _read_card(folder)
        hashes = "".join(self._card["files"][name]["sha256"] for name in (VECTORS_FILE, TOKENIZER_FILE))
        self._id = f"static:{self._card['name']}:{hashlib.sha256(hashes.encode()).hexdigest()[:12]}"
        self._weights: _Weights | None = None
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        """Such as "static:all-minilm-l6-v2-256:0123456789ab"; the last part names both files' contents."""
        return self._id

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._card["dim"])

    @property
    def tokenizer_path(self) -> Path:
        """Where the tokenizer's file lies, in the format of Hugging Face `tokenizers`."""
        return self._folder / TOKENIZER_FILE

    def warm(self) -> None:
        """Reads vectors and tokenizer now instead of at the first text.

        Raises:
            EncoderError: a file is missing, damaged or not what the card says.
        """
        self._loaded()

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of shape (len(texts), dim), float32, of length 1; zeros for a text without a known word.

        Raises:
            EncoderError: at the first call, when a file is missing, damaged or not what the card says.
        """
        return self.encode_ids([np.sort(self.ids(text)) for text in texts])

    def ids(self, text: str) -> NDArray[np.uint32]:
        """Ids of the word pieces of a text, in order; of a long one of its beginning and end.

        Raises:
            EncoderError: as `encode`.
        """
        return self._loaded().wordpiece.ids(capped(text))

    def wordpiece(self) -> WordPiece:
        """What splits texts into word pieces.

        Raises:
            EncoderError: as `encode`.
        """
        return self._loaded().wordpiece

    def encode_ids(self, texts: Sequence[NDArray[np.integer]]) -> FloatArray:
        """The vectors, as `encode`, of texts given by their ids, rising.

        Added up in one order, however they come: the same text has the same vector to the last bit.

        Raises:
            EncoderError: as `encode`.
        """
        weights = self._loaded()
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for vector, ids in zip(vectors, texts, strict=True):
            if ids.size:
                # Not a matrix product: BLAS would wake its threads, which costs more than the sums (0.7 ms against
                # 0.2 ms for 3,000 pieces, and 8 ms of processor time on a busy machine).
                np.einsum("i,ij->j", weights.scales.take(ids), weights.rows.take(ids, axis=0), out=vector)
                length = math.sqrt(vector.dot(vector))
                if length > 0:
                    vector /= length
        return vectors

    def _loaded(self) -> _Weights:
        weights = self._weights
        if weights is None:
            with self._lock:
                weights = self._weights
                if weights is None:
                    weights = self._weights = _read_weights(self._folder, self._card)
        return weights


def _read_card(folder: Path) -> JSONObject:
    path = folder / CARD_FILE
    try:
        card = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise EncoderError(f"{folder} is no static encoder: it has no {CARD_FILE}") from error
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise EncoderError(f"{path} has format {found}, but this version of Pointsman reads format {FORMAT}")
    try:
        complete = (
            isinstance(card["name"], str)
            and isinstance(card["dim"], int)
            and card["dim"] > 0
            and all(len(card["files"][name]["sha256"]) == 64 for name in (VECTORS_FILE, TOKENIZER_FILE))
        )
    except (KeyError, TypeError) as error:
        raise EncoderError(f"{path} lacks name, dim or the hashes of its files") from error
    if not complete:
        raise EncoderError(f"{path} needs a name, a positive dim and the SHA-256 of its files")
    return card


def _read_checked(folder: Path, card: JSONObject, name: str) -> bytes:
    """A file's bytes, once their hash is that of the card."""
    path = folder / name
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise EncoderError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise EncoderError(f"{path} cannot be read: {error.strerror}") from error
    expected, found = card["files"][name]["sha256"], hashlib.sha256(content).hexdigest()
    if found != expected:
        raise EncoderError(f"{path} is damaged or was changed: its SHA-256 is {found}, its card says {expected}")
    return content


def _read_weights(folder: Path, card: JSONObject) -> _Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_safetensors

    try:
        arrays = load_safetensors(_read_checked(folder, card, VECTORS_FILE))
        rows, scales = arrays["rows"], arrays["scales"]
    except (SafetensorError, KeyError) as error:
        raise EncoderError(f"{folder / VECTORS_FILE} does not hold the arrays 'rows' and 'scales'") from error
    try:
        tokenizer = json.loads(_read_checked(folder, card, TOKENIZER_FILE))
        vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
        special = frozenset(added["content"] for added in tokenizer["added_tokens"])
        _check_pipeline(tokenizer)
    except (ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{folder / TOKENIZER_FILE} is not an uncased WordPiece tokenizer: {error}") from error
    n_pieces = len(vocabulary)
    if (
        rows.dtype != np.int8
        or scales.dtype != np.float32
        or rows.shape != (n_pieces, card["dim"])
        or scales.shape != (n_pieces,)
        or sorted(vocabulary.values()) != list(range(n_pieces))
        or not np.isfinite(scales).all()
    ):
        raise EncoderError(
            f"{folder}: expected int8 rows of shape ({n_pieces}, {card['dim']}) and as many finite float32 scales, "
            f"found {rows.dtype} {rows.shape} and {scales.dtype} {scales.shape}"
        )
    return _Weights(WordPiece(vocabulary, special=special), rows, scales)


def _check_pipeline(tokenizer: JSONObject) -> None:
    """Raises ValueError when the tokenizer's steps are not the ones that `WordPiece` takes."""
    normalizer = tokenizer["normalizer"]
    expected = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    if normalizer != expected or tokenizer["pre_tokenizer"] != {"type": "BertPreTokenizer"}:
        raise ValueError("its normalizer or pre-tokenizer is not BERT's uncased one")
    model = tokenizer["model"]
    if (model["type"], model["continuing_subword_prefix"]) != ("WordPiece", "##"):
        raise ValueError(f"its model is {model['type']}")
