"""Every code block of the documentation is what it says it is: code compiles, settings are valid, commands exist."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.docs.pages import ROOT, Block, blocks, inline_code, pages
from tests.docs.shell import commands, mistakes, pointsman_arguments

from pointsman import config

BLOCKS = [block for page in pages() for block in blocks(page)]
SHELL = ("sh", "bash", "console", "")
"""A block without a language counts as shell: what does not call `pointsman` or `make` is only read by people."""
LANGUAGES = (*SHELL, "python", "yaml", "json", "sql", "toml", "ini", "js", "nginx", "dockerfile", "text", "promql")


def of(*languages: str) -> pytest.MarkDecorator:
    chosen = [block for block in BLOCKS if block.language in languages]
    assert chosen, f"no block in {languages}: the parser of the pages is broken"
    return pytest.mark.parametrize("block", chosen, ids=str)


def test_every_block_is_in_a_language_that_is_checked_or_known() -> None:
    assert [f"{block}: {block.language}" for block in BLOCKS if block.language not in LANGUAGES] == []


@of("python")
def test_python_compiles(block: Block) -> None:
    compile(whole(block), str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def whole(block: Block) -> str:
    """The code with `…`, which stands for something left out, as Python's own `...`."""
    return block.text.replace("…", "...")


@of("python")
def test_python_imports_only_what_is_there(block: Block) -> None:
    for node in ast.walk(ast.parse(whole(block))):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.split(".")[0] == "pointsman":
            module = __import__(node.module, fromlist=[name.name for name in node.names])
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.runs], ids=str)
def test_a_block_that_is_marked_runs_beside_a_simulated_configuration(block: Block, tmp_path: Path) -> None:
    for arguments in ([sys.executable, "-m", "pointsman", "init"], [sys.executable, "-c", block.text]):
        done = subprocess.run(arguments, cwd=tmp_path, env=without_keys(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def without_keys() -> dict[str, str]:
    """An environment in which `pointsman init` finds no provider, and so simulates."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"}


@of("yaml")
def test_yaml_parses_and_settings_are_valid(block: Block) -> None:
    documents = list(yaml.safe_load_all(block.text))
    for document in documents:
        if isinstance(document, dict) and set(document) <= set(fragment_schema()["properties"]):
            jsonschema.validate(document, fragment_schema())


def fragment_schema() -> dict[str, Any]:
    """The schema of pointsman.yaml for a part of it: a page shows the sections that it is about.

    `${VAR}` is filled in before a file is checked, and could stand where a number belongs; pages do not do that.
    """
    whole = config.json_schema()
    return {name: value for name, value in whole.items() if name != "required"}


def test_json_and_toml_parse() -> None:
    for block in BLOCKS:
        if block.language in ("json", "toml"):
            assert (json.loads if block.language == "json" else tomllib.loads)(block.text) is not None, str(block)


@of(*SHELL)
def test_commands_are_ones_that_the_command_line_knows(block: Block) -> None:
    if block.language == "" and not re.search(r"^(pointsman|make|\$ )", block.text, re.M):
        return
    for words in commands(block.text):
        arguments = pointsman_arguments(words)
        if arguments is not None:
            assert mistakes(arguments) == []
        if words[0] == "make":
            named = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
            assert [name for name in named if name not in make_targets()] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_running_text_are_ones_that_the_command_line_knows(page: Path) -> None:
    found = []
    for line, code in inline_code(page):
        # What follows an ellipsis or a bar is told in general: `pointsman keys create | list`.
        words = re.split(r"\s(?=[|…\[])", code)[0].replace("…", "").split()
        if words[:1] == ["pointsman"] and len(words) > 1:
            found += [f"{line}: {mistake}" for mistake in mistakes(words[1:]) if "wants a" not in mistake]
        if words[:1] == ["make"] and len(words) > 1 and words[1] not in make_targets():
            found.append(f"{line}: no target {words[1]}")
    assert found == []


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("pointsman serv", "has no command 'serv'"),
        ("pointsman keys", "wants a command"),
        ("pointsman keys forge --name a", "has no command 'forge'"),
        ("pointsman serve --prot 80", "has no option --prot"),
        ("pointsman serve --port", "wants a value"),
        ("pointsman report one two", "takes 1 arguments"),
        ("A=1 .venv/bin/pointsman serve --prot 80", "has no option --prot"),
        ("python -m pointsman serv", "has no command 'serv'"),
        ("cd x && pointsman serv", "has no command 'serv'"),
        ("docker compose exec gateway -- pointsman serv", "has no command 'serv'"),
    ],
)
def test_a_line_that_the_command_line_does_not_know_is_found(line: str, why: str) -> None:
    (last,) = [words for words in commands(line) if pointsman_arguments(words) is not None]
    arguments = pointsman_arguments(last)
    assert arguments is not None
    assert why in mistakes(arguments)[0]


def test_a_line_that_is_right_has_no_mistakes() -> None:
    for line in ("pointsman serve -c pointsman.yaml --port=80  # fine", "pointsman keys list", "pointsman --version"):
        (words,) = commands(line)
        assert mistakes(words[1:]) == []


def test_a_setting_that_is_not_there_is_found() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"server": {"prot": 80}}, fragment_schema())
