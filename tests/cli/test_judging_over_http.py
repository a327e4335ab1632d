"""`pointsman label --scorer judge` against an upstream: contradictions, cost, resuming, what a dead judge leaves."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli.eval_set_files import read_outcomes, write_outcomes
from pointsman.testing import Received, Reply, Upstream
from pointsman.vocabulary import Usage

PROGRAM = (
    "import typer; from pointsman.cli import label_command, main; "
    "main.app.registered_commands = [c for c in main.app.registered_commands if c.name != 'label']; "
    "main.app.command('label')(label_command.label); main.main()"
)
N = 10
USAGE = Usage(200, 20)  # 0.00024 USD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten prompts with an answer of each of two models."""
    rows = [
        {
            "dataset": "d",
            "prompt_id": f"p{n}",
            "prompt": f"Question {n}?",
            "model": model,
            "score": math.nan,
            "response": f"{model} answer {n}",
            "cost_usd": cost,
        }
        for n in range(N)
        for model, cost in (("small", 0.001), ("large", 0.01))
    ]
    path = tmp_path / "set"
    path.mkdir()
    write_outcomes(path, rows)
    return path


def configure(folder: Path, upstream: Upstream) -> Path:
    model = {
        "provider": "openai-compatible",
        "base_url": f"{upstream.url}/v1",
        "price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0},
    }
    config = {
        "models": [{"name": name, "model": name, **model} for name in ("small", "large", "arbiter")],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "fixed", "tier": "cheap"}},
        "default_policy": "auto",
        "baseline": "strong",
    }
    path = folder.parent / "pointsman.yaml"
    path.write_text(json.dumps(config))
    return path


async def label(folder: Path, upstream: Upstream, *more: str) -> tuple[int | None, dict[str, Any], str]:
    """Exit code, JSON and stderr of a run."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        "label",
        str(folder),
        "--scorer",
        "judge",
        "--judge",
        "arbiter",
        "--config",
        str(configure(folder, upstream)),
        "--json",
        *more,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, json.loads(out) if out.strip() else {}, err.decode()


def question_of(received: Received) -> tuple[int, bool]:
    """The prompt's number, and whether the small model's answer is shown first."""
    text = str(received.json["messages"][0]["content"])
    return int(text.split("Question ")[1].split("?")[0]), text.index("small answer") < text.index("large answer")


def verdict(word: str) -> Reply:
    return Reply(text=json.dumps({"reason": "so it is", "verdict": word}), usage=USAGE)


def half_honest(received: Received) -> Reply:
    """Contradicts itself on prompts 0 to 2, finds the small model better on 3 to 5 and worse on the others."""
    n, small_first = question_of(received)
    if n < 3:
        return verdict("A")
    return verdict("A" if small_first == (n < 6) else "B")


async def test_a_judge_that_contradicts_itself_is_reported_and_its_contradictions_are_ties(folder: Path) -> None:
    async with Upstream(half_honest) as upstream:
        code, summary, err = await label(folder, upstream, "--yes")
        assert code == 0, err
        assert len(upstream.requests) == 2 * N
    judge = summary["judge"]
    assert (judge["n_pairs"], judge["n_contradicting"], judge["n_first_won"]) == (10, 3, 3)
    assert judge["contradicting_share"] == pytest.approx(0.3)
    assert judge["contradicting_ci"] == pytest.approx([0.1078, 0.6032], abs=1e-4)
    assert judge["cost_usd"] == pytest.approx(2 * N * 0.00024)
    scores = {row["prompt_id"]: row["score"] for row in read_outcomes(folder) if row["model"] == "small"}
    assert [scores[f"p{n}"] for n in range(N)] == [0.5] * 3 + [1.0] * 3 + [0.0] * 4
    card = json.loads((folder / "card.json").read_text())["judge"]
    assert card["judge"] == {"model": "arbiter", "provider": "openai-compatible", "provider_model": "arbiter"}
    assert card["n_contradicting"] == 3
    assert len(card["prompt_sha256"]) == 64
    ideal = [json.loads(line)["ideal_tier"] for line in (folder / "triples.jsonl").read_text().splitlines()]
    assert ideal == ["cheap"] * 6 + ["strong"] * 4


async def test_a_second_run_asks_nothing_again(folder: Path) -> None:
    async with Upstream(half_honest) as upstream:
        await label(folder, upstream, "--yes")
        code, summary, _ = await label(folder, upstream, "--yes")
        assert code == 0
        assert len(upstream.requests) == 2 * N
        assert summary["judge"]["n_contradicting"] == 3


async def test_what_the_judge_fails_on_is_unscored_and_asked_again_next_time(folder: Path) -> None:
    def failing(received: Received) -> Reply:
        n, _ = question_of(received)
        if n == 0:
            return Reply(status=400)
        return Reply(text="Hard to say.", usage=USAGE) if n == 1 else half_honest(received)

    async with Upstream(failing) as upstream:
        code, summary, err = await label(folder, upstream, "--yes")
        assert code == 1, err
        judge = summary["judge"]
        assert (judge["n_failed"], judge["n_unreadable"], judge["n_pairs"]) == (2, 2, 8)
        scores = {row["prompt_id"]: row["score"] for row in read_outcomes(folder) if row["model"] == "small"}
        assert scores["p0"] is None
        assert scores["p1"] is None
        assert summary["n_without_ideal"] == 2
        upstream.play(half_honest)
        n_before = len(upstream.requests)
        code, summary, _ = await label(folder, upstream, "--yes")
        assert code == 0
        assert len(upstream.requests) == n_before + 2, "an answer that could not be read was paid for and is kept"
        assert summary["judge"]["n_failed"] == 0


async def test_a_judge_stops_before_the_limit_and_asks_before_it_spends(folder: Path) -> None:
    async with Upstream(half_honest) as upstream:
        code, _, err = await label(folder, upstream)
        assert code == 2
        assert "--yes" in err
        # A verdict of up to 100 tokens and its question: below 0.002 USD, though it costs 0.00024.
        code, summary, err = await label(folder, upstream, "--yes", "--max-output-tokens", "100", "--max-usd", "0.003")
        assert code == 1, err
        assert 0 < len(upstream.requests) < 2 * N
        assert summary["judge"]["cost_usd"] <= 0.003
        assert len(upstream.requests) * 0.00024 <= 0.003
