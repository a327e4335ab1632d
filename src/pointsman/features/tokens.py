"""The words of a text and their word pieces, each looked up once for the features and for the embedding.

Nearly all text is ASCII, and nearly all its words are in the vocabulary of the embedding. These words are found and
looked up as whole arrays, by their 64-bit hashes: the table is one array of 1 MB, where one dict for the cues and
one for the pieces are strings and numbers scattered over 15 MB, some thousand misses of the processor's cache for a
prompt. A word that is not there is looked up in a dict, and so are all the tokens of a text that is not plain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.word_hashes import MAX_BYTES, MIX, PlainText, word_hashes

from . import cues

MAX_TOKENS: Final = 50_000
"""Tokens remembered; about 10 MB when full of long ones, then it starts afresh."""
MAX_TOKEN_CHARS: Final = 40
"""Longer tokens are read anew each time: they hardly come again."""
N_OPENING: Final = 8
"""Words kept as such, from the beginning of a text."""

_WORD: Final = 1 << 31
"""In a token's numbers this plus its class stands for each word, its id for each word piece."""
_DTYPE: Final = np.dtype("<u4")
_SLOT_BITS: Final = 17
"""At 24,000 words one in eleven finds its slot taken."""
_SHIFT: Final = np.uint64(64 - _SLOT_BITS)
_ID_BITS: Final = 20
_ID_MASK: Final = np.uint32((1 << _ID_BITS) - 1)
"""An entry has two numbers: the class of its word and, in the lower bits, the id of its piece plus 1; and the lower
half of its word's hash, so that another word is taken for it once in 10^14."""

_WORDS: Final = re.compile(r"\w+")
_SIGNS: Final = tuple(chr(code) for code in range(33, 127) if not chr(code).isalnum() and chr(code) != "_")
"""ASCII signs. Not the underscore: for `_WORDS` it is a letter."""
_SPACED: Final = tuple((sign, f" {sign} ") for sign in _SIGNS)
_TO_WORDS: Final = bytes(byte if chr(byte).isalnum() else 32 for byte in range(128)) + bytes(128)
_ONE: Final = np.uint32(1)
_SIGMA: Final = "\u03a3"
"""The one letter whose lower case depends on what follows, signs included: a text with it is split at spaces only."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The words and word pieces of a text."""

    classes: NDArray[np.integer]
    """The words' classes, in no particular order; see `cues.WordClasses`."""
    n_words: int
    n_distinct: int
    opening: Sequence[str]
    """The first `N_OPENING` words, in lower case."""
    ids: NDArray[np.integer]
    """Ids of the word pieces, in no particular order."""


def _no_ids(token: str) -> bytes:
    return b""


