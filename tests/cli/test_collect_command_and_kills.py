"""`pointsman collect` through the front door: priced, asked, killed and gone on with, counted at the upstream."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli.eval_set_files import read_outcomes, write_outcomes
from pointsman.outcomes import EvalSetCard, import_files, triples_of, write_eval_set
from pointsman.testing import HoldAnswer, Received, Reply, Upstream, rate_limited
from pointsman.vocabulary import Usage

PROGRAM = (
    "import typer; from pointsman.cli import collect_command, main; "
    "main.app.registered_commands = [c for c in main.app.registered_commands if c.name != 'collect']; "
    "main.app.command('collect')(collect_command.collect); main.main()"
)
N = 12
USAGE = Usage(100, 50)


def prompt_of(received: Received) -> str:
    """The prompt's number."""
    return str(received.json["messages"][0]["content"]).removeprefix("Question ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with twelve prompts; the second column is for labelling only."""
    lines = [
        json.dumps({"prompt_id": f"p{n}", "prompt": f"Question {n}", "reference": f"secret {n}"}) for n in range(N)
    ]
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines))
    return tmp_path


def configure(folder: Path, upstream: Upstream, *, max_concurrency: int) -> None:
    model = {
        "provider": "openai-compatible",
        "base_url": f"{upstream.url}/v1",
        "price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0},
        "max_concurrency": max_concurrency,
        "max_output_tokens": 1000,
    }
    config = {
        "models": [{"name": name, "model": name, **model} for name in ("small", "large")],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "fixed", "tier": "cheap"}},
        "default_policy": "auto",
        "baseline": "strong",
    }
    (folder / "pointsman.yaml").write_text(json.dumps(config))


