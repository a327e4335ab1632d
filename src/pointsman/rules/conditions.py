"""The conditions of the rule language: one row each, with what it expects, what it means and how it is tested."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pointsman.vocabulary import TaskKind

from .language import LANGUAGES, SCRIPTS
from .measures import Measures
from .regex import UnsafePatternError, compile_safely
from .suggest import did_you_mean
from .window import SCAN_CHARS, edges

Test = Callable[[Measures], tuple[bool, str]]
"""Whether the condition holds, and in words what was seen."""


class UnexpectedValueError(ValueError):
    """A condition's value is not what is expected; the message says what was."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the language."""

    name: str
    expects: str
    """What its value must be, for people."""
    meaning: str
    example: str
    """A value in YAML."""
    build: Callable[[Any], Test]
    """Makes the test; raises UnexpectedValueError."""


# ---------------------------------------------------------------- values


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UnexpectedValueError("a whole number, 0 or more")
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UnexpectedValueError("a number from 0 to 1")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UnexpectedValueError("true or false")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not items or not all(isinstance(i, str) and i.strip() for i in items):
        raise UnexpectedValueError("a text, or a list of texts")
    return tuple(items)


def _one_of(value: Any, allowed: tuple[str, ...], what: str) -> tuple[str, ...]:
    chosen = _texts(value)
    for word in chosen:
        if word not in allowed:
            raise UnexpectedValueError(f"{what}: {', '.join(allowed)}{did_you_mean(word, allowed)}")
    return chosen


# ---------------------------------------------------------------- tests


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _at_least(read: Callable[[Measures], int], word: str) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        low = _count(value)

        def test(measures: Measures) -> tuple[bool, str]:
            n = read(measures)
            return (True, f"{_plural(n, word)} ≥ {low}") if n >= low else (False, f"{_plural(n, word)} < {low}")

        return test

    return build


def _at_most(read: Callable[[Measures], int], word: str) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        high = _count(value)

        def test(measures: Measures) -> tuple[bool, str]:
            n = read(measures)
            return (True, f"{_plural(n, word)} ≤ {high}") if n <= high else (False, f"{_plural(n, word)} > {high}")

        return test

    return build


def _exactly(read: Callable[[Measures], int], word: str) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        wanted = _count(value)

        def test(measures: Measures) -> tuple[bool, str]:
            n = read(measures)
            return (True, _plural(n, word)) if n == wanted else (False, f"{_plural(n, word)}, not {wanted}")

        return test

    return build


def _output(*, least: bool) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        bound = _count(value)

        def test(measures: Measures) -> tuple[bool, str]:
            n = measures.n_output_tokens
            if n is None:
                return False, "no output length asked for"
            holds = n >= bound if least else n <= bound
            sign = "≥" if n > bound or (n == bound and least) else "≤"
            return holds, f"{_plural(n, 'token')} of output {sign} {bound}"

        return test

    return build


def _flag(
    read: Callable[[Measures], bool], yes: str, no: str, *, wanted_when_true: bool = True
) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        wanted = _truth(value) == wanted_when_true

        def test(measures: Measures) -> tuple[bool, str]:
            seen = read(measures)
            return seen == wanted, yes if seen else no

        return test

    return build


def _digits(*, least: bool) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        bound = _share(value)

        def test(measures: Measures) -> tuple[bool, str]:
            share = measures.digits_share
            holds = share >= bound if least else share <= bound
            return holds, f"{share:.0%} digits {'≥' if share >= bound else '<'} {bound:.0%}"

        return test

    return build


def _task(value: Any) -> Test:
    kinds = {TaskKind(word) for word in _one_of(value, tuple(TaskKind), "one or more task kinds")}
    wanted = " or ".join(sorted(kinds))

    def test(measures: Measures) -> tuple[bool, str]:
        kind = measures.task_kind
        return (True, f"task {kind}") if kind in kinds else (False, f"task {kind}, not {wanted}")

    return test


