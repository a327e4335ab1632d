"""Every example is Python that compiles, says what it needs, and is named in the documentation."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, ROOT

EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: str(file.relative_to(ROOT)))
def test_an_example_compiles_and_says_how_to_run_it(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said = ast.get_docstring(tree)
    assert said is not None and (f"python {file.name}" in said or f"callbacks: {file.stem}" in said)


def test_every_example_is_in_the_documentation() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    assert [file.name for file in EXAMPLES if file.name not in pages] == []
