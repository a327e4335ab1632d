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
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointsman.word_hashes import MAX_BYTES, MIX, PlainText, n_distinct, plain_bytes, word_hashes

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
_TAG_BITS: Final = np.uint64(32)
_ID_BITS: Final = np.uint64(20)
"""An entry is, from its upper bits: the lower half of its word's hash, so that another word is taken for it once in
10^14; the class of the word; and the id of its piece."""
_NO_ID: Final = (1 << int(_ID_BITS)) - 1
_ID_MASK: Final = np.uint64(_NO_ID)
_NO_WORD: Final = np.uint64(0xB5297A4D << 32)
"""Where there is no word: a tag that may be a word's once in 4 · 10^9."""
_MOST: Final = np.uint64((1 << 32) - 1)
"""No entry is above this without its tag."""

_WORDS: Final = re.compile(r"\w+")
_SIGNS: Final = tuple(chr(code) for code in range(33, 127) if not chr(code).isalnum() and chr(code) != "_")
"""ASCII signs. Not the underscore: for `_WORDS` it is a letter."""
_SPACED: Final = tuple((sign, f" {sign} ") for sign in _SIGNS)
_TO_WORDS: Final = bytes(byte if byte >= 128 or chr(byte).isalnum() or chr(byte) == "_" else 32 for byte in range(256))
_NO_IDS: Final = np.empty(0, dtype=np.intp)
_SIGMA: Final = "\u03a3"
"""The one letter whose lower case depends on what follows, signs included: a text with it is split at spaces only."""