def _language(value: Any) -> Test:
    wanted = _one_of(value, LANGUAGES, "one or more ISO 639-1 codes")
    names = " or ".join(wanted)

    def test(measures: Measures) -> tuple[bool, str]:
        seen = measures.language
        if seen is None:
            return False, f"language unsure, not {names}"
        return (True, f"language {seen}") if seen in wanted else (False, f"language {seen}, not {names}")

    return test


def _script(value: Any) -> Test:
    wanted = _one_of(value, SCRIPTS, "one or more scripts")
    names = " or ".join(wanted)

    def test(measures: Measures) -> tuple[bool, str]:
        seen = measures.script
        if seen is None:
            return False, f"no letters, not {names}"
        return (True, f"script {seen}") if seen in wanted else (False, f"script {seen}, not {names}")

    return test


SHOWN_CHARS = 40
"""How much of a pattern a reason quotes: reasons go into a header and a table cell. What it matched in the prompt is
never quoted, because reasons are kept where prompts may not be."""


def _matches(read: Callable[[Measures], str], where: str) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        patterns, shown = [], []
        for source in _texts(value):
            try:
                patterns.append(compile_safely(source))
            except UnsafePatternError as error:
                raise UnexpectedValueError(str(error)) from error
            shown.append(f"/{source}/" if len(source) <= SHOWN_CHARS else f"/{source[:SHOWN_CHARS]}…/")

        def test(measures: Measures) -> tuple[bool, str]:
            text = read(measures)
            for pattern, words in zip(patterns, shown, strict=True):
                if pattern.compiled.search(edges(text, pattern.edge_chars)) is not None:
                    return True, f"{where} matches {words}"
            return False, f"{where} does not match {' or '.join(shown)}"

        return test

    return build


_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")


def _keyword(word: str) -> str:
    escaped = r"\s{1,5}".join(map(re.escape, word.split()))
    if _UNSPACED.search(word) is not None:
        return escaped
    left = r"(?<!\w)" if word.strip()[0].isalnum() else ""
    right = r"(?!\w)" if word.strip()[-1].isalnum() else ""
    return f"{left}{escaped}{right}"


_FOLDED_ODDLY = ("\u0130", "\u0131", "\u017f")
"""Letters that `re.IGNORECASE` takes for i and s, and `str.lower` does not: İ, ı and ſ."""
_PLAIN_BELOW = "\u0250"
"""Below stand the letters of Latin scripts. Apart from those and µ, `str.lower` and `re.IGNORECASE` agree on them."""


class _Keyword(NamedTuple):
    """A keyword, to be looked for in a text in lower case."""

    longest: str
    """Its longest word: a text without it need not be searched."""
    pattern: re.Pattern[str]
    """Begins with a letter as such, so that `re` skips through a text without it at the speed of memchr."""


def _keyword_in_lower_case(word: str) -> _Keyword | None:
    """None for one that must be looked for as it is."""
    if any(letter >= _PLAIN_BELOW or letter in (*_FOLDED_ODDLY, "\u00b5") for letter in word):
        return None
    parts = word.lower().split()
    first, rest = re.escape(parts[0][0]), r"\s{1,5}".join(map(re.escape, (parts[0][1:], *parts[1:])))
    left = rf"(?<!\w{first})" if parts[0][0].isalnum() else ""
    right = r"(?!\w)" if parts[-1][-1].isalnum() else ""
    return _Keyword(max(parts, key=len), re.compile(f"{first}{left}{rest}{right}"))


