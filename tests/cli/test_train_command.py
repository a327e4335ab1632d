"""`pointsman train` and what its artifact does in `evaluate`, `tune` and a gateway's configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.cli.test_evaluate_command import world
from typer.testing import CliRunner

from pointsman.cli.main import app
from pointsman.errors import ArtifactError, BadRequest, ConfigError, DataError
from pointsman.router import Router
from pointsman.router_artifact import open_router

MODELS = "small,large"


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """800 prompts where the wording tells which are hard."""
    return world(tmp_path_factory.mktemp("data"), n=800, cheap_right={"easy": 0.97, "hard": 0.1})


@pytest.fixture(scope="module")
def artifact(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("art") / "shop"
    out = json.loads(invoke("train", str(data), "-m", MODELS, "--to", str(to), "--train-size", "400", "--json"))
    assert (out["router"], out["models"], out["n_prompts"], out["n_left"]) == ("shop 1", ["small", "large"], 400, 400)
    return to


def test_the_card_says_what_it_is_and_how_well_it_does(artifact: Path) -> None:
    card = open_router(artifact).router.card
    assert card.models == ("small", "large")
    assert card.pairs == (("small", "large"),)
    # Training seeds 0, 1 and 2 give 0.799, 0.778 and 0.818 (before the smaller penalties: 0.804, 0.775 and 0.819), so
    # that one of them tells no more than that the interval lies where it should.
    low, high = card.metrics["policy"]["apgr_ci"]
    assert low > 0.7 and high > 0.8
    assert low < card.metrics["policy"]["apgr"] < high
    changes = card.metrics["decisions_changed_by"]
    assert changes["on"] == "prompts not trained on"
    assert {each["perturbation"] for each in changes["changes"]} == {"typos", "case", "white space", "paraphrase"}
    assert card.training.sources[0].n_prompts == 400
    shares = [point.strong_share for point in card.dial]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_the_same_command_gives_the_same_artifact(data: Path, artifact: Path, tmp_path: Path) -> None:
    again = tmp_path / "shop"
    text = invoke("train", str(data), "-m", MODELS, "--to", str(again), "--train-size", "400")
    assert "shop 1: small → large, trained on 400 prompts" in text
    assert "400 prompts were left" in text
    for name in ("card.json", "model.safetensors"):
        assert (again / name).read_bytes() == (artifact / name).read_bytes()


def test_evaluate_leaves_out_what_was_trained_on(data: Path, artifact: Path, tmp_path: Path) -> None:
    invoke(
        "evaluate",
        str(data),
        "-m",
        MODELS,
        "--router",
        str(artifact),
        "--json",
        str(tmp_path / "e"),
        "--resamples",
        "400",
    )
    found = json.loads((tmp_path / "e").read_text())
    assert found["n"] == 400
    assert found["policies"][0]["apgr"] > 0.8
    assert found["verdict"]["routing_helps"] is True


def test_only_the_prompts_named_are_trained_on(data: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    ids.write_text("\n".join(f"q{n}" for n in range(150)) + "\n")
    out = json.loads(
        invoke("train", str(data), "-m", MODELS, "--to", str(tmp_path / "a"), "--train-ids", str(ids), "--json")
    )
    assert (out["n_prompts"], out["n_left"]) == (150, 650)
    ids.write_text("nobody\n")
    with pytest.raises(DataError, match="none of the 800 prompts has an id"):
        invoke("train", str(data), "-m", MODELS, "--to", str(tmp_path / "b"), "--train-ids", str(ids))
    assert not (tmp_path / "b").exists()


def test_without_an_encoder_it_still_learns(data: Path, tmp_path: Path) -> None:
    to = tmp_path / "plain"
    invoke("train", str(data), "-m", MODELS, "--to", str(to), "--encoder", "none", "--train-size", "300")
    opened = open_router(to)
    assert opened.encoder is None
    p = opened.p_good(("small", "large"), ["Please thank the customer number 5", "Please prove the theorem about 7"])
    assert p[0, 0] > p[1, 0]


def test_nothing_is_overwritten_or_written_half(data: Path, artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="exists; choose another folder"):
        invoke("train", str(data), "-m", MODELS, "--to", str(artifact))
    with pytest.raises(DataError, match="at least 50 scored answers"):
        invoke("train", str(data), "-m", MODELS, "--to", str(tmp_path / "few"), "--train-size", "20")
    with pytest.raises(DataError, match="gpt-9"):
        invoke("train", str(data), "-m", "small,gpt-9", "--to", str(tmp_path / "few"))
    with pytest.raises(BadRequest, match="two or more"):
        invoke("train", str(data), "-m", "small", "--to", str(tmp_path / "few"))
    assert list(tmp_path.iterdir()) == []


def test_a_router_for_other_models_is_refused_by_evaluate(artifact: Path, tmp_path: Path) -> None:
    other = world(tmp_path, n=100, cheap_right={"easy": 0.9, "hard": 0.2})
    renamed = pl.read_parquet(other).with_columns(pl.col("model").replace({"small": "tiny"}))
    renamed.write_parquet(other)
    with pytest.raises(ArtifactError, match="was trained for small, large"):
        invoke("evaluate", str(other), "-m", "tiny,large", "--router", str(artifact))


# ---------------------------------------------------------------- a model that came later


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 further prompts, answered by a new model too, which is right on half of the hard ones."""
    folder = tmp_path_factory.mktemp("later")
    path = world(folder, n=200, cheap_right={"easy": 0.97, "hard": 0.1}, seed=9)
    rows = pl.read_parquet(path)
    generator = np.random.default_rng(5)
    new = rows.filter(pl.col("model") == "large").with_columns(
        model=pl.lit("middle"),
        cost_usd=pl.lit(0.001),
        score=pl.Series(
            [
                float(generator.random() < (0.97 if any(w in text for w in ("customer", "order", "shop")) else 0.5))
                for text in rows.filter(pl.col("model") == "large")["prompt"].to_list()
            ]
        ),
    )
    pl.concat((rows, new.select(rows.columns))).write_parquet(path)
    return path


