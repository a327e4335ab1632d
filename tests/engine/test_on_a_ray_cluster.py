"""A real Ray cluster of two nodes: the same bytes as the local engine, and what killed workers cost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.cli.test_collect_command_and_kills import configure, folder, outcomes, paid, prompt_of
from tests.cli.test_evaluate_command import world

from pointsman.engine import Engine, EngineName, open_engine
from pointsman.errors import DataError, UpstreamRefused
from pointsman.testing import HoldAnswer, Received, Reply, Upstream
from pointsman.vocabulary import Usage

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster"), pytest.mark.filterwarnings("default")]

MODELS = "small,large"
USAGE = Usage(100, 50)
__all__ = ["folder"]


@pytest.fixture(scope="module")
def engine(cluster: str) -> Iterator[Engine]:
    """Connected until the end of the tests here."""
    with open_engine(EngineName.RAY) as opened:
        yield opened


def run(*arguments: str, code: int = 0) -> str:
    """Standard output of a command, in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "pointsman", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


# ---------------------------------------------------------------- map


def test_results_come_in_the_order_of_the_parts_from_both_nodes(engine: Engine) -> None:
    def work(n: int) -> tuple[int, str]:
        import time

        import ray

        time.sleep(0.05 * (n % 3))
        return n * n, ray.get_runtime_context().get_node_id()

    found = list(engine.map(work, iter(range(30))))
    assert [square for square, _ in found] == [n * n for n in range(30)]
    assert len({node for _, node in found}) == 2


def test_a_killed_worker_costs_only_the_part_it_had(engine: Engine, tmp_path: Path) -> None:
    def work(n: int) -> int:
        import os
        import signal

        with (tmp_path / str(n)).open("ab") as file:
            file.write(b"x")
        if n == 7 and (tmp_path / "7").stat().st_size == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return n * n

    assert list(engine.map(work, range(20))) == [n * n for n in range(20)]
    assert {path.name for path in tmp_path.iterdir() if path.stat().st_size > 1} == {"7"}
    assert (tmp_path / "7").stat().st_size == 2


def test_a_part_that_kills_every_worker_is_given_up(engine: Engine) -> None:
    def work(_: int) -> None:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(DataError, match="begun 5 times"):
        list(engine.map(work, [0]))


def test_an_error_raised_on_purpose_is_the_same_error_here(engine: Engine) -> None:
    def work(n: int) -> int:
        raise UpstreamRefused(f"no {n}", model="m", upstream_status=503)

    with pytest.raises(UpstreamRefused, match="no 1") as caught:
        list(engine.map(work, [1]))
    assert caught.value.upstream_status == 503


# ---------------------------------------------------------------- commands


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory.mktemp("data"), n=600, cheap_right={"easy": 0.97, "hard": 0.1})


def test_train_and_evaluate_give_the_same_bytes(data: Path, tmp_path: Path) -> None:
    for engine in ("local", "ray"):
        to = str(tmp_path / engine / "art")
        run("train", str(data), "-m", MODELS, "--to", to, "--train-size", "300", "--engine", engine)
        measured = ("evaluate", str(data), "-m", MODELS, "--engine", engine, "--json")
        run(*measured, str(tmp_path / engine / "folds.json"), "--folds", "3")
        run(*measured, str(tmp_path / engine / "router.json"), "--router", to)
    local, ray = tmp_path / "local", tmp_path / "ray"
    for name in ("art/model.safetensors", "art/card.json"):
        assert (local / name).read_bytes() == (ray / name).read_bytes()
    for name in ("folds.json", "router.json"):
        assert _measured(local / name) == _measured(ray / name)


def _measured(path: Path) -> dict[str, object]:
    """All but when and by what it was made."""
    found = json.loads(path.read_bytes())
    del found["provenance"]
    return dict(found)


