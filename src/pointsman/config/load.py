"""`pointsman.yaml` read, checked as a whole, and returned as `Settings`, or one error that names everything wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from pointsman.errors import ConfigError

from .crosscheck import cross_faults
from .document import MAX_TEXT_BYTES, Document, read_document
from .faults import Fault, config_error
from .loaded import LoadedSettings
from .wording import complaint

RuleCheck: TypeAlias = Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]]
"""Checks one rule's `when`: (path inside it, such as "any[1].task", what was expected) for each fault; passed in."""

DEFAULT_FILE = "pointsman.yaml"
FILE_VARIABLE = "POINTSMAN_CONFIG"


def load(
    path: Path | str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    check_rule: RuleCheck | None = None,
) -> LoadedSettings:
    """The settings of a file.

    Without a path: the file that `POINTSMAN_CONFIG` names, else `pointsman.yaml` in the current folder. Without
    `environ`: the process's environment.

    Raises:
        ConfigError: the file is missing or unreadable, or something in it is wrong; all faults are named at once.
    """
    variables = os.environ if environ is None else environ
    file = find_file(path, variables)
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_TEXT_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: there is no such file; run `pointsman init --to {file}` to write one") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}); check the path and its permissions") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from error
    return loads(text, source=str(file), environ=variables, check_rule=check_rule, folder=file.parent)


def find_file(path: Path | str | None, environ: Mapping[str, str]) -> Path:
    """The file to read: the one given, else what `POINTSMAN_CONFIG` names, else `pointsman.yaml` here.

    Raises:
        ConfigError: nothing is given and there is no `pointsman.yaml` here.
    """
    if path is not None:
        return Path(path)
    named = environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    if not Path(DEFAULT_FILE).is_file():
        raise ConfigError(
            f"there is no {DEFAULT_FILE} in this folder; run `pointsman init` to write one, "
            f"give --config FILE, or set {FILE_VARIABLE}"
        )
    return Path(DEFAULT_FILE)


def loads(
    text: str,
    *,
    source: str = "<text>",
    environ: Mapping[str, str] | None = None,
    check_rule: RuleCheck | None = None,
    folder: Path | None = None,
) -> LoadedSettings:
    """The settings of a text; `folder` is what relative paths in it start from (the current folder by default).

    Raises:
        ConfigError: something is wrong; the message has one line for each fault.
    """
    document = read_document(text, source, os.environ if environ is None else environ)
    if _is_litellm(document):
        raise ConfigError(
            f"{source}: this is a LiteLLM proxy file (it has `model_list`); "
            f"run `pointsman init --from-litellm {source}` to make a {DEFAULT_FILE} of it"
        )
    if document.data is None and not document.faults:
        document.faults.append(Fault((), None, "the file is empty", "run `pointsman init` to write one"))
    if document.data is None:
        raise config_error(source, document.faults)
    try:
        settings = LoadedSettings.model_validate(document.data)
    except ValidationError as error:
        # A value whose variable is missing became None; its own fault says why, the type error would only repeat it.
        told = {fault.path for fault in document.faults}
        for detail in error.errors(include_url=False, include_input=False):
            said = complaint(detail, document)
            if said is not None and said[0] not in told:
                document.fault(*said)
        document.faults.extend(cross_faults(document, check_rule))
        raise config_error(source, document.faults) from None
    document.faults.extend(cross_faults(document, check_rule))
    if document.faults:
        raise config_error(source, document.faults)
    settings.remember(document, Path() if folder is None else folder)
    return settings


def _is_litellm(document: Document) -> bool:
    data = document.data
    return isinstance(data, dict) and "model_list" in data and "models" not in data