async def start(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        "collect",
        "--prompts",
        str(folder / "prompts.jsonl"),
        "--to",
        str(folder / "out"),
        "--config",
        str(folder / "pointsman.yaml"),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finish(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def said(process: asyncio.subprocess.Process, words: bytes) -> None:
    """Returns once a line with these words has come on stderr."""
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while words not in (line := await process.stderr.readline()):
            assert line, "the process ended without a word"


def outcomes(folder: Path) -> list[dict[str, Any]]:
    """The outcomes as the product itself reads them."""
    import polars

    parquet = folder / "out" / "outcomes.parquet"
    if parquet.exists():
        return polars.read_parquet(parquet).to_dicts()
    return [json.loads(line) for line in (folder / "out" / "outcomes.jsonl").read_text().splitlines()]


def paid(upstream: Upstream) -> Counter[str]:
    """How many answers each prompt was given whole; refusals are not paid for."""
    return Counter(
        prompt_of(received)
        for received, sent in zip(upstream.requests, upstream.sent, strict=True)
        if sent.status == 200 and sent.finished
    )


async def test_a_run_prices_itself_writes_outcomes_and_sends_no_reference(folder: Path) -> None:
    async with Upstream(Reply(text="four", usage=USAGE)) as upstream:
        configure(folder, upstream, max_concurrency=4)
        process = await start(folder, "--models", "small,large", "--yes", "--json")
        code, out, err = await finish(process)
        assert code == 0, err
        summary = json.loads(out)
        assert (summary["n_answers"], summary["complete"]) == (2 * N, True)
        assert summary["spent_usd"] == pytest.approx(2 * N * 0.0002)
        assert "what this will cost" in err
        assert not any(b"secret" in received.body for received in upstream.requests)
    rows = outcomes(folder)
    assert len(rows) == 2 * N
    assert {row["model"] for row in rows} == {"small", "large"}
    first = rows[0]
    assert (first["prompt_id"], first["prompt"], first["response"]) == ("p0", "Question 0", "four")
    assert (first["prompt_tokens"], first["completion_tokens"], first["finish_reason"]) == (100, 50, "stop")
    assert first["cost_usd"] == pytest.approx(0.0002)
    assert first["score"] is None or first["score"] != first["score"]
    kept = [json.loads(line) for line in (folder / "out" / "prompts.jsonl").read_text().splitlines()]
    assert kept[3]["reference"] == "secret 3"


async def test_a_second_run_adds_models_and_prompts_and_keeps_scores_of_unchanged_answers(folder: Path) -> None:
    def script(received: Received) -> Reply:
        return Reply(text=f"{received.model} on {prompt_of(received)}", usage=USAGE)

    async with Upstream(script) as upstream:
        configure(folder, upstream, max_concurrency=4)
        await finish(await start(folder, "--models", "small", "--yes", "--limit", "3"))
        out = folder / "out"
        write_outcomes(out, [{**row, "score": 1.0} for row in read_outcomes(out)])
        changed = (folder / "prompts.jsonl").read_text().replace('Question 1"', 'Question 100"')
        (folder / "prompts.jsonl").write_text("\n".join(changed.splitlines()[:2]))
        code, _, err = await finish(await start(folder, "--models", "large", "--yes"))
        assert code == 0, err
    held = {(row["prompt_id"], row["model"]): (row["response"], row["score"]) for row in outcomes(folder)}
    assert held == {
        ("p0", "large"): ("large on 0", None),
        ("p1", "large"): ("large on 100", None),
        ("p0", "small"): ("small on 0", 1.0),
        ("p2", "small"): ("small on 2", 1.0),
    }


@pytest.mark.slow
async def test_on_an_imported_log_the_answers_of_another_model_join_those_of_the_log(folder: Path) -> None:
    log = [
        {
            "call_type": "acompletion",
            "model": "large",
            "spend": 0.01,
            "messages": [{"role": "user", "content": f"Question {n}"}],
            "response": {"choices": [{"message": {"content": f"answer {n}"}}]},
        }
        for n in range(N)
    ]
    (folder / "log.json").write_text(json.dumps(log))
    rows_of_log = import_files([folder / "log.json"], format="litellm-log").rows
    write_eval_set(folder / "out", rows_of_log, triples_of(rows_of_log, ("large",)), EvalSetCard())
    async with Upstream(Reply(text="four", usage=USAGE)) as upstream:
        configure(folder, upstream, max_concurrency=4)
        prompts = str(folder / "out" / "outcomes.parquet")
        code, _, err = await finish(await start(folder, "--models", "small", "--yes", "--prompts", prompts))
        assert code == 0, err
    rows = outcomes(folder)
    assert sorted((row["prompt"], row["model"]) for row in rows) == sorted(
        (f"Question {n}", model) for n in range(N) for model in ("large", "small")
    )
    told = {(row["source"], row["dataset"], row["prompt_id"]) for row in rows}
    assert len(told) == N


async def test_killed_three_times_between_calls_every_call_is_paid_for_once(folder: Path) -> None:
    stop_at = [3, 6, 9]

    def script(received: Received) -> Reply:
        # The run waits an hour with nothing under way: the moment at which it is killed.
        if stop_at and int(prompt_of(received)) == stop_at[0]:
            return rate_limited("3600")
        return Reply(text="four", usage=USAGE)

    async with Upstream(script) as upstream:
        configure(folder, upstream, max_concurrency=1)
        n_seen = 0
        for _ in range(3):
            process = await start(folder, "--models", "small", "--yes")
            n_seen = stop_at[0] + 1 if n_seen == 0 else n_seen + 1 + 3
            await upstream.wait_requests(n_seen, within_s=30)
            await upstream.wait_idle()
            process.send_signal(signal.SIGKILL)
            code, _, _ = await finish(process)
            assert code == -signal.SIGKILL
            stop_at.pop(0)
        code, out, err = await finish(await start(folder, "--models", "small", "--yes", "--json"))
        assert code == 0, err
        assert paid(upstream) == Counter({str(n): 1 for n in range(N)})
        assert json.loads(out)["n_from_before"] == 9
    assert len(outcomes(folder)) == N


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_stop_three_times_in_mid_call_every_call_is_paid_for_once(
    folder: Path, kill: signal.Signals
) -> None:
    async with Upstream(Reply(text="four", usage=USAGE, fault=HoldAnswer())) as upstream:
        configure(folder, upstream, max_concurrency=3)
        for n in range(3):
            upstream.hold()
            process = await start(folder, "--models", "small", "--yes", "--json")
            await upstream.wait_requests(3 * (n + 1), within_s=30)
            process.send_signal(kill)
            await said(process, b"stopping")
            upstream.release()
            code, out, err = await finish(process)
            assert code == 1, err
            assert json.loads(out)["stopped"].keys() == {"asked"}
            assert len(outcomes(folder)) == 3 * (n + 1), "what there is, is written"
        code, _, err = await finish(await start(folder, "--models", "small", "--yes"))
        assert code == 0, err
        assert paid(upstream) == Counter({str(n): 1 for n in range(N)})
        assert len(upstream.requests) == N


@pytest.mark.slow
async def test_killed_hard_in_mid_call_only_those_under_way_are_sent_again_with_their_keys(folder: Path) -> None:
    async with Upstream() as upstream:
        configure(folder, upstream, max_concurrency=2)
        for n in range(3):
            n_before = len(upstream.requests)
            upstream.hold()
            # Two answers come, the next two are held and lost with the process.
            upstream.play([Reply(text="four", usage=USAGE)] * 2 + [Reply(fault=HoldAnswer())])
            process = await start(folder, "--models", "small", "--yes")
            await upstream.wait_requests(n_before + 4, within_s=30)
            process.send_signal(signal.SIGKILL)
            await finish(process)
            assert (await asyncio.to_thread(lambda: len(done_keys(folder)))) == 2 * (n + 1)
        upstream.play(Reply(text="four", usage=USAGE))
        code, out, err = await finish(await start(folder, "--models", "small", "--yes", "--json"))
        assert code == 0, err
        assert "under way when a run was killed" in err
        assert json.loads(out)["complete"]
        by_key = Counter(received.header("idempotency-key") for received in upstream.requests)
        assert len(by_key) == N, "a repeated call carries the key of the first, so that a provider can tell"
        assert sum(by_key.values()) <= N + 3 * 2
        assert paid(upstream) == Counter({str(n): 1 for n in range(N)})


def done_keys(folder: Path) -> list[str]:
    lines = (folder / "out" / "collect.journal.jsonl").read_text().splitlines()
    return [row["key"] for row in map(json.loads, lines) if row["kind"] == "done"]


async def test_without_a_terminal_and_without_yes_nothing_is_sent(folder: Path) -> None:
    async with Upstream() as upstream:
        configure(folder, upstream, max_concurrency=1)
        code, _, err = await finish(await start(folder, "--models", "small"))
        assert code == 2
        assert "--yes" in err
        assert upstream.requests == []


async def test_the_limit_is_kept_over_runs(folder: Path) -> None:
    async with Upstream(Reply(usage=USAGE)) as upstream:
        configure(folder, upstream, max_concurrency=1)
        # Each call reserves up to 1,000 output tokens, 0.002 USD and a little input, and costs 0.0002.
        limited = ("--models", "small", "--yes", "--max-usd", "0.003", "--json")
        code, out, err = await finish(await start(folder, *limited))
        assert code == 1, err
        summary = json.loads(out)
        assert summary["spent_usd"] <= 0.003
        assert summary["stopped"].keys() == {"budget"}
        n_sent = len(upstream.requests)
        assert 1 <= n_sent < N
        code, out, _ = await finish(await start(folder, *limited))
        assert code == 1
        assert len(upstream.requests) == n_sent, "what the folder has spent counts"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--models", "tiny"], "tiny: not configured"),
        (["--models", "small,small"], "named twice"),
        (["--models", ","], "no model was named"),
        (["--models", "small", "--engine", "cloud"], "Invalid value"),
    ],
)
async def test_bad_arguments_end_with_two_and_a_reason(folder: Path, change: list[str], words: str) -> None:
    async with Upstream() as upstream:
        configure(folder, upstream, max_concurrency=1)
        code, _, err = await finish(await start(folder, *change, "--yes"))
        assert code == 2
        assert words in err
        assert "Traceback" not in err
        assert upstream.requests == []


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_text(""), "holds no prompt"),
        (lambda path: path.write_text("{"), "one JSON object a line"),
        (lambda path: path.write_text('{"question": "?"}'), "row 1: expected a `prompt`"),
        (lambda path: path.unlink(), "no such file"),
    ],
)
async def test_bad_prompt_files_end_with_two_and_a_reason(
    folder: Path, write: Callable[[Path], object], words: str
) -> None:
    async with Upstream() as upstream:
        configure(folder, upstream, max_concurrency=1)
        write(folder / "prompts.jsonl")
        code, _, err = await finish(await start(folder, "--models", "small", "--yes"))
        assert code == 2
        assert words in err
        assert not (folder / "out" / "outcomes.jsonl").exists()