@pytest.mark.parametrize("scorer", [("exact",), ("embedding", "--threshold", "0.9")])
def test_label_gives_the_same_eval_set(scorer: tuple[str, ...], tmp_path: Path) -> None:
    for engine in ("local", "ray"):
        folder = tmp_path / engine / "set"
        folder.mkdir(parents=True)
        rows = [
            {
                "dataset": "d",
                "prompt_id": f"p{n}",
                "prompt": f"Q {n}",
                "model": model,
                "response": f"the answer {n % k}",
            }
            for n in range(300)
            for k, model in ((2, "small"), (3, "large"))
        ]
        pl.DataFrame(rows).with_columns(cost_usd=pl.lit(0.1)).write_parquet(folder / "outcomes.parquet")
        known = [{"dataset": "d", "prompt_id": f"p{n}", "reference": f"answer {n % 3}"} for n in range(300)]
        (folder / "prompts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in known))
        run("label", str(folder), "--scorer", *scorer, "-m", MODELS, "--engine", engine)
    for name in ("outcomes.parquet", "triples.jsonl"):
        assert (tmp_path / "local/set" / name).read_bytes() == (tmp_path / "ray/set" / name).read_bytes()


def test_features_are_the_same_bytes(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": f"Sum {n} and {n * n}."}) + "\n" for n in range(700)))
    for engine in ("local", "ray"):
        run("features", str(prompts), "--to", str(tmp_path / engine), "--engine", engine)
    (file,) = (tmp_path / "local").glob("part-*")
    assert file.read_bytes() == (tmp_path / "ray" / file.name).read_bytes()


# ---------------------------------------------------------------- collect


async def collect(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    given = ("--prompts", "prompts.jsonl", "--to", "out", "--config", "pointsman.yaml", "--models", "small", "--yes")
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pointsman",
        "collect",
        *given,
        "--engine",
        "ray",
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finish(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """Connecting and starting actors takes some seconds, and many on a busy machine."""
    out, err = await asyncio.wait_for(process.communicate(), 300)
    return process.returncode, out.decode(), err.decode()


def callers() -> list[int]:
    """Process ids of the cluster's actors that make calls."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if b"ray::_Caller" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


async def test_collect_pays_for_each_call_once_and_a_killed_worker_loses_only_calls_under_way(folder: Path) -> None:
    async with Upstream() as upstream:
        configure(folder, upstream, max_concurrency=2)
        upstream.hold()
        upstream.play([Reply(text="four", usage=USAGE)] * 4 + [Reply(fault=HoldAnswer())] * 2)
        process = await collect(folder, "--json")
        await upstream.wait_requests(6, within_s=300)
        upstream.play(Reply(text="four", usage=USAGE))
        for pid in callers():
            os.kill(pid, signal.SIGKILL)
        code, out, err = await finish(process)
        assert code == 0, err
        assert json.loads(out)["n_retries"] == 2
        assert paid(upstream) == Counter({str(n): 1 for n in range(12)})
        assert len(upstream.requests) == 12 + 2
    assert [row["response"] for row in outcomes(folder)] == ["four"] * 12


async def test_collect_killed_hard_goes_on_with_what_the_journal_has(folder: Path) -> None:
    def script(received: Received) -> Reply:
        return Reply(text=f"on {prompt_of(received)}", usage=USAGE)

    async with Upstream() as upstream:
        configure(folder, upstream, max_concurrency=2)
        upstream.hold()
        upstream.play([Reply(text="four", usage=USAGE)] * 5 + [Reply(fault=HoldAnswer())] * 2)
        process = await collect(folder)
        await upstream.wait_requests(7, within_s=300)
        process.send_signal(signal.SIGKILL)
        await finish(process)
        upstream.release()
        upstream.play(script)
        code, out, err = await finish(await collect(folder, "--json"))
        assert code == 0, err
        assert json.loads(out)["n_from_before"] == 5
        by_key = Counter(received.header("idempotency-key") for received in upstream.requests)
        assert len(by_key) == 12
        assert sum(by_key.values()) == 12 + 2, "only what was under way was sent again, with its key"
    assert len(outcomes(folder)) == 12
