"""The workflow runs targets that the Makefile has, on Pythons that the package names."""

from __future__ import annotations

import re
import tomllib

import yaml
from tests.docs.pages import ROOT

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text(encoding="utf-8"))


def test_every_step_that_runs_is_a_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    runs = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]
    assert {"make test", "make docs", "make lint-deploy"} <= set(runs)
    assert all(run.removeprefix("make ") in targets for run in runs)


def test_the_pythons_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {each.rsplit(" ", 1)[1] for each in project["classifiers"] if ":: Python :: 3." in each}
    assert set(WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"]) <= named


def test_it_may_read_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
