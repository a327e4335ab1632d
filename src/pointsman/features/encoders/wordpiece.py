"""Text to WordPiece ids, as BERT's uncased tokenizer does it, without a tokenizer library.

The steps are those of the BERT tokenizer (https://github.com/google-research/bert, tokenization.py): drop control
characters, put spaces around CJK characters, decompose (NFD) and drop non-spacing marks, lower-case, split at
whitespace and around punctuation, then take the longest piece of the vocabulary from the left, again and again.

Two tables make it fast. Every step before the splitting maps one character by itself, so one table from code point to
replacement does all of them at once; and a word's ids are kept as bytes, so a text's ids are one join of them.

Known differences to Hugging Face `tokenizers` 0.23, all rare:
- Characters newer than Unicode 8 may be mark or punctuation here and unknown there: Python's tables are newer.
- "[UNK]" and "[PAD]" written in a text are text here; a caller's text holds no control tokens.
- Two or more spacing marks in a row are not put in canonical order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_WORD_CHARS: Final = 100
"""Longer words are unknown; BERT's `max_input_chars_per_word`."""
MAX_CACHED_CHUNKS: Final = 50_000
"""Chunks remembered; about 10 MB when full of long ones, then it starts afresh."""
MAX_CACHED_CHUNK_CHARS: Final = 40
"""Longer chunks are split anew each time: they hardly come again."""
MAX_CACHED_CHARACTERS: Final = 20_000
"""Distinct characters remembered; then it starts afresh."""

_ID_DTYPE: Final = np.dtype("<u4")
_PREFIX: Final = "##"
_KEY_CHARS: Final = 3
_JOINING: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85]")
"""White space for `str.split`, or a control character in ASCII, that is dropped and so joins its neighbours."""
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")

_DROPPED_ASCII: Final = {code: None for code in range(128) if (code < 32 or code == 127) and chr(code) not in "\t\n\r"}
_ASCII_TABLE: Final = {code: chr(code).lower() for code in range(128)} | _DROPPED_ASCII

_CJK: Final = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
"""The blocks BERT puts spaces around; 0x2B920 (not 0x2B820) is how `tokenizers` has it."""


def _replacement(code: int) -> str:
    """What one character becomes: nothing, a space, itself between spaces, or its bare lower-case letters."""
    character = chr(code)
    if character in "\t\n\r":
        return " "
    category = unicodedata.category(character)
    if code in (0, 0xFFFD) or category in ("Cc", "Cf", "Co"):
        return ""
    if category in ("Zs", "Zl", "Zp"):
        return " "
    bare = "".join(
        f" {part} " if _is_punctuation(part) else part.lower()
        for part in unicodedata.normalize("NFD", character)
        if unicodedata.category(part) != "Mn"
    )
    return f" {bare} " if any(low <= code <= high for low, high in _CJK) else bare


def _is_punctuation(character: str) -> bool:
    """True for Unicode punctuation and for every ASCII sign that is neither letter, digit nor space."""
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")


class _Replacements(dict[int, str]):
    """Code point to replacement, filled as characters turn up."""

    def __missing__(self, code: int) -> str:
        if len(self) >= MAX_CACHED_CHARACTERS:
            self.clear()
        replacement = self[code] = _replacement(code)
        return replacement


