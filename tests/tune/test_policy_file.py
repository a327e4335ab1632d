"""POLICY.json: read back as written, and refused when something in it does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.errors import DataError
from pointsman.tune import QualityLimit, RouterName, TunedPolicy, TuneSettings, read_policy, served, tune_threshold
from pointsman.tune import write_policy as write
from pointsman.vocabulary import Outcomes


@pytest.fixture
def policy() -> TunedPolicy:
    rng = np.random.default_rng(0)
    p = rng.random(2_000)
    data = Outcomes(
        models=("cheap", "strong"),
        prompt_ids=tuple(map(str, range(2_000))),
        datasets=("d",) * 2_000,
        prompts=("p",) * 2_000,
        groups=np.arange(2_000),
        score=np.column_stack([rng.random(2_000) < p, rng.random(2_000) < 0.9]).astype(np.float32),
        cost_usd=np.tile(np.array([0.1, 1.0], dtype=np.float32), (2_000, 1)),
        confidence=np.full((2_000, 2), np.nan, dtype=np.float32),
        data_hash="ab" * 32,
    )
    router = RouterName(name="mine 1", sha256="cd" * 32, path="art")
    return tune_threshold(data, p, TuneSettings(QualityLimit(0.05)), created="2026-01-02", router=router)


def test_read_back_as_written(tmp_path: Path, policy: TunedPolicy) -> None:
    path = tmp_path / "deep" / "policy.json"
    write(path, policy)
    assert read_policy(path) == policy
    assert [each.name for each in path.parent.iterdir()] == ["policy.json"]
    write(path, policy)
    assert policy.kind == "threshold"


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path, policy: TunedPolicy) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write(tmp_path / "file" / "policy.json", policy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"thresholds": []}, "one threshold per model"),
        ({"thresholds": [1.5]}, "thresholds.0"),
        ({"use": "cheap"}, "no `use`"),
        ({"kind": "fixed", "use": None}, "a fixed policy"),
        ({"answer": "cheap"}, "do not fit"),
        ({"models": ["cheap"]}, "fewer than two"),
        ({"models": ["cheap", "cheap"]}, "not all different"),
        ({"surprise": 1}, "surprise"),
        ({"created": 7}, "created"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, policy: TunedPolicy, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps({**policy.model_dump(mode="json"), **change}))
    with pytest.raises(DataError, match=said):
        read_policy(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b" " * (4 * 1024 * 1024 + 1)])
def test_what_is_no_policy_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.json"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_policy(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_policy(tmp_path / "none.json")


def test_scores_that_do_not_fit_the_policy_are_refused(policy: TunedPolicy) -> None:
    with pytest.raises(DataError, match="do not fit"):
        served(policy, None, 3)
    with pytest.raises(DataError, match="do not fit"):
        served(policy, np.zeros((3, 3)), 3)
    threshold = policy.thresholds[0]
    assert served(policy, np.array([threshold, threshold - 1e-9]), 2).tolist() == [0, 1]
