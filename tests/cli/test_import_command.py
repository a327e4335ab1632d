"""`pointsman import` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pointsman.cli import import_command
from pointsman.errors import DataError, PointsmanError
from pointsman.outcomes import read, read_eval_set

app = typer.Typer()
app.command("import")(import_command.import_)
app.command("other")(lambda: None)


def run(*arguments: str | Path) -> str:
    """What the command prints; its PointsmanError is raised."""
    result = CliRunner().invoke(app, ["import", *map(str, arguments)])
    if isinstance(result.exception, PointsmanError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    path = tmp_path / "outcomes.csv"
    path.write_text(
        "prompt_id,prompt,model,score,cost_usd\n1,Hi,large,1,0.1\n1,Hi,small,0,0.01\n"
        "2,Bye,large,1,0.1\n2,Bye,small,1,0.01\n3,What?,small,7,0.01\n",
        encoding="utf-8",
    )
    return path


def test_outcomes_become_an_eval_set(tmp_path: Path, outcomes: Path) -> None:
    out = run(outcomes, "--to", tmp_path / "set", "--licence", "CC0-1.0", "--split-seed", "11")
    assert "4 rows, 2 prompts, 2 models" in out
    assert "Left out: 1 of 5 rows: score outside 0 to 1." in out
    made = read_eval_set(tmp_path / "set")
    assert [(triple["id"], triple["ideal_tier"]) for triple in made.triples] == [("1", "large"), ("2", "small")]
    assert made.card.models == ("small", "large")
    assert (made.card.licence, made.card.split_seed) == ("CC0-1.0", 11)
    assert made.card.sources == ({"file": "outcomes.csv", "format": "outcomes"},)
    assert read(tmp_path / "set")[0].models == ("small", "large")


def test_json_says_what_was_made_and_what_is_shared(tmp_path: Path, outcomes: Path) -> None:
    run(outcomes, "--to", tmp_path / "one")
    out = json.loads(run(outcomes, "--to", tmp_path / "two", "--against", tmp_path / "one", "--json"))
    assert (out["n_read"], out["n_rows"], out["n_prompts"], out["n_scored"]) == (5, 4, 2, 4)
    assert out["dropped"] == {"score outside 0 to 1": 1}
    assert out["shared_prompts"] == {str(tmp_path / "one"): 2}
    assert out["content_hash"] == read_eval_set(tmp_path / "one").card.content_hash


def test_what_has_no_scores_is_told_to_be_labelled(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps({"prompt": "Hi", "model": "m", "response": "Hello"}), encoding="utf-8")
    assert "1 rows have no score yet; next: pointsman label" in run(path, "--to", tmp_path / "set")
    assert read_eval_set(tmp_path / "set").triples == ()


def test_bad_input_leaves_nothing_behind(tmp_path: Path, outcomes: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        run(tmp_path / "absent.csv", "--to", tmp_path / "set")
    with pytest.raises(DataError, match="no rows of huge; there are: large, small"):
        run(outcomes, "--to", tmp_path / "set", "--models", "small,huge")
    assert [path.name for path in tmp_path.iterdir()] == ["outcomes.csv"]
    run(outcomes, "--to", tmp_path / "set")
    with pytest.raises(DataError, match="holds an eval set already"):
        run(outcomes, "--to", tmp_path / "set")
    run(outcomes, "--to", tmp_path / "set", "--replace")
