"""`pointsman import` through the front door."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pointsman.cli import import_command
from pointsman.cli.main import app as command_line
from pointsman.errors import DataError, PointsmanError
from pointsman.outcomes import read, read_eval_set
from pointsman.router import Router
from pointsman.testing import Reply, Upstream
from pointsman.vocabulary import Feedback, Hints, Usage
from pointsman.wire import build_request

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


async def _used(ledger: Path, *, store_prompts: bool) -> None:
    """A ledger after one answer that was compared and one that a user disliked."""
    said = {
        "small": Reply(text="Lyon", usage=Usage(10, 5)),
        "large": Reply(text="Paris", usage=Usage(10, 5)),
        "referee": Reply(text='{"verdict": "tie"}', usage=Usage(10, 5)),
    }
    async with Upstream(said) as upstream:
        price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
        config = {
            "models": [
                {
                    "name": n,
                    "provider": "openai-compatible",
                    "model": n,
                    "base_url": f"{upstream.url}/v1",
                    "price": price,
                }
                for n in said
            ],
            "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
            "policies": {"auto": {"kind": "fixed", "tier": "cheap"}},
            "ledger": {"url": f"sqlite:///{ledger}", "store_prompts": store_prompts},
            "shadow": {"share": 1.0, "judge": "referee", "max_usd_per_day": 100},
        }
        async with Router.from_config(config) as router:
            await router.complete(prompt="What is the capital of France?")
            assert router.shadow is not None
            await router.shadow.idle()
            request = replace(build_request(prompt="And that of Portugal?"), hints=Hints(shadow=False))
            done = await router.complete(request=request)
            router.feedback(Feedback(done.request_id, datetime.now(UTC), label="bad"))


def test_a_ledger_becomes_an_eval_set_with_the_labels_that_use_gave(tmp_path: Path) -> None:
    ledger = tmp_path / "pointsman.db"
    asyncio.run(_used(ledger, store_prompts=True))
    out = run(ledger, "--to", tmp_path / "set")
    assert "3 rows, 2 prompts, 2 models" in out
    assert "Labelled by feedback: 1 rows.\nLabelled by shadow: 2 rows." in out
    rows = read_eval_set(tmp_path / "set").rows.sort("prompt", "model").to_dicts()
    found = [(row["prompt"], row["model"], row["response"], row["score"], row["labelled_by"]) for row in rows]
    assert found == [
        ("And that of Portugal?", "small", "Lyon", 0.0, "feedback"),
        ("What is the capital of France?", "large", "Paris", 0.5, "shadow"),
        ("What is the capital of France?", "small", "Lyon", 0.5, "shadow"),
    ]
    with pytest.raises(DataError, match="a ledger is imported by itself"):
        run(ledger, ledger, "--to", tmp_path / "both")


def test_a_ledger_without_prompts_says_what_is_missing(tmp_path: Path) -> None:
    ledger = tmp_path / "pointsman.db"
    asyncio.run(_used(ledger, store_prompts=False))
    with pytest.raises(DataError, match=r"2 no prompt stored \(the ledger keeps them when told to\)"):
        run(ledger, "--to", tmp_path / "set")


def test_labelling_an_imported_ledger_anew_leaves_no_word_of_the_old_labels(tmp_path: Path) -> None:
    ledger = tmp_path / "pointsman.db"
    asyncio.run(_used(ledger, store_prompts=True))
    run(ledger, "--to", tmp_path / "set")
    result = CliRunner().invoke(command_line, ["label", str(tmp_path / "set"), "--scorer", "exact"])
    assert result.exit_code == 0, result.output
    rows = read_eval_set(tmp_path / "set").rows
    for column in ("score", "labelled_by", "weight"):
        assert rows[column].null_count() + int(rows[column].is_nan().sum() if column == "score" else 0) == rows.height