class Tokens:
    """What finds the words of texts. Safe to use from several threads."""

    def __init__(
        self,
        ids_of: Callable[[str], bytes] = _no_ids,
        word_ids: Callable[[str], bytes] = _no_ids,
        whole_words: Mapping[str, int] | None = None,
    ) -> None:
        """Takes what gives the ids of word pieces as bytes, of a token and of a word; and the words that are one piece.

        The words that are met most must come first: of two in one slot the first is kept.
        """
        self._classes = cues.load().classes
        self._read = _Read(self._classes, ids_of)
        if whole_words is None:
            whole_words = dict.fromkeys(cues.load().words, -1)
        plain = [word for word in whole_words if word.isascii() and word.isalnum() and word == word.lower()]
        hashes = np.concatenate([np.empty(0, np.uint64), *(word_hashes(part)[2] * MIX for part in _joined(plain))])
        entries = [(self._classes.of(word) << _ID_BITS) + whole_words[word] + 1 for word in plain]
        slots, first = np.unique(hashes >> _SHIFT, return_index=True)
        self._table = np.zeros((1 << _SLOT_BITS, 2), dtype=np.uint32)
        self._table[slots] = np.column_stack((np.array(entries, dtype=np.uint32), hashes.astype(np.uint32)))[first]
        self._unknown = _Unknown(self._classes, word_ids)
        signs = {sign: int.from_bytes(self._read[sign], "little") for sign in _SIGNS if self._read[sign]}
        self._signs = np.array([ord(sign) for sign in signs], dtype=np.intp)
        self._sign_ids = np.array(list(signs.values()), dtype=np.uint32)

    def plain(self, text: PlainText) -> Found:
        """What is found in a text without control characters and underscores."""
        raw, starts, ends = text.raw, text.starts, text.ends
        hashes = text.hashes * MIX
        entries = self._table.take((hashes >> _SHIFT).view(np.int64), axis=0)
        known = entries[:, 1] == hashes.astype(np.uint32)
        of_words = entries[:, 0] * known
        classes = of_words >> _ID_BITS
        of_words &= _ID_MASK
        ids = of_words[of_words.nonzero()[0]]
        ids -= _ONE
        found = [ids, np.repeat(self._sign_ids, text.histogram.take(self._signs))]
        unknown = np.logical_not(known, out=known).nonzero()[0]
        if len(unknown):
            spans = zip(starts.take(unknown).tolist(), ends.take(unknown).tolist(), strict=True)
            read = [self._unknown[raw[start:end]] for start, end in spans]
            classes[unknown] = [word_class for word_class, _ in read]
            found.append(np.frombuffer(b"".join([ids for _, ids in read]), dtype=_DTYPE))
        n_words = len(starts)
        opening = (
            raw[: ends[min(n_words, N_OPENING) - 1]].translate(_TO_WORDS).decode("ascii").split() if n_words else ()
        )
        return Found(classes, n_words, text.n_distinct, opening, np.concatenate(found))

    def other(self, text: str, lower: str) -> Found:
        """What is found in any text, given in lower case too.

        The ids are those of the text only when it holds no control character and neither "\\v", "\\f" nor "\\x85".
        """
        # Beyond ASCII the pieces may depend on a letter's case.
        parts = text
        if _SIGMA not in text:
            for sign, spaced in _SPACED:
                parts = parts.replace(sign, spaced)
        numbers = np.frombuffer(b"".join(map(self._read.__getitem__, parts.split())), dtype=_DTYPE)
        are_words = numbers >= _WORD
        words = _WORDS.findall(lower)
        return Found(
            numbers[are_words] - np.uint32(_WORD),
            len(words),
            len(set(words)),
            words[:N_OPENING],
            numbers[~are_words],
        )


class _Read(dict[str, bytes]):
    """Token to the bytes of its numbers, filled as tokens turn up."""

    def __init__(self, classes: cues.WordClasses, ids_of: Callable[[str], bytes]) -> None:
        super().__init__()
        self._ids_of = ids_of
        self._class_of = classes.of
        self._numbers = [(_WORD + i).to_bytes(_DTYPE.itemsize, "little") for i in range(classes.n_classes)]

    def __missing__(self, token: str) -> bytes:
        lower = token.lower()
        if lower.isascii() and lower.isalnum():
            numbers = self._numbers[self._class_of(lower)] + self._ids_of(lower)
        else:
            words = [self._numbers[self._class_of(word)] for word in _WORDS.findall(lower)]
            numbers = b"".join((*words, self._ids_of(token)))
        if len(token) <= MAX_TOKEN_CHARS:
            if len(self) >= MAX_TOKENS:
                self.clear()
            self[token] = numbers
        return numbers


class _Unknown(dict[bytes, tuple[int, bytes]]):
    """A word of ASCII letters in lower case and digits to its class and its ids as bytes, filled as words turn up."""

    def __init__(self, classes: cues.WordClasses, ids_of: Callable[[str], bytes]) -> None:
        super().__init__()
        self._ids_of = ids_of
        self._class_of = classes.of

    def __missing__(self, raw: bytes) -> tuple[int, bytes]:
        word = raw.decode("ascii")
        numbers = self._class_of(word), self._ids_of(word)
        if len(raw) <= MAX_TOKEN_CHARS:
            if len(self) >= MAX_TOKENS:
                self.clear()
            self[raw] = numbers
        return numbers


def _joined(words: Sequence[str]) -> list[bytes]:
    """The words with spaces between, in parts that can be hashed."""
    parts: list[bytes] = []
    part: list[str] = []
    n_chars = 0
    for word in words:
        if n_chars + len(word) >= MAX_BYTES:
            parts.append(" ".join(part).encode("ascii"))
            part, n_chars = [], 0
        part.append(word)
        n_chars += len(word) + 1
    if part:
        parts.append(" ".join(part).encode("ascii"))
    return parts
