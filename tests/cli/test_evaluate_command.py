"""`pointsman evaluate` and `report` through the front door, on worlds made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from pointsman.cli.main import app
from pointsman.errors import PointsmanError

EASY = ("greet the customer", "thank the customer", "confirm the order", "say when the shop opens")
HARD = (
    "prove the theorem about",
    "derive the integral of",
    "find the bug in the scheduler of",
    "optimise the query for",
)


def world(folder: Path, *, n: int = 400, cheap_right: dict[str, float], seed: int = 3) -> Path:
    """Prompts of two kinds; the cheap model is right with the given chance on each, the strong one in 95 %."""
    generator = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number in range(n):
        kind = "easy" if generator.random() < 0.6 else "hard"
        words = (EASY if kind == "easy" else HARD)[number % 4]
        prompt = f"Please {words} number {number}, case {int(generator.integers(10**6))}."
        for model, chance, usd in (("small", cheap_right[kind], 0.0001), ("large", 0.95, 0.004)):
            rows.append(
                {
                    "dataset": "shop",
                    "prompt_id": f"q{number}",
                    "prompt": prompt,
                    "model": model,
                    "score": float(generator.random() < chance),
                    "cost_usd": usd,
                }
            )
    path = folder / "outcomes.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["evaluate", *arguments])


def test_a_world_where_the_prompt_tells_is_one_where_routing_helps(tmp_path: Path) -> None:
    data = world(tmp_path, cheap_right={"easy": 0.95, "hard": 0.1})
    done = run(str(data), "-m", "small,large", "--folds", "3", "--resamples", "400", "--json", str(tmp_path / "e"))
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "e").read_text())
    assert found["models"] == ["small", "large"]
    assert found["verdict"]["routing_helps"] is True
    [policy] = found["policies"]
    assert policy["apgr"] > 0.7
    assert policy["savings"] > 0.4
    names = " ".join(line["name"] for line in found["controls"])
    for control in ("always", "random", "shuffled", "task mean", "oracle"):
        assert control in names
    assert found["provenance"]["out_of_sample"] is True
    assert found["misroutes"]
    assert "Please" not in json.dumps(found), "prompts stay out of the evaluation"
    assert "oracle" in done.output


def test_a_world_where_cheap_equals_strong_says_always_cheap(tmp_path: Path) -> None:
    data = world(tmp_path, n=1_000, cheap_right={"easy": 0.95, "hard": 0.95})
    done = run(str(data), "-m", "small,large", "--folds", "2", "--resamples", "400", "--json", "-")
    assert done.exit_code == 0, done.output
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict["routing_helps"] is False
    assert "cheap" in verdict["reason"] or "small" in verdict["reason"]


def test_a_world_where_cheap_is_never_right_says_always_strong(tmp_path: Path) -> None:
    data = world(tmp_path, cheap_right={"easy": 0.0, "hard": 0.0})
    done = run(str(data), "-m", "small,large", "--folds", "2", "--resamples", "400", "--json", "-")
    assert done.exit_code == 0, done.output
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict["routing_helps"] is False
    assert "large" in verdict["reason"]


def test_the_builtin_router_is_measured_without_training_and_test_ids_narrow_it(tmp_path: Path) -> None:
    data = world(tmp_path, cheap_right={"easy": 0.9, "hard": 0.2})
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(f"q{number}" for number in range(120)) + "\n\n")
    done = run(
        str(data),
        "-m",
        "small,large",
        "--router",
        "builtin",
        "--test-ids",
        str(ids),
        "--resamples",
        "200",
        "--json",
        "-",
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["n"] == 120
    assert "pointsman-builtin" in found["provenance"]["router"]


def test_an_evaluation_becomes_a_report(tmp_path: Path) -> None:
    data = world(tmp_path, cheap_right={"easy": 0.95, "hard": 0.1})
    evaluation = tmp_path / "evaluation.json"
    assert (
        run(str(data), "-m", "small,large", "--folds", "2", "--resamples", "200", "--json", str(evaluation)).exit_code
        == 0
    )
    done = CliRunner().invoke(
        app, ["report", str(evaluation), "--to", str(tmp_path / "report"), "--date", "2026-11-23"]
    )
    assert done.exit_code == 0, done.output
    html = (tmp_path / "report" / "report.html").read_text()
    assert json.loads(evaluation.read_text())["verdict"]["reason"].split(":")[0] in html
    assert (tmp_path / "report" / "report.md").is_file()
    assert list((tmp_path / "report" / "figures").glob("*.svg"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "small"], "two or more"),
        (["--models", "small,huge"], "huge"),
        (["--models", "small,large", "--router", "builtin", "--folds", "3"], "either"),
        (["--models", "small,large", "--policy", "cascade"], "nothing to judge it by"),
        (["--models", "small,large", "--test-ids", "nothing.txt"], "nothing.txt"),
        (["--models", "small,large", "--price", "small=free"], "price"),
        (["--models", "small,large", "--dataset", "none*"], "none"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, arguments: list[str], words: str) -> None:
    data = world(tmp_path, n=60, cheap_right={"easy": 0.9, "hard": 0.2})
    done = run(str(data), *arguments)
    assert isinstance(done.exception, PointsmanError), done.output
    assert words in str(done.exception)