class _Pieces:
    """The ids, as bytes, of words; an unknown word has none.

    `_longest_…` holds the length of the longest piece by its first three characters: it spares the lookups that cannot
    succeed.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._starts: dict[str, bytes] = {}
        self._rests: dict[str, bytes] = {}
        self._longest_start: dict[str, int] = {}
        self._longest_rest: dict[str, int] = {}
        for piece, id_ in vocabulary.items():
            if piece.startswith(_PREFIX):
                letters, ids, longest = piece[len(_PREFIX) :], self._rests, self._longest_rest
            else:
                letters, ids, longest = piece, self._starts, self._longest_start
            ids[letters] = id_.to_bytes(_ID_DTYPE.itemsize, "little")
            if len(letters) >= _KEY_CHARS and len(letters) > longest.get(letters[:_KEY_CHARS], 0):
                longest[letters[:_KEY_CHARS]] = len(letters)

    @property
    def whole_words(self) -> dict[str, int]:
        """Pieces that are a whole word, with their ids."""
        return {word: int.from_bytes(ids, "little") for word, ids in self._starts.items() if word.isalnum()}

    def of(self, word: str) -> bytes:
        """Ids of a word, or of a sign, as the splitting left it."""
        if len(word) > MAX_WORD_CHARS:
            return b""
        ids = self._starts.get(word)
        return self._split(word) if ids is None else ids

    def _split(self, word: str) -> bytes:
        """Ids of the longest pieces from the left; empty when some part is in no piece."""
        found: list[bytes] = []
        start, n_chars = 0, len(word)
        pieces, longest = self._starts, self._longest_start
        while start < n_chars:
            end = min(n_chars, start + longest.get(word[start : start + _KEY_CHARS], _KEY_CHARS - 1))
            while (ids := pieces.get(word[start:end])) is None:
                end -= 1
                if end == start:
                    return b""
            found.append(ids)
            start = end
            pieces, longest = self._rests, self._longest_rest
        return b"".join(found)


class _Chunks(dict[str, bytes]):
    """What stands between two spaces, such as "word" or "(word),", to the bytes of its ids, filled as chunks turn up.

    A prompt has half as many chunks as words and signs, and most have been seen before.
    """

    def __init__(self, read: Callable[[str], bytes]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, chunk: str) -> bytes:
        ids = self._read(chunk)
        if len(chunk) <= MAX_CACHED_CHUNK_CHARS:
            if len(self) >= MAX_CACHED_CHUNKS:
                self.clear()
            self[chunk] = ids
        return ids


class WordPiece:
    """Splits texts by a WordPiece vocabulary.

    Safe to use from several threads; what it remembers is bounded by `MAX_CACHED_CHUNKS` and `MAX_CACHED_CHARACTERS`.
    """

    def __init__(self, vocabulary: Mapping[str, int], *, special: frozenset[str] = frozenset()) -> None:
        """Takes piece → id; `special` pieces, such as "[UNK]", never match text."""
        self._pieces = _Pieces({piece: id_ for piece, id_ in vocabulary.items() if piece not in special})
        self._chunks = _Chunks(self.chunk_ids)
        self._replacements = _Replacements()

    def words(self, text: str) -> list[str]:
        """The words and signs of a text, cleaned and lower-cased, in order."""
        if text.isascii():
            return _ASCII_WORD.findall(text.translate(_ASCII_TABLE))
        return text.translate(self._replacements).split()

    def word_ids(self, word: str) -> bytes:
        """The ids, as bytes, of one word of ASCII letters in lower case and digits; see `chunk_ids`."""
        return self._pieces.of(word)

    def ids(self, text: str) -> NDArray[np.uint32]:
        """Ids of all pieces, in order; unknown words leave none."""
        if text.isascii():
            found = map(self._chunks.__getitem__, text.translate(_ASCII_TABLE).split())
        elif _JOINING.search(text) is None:
            found = map(self._chunks.__getitem__, text.split())
        else:
            found = map(self._pieces.of, self.words(text))
        return np.frombuffer(b"".join(found), dtype=_ID_DTYPE)

    @property
    def whole_words(self) -> dict[str, int]:
        """The words that are one piece, with its id, in the order of the vocabulary: most frequent first."""
        return self._pieces.whole_words

    def chunk_ids(self, chunk: str) -> bytes:
        """The ids, as bytes, of text without white space.

        Those of a text are its chunks' one after another, unless it holds a control character, "\\v", "\\f" or "\\x85":
        these are dropped, and so join what is on either side.
        """
        if not chunk.isascii():
            words = chunk.translate(self._replacements).split()
        elif chunk.isalnum():
            return self._pieces.of(chunk.lower())
        else:
            words = _ASCII_WORD.findall(chunk.lower())
        return b"".join(map(self._pieces.of, words))
