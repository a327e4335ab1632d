"""`pointsman report` through its front door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pointsman.cli.report_command import report
from pointsman.errors import DataError

LINE: dict[str, Any] = {"kind": "control", "cost_usd": 0.004, "strong_share": 1.0}
EVALUATION: dict[str, Any] = {
    "n": 500,
    "models": ["small-1", "large-9"],
    "policies": [],
    "controls": [
        {**LINE, "name": "always:small-1", "quality": 0.8, "cost_usd": 0.001, "savings": 0.75, "quality_delta": -0.01},
        {**LINE, "name": "always:large-9", "quality": 0.81},
    ],
    "verdict": {"routing_helps": False, "policy": "always:small-1", "saves": 0.75, "reason": "Cheap is as good."},
    "misroutes": [
        {
            "prompt_id": "q1",
            "dataset": "faq",
            "served": "large-9",
            "ideal": "small-1",
            "scores": {"small-1": 1, "large-9": 1},
        }
    ],
}


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(EVALUATION))
    return path


def run(*arguments: object, fails: bool = False) -> Any:
    app = typer.Typer()
    app.command()(report)
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if not fails:
        assert result.exit_code == 0, result.output
    return result


def test_a_report_from_an_evaluations_file(evaluation: Path, tmp_path: Path) -> None:
    result = run(evaluation, "--to", tmp_path / "out", "--date", "2026-11-23", "--title", "Support bot", "--json")
    said = json.loads(result.output)
    assert said["verdict"].startswith("Routing is not needed: use small-1 for everything.")
    page = Path(said["html"]).read_text("utf-8")
    assert "Support bot" in page
    assert "23 November 2026" in page
    assert sorted(Path(each).name for each in said["figures"]) == ["cost-quality.png", "cost-quality.svg"]


def test_prompts_come_from_the_outcomes_unless_they_are_unwanted(evaluation: Path, tmp_path: Path) -> None:
    rows = [
        {"dataset": "faq", "prompt_id": "q1", "prompt": "When do you open?", "model": model, "score": 1.0}
        for model in EVALUATION["models"]
    ]
    data = tmp_path / "outcomes.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(evaluation, "--to", tmp_path / "with", "--data", data)
    run(evaluation, "--to", tmp_path / "without", "--data", data, "--no-prompts")
    assert "When do you open?" in (tmp_path / "with" / "report.html").read_text("utf-8")
    assert "When do you open?" in (tmp_path / "with" / "report.md").read_text("utf-8")
    for name in ("report.html", "report.md"):
        assert "When do you open?" not in (tmp_path / "without" / name).read_text("utf-8")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"models": ["a"]}', "[" * 100_000])
def test_a_file_that_is_no_evaluation_is_refused_and_nothing_is_written(content: str, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    result = run(path, "--to", tmp_path / "out", fails=True)
    assert isinstance(result.exception, DataError)
    assert "evaluat" in result.exception.message
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    result = run(tmp_path / "none.json", "--to", tmp_path / "out", fails=True)
    assert isinstance(result.exception, DataError)
    assert "cannot be read" in result.exception.message
