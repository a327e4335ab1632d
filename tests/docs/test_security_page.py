"""docs/security.md names every check of the list, and only tests that are there."""

from __future__ import annotations

import ast
import re

from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
N_CHECKS = 26


def test_every_check_has_its_row() -> None:
    assert re.findall(r"^\| (S\d+) \|", PAGE, re.M) == [f"S{n}" for n in range(1, N_CHECKS + 1)]


def test_every_test_that_is_named_is_there() -> None:
    there = {
        f"{file.stem}::{node.name}"
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    named = re.findall(r"`(test_\w+::test_\w+)`", PAGE)
    assert len(named) > 30
    assert [name for name in named if name not in there] == []
