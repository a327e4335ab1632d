"""What a simulated model says: decided by hashes of the prompt alone, so that the same request gets the same answer."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from pointsman.vocabulary import Dialect, Model, Usage

from .sim_schema import example

AnswerOf: TypeAlias = Callable[[Mapping[str, Any]], str | None]
"""The ideal answer to a request body, None when there is none to give."""
DifficultyOf: TypeAlias = Callable[[Mapping[str, Any]], float | None]
"""How hard a request body is, from 0 to 1, None when not known."""

CHARS_PER_TOKEN = 4
IMAGE_TOKENS = 800
MOST_OUTPUT_TOKENS = 600
SLOPE = 12.0
"""How sharply quality falls where difficulty passes skill: 0.92 at 0.2 below, 0.08 at 0.2 above."""
_FILLER = "This sentence stands in for a part of a real answer. "
_POOR = "This stands in for an answer that misses the point."
_DOUBT = "I am not sure. "
_DOUBTED = {True: 0.03, False: 0.7}
"""How often a good and a poor answer open with a doubt of their own."""
_SURENESS = {True: (0.75, 0.99), False: (0.35, 0.9)}
"""Between which values the token probability of good and poor answers lies: it tells them apart, and not always."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of an offered tool; `arguments` is a JSON object as text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Draft:
    """One simulated answer before it is put into a dialect. `seed` is 32 hexadecimal digits, for ids."""

    seed: str
    good: bool
    text: str
    tool_call: ToolCall | None
    cut: bool
    """True when the answer was cut at the request's most output tokens."""
    usage: Usage
    token_p: float
    """The probability that each token is said to have had."""


def draft(
    body: Mapping[str, Any],
    dialect: Dialect,
    model: Model,
    answer_of: AnswerOf | None = None,
    difficulty_of: DifficultyOf | None = None,
) -> Draft:
    """The answer of `model` to a request.

    It is good with probability 1 / (1 + exp(-12 (skill - difficulty))), and the draw depends on the prompt only: what a
    model answers well, every model of higher skill answers well too. A good answer is `answer_of`'s where that has one.
    """
    words = list(_strings(body, skip=("model", "stream", "include")))
    n_input = sum(
        IMAGE_TOKENS if word.startswith("data:") else math.ceil(len(word) / CHARS_PER_TOKEN) for word in words
    )
    seed = hashlib.blake2b("\0".join(words).encode("utf-8", "replace"), digest_size=16).hexdigest()
    difficulty = None if difficulty_of is None else difficulty_of(body)
    if difficulty is None:
        difficulty = _stated_difficulty(body)
    if difficulty is None:
        difficulty = _guessed_difficulty(n_input, _draw(seed, "difficulty"))
    good = _draw(seed, "good") < 1 / (1 + math.exp(-SLOPE * (model.simulation.get("skill", 0.5) - difficulty)))

    label = f"[simulated answer by {model.name}]"
    tool = _tool_to_call(body, good)
    ideal = None if answer_of is None or not good or tool is not None else answer_of(body)
    if tool is not None:
        text = ""
        call = ToolCall(tool[0], orjson.dumps(example(tool[1], "simulated")).decode())
        n_output = 10 + math.ceil(len(call.arguments) / CHARS_PER_TOKEN)
    else:
        call = None
        if _draw(seed, "doubt") < _DOUBTED[good]:
            label = f"{label} {_DOUBT}".rstrip()
        text = _text(label, ideal, good, _wanted_schema(body), _drawn_tokens(seed))
        n_output = max(1, math.ceil(len(text) / CHARS_PER_TOKEN))
    limit = _most_output_tokens(body, dialect)
    cut = limit is not None and n_output > limit and call is None
    if cut and limit is not None:
        text, n_output = text[: limit * CHARS_PER_TOKEN], limit
    low, high = _SURENESS[good]
    token_p = low + (high - low) * _draw(seed, "token probability")
    return Draft(seed, good, text, call, cut, Usage(n_input, n_output), token_p)


