"""`pointsman evaluate` and `tune` with cascades, through the front door, on worlds made here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from pointsman.cli.main import app
from pointsman.errors import PointsmanError
from pointsman.judge import SIGNAL_VERSION, SIGNALS, TOKEN_SIGNALS, TOKEN_VERSION
from pointsman.router_artifact import open_router
from pointsman.score import prompt_hash, read_card
from pointsman.tune import read_cascade, write_cascade

N = 320
WORDS = ("river", "candle", "orchard", "violin", "harbour", "lantern")


@cache
def world() -> Path:
    """Prompts that say nothing. Small is right on half and sure when it is; large is right on 95 %, at 20 times the
    cost."""
    generator = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for number in range(N):
        prompt = f"Which {WORDS[number % 6]} is number {int(generator.integers(10**6))}?"
        for model, chance, usd in (("small", 0.5, 0.0002), ("large", 0.95, 0.004)):
            right = generator.random() < chance
            rows.append(
                {
                    "dataset": "shop",
                    "prompt_id": f"q{number}",
                    "prompt": prompt,
                    "model": model,
                    "score": float(right),
                    "cost_usd": usd,
                    "response": "A" if generator.random() < 0.5 else "B",
                    "confidence": float(np.clip(0.9 if right else 0.6, 0, 1) + generator.uniform(-0.05, 0.05)),
                }
            )
    path = Path(mkdtemp()) / "outcomes.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


@cache
def easy_world() -> Path:
    """As published traffic: small is right on 72 %, large on 81 % of the same prompts, at 17 times the cost."""
    generator = np.random.default_rng(4)
    rows: list[dict[str, Any]] = []
    for number in range(2 * N):
        prompt = f"Which {WORDS[number % 6]} is number {int(generator.integers(10**6))}?"
        difficulty = generator.random()
        for model, share, usd in (("small", 0.72, 0.00004), ("large", 0.81, 0.0007)):
            right = difficulty + generator.normal(0, 0.1) < share
            rows.append(
                {
                    "dataset": "exam",
                    "prompt_id": f"q{number}",
                    "prompt": prompt,
                    "model": model,
                    "score": float(right),
                    "cost_usd": usd * float(generator.uniform(0.8, 1.2)),
                    "response": "A" if generator.random() < 0.5 else "B",
                    "confidence": 0.9,
                }
            )
    path = Path(mkdtemp()) / "outcomes.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


@cache
def artifact(kind: str = "both") -> Path:
    """A router that was trained on a part of the world."""
    to = Path(mkdtemp()) / "art"
    common = ("-m", "small,large", "--encoder", "none", "--train-size", "200", "--to", str(to), "--json")
    done = run("train", str(world()), *common, "--kind", kind)
    assert done.exit_code == 0, done.output
    return to


@cache
def tuned() -> Path:
    """The cascade that was tuned for that router, on the rest."""
    to = Path(mkdtemp()) / "policy.json"
    limit = ("--max-quality-loss", "0.15", "--confidence", "0.8")
    done = run(
        "tune",
        str(world()),
        "-m",
        "small,large",
        "--router",
        str(artifact()),
        "--policy",
        "cascade",
        *limit,
        "--to",
        str(to),
    )
    assert done.exit_code == 0, done.output
    return to


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments])


def evaluated(tmp_path: Path, *arguments: str, data: Path | None = None) -> dict[str, Any]:
    to = tmp_path / "e.json"
    common = ("-m", "small,large", "--folds", "2", "--encoder", "none", "--resamples", "200", "--json", str(to))
    done = run("evaluate", str(world() if data is None else data), *common, *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(to.read_text())
    return found


def test_answers_that_tell_make_a_cascade_worth_it(tmp_path: Path) -> None:
    found = evaluated(tmp_path, "--policy", "cascade")
    line, beside = found["policies"][0], found["cascade"]
    assert line["kind"] == "cascade"
    assert set(line["savings_at"]) == {"parity", "0.99", "0.98", "0.95"}
    # Half are accepted for $0.0002, the rest pays both.
    assert line["savings"] == pytest.approx(0.45, abs=0.1)
    assert line["cost_parts"]["judge_usd"] == 0
    assert found["verdict"]["routing_helps"] is True
    assert beside["advice"] == "cascade"
    assert beside["break_even_judge_price_usd"] > 0
    assert 0.05 < beside["break_even_judge_error"] < 0.5
    names = {line["name"] for line in found["controls"]}
    assert names >= {"always:small", "oracle", "direct routing", "direct routing at the same cost"}
    assert len(found["curve"]) > 2


def test_where_judging_is_poor_the_advice_is_not_to_cascade(tmp_path: Path) -> None:
    found = evaluated(tmp_path, "--policy", "cascade", "--judge-error", "0.45", "--judge-price", "0.0005")
    beside = found["cascade"]
    assert beside["advice"] == "direct routing"
    assert "not shown to pay" in beside["reason"]
    assert beside["judge_error"] == 0.45
    assert beside["direct_routing_at_same_cost"]["difference_ci"][0] <= 0
    assert found["verdict"]["policy"] != "cascade"


@pytest.mark.parametrize("policy", ["cascade", "cascade_routing"])
def test_a_free_judge_that_errs_in_a_quarter_of_its_verdicts_is_no_reason_to_cascade(
    tmp_path: Path, policy: str
) -> None:
    good, poor = (
        evaluated(tmp_path, "--policy", policy, "--judge-error", error, "--judge-price", "0", data=easy_world())
        for error in ("0.05", "0.25")
    )
    assert good["cascade"]["advice"] == "cascade"
    assert poor["cascade"]["advice"] == "direct routing"
    assert poor["cascade"]["break_even_judge_error"] < 0.25
    beside = {line["name"]: line for line in poor["controls"]}
    assert beside["direct routing"]["savings_at"]["0.98"] is not None


def test_a_simulated_judge_without_a_price_costs_a_fifth_of_a_call_of_the_reference(tmp_path: Path) -> None:
    found = evaluated(
        tmp_path, "--policy", "cascade", "--judge-error", "0.25", "--judge-errs", "evenly", data=easy_world()
    )
    beside = found["cascade"]
    assert beside["judge_price_is_assumed"] is True
    assert beside["judge_price_usd"] == pytest.approx(0.2 * 0.0007, rel=0.03)
    assert beside["judge_errs"] == "evenly"
    # The one kind of error at this price is worse than the other.
    assert beside["break_even_judge_errors"]["agreeing"] < beside["break_even_judge_errors"]["evenly"]
    assert beside["break_even_judge_error"] == beside["break_even_judge_errors"]["evenly"]


def test_verdicts_in_place_of_confidences_are_told_of_and_paid(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    frame = pl.read_parquet(world())
    verdict = np.where(generator.random(frame.height) < 0.25, 1 - frame["score"].to_numpy(), frame["score"].to_numpy())
    data = tmp_path / "verdicts.parquet"
    frame.with_columns(pl.Series("confidence", verdict)).write_parquet(data)
    beside = evaluated(tmp_path, "--policy", "cascade", data=data)["cascade"]
    assert beside["judge_price_is_assumed"] is True
    assert beside["judge_price_usd"] == pytest.approx(0.2 * 0.004)
    small = frame["model"].to_numpy() == "small"
    wrong = float((verdict != frame["score"].to_numpy())[small].mean())
    assert beside["recorded_verdicts"]["error"] == pytest.approx(wrong)
    assert beside["recorded_verdicts"]["rejects"] == pytest.approx(0.25, abs=0.08)
    assert beside["recorded_verdicts"]["accepts"] == pytest.approx(0.25, abs=0.08)
    done = run("evaluate", str(data), "-m", "small,large", "--policy", "cascade", "--folds", "2", "--encoder", "none")
    told = " ".join(done.stdout.split())
    assert "20% of a call of large (assumed: give --judge-price)" in told
    assert "of its verdicts are wrong" in told
    assert "Break-even error of a judge that says good or bad, at this price" in told


def test_a_judge_that_costs_something_is_paid(tmp_path: Path) -> None:
    paid = evaluated(tmp_path, "--policy", "cascade_routing", "--judge-price", "0.0002")
    assert paid["policies"][0]["cost_parts"]["judge_usd"] == pytest.approx(
        0.0002 * paid["cascade"]["judged_per_request"], rel=1e-3
    )
    line = paid["policies"][0]
    assert line["savings"] == pytest.approx(
        line["savings_calls_only"] - line["cost_parts"]["judge_usd"] / 0.004, abs=1e-6
    )


def test_tuning_writes_a_plan_that_can_be_read(tmp_path: Path) -> None:
    to = tmp_path / "policy.json"
    done = run(
        "tune",
        str(world()),
        "-m",
        "small,large",
        "--policy",
        "cascade",
        "--folds",
        "2",
        "--max-quality-loss",
        "0.1",
        "--to",
        str(to),
    )
    assert done.exit_code == 0, done.output
    policy = read_cascade(to)
    plan = policy.read_plan()
    assert policy.kind == "cascade"
    assert policy.sample.scores_from == "out-of-fold"
    assert plan is not None
    assert set(plan.steps) == {(), (0,), (1,), (0, 1)}
    assert policy.expected.savings is not None
    assert policy.expected.savings > 0.3


def test_without_costs_there_is_nothing_to_weigh(tmp_path: Path) -> None:
    data = tmp_path / "free.parquet"
    pl.read_parquet(world()).drop("cost_usd").write_parquet(data)
    done = run("evaluate", str(data), "-m", "small,large", "--policy", "cascade")
    assert isinstance(done.exception, PointsmanError)
    assert "--price" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("evaluate", "--policy", "cascade", "--router", "builtin"), "train it with --kind both"),
        (("evaluate", "--judge-price", "0.1"), "belong to --policy cascade"),
        (("evaluate", "--judge-price", "0"), "belong to --policy cascade"),
        (("evaluate", "--policy", "cascade", "--judge-errs", "evenly"), "give its --judge-error too"),
        (("evaluate", "--policy", "cascade", "--judge-errs", "oddly", "--judge-error", "0.1"), "agreeing or evenly"),
        (("tune", "--policy", "cascade", "--router", "art", "--folds", "2", "--to", "p.json"), "give either"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], match: str) -> None:
    command, *rest = arguments
    done = run(command, str(world()), "-m", "small,large", *rest)
    assert isinstance(done.exception, PointsmanError)
    assert match in str(done.exception)


def test_an_artifact_trained_on_answers_is_measured_on_the_prompts_that_it_has_not_seen(tmp_path: Path) -> None:
    to = tmp_path / "e.json"
    common = ("-m", "small,large", "--resamples", "200", "--json", str(to))
    done = run("evaluate", str(world()), *common, "--policy", "cascade", "--router", str(artifact()))
    assert done.exit_code == 0, done.output
    found = json.loads(to.read_text())
    assert found["n"] == N - 200
    assert found["policies"][0]["savings"] == pytest.approx(0.45, abs=0.12)
    assert found["provenance"]["router"] == "art 1"


def test_the_card_says_what_was_read_off_answers() -> None:
    card = read_card(artifact())
    assert card.answers is not None
    assert card.answers.models == ("small", "large")
    assert (card.answers.signal_version, card.answers.token_version) == (SIGNAL_VERSION, TOKEN_VERSION)
    assert card.answers.signals == (*SIGNALS, *TOKEN_SIGNALS)
    # Small says by its confidence alone when it is right.
    assert card.answers.metrics["answers"][0]["auc"] > 0.95
    assert card.answers.metrics["ahead_auc"]["small"] < 0.7
    assert card.dial


def test_an_artifact_for_answers_alone_has_no_dial() -> None:
    card = read_card(artifact("answer"))
    assert card.answers is not None
    assert card.dial == ()
    assert any("for cascades" in limit for limit in card.limits)


def test_a_cascade_tuned_for_an_artifact_is_evaluated_from_its_file(tmp_path: Path) -> None:
    policy = read_cascade(tuned())
    assert policy.router is not None
    assert policy.router.name == "art 1"
    assert policy.sample.scores_from == "held-out"
    assert (policy.sample.n_prompts, policy.sample.n_trained) == (N - 200, 200)
    to = tmp_path / "e.json"
    done = run(
        "evaluate", str(world()), "-m", "small,large", "--policy", str(tuned()), "--resamples", "200", "--json", str(to)
    )
    assert done.exit_code == 0, done.output
    line = json.loads(to.read_text())["policies"][0]
    assert line["kind"] == "cascade"
    # The very prompts that it was tuned on.
    assert line["savings"] == pytest.approx(policy.expected.savings, abs=1e-6)
    assert line["quality"] == pytest.approx(policy.expected.quality, abs=1e-6)


def test_a_cascade_tuned_for_another_artifact_is_refused(tmp_path: Path) -> None:
    done = run(
        "evaluate",
        str(world()),
        "-m",
        "small,large",
        "--policy",
        str(tuned()),
        "--router",
        str(artifact("answer")),
    )
    assert isinstance(done.exception, PointsmanError)
    assert "was tuned for the router art 1" in str(done.exception)


def test_a_cascade_tuned_without_an_artifact_cannot_be_evaluated_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    policy = read_cascade(tuned())
    write_cascade(file, policy.model_copy(update={"router": None}))
    done = run("evaluate", str(world()), "-m", "small,large", "--policy", str(file))
    assert isinstance(done.exception, PointsmanError)
    assert "tune it again with --router" in str(done.exception)


def test_nothing_is_measured_on_the_prompts_of_its_own_training(tmp_path: Path) -> None:
    seen = tmp_path / "seen.parquet"
    rest = {path["prompt"] for path in pl.read_parquet(world()).unique("prompt").to_dicts()}
    trained = set(open_router(artifact()).router.trained_prompts.tolist())
    seen_prompts = [prompt for prompt in rest if prompt_hash(prompt) in trained]
    pl.read_parquet(world()).filter(pl.col("prompt").is_in(seen_prompts)).write_parquet(seen)
    done = run("evaluate", str(seen), "-m", "small,large", "--policy", "cascade", "--router", str(artifact()))
    assert isinstance(done.exception, PointsmanError)
    assert "was trained on all 200 prompts" in str(done.exception)


def gated(*arguments: str) -> Any:
    """The gate on the prompts that the artifact has not seen."""
    return run("gate", "--on", str(world()), "--json", *arguments)


def test_the_gate_lets_the_same_cascade_pass_and_pays_all_of_its_calls() -> None:
    done = gated("--baseline", str(tuned()), "--candidate", str(tuned()))
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    quality, cost = found["checks"]
    assert (quality["name"], cost["name"]) == ("quality", "cost")
    assert (found["n_prompts"], found["n_trained"], found["n_changed"]) == (N - 200, 200, 0)
    expected = read_cascade(tuned()).expected
    assert quality["baseline"] == quality["candidate"] == pytest.approx(expected.quality, abs=1e-6)
    # Escalated requests pay both models.
    assert cost["baseline"] == pytest.approx((1 - (expected.savings or 0)) * 0.004, rel=1e-3)


def test_the_gate_stops_a_cascade_that_gives_quality_away(tmp_path: Path) -> None:
    wide = tmp_path / "wide.json"
    limit = ("--max-quality-loss", "0.9", "--confidence", "0.8")
    common = ("-m", "small,large", "--router", str(artifact()), "--policy", "cascade", "--to", str(wide))
    assert run("tune", str(world()), *common, *limit).exit_code == 0
    done = gated("--baseline", str(tuned()), "--candidate", str(wide))
    found = json.loads(done.output)
    assert done.exit_code == 1
    assert not found["passed"]
    assert "quality at each side's own operating point" in found["reason"]
    assert found["n_changed"] > 0
    back = gated("--baseline", str(wide), "--candidate", str(tuned()))
    # It costs more, and buys quality with it.
    assert back.exit_code == 0, back.output


def test_the_gate_sets_a_cascade_beside_what_always_uses_one_model(tmp_path: Path) -> None:
    fixed = tmp_path / "fixed.json"
    limit = ("--max-quality-loss", "0", "--confidence", "0.95")
    common = ("-m", "small,large", "--router", str(artifact()), "--policy", "cascade", "--to", str(fixed))
    assert run("tune", str(world()), *common, *limit).exit_code == 0
    assert read_cascade(fixed).use == "large"
    found = json.loads(gated("--baseline", str(fixed), "--candidate", str(tuned())).output)
    cost = next(check for check in found["checks"] if check["name"] == "cost")
    assert cost["baseline"] == pytest.approx(0.004)
    assert cost["outcome"] == "passed"


def test_the_gate_lends_no_plan_to_another_artifact() -> None:
    done = gated("--baseline", str(tuned()), "--candidate", str(artifact("answer")))
    assert isinstance(done.exception, PointsmanError)
    assert "compare the two policies" in str(done.exception)
