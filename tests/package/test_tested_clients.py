"""What docs/clients.md says was tested is what `make test-clients` installs."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
BESIDE = {"anthropic in instructor.txt", "mcp in litellm.txt", "zod"}
"""What a client needs beside itself."""


def test_the_page_names_every_client_with_the_version_that_is_installed() -> None:
    page = (ROOT / "docs" / "clients.md").read_text()
    pinned = {
        (name.partition("[")[0], version)
        for file in (CLIENTS / "requirements").iterdir()
        for name, _, version in (line.partition("==") for line in file.read_text().split())
        if version
    } | set(json.loads((CLIENTS / "package.json").read_text())["dependencies"].items())
    told = set(re.findall(r"\*\*([\w@/.-]+)\*\* (\d[\w.]*\d)", page))
    assert told == {(name, version) for name, version in pinned if name not in BESIDE}


def test_every_version_is_pinned_but_of_what_a_client_needs_beside_itself() -> None:
    loose = {
        f"{line} in {file.name}"
        for file in (CLIENTS / "requirements").iterdir()
        for line in file.read_text().split()
        if "==" not in line
    }
    assert loose <= BESIDE
    versions = json.loads((CLIENTS / "package.json").read_text())["dependencies"].values()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
