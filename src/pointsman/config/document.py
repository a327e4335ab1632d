"""YAML text read into plain data that still knows where each value stood.

PyYAML composes the nodes (safe tags only, so reading a file cannot run code); the walk below turns them into plain
Python data and keeps, for each path, its line, its text as written and the environment variables it used. Bounds:
size of the text, depth, and the number of values after aliases are expanded, so that an alias bomb ends early.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from .expand import MissingVariableError, expand
from .faults import Fault, Path

MAX_TEXT_BYTES = 1_048_576
"""A hand-written file is a few kilobytes; a megabyte is someone else's file."""
MAX_DEPTH = 40
MAX_VALUES = 50_000

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"

_TEXT_TAGS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:binary"})
"""Read as written: an Azure `api_version: 2024-10-21` is text, not a date."""
_TYPED_TAGS = frozenset(
    {
        "tag:yaml.org,2002:null",
        "tag:yaml.org,2002:bool",
        "tag:yaml.org,2002:int",
        "tag:yaml.org,2002:float",
    }
)
_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value stood: line (from 1), its text as written (scalars), the variables it used."""

    line: int
    text: str | None = None
    variables: tuple[str, ...] = ()


@dataclass(slots=True)
class Document:
    """Plain data, where each of its values stood, and what was wrong with the text itself."""

    source: str
    data: Plain = None
    origins: dict[Path, Origin] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: Path) -> int | None:
        """The line of the value at `path`, or of its nearest ancestor in the file; None in an empty file."""
        for end in range(len(path), -1, -1):
            origin = self.origins.get(path[:end])
            if origin is not None:
                return origin.line
        return None

    def fault(self, path: Path, message: str, advice: str) -> None:
        """Notes what is wrong at `path`."""
        self.faults.append(Fault(path, self.line(path), message, advice))


def read_document(text: str, source: str, environ: Mapping[str, str] | None) -> Document:
    """The document, with every fault of its text noted in `faults`; never raises for what the text holds.

    Without `environ` a `${VAR}` stays as it is written.
    """
    document = Document(source)
    if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        document.faults.append(Fault((), None, f"the file is larger than {MAX_TEXT_BYTES} bytes", "name another file"))
        return document
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except RecursionError:
        document.faults.append(Fault((), None, f"values are nested deeper than {MAX_DEPTH} levels", "flatten them"))
        return document
    except yaml.YAMLError as error:
        document.faults.append(_syntax_fault(error, text))
        return document
    if node is not None:
        _Walk(document, loader, environ).enter(node)
    return document


def _syntax_fault(error: yaml.YAMLError, text: str) -> Fault:
    """What YAML could not read, without the text around it, which may hold a key."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        what = "; ".join(part for part in (error.problem, error.context) if part)
        advice = "check indentation, colons and quotes on this line"
        if line is not None and "${" in "".join(text.splitlines()[line - 1 : line]):
            advice = 'inside { } and [ ] write "${NAME}" in quotes'
        return Fault((), line, f"this is not valid YAML: {what}", advice)
    if isinstance(error, yaml.reader.ReaderError):
        return Fault((), None, f"a character that YAML does not allow: {error.reason}", "save the file as UTF-8 text")
    return Fault((), None, "this is not valid YAML", "check the file")


class _TooMuchError(Exception):
    """The walk met a bound; the fault is noted already."""


class _Walk:
    """One pass over the nodes, filling one document."""

    def __init__(self, document: Document, loader: yaml.SafeLoader, environ: Mapping[str, str] | None) -> None:
        self._document = document
        self._loader = loader
        self._environ = environ
        self._n_values = 0

    def enter(self, node: yaml.Node) -> None:
        try:
            self._document.data = self._value(node, (), 0)
        except _TooMuchError:
            self._document.data = None

    def _value(self, node: yaml.Node, path: Path, depth: int) -> Plain:
        line = node.start_mark.line + 1
        self._n_values += 1
        if depth > MAX_DEPTH:
            self._stop(path, line, f"values are nested deeper than {MAX_DEPTH} levels", "flatten them")
        if self._n_values > MAX_VALUES:
            self._stop(path, line, f"more than {MAX_VALUES} values, aliases expanded", "remove aliases")
        if isinstance(node, yaml.MappingNode):
            self._document.origins[path] = Origin(line)
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            self._document.origins[path] = Origin(line)
            return [self._value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path, line)

    def _stop(self, path: Path, line: int, message: str, advice: str) -> None:
        self._document.faults.append(Fault(path, line, message, advice))
        raise _TooMuchError

    def _scalar(self, node: yaml.ScalarNode, path: Path, line: int) -> Plain:
        text: str = node.value
        if node.tag in _TYPED_TAGS:
            self._document.origins[path] = Origin(line, text)
            try:
                value: Plain = self._loader.construct_object(node)
            except (ValueError, yaml.YAMLError):
                self._document.fault(path, f"{node.tag.rpartition(':')[2]} expected", "quote it if it is text")
                return None
            return value
        if node.tag not in _TEXT_TAGS:
            self._document.origins[path] = Origin(line)
            self._document.fault(path, f"the YAML tag {node.tag!r} is not allowed", "write a plain value")
            return None
        if self._environ is None:
            self._document.origins[path] = Origin(line, text)
            return text
        try:
            expanded = expand(text, self._environ)
        except MissingVariableError as missing:
            self._document.origins[path] = Origin(line, text, missing.seen)
            self._document.fault(path, missing.message, missing.advice)
            return None
        self._document.origins[path] = Origin(line, text, expanded.variables)
        return expanded.text

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> Plain:
        out: dict[str, Plain] = {}
        seen: dict[str, int] = {}
        merged: list[yaml.MappingNode] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE_TAG:
                items = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                merged.extend(item for item in items if isinstance(item, yaml.MappingNode))
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._document.faults.append(Fault(path, line, "a key that is not text", "write `key: value`"))
                continue
            key: str = key_node.value
            if key in seen:
                self._document.faults.append(
                    Fault((*path, key), line, f"the key is given twice, first on line {seen[key]}", "remove one")
                )
                continue
            seen[key] = line
            out[key] = self._value(value_node, (*path, key), depth + 1)
            # A block value starts on the line after its key; people look for the key.
            origin = self._document.origins[(*path, key)]
            self._document.origins[(*path, key)] = Origin(line, origin.text, origin.variables)
        for mapping in merged:
            for key, value in self._merged(mapping, path, depth, skip=frozenset(out)).items():
                out.setdefault(key, value)
        return out

    def _merged(self, node: yaml.MappingNode, path: Path, depth: int, skip: frozenset[str]) -> dict[str, Plain]:
        """What `<<: *anchor` adds: keys that the mapping does not give itself."""
        self._n_values += 1
        if depth >= MAX_DEPTH or self._n_values > MAX_VALUES:
            self._stop(path, node.start_mark.line + 1, "merge keys nested too deeply", "remove aliases")
        kept = [pair for pair in node.value if getattr(pair[0], "value", None) not in skip]
        value = self._mapping(yaml.MappingNode(node.tag, kept, node.start_mark), path, depth + 1)
        assert isinstance(value, dict)
        return value
