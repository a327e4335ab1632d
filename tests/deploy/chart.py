"""Renders the Helm chart's templates, as far as they go: Helm is not needed to run the tests.

Only what the chart uses is known: `define`, `include`, `if`/`else`, `with`, fields, strings, and the functions below.
Anything else is an error, so that a template cannot use what is not rendered here. On 2026-11-25 its output for
`VALUES` was the same, parsed, as that of Go's `text/template` with Sprig, which is what Helm renders with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_ACTION = re.compile(r"\{\{(-)?\s*(.*?)\s*(-)?\}\}", re.S)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')

VALUES: tuple[dict[str, Any], ...] = (
    {},
    {
        "autoscaling": {"enabled": True},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "podDisruptionBudget": {"enabled": False},
    },
    {
        "replicas": 3,
        "image": {"repository": "registry.example/pointsman", "digest": "sha256:" + 64 * "0"},
        "imagePullSecrets": [{"name": "pull"}],
        "podAnnotations": {"example.org/team": "platform"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "llm", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "ledger": {"storageClassName": "fast"},
    },
)
"""What the chart is checked with: as it comes, with everything optional on, and with every other value set."""


@dataclass
class Block:
    """A piece of a template: text, an action to print, or a block with what stands inside."""

    kind: str
    text: str
    inside: list[Block] = field(default_factory=list)
    otherwise: list[Block] = field(default_factory=list)


class Chart:
    """A chart's folder, rendered with values of its own and others laid over them.

    Raises:
        ValueError: a template uses something that is not known here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.chart = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))
        self.values = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))
        self._named: dict[str, list[Block]] = {}
        self._files: dict[str, list[Block]] = {}
        for file in sorted((folder / "templates").iterdir()):
            top = _tree(_pieces(file.read_text(encoding="utf-8")))
            self._named |= {json.loads(block.text): block.inside for block in top if block.kind == "define"}
            if not file.name.startswith("_"):
                self._files[file.name] = top

    def render(self, **over: Any) -> list[dict[str, Any]]:
        """Every object of the chart, in the order of the files.

        Args:
            over: values that replace those of `values.yaml`, mappings merged.
        """
        chart = {"Name": self.chart["name"], "Version": self.chart["version"], "AppVersion": self.chart["appVersion"]}
        root = {
            "Values": _laid_over(deepcopy(self.values), over),
            "Release": {"Name": "demo", "Service": "Helm"},
            "Chart": chart,
        }
        return [
            each for blocks in self._files.values() for each in yaml.safe_load_all(self._text(blocks, root)) if each
        ]

    def _text(self, blocks: list[Block], dot: Any) -> str:
        return "".join(self._one(block, dot) for block in blocks)

    def _one(self, block: Block, dot: Any) -> str:
        if block.kind == "text":
            return block.text
        if block.kind == "define":
            return ""
        value = self._value(block.text, dot)
        if block.kind == "print":
            return _printed(value)
        if not value:
            return self._text(block.otherwise, dot)
        return self._text(block.inside, value if block.kind == "with" else dot)

    def _value(self, pipeline: str, dot: Any) -> Any:
        value: Any = None
        for place, call in enumerate(pipeline.split(" | ")):
            words = _WORD.findall(call)
            arguments = [self._atom(word, dot) for word in words[1:]] + ([value] if place else [])
            if words[0] in _FUNCTIONS:
                value = _FUNCTIONS[words[0]](*arguments)
            elif words[0] == "include":
                value = self._text(self._named[arguments[0]], arguments[1])
            elif words[0] == "not":
                value = not arguments[0]
            elif len(words) == 1 and place == 0:
                value = self._atom(words[0], dot)
            else:
                raise ValueError(f"{call!r} is not known here")
        return value

    def _atom(self, word: str, dot: Any) -> Any:
        if word.startswith('"'):
            return json.loads(word)
        if word.isdigit():
            return int(word)
        if not word.startswith("."):
            raise ValueError(f"{word!r} is not known here")
        for name in word.split(".")[1:]:
            if name:
                dot = dot[name]
        return dot


def _printed(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _indented(width: int, text: str) -> str:
    return "\n" + "\n".join(" " * width + line for line in str(text).split("\n"))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "quote": lambda value: json.dumps(_printed(value)),
    "nindent": _indented,
    "toYaml": lambda value: yaml.safe_dump(value, sort_keys=False).removesuffix("\n"),
    "default": lambda otherwise, value: value if value else otherwise,
    "trunc": lambda n, text: text[:n],
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
}


def _pieces(text: str) -> Iterator[Block]:
    """Text and actions in order; a `-` beside the braces takes the white space on that side away, as in Go."""
    end, trim = 0, False
    for match in _ACTION.finditer(text):
        before = text[end : match.start()]
        before = before.lstrip() if trim else before
        yield Block("text", before.rstrip() if match[1] else before)
        yield Block("action", match[2])
        end, trim = match.end(), match[3] is not None
    yield Block("text", text[end:].lstrip() if trim else text[end:])


def _tree(pieces: Iterator[Block]) -> list[Block]:
    top: list[Block] = []
    into, open_blocks = top, list[tuple[list[Block], Block]]()
    for piece in pieces:
        word, _, rest = piece.text.partition(" ")
        if piece.kind == "text":
            into.append(piece)
        elif word in ("if", "with", "define"):
            block = Block(word, rest)
            into.append(block)
            open_blocks.append((into, block))
            into = block.inside
        elif word == "else":
            into = open_blocks[-1][1].otherwise
        elif word == "end":
            into = open_blocks.pop()[0]
        else:
            into.append(Block("print", piece.text))
    if open_blocks:
        raise ValueError(f"{open_blocks[-1][1].kind} without an end")
    return top


def _laid_over(values: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    for name, value in over.items():
        if name not in values:
            raise ValueError(f"the chart has no value {name!r}")
        below = values[name]
        values[name] = (
            _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) and below else value
        )
    return values
