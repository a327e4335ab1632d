"""`pointsman features`: the same bytes whether a run was cut off or not, and nothing taken for what it is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from pointsman import featurising
from pointsman.cli.main import app
from pointsman.errors import BadRequest, DataError
from pointsman.features import FEATURES, extract_text, open_encoder
from pointsman.reading import READ_AT_ONCE

N = 700


def invoke(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["features", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.parquet"
    pl.DataFrame(
        {"prompt_id": [f"p{n}" for n in range(N)], "prompt": [f"Sum {n} and {n * n}, then explain." for n in range(N)]}
    ).write_parquet(path)
    return path


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(featurising, "ROWS_PER_FILE", READ_AT_ONCE)


def test_rows_hold_the_features_and_the_embedding_of_each_prompt(prompts: Path, tmp_path: Path) -> None:
    assert invoke(str(prompts), "--to", str(tmp_path / "out")) == {
        "to": str(tmp_path / "out"),
        "n_prompts": N,
        "n_before": 0,
        "n_files": 3,
    }
    rows = pl.concat([pl.read_parquet(file) for file in sorted((tmp_path / "out").glob("part-*.parquet"))])
    assert rows["prompt_id"].to_list() == [f"p{n}" for n in range(N)]
    text = "Sum 300 and 90000, then explain."
    one = rows.row(300, named=True)
    assert [one[feature.name] for feature in FEATURES] == extract_text(text).tolist()
    np.testing.assert_array_equal(np.float32(one["embedding"]), open_encoder("static").encode([text])[0])


def test_a_run_cut_off_is_gone_on_with_after_its_last_whole_file(prompts: Path, tmp_path: Path) -> None:
    whole, again = tmp_path / "whole", tmp_path / "again"
    invoke(str(prompts), "--to", str(whole))
    shutil.copytree(whole, again)
    (again / "part-000001.parquet").unlink()
    (again / "part-000002.parquet").unlink()
    (again / ".part-000001.parquet.77.part").write_bytes(b"half")
    found = invoke(str(prompts), "--to", str(again))
    assert (found["n_prompts"], found["n_before"]) == (N, READ_AT_ONCE)
    for file in whole.glob("part-*"):
        assert file.read_bytes() == (again / file.name).read_bytes()


def test_a_folder_of_another_file_or_encoder_is_refused(prompts: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    invoke(str(prompts), "--to", out)
    for changed in (["--encoder", "none"], []):
        if not changed:
            pl.read_parquet(prompts).head(10).write_parquet(prompts)
        with pytest.raises(DataError, match="another file, encoder or version"):
            CliRunner().invoke(app, ["features", str(prompts), "--to", out, *changed], catch_exceptions=False)


def test_lines_without_a_prompt_are_named(tmp_path: Path) -> None:
    lines = tmp_path / "prompts.jsonl"
    lines.write_text('{"prompt": "one"}\n{"question": "two"}\n')
    with pytest.raises(BadRequest, match="row 2: expected a `prompt` or `messages`"):
        CliRunner().invoke(app, ["features", str(lines), "--to", str(tmp_path / "out")], catch_exceptions=False)