def _keywords(read: Callable[[Measures], str], where: str) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        words = _texts(value)
        as_they_are = re.compile("|".join(map(_keyword, words)), re.IGNORECASE)
        in_lower_case = [each for each in map(_keyword_in_lower_case, words) if each is not None]
        all_lower = len(in_lower_case) == len(words)
        shown = ", ".join(words[:5]) + (", …" if len(words) > 5 else "")

        def first_in(text: str) -> re.Match[str] | None:
            if not all_lower or not (text.isascii() or all(letter not in text for letter in _FOLDED_ODDLY)):
                return as_they_are.search(text)
            lower = text.lower()
            found = [each.pattern.search(lower) for each in in_lower_case if each.longest in lower]
            # Of several at one place the one that is listed first, as an alternation has it.
            return min((each for each in found if each is not None), key=re.Match.start, default=None)

        def test(measures: Measures) -> tuple[bool, str]:
            found = first_in(edges(read(measures), SCAN_CHARS // 2))
            if found is None:
                return False, f"{where} has none of: {shown}"
            return True, f'{where} has "{" ".join(found[0].lower().split())}"'

        return test

    return build


def _tools(value: Any) -> Test:
    if isinstance(value, bool):
        return _flag(lambda measures: bool(measures.request.tools), "tools offered", "no tools offered")(value)
    try:
        wanted = _texts(value)
    except UnexpectedValueError as error:
        raise UnexpectedValueError("true, false, or names of tools") from error

    def test(measures: Measures) -> tuple[bool, str]:
        for name in wanted:
            if name in measures.request.tools:
                return True, f"tool {name} offered"
        return False, f"none of the tools offered: {', '.join(wanted)}"

    return test


def _tags(value: Any) -> Test:
    wanted = _texts(value)

    def test(measures: Measures) -> tuple[bool, str]:
        for tag in wanted:
            if tag in measures.request.hints.tags:
                return True, f"tag {tag}"
        return False, f"none of the tags: {', '.join(wanted)}"

    return test


def _named(read: Callable[[Measures], str | None], word: str) -> Callable[[Any], Test]:
    def build(value: Any) -> Test:
        wanted = _texts(value)
        names = " or ".join(wanted)

        def test(measures: Measures) -> tuple[bool, str]:
            seen = read(measures)
            if seen is None:
                return False, f"no {word}"
            return (True, f"{word} {seen}") if seen in wanted else (False, f"{word} {seen}, not {names}")

        return test

    return build


def _prompt_tokens(measures: Measures) -> int:
    return measures.request.n_prompt_tokens


def _total_tokens(measures: Measures) -> int:
    return measures.request.n_total_tokens


def _user_turns(measures: Measures) -> int:
    return measures.n_user_turns


def _tool_turns(measures: Measures) -> int:
    return measures.n_tool_turns


_BOOL = "true or false"
_INT = "a whole number"
_WORDS = "a text, or a list of texts"
_PATTERN = "a regular expression, or a list of them"

_ROWS = (
    Condition(
        "min_prompt_tokens", _INT, "the last user message has at least so many tokens (estimated)", "200",
        _at_least(_prompt_tokens, "token"),
    ),
    Condition(
        "max_prompt_tokens", _INT, "the last user message has at most so many tokens", "60",
        _at_most(_prompt_tokens, "token"),
    ),
    Condition(
        "min_total_tokens", _INT, "all input together (turns, tools, images) has at least so many tokens", "8000",
        _at_least(_total_tokens, "token"),
    ),
    Condition(
        "max_total_tokens", _INT, "all input together has at most so many tokens", "2000",
        _at_most(_total_tokens, "token"),
    ),
    Condition("turns", _INT, "the user has spoken exactly so many times", "1", _exactly(_user_turns, "turn")),
    Condition("min_turns", _INT, "the user has spoken at least so many times", "3", _at_least(_user_turns, "turn")),
    Condition("max_turns", _INT, "the user has spoken at most so many times", "2", _at_most(_user_turns, "turn")),
    Condition(
        "min_tool_turns", _INT, "tools have answered at least so many times", "6", _at_least(_tool_turns, "tool answer")
    ),
    Condition(
        "max_tool_turns", _INT, "tools have answered at most so many times", "2", _at_most(_tool_turns, "tool answer")
    ),
    Condition(
        "prompt_matches", _PATTERN, "one of the patterns is found in the last user message", r"'\bINV-\d{6}\b'",
        _matches(lambda measures: measures.prompt, "prompt"),
    ),
    Condition(
        "system_matches", _PATTERN, "one of the patterns is found in the system prompt", "'^You are a classifier'",
        _matches(lambda measures: measures.system, "system prompt"),
    ),
    Condition(
        "any_matches", _PATTERN, "one of the patterns is found in any turn", r"'\bincident \d{4}\b'",
        _matches(lambda measures: measures.conversation, "conversation"),
    ),
    Condition(
        "prompt_keywords", _WORDS, "one of the words or phrases is in the last user message", "[refund, opening hours]",
        _keywords(lambda measures: measures.prompt, "prompt"),
    ),
    Condition(
        "system_keywords", _WORDS, "one of the words or phrases is in the system prompt", "[support agent]",
        _keywords(lambda measures: measures.system, "system prompt"),
    ),
    Condition(
        "any_keywords", _WORDS, "one of the words or phrases is in any turn", "[contract, liability]",
        _keywords(lambda measures: measures.conversation, "conversation"),
    ),
    Condition("task", "one or more task kinds", "the recognised kind of work is one of these",
              "[classification, extraction]", _task),
    Condition("has_code", _BOOL, "the last user message holds code", "true",
              _flag(lambda measures: measures.has_code, "code", "no code")),
    Condition("no_code", _BOOL, "the last user message holds no code", "true",
              _flag(lambda measures: measures.has_code, "code", "no code", wanted_when_true=False)),
    Condition("has_formula", _BOOL, "the last user message holds a formula or an equation", "true",
              _flag(lambda measures: measures.has_formula, "a formula", "no formula")),
    Condition("no_formula", _BOOL, "the last user message holds none", "true",
              _flag(lambda measures: measures.has_formula, "a formula", "no formula", wanted_when_true=False)),
    Condition("min_digits_share", "a number from 0 to 1",
              "digits are at least this share of the last user message's visible characters", "0.2",
              _digits(least=True)),
    Condition("max_digits_share", "a number from 0 to 1", "digits are at most this share", "0.05",
              _digits(least=False)),
    Condition("language", "one or more ISO 639-1 codes",
              "the last user message is in one of these languages; does not hold when unsure", "[de, fr]", _language),
    Condition("script", "one or more scripts", "most letters of the last user message are of one of these scripts",
              "[han, kana]", _script),
    Condition("has_images", _BOOL, "the request holds an image", "true",
              _flag(lambda measures: measures.request.n_images > 0, "images", "no images")),
    Condition("tools_offered", "true, false, or names of tools",
              "the request offers tools, or one of those named", "true", _tools),
    Condition("tools_in_use", _BOOL, "a tool has been called or has answered in this conversation", "true",
              _flag(lambda measures: measures.tools_in_use, "tools in use", "no tools in use")),
    Condition("json_output", _BOOL, "a JSON object or a JSON Schema is demanded as output", "true",
              _flag(lambda measures: measures.request.json_output, "JSON demanded", "no JSON demanded")),
    Condition("json_schema", _BOOL, "a JSON Schema is demanded as output", "true",
              _flag(lambda measures: measures.request.json_schema, "JSON Schema demanded", "no JSON Schema demanded")),
    Condition("min_output_tokens", _INT,
              "the answer asked for has at least so many tokens: words such as “in 500 words”, else the request's "
              "limit; does not hold when neither is there", "1000", _output(least=True)),
    Condition("max_output_tokens", _INT, "the answer asked for has at most so many tokens, likewise", "200",
              _output(least=False)),
    Condition("tags", _WORDS, "the caller sent one of these tags", "[nightly-batch]", _tags),
    Condition("endpoint", _WORDS, "the request came to one of these paths", "/v1/messages",
              _named(lambda measures: measures.request.endpoint, "endpoint")),
    Condition("key", _WORDS, "the caller's key has one of these ids", "[team-search]",
              _named(lambda measures: measures.request.key_id, "key")),
)  # fmt: skip

CONDITIONS: Mapping[str, Condition] = {row.name: row for row in _ROWS}
"""Every condition by its name, in the order the documentation lists them."""
