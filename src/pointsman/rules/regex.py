"""Regular expressions that a request cannot make slow.

Python's `re` backtracks, and the text comes from whoever sends the request. So a pattern that could take exponential
or high polynomial time is refused when it is loaded, and a pattern looks at a bounded part of the text:

- refused: a repeated group that holds a repeat or an alternative, such as `(a+)+` or `(a|b)*`; a back-reference;
  two repeats side by side, such as `\\s*\\s*`; a conditional group.
- a *wide* repeat is one of `.`, `\\w`, `\\S`, `\\D`, `\\W` or a class in brackets. The product of the widths of all
  wide repeats may be at most 10,000, where `*`, `+` and `{n,}` count as 4,000: one `.*`, or two `.{0,80}`, are fine.
- at most eight repeats of any kind.

A pattern with an unbounded repeat, or with wide repeats whose widths multiply to more than 100, sees the first and the
last 2,000 characters; any other sees 10,000 each.
Patterns ignore case, `^` and `$` match at lines, and a newline is matched by `\\s` and not by `.`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .window import SCAN_CHARS, WIDE_SCAN_CHARS

MAX_PATTERN_CHARS = 1_000
MAX_REPEATS = 8
_SMALL_WIDTH = 100
MAX_WIDTH = 10_000
"""Bound on the product of wide repeats; with 4,000 characters scanned it keeps the worst search below half a second."""

_WIDE_ESCAPES = frozenset("wWSD")
_COUNT = re.compile(r"\{(\d*)(,?)(\d*)\}")


class UnsafePatternError(ValueError):
    """The pattern is not a valid regular expression, or could take too long on some text."""


@dataclass(frozen=True, slots=True)
class SafePattern:
    """A compiled pattern and how much of a text it may look at."""

    source: str
    compiled: re.Pattern[str]
    edge_chars: int
    """Characters at each end of the text that are searched."""


@dataclass(slots=True)
class _Group:
    """What has been read of one open group."""

    has_repeat: bool = False
    has_choice: bool = False


@dataclass(frozen=True, slots=True)
class _Repeat:
    low: int
    high: int | None
    end: int

    @property
    def varies(self) -> bool:
        return self.high != self.low


def compile_safely(pattern: str) -> SafePattern:
    """The compiled pattern.

    Raises:
        UnsafePatternError: it does not compile, or is refused for the reasons in the module's docstring.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise UnsafePatternError(f"a pattern of at most {MAX_PATTERN_CHARS} characters, this one has {len(pattern)}")
    try:
        compiled = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise UnsafePatternError(f"a valid regular expression: {error}") from error
    costly = _scan(pattern)
    return SafePattern(pattern, compiled, (WIDE_SCAN_CHARS if costly else SCAN_CHARS) // 2)


def _scan(pattern: str) -> bool:
    """True when the search may take long, so that it gets the smaller window; the pattern is known to compile.

    Raises:
        UnsafePatternError: the pattern is refused.
    """
    groups = [_Group()]
    closed: _Group | None = None  # the group that the last atom was, when it was one
    wide = False  # whether the last atom matches many characters
    width = 1
    n_repeats = 0
    unbounded = False
    after_repeat = False
    at = 0
    while at < len(pattern):
        repeat = _repeat_at(pattern, at)
        if repeat is not None:
            if repeat.high != 1:
                _refuse_nested(closed)
            if repeat.varies:
                n_repeats += 1
                unbounded |= repeat.high is None
                groups[-1].has_repeat = True
                if after_repeat and repeat.high != 1:
                    raise UnsafePatternError("repeats with something certain between them, not side by side")
                after_repeat = True
                if wide:
                    width *= repeat.high if repeat.high is not None else WIDE_SCAN_CHARS
            at = repeat.end
            closed, wide = None, False
            continue
        char = pattern[at]
        if char in "(|)":
            at, closed = _structure(pattern, at, groups)
            after_repeat = after_repeat and char != "|" and (closed is None or closed.has_repeat)
            wide = closed is not None and closed.has_repeat
            continue
        was_repeat, closed = after_repeat, None
        end = _atom_end(pattern, at)
        # The repeat just read stays "adjacent" only until an atom that is not itself repeated comes.
        after_repeat = was_repeat and _repeat_at(pattern, end) is not None
        if char in "^$":
            after_repeat = was_repeat
        wide = char in ".[" or (char == "\\" and pattern[at + 1] in _WIDE_ESCAPES)
        if char == "\\" and pattern[at + 1].isdigit() and pattern[at + 1] != "0":
            raise UnsafePatternError("a pattern without back-references")
        at = end
    if n_repeats > MAX_REPEATS:
        raise UnsafePatternError(f"at most {MAX_REPEATS} repeats, this pattern has {n_repeats}")
    if width > MAX_WIDTH:
        raise UnsafePatternError(
            f"wide repeats whose widths multiply to at most {MAX_WIDTH:,}, these come to {width:,}; "
            "write .{0,80} in place of .* where two parts stand near each other"
        )
    return unbounded or width > _SMALL_WIDTH


def _refuse_nested(closed: _Group | None) -> None:
    if closed is not None and (closed.has_repeat or closed.has_choice):
        raise UnsafePatternError("no repeated group that holds a repeat or an alternative, such as (a+)+ or (a|b)*")


def _structure(pattern: str, at: int, groups: list[_Group]) -> tuple[int, _Group | None]:
    """Reads `(`, `|` or `)`: the index after it, and the group it closes."""
    char = pattern[at]
    if char == "|":
        groups[-1].has_choice = True
        return at + 1, None
    if char == ")":
        closed = groups.pop()
        groups[-1].has_repeat |= closed.has_repeat
        return at + 1, closed
    if pattern.startswith(("(?P=", "(?("), at):
        raise UnsafePatternError("a pattern without back-references and conditions")
    groups.append(_Group())
    opener = re.compile(r"\((?:\?(?:P<\w+>|<[=!]|[:=!>]|[a-zA-Z-]*:|[a-zA-Z]+(?=\)))|(?!\?))").match(pattern, at)
    if opener is None:  # such as a comment group
        raise UnsafePatternError("groups of the forms (…), (?:…), (?P<name>…), (?=…), (?!…), (?<=…), (?<!…), (?>…)")
    return opener.end(), None


def _atom_end(pattern: str, at: int) -> int:
    if pattern[at] == "\\":
        return at + 2
    if pattern[at] != "[":
        return at + 1
    end = at + 1
    if pattern.startswith("^", end):
        end += 1
    if pattern.startswith("]", end):
        end += 1
    while pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1


def _repeat_at(pattern: str, at: int) -> _Repeat | None:
    if at >= len(pattern):
        return None
    char = pattern[at]
    if char in "*+?":
        low, high, end = (1 if char == "+" else 0), (1 if char == "?" else None), at + 1
    elif char == "{" and (found := _COUNT.match(pattern, at)) is not None and found[0] not in ("{}", "{,}"):
        low = int(found[1]) if found[1] else 0
        high = (int(found[3]) if found[3] else None) if found[2] else low
        end = found.end()
    else:
        return None
    if end < len(pattern) and pattern[end] in "?+":  # lazy and possessive forms
        end += 1
    return _Repeat(low, high, end)
