"""Pydantic's errors in the words of the file: what was expected, what came, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from .document import Document
from .faults import Path
from .settings import Settings

_EXPECTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of `key: value` lines",
    "mapping_type": "a mapping of `key: value` lines",
    "model_type": "a mapping of `key: value` lines",
    "model_attributes_type": "a mapping of `key: value` lines",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
}
_SECRET_WORDS = re.compile(r"key|secret|token$|password|auth|header|url", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"^(sk|pk|rk|AIza|AKIA|ghp|xox|Bearer)[-_ ]?|[A-Za-z0-9+/_-]{32,}")


def complaint(error: ErrorDetails, document: Document) -> tuple[Path, str, str] | None:
    """(path in the file, what was expected and came, what to do) for one of pydantic's errors.

    None for one that only follows from others: pydantic calls a list too short when its entries are wrong.
    """
    kind = error["type"]
    path, kinds = file_path(error["loc"], document.data)
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "missing":
        return path, "missing", f"add `{path[-1]}:`"
    if kind == "extra_forbidden":
        known = known_keys(path[:-1], kinds)
        return path, "unknown key", suggestion(str(path[-1]), known)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _policy_kind(path, document)
    if kind == "too_short" and _entries_suffice(path, document, context):
        return None
    came = describe(path, document) if error["loc"][-1:] != ("[key]",) else f"the name `{str(path[-1])[:60]}`"
    expected = _EXPECTED[kind].format_map(context) if kind in _EXPECTED else error["msg"]
    if kind in ("too_short", "too_long") and isinstance(value_at(path, document), str):
        expected = _EXPECTED[f"string_{kind}"].format_map(context)  # pydantic counts a secret's characters as entries
    elif kind == "too_short" and context.get("min_length") == 1:
        expected = "at least one entry"
    advice = "correct the value"
    if kind in ("literal_error", "enum"):
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        expected = "one of " + ", ".join(words)
        advice = suggestion(str(value_at(path, document)), words)
    elif kind == "reserved_name":
        advice = "choose another name"
    return path, f"expected {expected}, got {came}", advice


def _entries_suffice(path: Path, document: Document, context: Mapping[str, Any]) -> bool:
    value = value_at(path, document)
    return isinstance(value, list) and len(value) >= int(context.get("min_length", 0))


def _policy_kind(path: Path, document: Document) -> tuple[Path, str, str]:
    known = ("fixed", "rules", "threshold", "llm_classifier", "random", "cascade", "cascade_routing")
    given = value_at((*path, "kind"), document)
    if given is None:
        return path, "`kind` is missing", f"add `kind:` with one of {', '.join(known)}"
    path = (*path, "kind")
    return path, f"expected one of {', '.join(known)}, got {describe(path, document)}", suggestion(str(given), known)


def suggestion(given: str, known: Collection[str]) -> str:
    """The nearest known word as a question, else all of them."""
    near = difflib.get_close_matches(given.lower(), [word.lower() for word in known], n=1, cutoff=0.5)
    for word in known:
        if near and word.lower() == near[0]:
            return f"did you mean `{word}`?"
    return f"use one of: {', '.join(sorted(known))}" if known else "remove it"


def file_path(loc: tuple[int | str, ...], data: object) -> tuple[Path, tuple[str, ...]]:
    """Pydantic's location as the path in the file, and the union branches it named on the way.

    Pydantic puts the branch of a union ("threshold", "list") into the location; the file has no such level.
    """
    path: list[str | int] = []
    branches: list[str] = []
    here: object = data
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(here, Mapping) and not last and here.get("kind") == part and part not in branches:
            branches.append(str(part))  # a policy's kind, which may also be the name of its key: `threshold`
            continue
        inside, child = _child(here, part)
        if inside:
            here = child
        elif part == "[key]":
            continue
        elif not last or (isinstance(part, str) and part in ("seconds", "limits", "builtin", "file", "list")):
            branches.append(str(part))
            continue
        path.append(part)
    return tuple(path), tuple(branches)


def value_at(path: Path, document: Document) -> object:
    """The plain value at a path of the file, None when there is none."""
    here: object = document.data
    for part in path:
        here = _child(here, part)[1]
    return here


def _child(value: object, part: str | int) -> tuple[bool, object]:
    """Whether `value` has an entry `part`, and that entry (None when it has not)."""
    if isinstance(value, Mapping) and part in value:
        return True, value[part]
    if isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
        return True, value[part]
    return False, None


def describe(path: Path, document: Document) -> str:
    """What came, without what could be a secret: values from variables appear as they are written in the file."""
    value = value_at(path, document)
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "an empty list" if not value else f"a list of {len(value)}"
    origin = document.origins.get(path)
    text = origin.text if origin is not None and origin.text is not None else str(value)
    kind = "text" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "the number"
    from_variable = origin is not None and bool(origin.variables)
    hidden = any(isinstance(part, str) and _SECRET_WORDS.search(part) for part in path)
    if not from_variable and (hidden or _SECRET_VALUE.search(text)):
        return f"{kind} (not shown)"
    shown = text if len(text) <= 60 else text[:57] + "…"
    return f"`{shown}`" if isinstance(value, bool) else f"{kind} `{shown}`"


def known_keys(path: Path, branches: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that the mapping at `path` may have; in a union, those of the branch named, else of all branches."""
    sections: list[type[BaseModel]] = [Settings]
    for part in path:
        following: list[type[BaseModel]] = []
        for section in sections:
            field = section.model_fields.get(part) if isinstance(part, str) else None
            if field is not None:
                following.extend(_sections_in(field.annotation))
                for extra in field.metadata:
                    following.extend(_sections_in(extra))
        # A list's index and a policy's name are levels of the file, not fields of a section.
        sections = following or sections
    chosen = [s for s in sections if set(branches) & set(_kinds(s))]
    return tuple(dict.fromkeys(key for section in (chosen or sections) for key in section.model_fields))


def _sections_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in get_args(annotation):
        yield from _sections_in(argument)


def _kinds(section: type[BaseModel]) -> tuple[str, ...]:
    field = section.model_fields.get("kind")
    if field is None or get_origin(field.annotation) is not Literal:
        return ()
    return tuple(str(argument) for argument in get_args(field.annotation))
