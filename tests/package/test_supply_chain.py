"""What is installed is pinned by hash and listed, and nothing in the package runs data or weakens TLS."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
RUNS_DATA = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
ON = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux", "platform_system": "Linux"}
"""Where the image runs: `deploy/Dockerfile`."""
RUNS_ANSWERS = ROOT / "src/pointsman/label/code_child.py"
"""The scorer `code` runs models' answers, in a process of its own and only when asked to."""


def pins(lock: Path) -> Iterator[tuple[Requirement, int]]:
    """Each pinned requirement of a lock with the number of its hashes."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith(("#", " ")):
            requirement, *hashes = line.split(" --hash=sha256:")
            assert all(re.fullmatch(r"[0-9a-f]{64}", each.strip()) for each in hashes)
            yield Requirement(requirement.strip()), len(hashes)


def test_the_lock_pins_every_dependency_with_hashes() -> None:
    locked = list(pins(ROOT / "requirements.lock"))
    assert all(n_hashes > 0 for _, n_hashes in locked)
    assert all(str(each.specifier).startswith("==") for each, _ in locked)
    here = {canonicalize_name(each.name): each for each, _ in locked if each.marker is None or each.marker.evaluate(ON)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for wanted in map(Requirement, project["dependencies"]):
        (pin,) = here[canonicalize_name(wanted.name)].specifier
        assert wanted.specifier.contains(Version(pin.version)), f"{wanted} is locked at {pin.version}: run `make lock`"


def test_the_lock_of_the_build_has_hashes_too() -> None:
    locked = list(pins(ROOT / "deploy/build.lock"))
    assert "hatchling" in {each.name for each, _ in locked}
    assert all(n_hashes > 0 for _, n_hashes in locked)


def test_the_sbom_lists_what_the_lock_pins() -> None:
    bom = json.loads((ROOT / "deploy/sbom.cdx.json").read_text(encoding="utf-8"))
    assert bom["bomFormat"] == "CycloneDX"
    listed = {(canonicalize_name(each["name"]), each["version"]) for each in bom["components"]}
    locked = {
        (canonicalize_name(each.name), next(iter(each.specifier)).version)
        for each, _ in pins(ROOT / "requirements.lock")
        if each.marker is None or each.marker.evaluate(ON)
    }
    assert listed - {("pointsman", "0.1.0")} == locked
    assert all("licenses" in each for each in bom["components"])


def test_nothing_in_the_package_can_run_code_from_data() -> None:
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = {alias.name.split(".")[0] for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module.split(".")[0]} if isinstance(node, ast.ImportFrom) and node.module else set()
            assert not names & RUNS_DATA, file
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and file != RUNS_ANSWERS:
                assert node.func.id not in ("eval", "exec"), file


def test_nothing_turns_tls_verification_off() -> None:
    for file in SOURCES:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"CERT_NONE|check_hostname\s*=\s*False|ssl\s*=\s*False|verify\s*=\s*False", text), file


def test_no_more_direct_dependencies_than_decided() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert len(project["dependencies"]) <= 16