def _text(label: str, ideal: str | None, good: bool, schema: Mapping[str, Any] | None, n_tokens: int) -> str:
    if schema is not None:
        # A JSON answer has no room for a label but in its strings; an ideal one is labelled by the body alone.
        return orjson.dumps(example(schema, label)).decode() if ideal is None else ideal
    if ideal is not None:
        return f"{label} {ideal}"
    if not good:
        return f"{label} {_POOR}"
    n_filler = max(1, (n_tokens * CHARS_PER_TOKEN - len(label)) // len(_FILLER))
    return f"{label} {_FILLER * n_filler}".rstrip()


def _tokens(text: str) -> int:
    return IMAGE_TOKENS if text.startswith("data:") else math.ceil(len(text) / CHARS_PER_TOKEN)


def _draw(seed: str, purpose: str) -> float:
    """A number from 0 to 1, evenly spread, the same for the same prompt and purpose."""
    digest = hashlib.blake2b(f"{seed}{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _drawn_tokens(seed: str) -> int:
    """Between 20 and 600 tokens, evenly in the logarithm: many short answers, a few long ones."""
    return round(20 * math.pow(MOST_OUTPUT_TOKENS / 20, _draw(seed, "tokens")))


def _stated_difficulty(body: Mapping[str, Any]) -> float | None:
    """`metadata.difficulty`, a number or its text (OpenAI's metadata holds texts only); None unless within 0 to 1."""
    metadata = body.get("metadata")
    stated = metadata.get("difficulty") if isinstance(metadata, dict) else None
    if isinstance(stated, bool) or not isinstance(stated, int | float | str):
        return None
    try:
        number = float(stated)
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None


def _guessed_difficulty(n_input: int, noise: float) -> float:
    """Longer prompts are harder, with much noise: 0.15 to 0.55 at 10 tokens, 0.45 to 0.85 at 10,000."""
    return min(1.0, 0.05 + 0.1 * math.log10(max(1, n_input)) + 0.4 * noise)


def _strings(value: object, skip: Sequence[str] = ()) -> Iterator[str]:
    """Every text in a JSON value, in order; without recursion, since bodies may be nested deeply."""
    stack: list[object] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            stack.extend(inner for key, inner in reversed(item.items()) if key not in skip)
            skip = ()
        elif isinstance(item, list):
            stack.extend(reversed(item))


def _most_output_tokens(body: Mapping[str, Any], dialect: Dialect) -> int | None:
    names = {
        Dialect.OPENAI_CHAT: ("max_completion_tokens", "max_tokens"),
        Dialect.OPENAI_RESPONSES: ("max_output_tokens",),
        Dialect.ANTHROPIC_MESSAGES: ("max_tokens",),
    }[dialect]
    for name in names:
        limit = body.get(name)
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
            return limit
    return None


def _wanted_schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON Schema demanded of the answer, {} for any JSON object, None when text will do."""
    text = body.get("text")
    output = body.get("output_config")
    for wanted in (
        body.get("response_format"),
        text.get("format") if isinstance(text, dict) else None,
        output.get("format") if isinstance(output, dict) else None,
        body.get("output_format"),
    ):
        if not isinstance(wanted, dict) or wanted.get("type") not in ("json_object", "json_schema"):
            continue
        inner = wanted.get("json_schema")
        schema = inner.get("schema") if isinstance(inner, dict) else wanted.get("schema")
        return schema if isinstance(schema, dict) else {}
    return None


def _tool_to_call(body: Mapping[str, Any], good: bool) -> tuple[str, Mapping[str, Any]] | None:
    """The tool to call and its schema: a forced one always; an offered one when a good answer is due, the user's last
    words share a word with its name, and no tool has answered yet."""
    tools = dict(_tools(body))
    choice = body.get("tool_choice")
    if not tools or choice == "none" or (isinstance(choice, dict) and choice.get("type") == "none"):
        return None
    if isinstance(choice, dict):
        inner = choice.get("function")
        name = inner.get("name") if isinstance(inner, dict) else choice.get("name")
        if isinstance(name, str) and name in tools:
            return name, tools[name]
    if choice == "required" or (isinstance(choice, dict) and choice.get("type") == "any"):
        return next(iter(tools.items()))
    last = _last_user_words(body)
    for name, schema in tools.items():
        if good and last & set(re.findall(r"[a-z]{4,}", name.lower())):
            return name, schema
    return None


def _tools(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        if not isinstance(tool, dict):
            continue
        inner = tool.get("function")
        told = inner if isinstance(inner, dict) else tool
        name = told.get("name")
        schema = told.get("parameters", told.get("input_schema"))
        if isinstance(name, str):
            yield name, schema if isinstance(schema, dict) else {}


def _last_user_words(body: Mapping[str, Any]) -> set[str]:
    """Words of the last turn when the user speaks in it; empty when a tool has just answered."""
    turns = body.get("messages", body.get("input"))
    last = turns[-1] if isinstance(turns, list) and turns else turns
    if isinstance(last, dict):
        content = last.get("content")
        parts = content if isinstance(content, list) else []
        answered = any(isinstance(part, dict) and part.get("type") == "tool_result" for part in parts)
        if last.get("role") != "user" or answered:
            return set()
        last = content
    return set(re.findall(r"[a-z]{4,}", " ".join(_strings(last)).lower()))
