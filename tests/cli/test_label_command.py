"""`pointsman label` through the front door: files in, an eval set out, a judge at the upstream."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pointsman.cli import label_command
from pointsman.cli.eval_set_files import read_outcomes, write_lines, write_outcomes
from pointsman.errors import PointsmanError
from pointsman.outcomes import read as read_as_evaluate_does
from pointsman.outcomes import read_eval_set

app = typer.Typer()
app.command("label")(label_command.label)
N = 6


def run(*arguments: object) -> dict[str, Any]:
    """The command's JSON; its PointsmanError is raised."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    if isinstance(result.exception, PointsmanError):
        raise result.exception
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six prompts: the small model is right on the even ones, the large one on all but the last."""
    rows = []
    for n in range(N):
        for model, cost in (("small", 0.001), ("large", 0.01)):
            right = n % 2 == 0 if model == "small" else n < N - 1
            rows.append(
                {
                    "dataset": "sums",
                    "prompt_id": f"p{n}",
                    "prompt": f"What is {n} + {n}?",
                    "model": model,
                    "score": math.nan,
                    "response": f"It is {2 * n if right else 99}",
                    "cost_usd": cost,
                }
            )
    path = tmp_path / "set"
    path.mkdir()
    write_outcomes(path, rows)
    prompts = ({"dataset": "sums", "prompt_id": f"p{n}", "reference": str(2 * n), "tags": ["maths"]} for n in range(N))
    write_lines(path / "prompts.jsonl", (json.dumps(row).encode() for row in prompts))
    return path


def configure(folder: Path) -> Path:
    """A configuration with simulated models in two tiers."""
    models = [
        {"name": name, "provider": "sim", "simulate": {"skill": 0.9, "latency_ms": 0, "priced_as": "openai/gpt-4o"}}
        for name in ("small", "large")
    ]
    config = {
        "models": models,
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "fixed", "tier": "cheap"}},
        "default_policy": "auto",
        "baseline": "strong",
    }
    path = folder / "pointsman.yaml"
    path.write_text(json.dumps(config))
    return path


def triples(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in map(json.loads, (folder / "triples.jsonl").read_text().splitlines())}


def test_numeric_labels_make_an_eval_set_that_the_other_stages_read(folder: Path) -> None:
    config = configure(folder.parent)
    summary = run(folder, "--scorer", "numeric", "--config", config)
    small, large = summary["models"]
    assert (small["model"], small["n_scored"], small["mean_score"], small["n_ideal"]) == ("small", 6, 0.5, 3)
    assert (large["tier"], large["mean_score"], large["n_ideal"]) == ("strong", pytest.approx(5 / 6), 2)
    assert small["mean_score_ci"][0] < 0.5 < small["mean_score_ci"][1]
    assert summary["n_no_good_answer"] == 1
    found = triples(folder)
    assert found["p0"] == {
        "id": "p0",
        "input": "What is 0 + 0?",
        "ideal_tier": "cheap",
        "ideal_output": "0",
        "tags": ["sums", "maths"],
    }
    assert found["p1"]["ideal_tier"] == "strong"
    assert found["p5"]["ideal_tier"] is None
    assert found["p5"]["tags"] == ["sums", "maths", "no-good-answer"]
    eval_set = read_eval_set(folder)
    assert eval_set.card.models == ("small", "large")
    assert eval_set.card.judge is not None
    assert eval_set.card.judge["scorer"].startswith("numeric")
    outcomes, _ = read_as_evaluate_does(folder, models=["small", "large"])
    assert outcomes.score[:, 0].tolist() == [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]


def test_labelling_again_keeps_tags_columns_and_who_labelled_before(folder: Path) -> None:
    write_outcomes(folder, [{**row, "shop": "north"} for row in read_outcomes(folder)])
    run(folder, "--scorer", "numeric")
    run(folder, "--scorer", "contains")
    assert triples(folder)["p5"]["tags"] == ["sums", "maths", "no-good-answer"]
    assert {row["shop"] for row in read_outcomes(folder)} == {"north"}
    card = json.loads((folder / "card.json").read_text())
    assert card["judge"]["scorer"] == "contains"
    assert [each["scorer"].split()[0] for each in card["labelled_before"]] == ["numeric"]


@pytest.mark.parametrize("how", ["active", "random"])
def test_a_budget_labels_so_many_and_the_next_one_others(folder: Path, how: str) -> None:
    seen: list[set[str]] = []
    for n in (2, 2, 5):
        before = {row["prompt_id"] for row in read_outcomes(folder) if row["score"] is not None}
        summary = run(folder, "--scorer", "exact", "--budget", n, "--select", how, "--seed", 3)
        after = {row["prompt_id"] for row in read_outcomes(folder) if row["score"] is not None}
        assert summary["n_labelled_now"] == min(n, N - len(before))
        seen.append(after - before)
    assert [len(each) for each in seen] == [2, 2, 2]
    assert set().union(*seen) == {f"p{n}" for n in range(N)}


def test_what_has_no_reference_stays_unscored(folder: Path) -> None:
    lines = (folder / "prompts.jsonl").read_text().splitlines()
    (folder / "prompts.jsonl").write_text("\n".join(lines[:2]) + "\n")
    summary = run(folder, "--scorer", "exact")
    assert [row["n_unscored"] for row in summary["models"]] == [4, 4]
    assert summary["n_without_ideal"] == 4
    assert set(triples(folder)) == {"p0", "p1"}
    assert [row["score"] for row in read_outcomes(folder)].count(None) == 8


def test_references_from_another_file(folder: Path) -> None:
    (folder / "prompts.jsonl").unlink()
    extra = folder.parent / "refs.jsonl"
    extra.write_text("\n".join(json.dumps({"prompt_id": f"p{n}", "reference": 2 * n}) for n in range(N)))
    assert run(folder, "--scorer", "numeric", "--references", extra)["models"][0]["mean_score"] == 0.5


def test_regex_json_code_and_similarity(folder: Path) -> None:
    assert run(folder, "--scorer", "regex", "--pattern", "99")["models"][0]["mean_score"] == 0.5
    assert run(folder, "--scorer", "json")["models"][0]["mean_score"] == 0.0
    assert run(folder, "--scorer", "code")["models"][0]["n_scored"] == 0
    assert run(folder, "--scorer", "embedding")["models"][0]["n_scored"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--scorer NAME or --review"),
        (["--scorer", "exact", "--review"], "not both"),
        (["--scorer", "judge"], "--judge MODEL"),
        (["--scorer", "exact", "--judge", "x"], "go together"),
        (["--review"], "needs a terminal"),
        (["--scorer", "exact", "--models", "small,other"], "small, large"),
        (["--scorer", "regex", "--pattern", "("], "not a regular expression"),
        (["--scorer", "json", "--schema", "missing.json"], "missing.json"),
        (["--scorer", "exact", "--references", "missing.jsonl"], "no such file"),
    ],
)
def test_bad_arguments_say_what_to_do_and_leave_the_folder_alone(
    folder: Path, arguments: list[str], words: str
) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(PointsmanError, match=words):
        run(folder, *arguments)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_folders_without_outcomes_or_answers_or_costs_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PointsmanError, match="not a folder"):
        run(tmp_path / "nowhere", "--scorer", "exact")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PointsmanError, match="holds no outcomes"):
        run(tmp_path / "empty", "--scorer", "exact")
    rows = read_outcomes(folder)
    write_outcomes(folder, [{**row, "cost_usd": math.nan} for row in rows])
    with pytest.raises(PointsmanError, match="give --models"):
        run(folder, "--scorer", "exact")
    write_outcomes(folder, [{**row, "response": None} for row in rows])
    with pytest.raises(PointsmanError, match="hold no answers"):
        run(folder, "--scorer", "exact")


def test_a_review_goes_on_where_it_was_and_an_undone_score_is_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(typer, "getchar", lambda: keys.pop(0) if keys else "q")

    def review(pressed: str) -> list[float | None]:
        keys[:] = pressed
        label_command.label(str(folder), review=True, budget=2, select=label_command.Select.RANDOM, **DEFAULTS)
        return [row["score"] for row in read_outcomes(folder) if row["score"] is not None]

    assert review("g") == [1.0]
    first = next(row["prompt_id"] for row in read_outcomes(folder) if row["score"] is not None)
    # The second answer of the same prompt comes next, though new prompts could be chosen.
    assert sorted(review("b")) == [0.0, 1.0]  # type: ignore[type-var]
    assert {row["prompt_id"] for row in read_outcomes(folder) if row["score"] is not None} == {first}
    assert review("u") == [1.0]


DEFAULTS: dict[str, Any] = {
    name: parameter.default
    for name, parameter in inspect.signature(label_command.label).parameters.items()
    if name not in ("folder", "review", "budget", "select")
}
