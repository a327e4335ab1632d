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
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_WORD_CHARS: Final = 100
"""Longer words are unknown; BERT's `max_input_chars_per_word`."""
MAX_CACHED_WORDS: Final = 50_000
"""Words remembered, and as many chunks; about 10 MB each when full of long ones, then they start afresh."""
MAX_CACHED_CHUNK_CHARS: Final = 40
"""Longer chunks are split anew each time: they hardly come again."""
MAX_CACHED_CHARACTERS: Final = 20_000
"""Distinct characters remembered; then it starts afresh."""

_ID_DTYPE: Final = np.dtype("<u4")
_PREFIX: Final = "##"
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


class _Pieces(dict[str, bytes]):
    """Word to the bytes of its ids, filled as words turn up; an unknown word has none.

    `_longest_…` holds the length of the longest piece by its first two characters: it spares the lookups that cannot
    succeed.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        super().__init__()
        self._starts: dict[str, int] = {}
        self._rests: dict[str, int] = {}
        self._longest_start: dict[str, int] = {}
        self._longest_rest: dict[str, int] = {}
        for piece, id_ in vocabulary.items():
            if piece.startswith(_PREFIX):
                letters, ids, longest = piece[len(_PREFIX) :], self._rests, self._longest_rest
            else:
                letters, ids, longest = piece, self._starts, self._longest_start
            ids[letters] = id_
            if len(letters) > longest.get(letters[:2], 0):
                longest[letters[:2]] = len(letters)
        self._remember_whole_words()

    def _remember_whole_words(self) -> None:
        # Not pieces such as "...": signs stand alone, so no word is one, and a chunk must not be taken for one.
        self.update(
            {
                word: id_.to_bytes(_ID_DTYPE.itemsize, "little")
                for word, id_ in self._starts.items()
                if len(word) == 1 or word.isalnum()
            }
        )

    def __missing__(self, word: str) -> bytes:
        if len(word) > MAX_WORD_CHARS:
            return b""
        if len(self) >= MAX_CACHED_WORDS:
            self.clear()
            self._remember_whole_words()
        ids = self[word] = b"".join(id_.to_bytes(_ID_DTYPE.itemsize, "little") for id_ in self._split(word))
        return ids

    def _split(self, word: str) -> list[int]:
        """Ids of the longest pieces from the left; empty when some part is in no piece."""
        ids: list[int] = []
        start, n_chars = 0, len(word)
        pieces, longest = self._starts, self._longest_start
        while start < n_chars:
            end = min(n_chars, start + longest.get(word[start : start + 2], 1))
            while end > start:
                id_ = pieces.get(word[start:end])
                if id_ is not None:
                    break
                end -= 1
            else:
                return []
            ids.append(id_)
            start = end
            pieces, longest = self._rests, self._longest_rest
        return ids


class _Chunks(dict[str, bytes]):
    """What stands between two spaces, such as "word" or "(word),", to the bytes of its ids, filled as chunks turn up.

    A prompt has half as many chunks as words and signs, and most have been seen before.
    """

    def __init__(self, pieces: _Pieces) -> None:
        super().__init__()
        self._pieces = pieces

    def __missing__(self, chunk: str) -> bytes:
        pieces = self._pieces
        if chunk in pieces:
            ids = pieces[chunk]
        elif chunk[:-1] in pieces and chunk[-1] in ",.":
            ids = pieces[chunk[:-1]] + pieces[chunk[-1]]
        else:
            ids = b"".join(map(pieces.__getitem__, _ASCII_WORD.findall(chunk)))
        if len(chunk) <= MAX_CACHED_CHUNK_CHARS:
            if len(self) >= MAX_CACHED_WORDS:
                self.clear()
            self[chunk] = ids
        return ids


class WordPiece:
    """Splits texts by a WordPiece vocabulary.

    Safe to use from several threads; what it remembers is bounded by `MAX_CACHED_WORDS` and `MAX_CACHED_CHARACTERS`.
    """

    def __init__(self, vocabulary: Mapping[str, int], *, special: frozenset[str] = frozenset()) -> None:
        """Takes piece → id; `special` pieces, such as "[UNK]", never match text."""
        self._pieces = _Pieces({piece: id_ for piece, id_ in vocabulary.items() if piece not in special})
        self._chunks = _Chunks(self._pieces)
        self._replacements = _Replacements()

    def words(self, text: str) -> list[str]:
        """The words and signs of a text, cleaned and lower-cased, in order."""
        if text.isascii():
            return _ASCII_WORD.findall(text.translate(_ASCII_TABLE))
        return text.translate(self._replacements).split()

    def ids(self, text: str) -> NDArray[np.uint32]:
        """Ids of all pieces, in order; unknown words leave none."""
        if text.isascii():
            found = map(self._chunks.__getitem__, text.translate(_ASCII_TABLE).split())
        else:
            found = map(self._pieces.__getitem__, self.words(text))
        return np.frombuffer(b"".join(found), dtype=_ID_DTYPE)
