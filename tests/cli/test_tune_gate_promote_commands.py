"""`pointsman tune`, `gate` and `promote` with the built-in router on outcomes made here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import pointsman.score
from pointsman import assembly
from pointsman.cli import gate_command, promote_command, tune_command
from pointsman.errors import ArtifactError, BadRequest, DataError
from pointsman.tune import read_policy

BUILTIN = Path(pointsman.score.__file__).parent / "builtin"


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    made.command("tune")(tune_command.tune)
    made.command("gate")(gate_command.gate)
    made.command("promote")(promote_command.promote)
    return made


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 prompts: sums that both models get right, proofs that only the strong one does."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(600):
        easy = n % 2 == 0
        prompt = f"What is {n} plus {n + 1}?" if easy else f"Prove that there are {n} primes below x, and derive x."
        for model, right in (("small", easy or rng.random() < 0.3), ("large", True)):
            row = {"dataset": "d", "prompt_id": str(n), "prompt": prompt, "model": model, "score": float(right)}
            rows.append(json.dumps({**row, "cost_usd": 0.001 if model == "small" else 0.01}))
    path = tmp_path_factory.mktemp("data") / "outcomes.jsonl"
    path.write_text("\n".join(rows))
    return path


def tuned(app: typer.Typer, outcomes: Path, to: Path, *more: str) -> str:
    result = CliRunner().invoke(
        app, ["tune", str(outcomes), "--models", "small,large", "--to", str(to), *more], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_tune_writes_the_policy_it_prints(app: typer.Typer, outcomes: Path, tmp_path: Path) -> None:
    out = tuned(app, outcomes, tmp_path / "p.json", "--max-quality-loss", "0.05", "--json")
    policy = read_policy(tmp_path / "p.json")
    assert json.loads(out) == policy.model_dump(mode="json")
    assert policy.router is not None
    assert policy.router.path == "builtin"
    assert policy.sample.n_groups == 600
    assert policy.models == ("small", "large")
    text = tuned(app, outcomes, tmp_path / "p.json", "--max-quality-loss", "0.05")
    assert "Written to" in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--models", "small"], "two or more different models"),
        (["--models", "small,small"], "two or more different models"),
        (["--price", "small"], "--price expects"),
        (["--price", "small=-1"], "--price expects"),
    ],
)
def test_wrong_usage_of_tune_is_told(
    app: typer.Typer, outcomes: Path, tmp_path: Path, more: list[str], said: str
) -> None:
    to = tmp_path / "p.json"
    with pytest.raises(BadRequest, match=said):
        CliRunner().invoke(
            app, ["tune", str(outcomes), "--models", "small,large", "--to", str(to), *more], catch_exceptions=False
        )
    assert not to.exists()


def test_a_cascade_is_not_tuned_with_what_is_no_router(app: typer.Typer, outcomes: Path, tmp_path: Path) -> None:
    to = tmp_path / "p.json"
    with pytest.raises(ArtifactError, match="is no router artifact"):
        tuned(app, outcomes, to, "--policy", "cascade", "--router", str(tmp_path))
    assert not to.exists()


def test_a_copy_of_the_router_passes_the_gate(app: typer.Typer, outcomes: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(BUILTIN, copy)
    result = CliRunner().invoke(
        app,
        f"gate --baseline builtin --candidate {copy} --on {outcomes} -m small,large --strict --json".split(),
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["passed"]
    assert [check["name"] for check in found["checks"]] == ["quality_at_equal_cost", "forecast"]
    assert (found["n_prompts"], found["n_changed"], found["n_trained"]) == (600, 0, 0)


def test_a_policy_that_loses_quality_fails_with_exit_1_and_lists_prompts(
    app: typer.Typer, outcomes: Path, tmp_path: Path
) -> None:
    tuned(app, outcomes, tmp_path / "narrow.json", "--max-quality-loss", "0.01")
    tuned(app, outcomes, tmp_path / "wide.json", "--max-quality-loss", "0.5")
    arguments = ["gate", "--baseline", str(tmp_path / "narrow.json"), "--on", str(outcomes), "--show", "3"]
    result = CliRunner().invoke(app, [*arguments, "--candidate", str(tmp_path / "wide.json")], catch_exceptions=False)
    assert result.exit_code == 1
    assert "failed: the candidate is worse" in result.output
    assert "1 → 0" in result.output
    same = CliRunner().invoke(app, [*arguments, "--candidate", str(tmp_path / "narrow.json")], catch_exceptions=False)
    assert same.exit_code == 0


def test_a_policy_of_another_router_is_refused(app: typer.Typer, outcomes: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(BUILTIN, copy)
    tuned(app, outcomes, tmp_path / "p.json", "--max-quality-loss", "0.05", "--router", str(copy))
    policy = json.loads((tmp_path / "p.json").read_text())
    if policy["kind"] == "fixed":
        policy |= {"kind": "threshold", "answer": "route", "use": None, "thresholds": [0.5]}
    policy["router"]["sha256"] = "0" * 64
    (tmp_path / "p.json").write_text(json.dumps(policy))
    with pytest.raises(ArtifactError, match="tune it again"):
        CliRunner().invoke(
            app,
            ["gate", "--baseline", str(tmp_path / "p.json"), "--candidate", "builtin", "--on", str(outcomes)],
            catch_exceptions=False,
        )


def test_policies_for_different_models_are_refused(app: typer.Typer, outcomes: Path, tmp_path: Path) -> None:
    tuned(app, outcomes, tmp_path / "p.json")
    with pytest.raises(BadRequest, match="different models"):
        CliRunner().invoke(
            app,
            f"gate --baseline {tmp_path}/p.json --candidate builtin --on {outcomes} --models large,small".split(),
            catch_exceptions=False,
        )


def test_promote_history_and_undo(app: typer.Typer, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(BUILTIN, tmp_path / name)
    store = ["--to", str(tmp_path / "store"), "--json"]
    moves = [
        json.loads(CliRunner().invoke(app, ["promote", *which, *store], catch_exceptions=False).output)
        for which in ([str(tmp_path / "one")], [str(tmp_path / "two")], ["--undo"])
    ]
    assert [move["name"][:3] for move in moves] == ["one", "two", "one"]
    history = json.loads(CliRunner().invoke(app, ["promote", "--history", *store], catch_exceptions=False).output)
    assert history == moves
    (tmp_path / "two" / "card.json").write_text("{}")
    with pytest.raises(ArtifactError):
        CliRunner().invoke(app, ["promote", str(tmp_path / "two"), *store], catch_exceptions=False)
    with pytest.raises(BadRequest, match="one of"):
        CliRunner().invoke(app, ["promote", *store], catch_exceptions=False)


def test_missing_data_is_told(app: typer.Typer, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        CliRunner().invoke(
            app,
            ["tune", str(tmp_path / "none.parquet"), "--models", "a,b", "--to", str(tmp_path / "p.json")],
            catch_exceptions=False,
        )


def test_what_a_tuned_policy_promises_is_what_is_watched(app: typer.Typer, outcomes: Path, tmp_path: Path) -> None:
    """Its limit, and as the reference the scores and the acceptance of the prompts that it was tuned on."""
    tuned(app, outcomes, tmp_path / "p.json", "--max-quality-loss", "0.3")
    policy = read_policy(tmp_path / "p.json")
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    common = {"provider": "openai-compatible", "base_url": "http://127.0.0.1:9/v1", "price": price}
    config = {
        "models": [{"name": name, "model": name, **common} for name in ("small", "large")],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "threshold", "file": str(tmp_path / "p.json")}},
        "shadow": {"share": 0.1},
    }
    plan = assembly.watch_plans(assembly.from_config(config))["auto"]
    reference = plan.reference
    assert plan.limit == 0.3
    assert reference is not None
    assert reference.n == policy.sample.n_groups == 600
    assert reference.accepted == pytest.approx(1.0 - policy.expected.strong_share)
    assert list(reference.below) == sorted(reference.below)
    at = reference.thresholds.index(policy.thresholds[0])
    assert reference.below[at] == pytest.approx(policy.expected.strong_share)
