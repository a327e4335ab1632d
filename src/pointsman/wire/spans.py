"""Where the values of top-level keys stand in a JSON object's bytes, found without building the object.

Routing changes one value in a client's body; everything else must reach the upstream byte for byte, so the body is
edited in place and never parsed and written again. The input must be JSON that orjson has accepted: the scanner
relies on that and checks nothing itself.

How: escaped backslashes and quotes are blanked out in a copy of the same length, after which every quote delimits a
string, and one regular expression can step over a whole nested value. It is written out for sixteen levels of nesting;
a deeper value is stepped over bracket by bracket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import orjson

Span = tuple[int, int]

_ESCAPED_ASCII_LETTER = re.compile(rb"\\u00[4-7]")
"""A letter written as `\\u006d`: then a key may be spelled in a way that a search for its letters misses."""

_KEY = re.compile(rb'[ \t\r\n,]*+"([^"]*+)"[ \t\r\n]*+:[ \t\r\n]*+')
_BETWEEN = re.compile(rb"[ \t\r\n,]*+")
_SCALAR = re.compile(rb"[^ \t\r\n,}\]]++")
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"[^"]*+")*+[{}\[\]]')
_PLAIN_VALUE = re.compile(rb'[ \t\r\n]*+:[ \t\r\n]*+("[^"\\]*+")')


@lru_cache(256)
def _quoted(key: str) -> bytes:
    return b'"%b"' % key.encode("ascii")


def _nested(levels: int) -> re.Pattern[bytes]:
    flat = rb'[^"{}\[\]]++|"[^"]*+"'
    pattern = rb"[{\[](?:" + flat + rb")*+[}\]]"
    for _ in range(levels - 1):
        pattern = rb"[{\[](?:" + flat + rb"|" + pattern + rb")*+[}\]]"
    return re.compile(pattern)


_NESTED = _nested(16)


def _container_end(masked: bytes, start: int) -> int:
    match = _NESTED.match(masked, start)
    if match is not None:
        return match.end()
    depth = 0
    for bracket in _BRACKET.finditer(masked, start):
        if masked[bracket.end() - 1] in b"{[":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return bracket.end()
    raise ValueError("unbalanced brackets: the input is not JSON")


def _value_end(masked: bytes, start: int) -> int:
    first = masked[start]
    if first == 0x22:
        return masked.index(b'"', start + 1) + 1
    if first in b"{[":
        return _container_end(masked, start)
    match = _SCALAR.match(masked, start)
    if match is None:
        raise ValueError("no value after a key: the input is not JSON")
    return match.end()


def value_spans(raw: bytes, key: str, within: Span | None = None) -> list[Span]:
    """The (start, end) offsets of every value that `key` has in the object `raw`, in order; nested keys never count.

    Args:
        raw: JSON text with an object at its top level.
        key: the key, of ASCII letters and underscores; it is also found when it is spelled with escapes.
        within: the span of a nested object to look into instead.
    """
    start, end = (0, len(raw)) if within is None else within
    quoted = b'"%b"' % key.encode("ascii")
    if _ESCAPED_ASCII_LETTER.search(raw, start, end) is None:
        last = raw.rfind(quoted, start, end)
        if last < 0:
            return []
    else:
        last = end
    masked = raw if b"\\" not in raw else raw.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    position = masked.index(b"{", start) + 1
    spans: list[Span] = []
    while position <= last:
        match = _KEY.match(masked, position, end)
        if match is None:
            break
        name = raw[match.start(1) - 1 : match.end(1) + 1]
        value_start = match.end()
        if name == quoted or (b"\\" in name and orjson.loads(name) == key):
            position = _value_end(masked, value_start)
            spans.append((value_start, position))
        else:
            position = _value_end(masked, value_start)
    return spans


def known_value_spans(raw: bytes, key: str, path: tuple[str, ...] = ()) -> list[Span]:
    """The same, when a parser has seen that the object at `path` has `key`; mostly without a scan.

    A key that is there, that stands in the text once, and that no escape can hide, is the one looked for.
    """
    quoted = _quoted(key)
    at = raw.find(quoted)
    if (
        at >= 0
        and raw.find(quoted, at + 1) < 0
        and raw[at - 1] != 0x5C
        and (b"\\u00" not in raw or _ESCAPED_ASCII_LETTER.search(raw) is None)
    ):
        match = _PLAIN_VALUE.match(raw, at + len(quoted))
        if match is not None:
            return [match.span(1)]
    within: list[Span] = [(0, len(raw))]
    for step in path:
        within = [
            span for outer in within for span in value_spans(raw, step, outer) if raw[span[0] : span[0] + 1] == b"{"
        ]
    return [span for outer in within for span in value_spans(raw, key, outer)]


def element_spans(raw: bytes, within: Span) -> list[Span]:
    """The (start, end) offsets of every element of the array at `within`, in order."""
    masked = raw if b"\\" not in raw else raw.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    start, end = within
    position = start + 1
    spans: list[Span] = []
    while True:
        match = _BETWEEN.match(masked, position, end)
        assert match is not None, "the pattern matches nothing too"
        position = match.end()
        if position >= end - 1:
            return spans
        stop = _value_end(masked, position)
        spans.append((position, stop))
        position = stop


def spans_at(raw: bytes, path: Sequence[str], within: Span | None = None) -> list[Span]:
    """The offsets of every value at a path of keys; "*" steps into each element of an array. What is not there, or is
    of another type than the path expects, gives none."""
    found: list[Span] = [(0, len(raw)) if within is None else within]
    for step in path:
        opening = b"[" if step == "*" else b"{"
        inner: list[Span] = []
        for start, end in found:
            if raw[start : start + 1] == opening:
                inner += element_spans(raw, (start, end)) if step == "*" else value_spans(raw, step, (start, end))
        found = inner
    return found


def replaced(raw: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """`raw` with each (start, end, new bytes) put in place; edits must not overlap."""
    if isinstance(edits, list) and len(edits) == 1:
        only: tuple[int, int, bytes] = edits[0]
        return raw[: only[0]] + only[2] + raw[only[1] :]
    out: list[bytes] = []
    position = 0
    for start, end, new in sorted(edits):
        out += (raw[position:start], new)
        position = end
    out.append(raw[position:])
    return b"".join(out)