def test_a_new_model_is_placed_without_training_again(artifact: Path, later: Path, tmp_path: Path) -> None:
    to = tmp_path / "more"
    out = json.loads(
        invoke(
            "train", str(later), "-m", "small,middle,large", "--extend", str(artifact), "--to", str(to),
            "--version", "2", "--json",
        )
    )  # fmt: skip
    assert (out["router"], out["models"], out["placed"]) == ("shop 2", ["small", "middle", "large"], {"middle": 200})
    prompts = [
        "Please thank the customer number 405, case 523456.",
        "Please prove the theorem about number 407, case 723456.",
    ]
    before = open_router(artifact).p_good(("small", "large"), prompts)
    extended = open_router(to)
    after = extended.p_good(("small", "middle", "large"), prompts)
    assert after[:, 0] == pytest.approx(before[:, 0], abs=1e-5)
    assert after[0, 1] > 0.85
    # It does as well as the large one on 0.5 + 0.5 × 0.05 of the hard prompts; 200 outcomes tell that roughly.
    assert after[1, 1] == pytest.approx(0.525, abs=0.2)
    assert after[1, 0] < after[1, 1] < after[0, 1]
    assert len(extended.router.card.dial) > 3
    with pytest.raises(DataError, match="models it does not know"):
        invoke("train", str(later), "-m", "small,large", "--extend", str(artifact), "--to", str(tmp_path / "no"))


# ---------------------------------------------------------------- tuned, then served


def configuration(artifact: Path, policy: Path, names: tuple[str, str] = ("small", "large")) -> dict[str, Any]:
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
    return {
        "models": [{"name": name, "provider": "sim", "price": price} for name in names],
        "tiers": [{"name": "cheap", "models": [names[0]]}, {"name": "strong", "models": [names[1]]}],
        "router": {"artifact": str(artifact)},
        "policies": {"auto": {"kind": "threshold", "file": str(policy)}},
    }


def test_a_tuned_policy_decides_in_the_gateways_configuration(data: Path, artifact: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    invoke(
        "tune", str(data), "-m", MODELS, "--router", str(artifact), "--max-quality-loss", "0.05", "--to", str(policy)
    )
    router = Router.for_decisions(configuration(artifact, policy))
    easy = router.route(prompt="Please thank the customer number 405, case 523456.")
    hard = router.route(prompt="Please prove the theorem about number 407, case 723456.")
    assert (easy.model, hard.model) == ("small", "large")
    assert easy.threshold == json.loads(policy.read_text())["thresholds"][0]
    assert "tuned to lose at most 5.0% of the strong model's quality, confidence 95%" in easy.reason
    assert easy.router == "shop 1"
    with pytest.raises(ArtifactError, match="was trained for small, large, but the tiers have haiku, opus"):
        Router.for_decisions(configuration(artifact, policy, ("haiku", "opus")))
    turned = [{"name": "a", "models": ["large"]}, {"name": "b", "models": ["small"]}]
    with pytest.raises(ArtifactError, match="the tiers have large, small"):
        Router.for_decisions(configuration(artifact, policy) | {"tiers": turned})
    more = configuration(artifact, policy)
    more["models"].append(dict(more["models"][0], name="best"))
    more["tiers"].append({"name": "top", "models": ["best"]})
    with pytest.raises(ConfigError, match="the last tier must hold large"):
        Router.for_decisions(more)


def test_a_policy_of_another_router_is_refused(data: Path, artifact: Path, tmp_path: Path) -> None:
    policy, other = tmp_path / "policy.json", tmp_path / "other"
    invoke(
        "tune", str(data), "-m", MODELS, "--router", str(artifact), "--max-quality-loss", "0.05", "--to", str(policy)
    )
    invoke("train", str(data), "-m", MODELS, "--to", str(other), "--train-size", "300", "--seed", "4")
    with pytest.raises(ConfigError, match="was tuned for the router shop 1"):
        Router.for_decisions(configuration(other, policy))


def test_a_router_trained_on_everything_is_tuned_out_of_fold(data: Path, tmp_path: Path) -> None:
    whole, policy = tmp_path / "whole", tmp_path / "policy.json"
    text = invoke("train", str(data), "-m", MODELS, "--to", str(whole))
    assert "All prompts were trained on" in text
    asked = ("tune", str(data), "-m", MODELS, "--router", str(whole), "--max-quality-loss", "0.05", "--to", str(policy))
    with pytest.raises(DataError, match="no prompt is left to tune on"):
        invoke(*asked)
    invoke(*asked, "--folds", "3")
    found = json.loads(policy.read_text())
    assert found["sample"]["scores_from"] == "out-of-fold"
    assert found["sample"]["n_groups"] == 800
    assert found["answer"] == "route"
    with pytest.raises(BadRequest, match="--folds trains again"):
        invoke("tune", str(data), "-m", MODELS, "--to", str(policy), "--folds", "3")
