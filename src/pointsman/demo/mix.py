"""The bundled everyday mix: requests as real users send them, written for this project, each with what is ideal.

`mix.jsonl` holds one item a line. The bodies are complete but for `model`, in the three dialects the gateway speaks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pointsman.errors import ConfigError
from pointsman.vocabulary import Dialect

KINDS = (
    "faq", "classification", "extraction", "summarisation", "translation", "rewriting", "code", "maths", "reasoning",
    "tool_use", "multi_turn",
)  # fmt: skip
IDEAL_TIERS = ("cheap", "strong")
_FIELDS = {"id", "kind", "dialect", "input", "ideal_tier", "ideal_output", "tags"}


@dataclass(frozen=True, slots=True)
class MixItem:
    """One request of the mix."""

    id: str
    kind: str
    """One of `KINDS`."""
    dialect: Dialect
    input: Mapping[str, Any]
    """The request's body, without `model`."""
    ideal_tier: str
    """"cheap" when a small model's answer does, "strong" otherwise: its author's judgement."""
    ideal_output: str
    """A right answer; a tool call is written as name(arguments)."""
    tags: tuple[str, ...]

    def body(self, model: str) -> bytes:
        """The body as a client sends it, asking for `model`."""
        return json.dumps({"model": model, **self.input}, ensure_ascii=False).encode()


def load_mix() -> tuple[MixItem, ...]:
    """Every item of the bundled mix, in the file's order."""
    return parse_mix(resources.files("pointsman.demo").joinpath("mix.jsonl").read_text(encoding="utf-8"))


def parse_mix(text: str) -> tuple[MixItem, ...]:
    """The items of a text with one JSON object a line; empty lines are passed over.

    Raises:
        ConfigError: an item is not as documented, or its id is taken; the message names the line.
    """
    items: list[MixItem] = []
    ids: set[str] = set()
    for at, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            item = _item(json.loads(line))
        except ValueError as error:
            raise ConfigError(f"mix, line {at}: {error}") from error
        if item.id in ids:
            raise ConfigError(f'mix, line {at}: expected an id no other item has, "{item.id}" is taken')
        ids.add(item.id)
        items.append(item)
    return tuple(items)


def _item(value: object) -> MixItem:
    if not isinstance(value, dict) or set(value) != _FIELDS:
        raise ValueError(f"expected an object with {', '.join(sorted(_FIELDS))}")
    for field in ("id", "ideal_output"):
        if not isinstance(value[field], str) or not value[field].strip():
            raise ValueError(f"expected a text as {field}")
    if value["kind"] not in KINDS:
        raise ValueError(f"expected a kind of {', '.join(KINDS)}, found {value['kind']!r}")
    if value["ideal_tier"] not in IDEAL_TIERS:
        raise ValueError(f"expected an ideal_tier of {', '.join(IDEAL_TIERS)}, found {value['ideal_tier']!r}")
    if not isinstance(value["input"], dict) or "model" in value["input"]:
        raise ValueError("expected a request's body without model as input")
    tags = value["tags"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("expected a list of texts as tags")
    return MixItem(
        id=value["id"],
        kind=value["kind"],
        dialect=Dialect(value["dialect"]),
        input=value["input"],
        ideal_tier=value["ideal_tier"],
        ideal_output=value["ideal_output"],
        tags=tuple(tags),
    )