class Found(PlainText):
    """A text with what is known of its words.

    Attributes:
        classes: the words' classes, in no particular order; see `cues.WordClasses`.
        n_words: runs of letters, digits and underscores.
        n_different: those that differ.
        opening: the first `N_OPENING` of them, in lower case.
        ids: ids of the word pieces, rising. They are those of the text only when it holds no control character and
            neither "\\v", "\\f" nor "\\x85".
    """

    __slots__ = ("classes", "ids", "n_different", "n_words", "opening")

    classes: NDArray[np.integer]
    n_words: int
    n_different: int
    opening: Sequence[str]
    ids: NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """The words and word pieces of a text that is no `PlainText`; the fields are those of `Found`."""

    classes: NDArray[np.integer]
    n_words: int
    n_different: int
    opening: Sequence[str]
    ids: NDArray[np.integer]


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

        The words that are met most must come first: of two in one slot the first is kept. Without them there are no
        ids.
        """
        classes = cues.load().classes
        self._read = _Read(classes, ids_of)
        self._unknown = _Unknown(classes, ids_of, word_ids)
        self._have_ids = whole_words is not None
        if whole_words is None:
            whole_words = dict.fromkeys(cues.load().words, 0)
        plain = [word for word in whole_words if word.isascii() and word.isalnum() and word == word.lower()]
        hashes = np.concatenate([np.empty(0, np.uint64), *(word_hashes(part)[2] * MIX for part in _joined(plain))])
        entries = [(classes.of(word) << int(_ID_BITS)) + whole_words[word] for word in plain]
        slots, first = np.unique(hashes >> _SHIFT, return_index=True)
        self._table = np.full(1 << _SLOT_BITS, _NO_WORD)
        self._table[slots] = ((hashes << _TAG_BITS) + np.array(entries, dtype=np.uint64))[first]
        signs = {sign: int.from_bytes(self._read[sign], "little") for sign in _SIGNS if self._read[sign]}
        self._signs = np.array([ord(sign) for sign in signs], dtype=np.intp)
        self._sign_ids = np.array(list(signs.values()), dtype=np.intp)

    def plain(self, text: str) -> Found | None:
        """What is found in a text that is a `PlainText`; None for another, and for one with a sigma."""
        as_ascii = text.isascii()
        both = plain_bytes(text) if as_ascii or _SIGMA not in text else None
        if both is None:
            return None
        found = Found(*both)
        raw, starts, ends, hashes = found.raw, found.starts, found.ends, found.hashes
        found.n_different = found.n_distinct
        if b"_" in raw:
            # For the features an underscore is a letter.
            starts, ends, hashes = found.with_underscores()
            found.n_different = n_distinct(hashes)
        found.n_words = n = len(starts)
        spread = hashes * MIX
        entries = self._table.take((spread >> _SHIFT).view(np.intp))
        spread <<= _TAG_BITS
        entries ^= spread
        unknown = (entries > _MOST).nonzero()[0]
        read: list[_Word] = []
        if len(unknown):
            spans = zip(starts.take(unknown).tolist(), ends.take(unknown).tolist(), strict=True)
            read = [self._unknown[raw[start:end]] for start, end in spans]
            entries[unknown] = [each.entry for each in read]
        found.classes = (entries >> _ID_BITS).view(np.intp)
        found.opening = raw[: ends[min(n, N_OPENING) - 1]].translate(_TO_WORDS).decode("utf-8").split() if n else []
        if self._have_ids:
            entries &= _ID_MASK
            pieces = b"".join([each.ids for each in read])
            signs = np.repeat(self._sign_ids, found.histogram.take(self._signs))
            ids: NDArray[np.integer] = np.concatenate(
                (entries.view(np.intp), signs, np.frombuffer(pieces, dtype=_DTYPE))
            )
            ids.sort()
            found.ids = ids[: len(ids) - sum([each.entry & _NO_ID == _NO_ID for each in read])]
        else:
            found.ids = _NO_IDS
        if not as_ascii:
            several = {at: each for at, each in zip(unknown.tolist(), read, strict=True) if each.inner is not None}
            if several:
                _take_apart(found, hashes, ends, several)
        return found

    def other(self, text: str, lower: str) -> Others:
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
        return Others(
            numbers[are_words] - np.uint32(_WORD),
            len(words),
            len(set(words)),
            words[:N_OPENING],
            np.sort(numbers[~are_words]),
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


class _Word(NamedTuple):
    """A word that is not in the table."""

    entry: int
    """As in the table, without a tag; its id is `_NO_ID` where it is not one piece."""
    ids: bytes
    """Of its pieces where it is not one."""
    inner: tuple[str, ...] | None
    """The words in it, where it is not one by itself: beyond ASCII, signs stand in it too."""
    classes: list[int]
    """Of these; of none that of a word that is nothing."""


class _Unknown(dict[bytes, _Word]):
    """A word in lower case to what is to be known of it, filled as words turn up."""

    def __init__(
        self, classes: cues.WordClasses, ids_of: Callable[[str], bytes], word_ids: Callable[[str], bytes]
    ) -> None:
        super().__init__()
        self._class_of = classes.of
        self._ids_of = ids_of
        self._word_ids = word_ids

    def __missing__(self, raw: bytes) -> _Word:
        text = raw.decode("utf-8")
        inner: tuple[str, ...] | None = None
        if raw.isalnum():
            ids, classes = self._word_ids(text), [self._class_of(text)]
        else:
            ids, inner = self._ids_of(text), tuple(_WORDS.findall(text))
            classes = [self._class_of(each) for each in inner] or [0]
            inner = None if inner == (text,) else inner
        if len(ids) == _DTYPE.itemsize:
            word = _Word(classes[0] << int(_ID_BITS) | int.from_bytes(ids, "little"), b"", inner, classes)
        else:
            word = _Word(classes[0] << int(_ID_BITS) | _NO_ID, ids, inner, classes)
        if len(raw) <= MAX_TOKEN_CHARS:
            if len(self) >= MAX_TOKENS:
                self.clear()
            self[raw] = word
        return word


def _take_apart(found: Found, hashes: NDArray[np.uint64], ends: NDArray[np.intp], several: Mapping[int, _Word]) -> None:
    """Counts the words in those that are several, or none, given by their places."""
    inner = [word for each in several.values() for word in each.inner or ()]
    more = [word_class for each in several.values() for word_class in each.classes[1:]]
    found.classes = np.concatenate((found.classes, np.array(more, dtype=np.intp)))
    found.n_words += len(inner) - len(several)
    _, _, of_inner = word_hashes(" ".join(inner).encode("utf-8"), underscores=True)
    kept = np.ones(len(hashes), dtype=np.bool_)
    kept[list(several)] = False
    found.n_different = n_distinct(np.concatenate((hashes[kept], of_inner)))
    if min(several) < N_OPENING:
        n = len(ends)
        for n_read in (4 * N_OPENING, n):
            opening = _WORDS.findall(found.raw[: ends[min(n_read, n) - 1]].decode("utf-8"))
            if len(opening) >= N_OPENING:
                break
        found.opening = opening[:N_OPENING]


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
