"""What chance alone gives a calibrated router, and how sizes are judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.bench_evaluate import Measured, faults, measured, model_names, written
from benchmarks.calibration_error import by_chance

from pointsman.outcomes import read


def test_chance_shrinks_with_the_root_of_the_prompts() -> None:
    few, many = (by_chance(np.full(n, 0.5), 50, np.random.default_rng(0)).ece_equal_mass for n in (1_500, 24_000))
    # 100 prompts a bin: the mean size of a normal error of 0.05 is 0.05 times the root of 2 / pi.
    assert few == pytest.approx(0.05 * np.sqrt(2 / np.pi), rel=0.1)
    assert few / many == pytest.approx(4, rel=0.15)


def test_made_up_outcomes_have_the_rows_asked_for_and_equal_prompts(tmp_path: Path) -> None:
    path = tmp_path / "made-up.parquet"
    written(path, 3_000, 3)
    outcomes, findings = read(path, models=model_names(3))
    assert (outcomes.n, outcomes.score.shape) == (1_000, (1_000, 3))
    assert not np.isnan(outcomes.score).any()
    assert len(np.unique(outcomes.groups)) == pytest.approx(950, abs=1)
    assert findings.lines()


def test_a_size_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "made-up.parquet"
    written(path, 2_000, 2)
    found = measured(path, 2_000, 2)
    assert found.rows == 2_000
    assert found.read_s > 0
    assert found.evaluate_s > 0
    assert found.cpu_s > 0
    assert 0.02 < found.peak_gb < 8


def test_too_slow_too_large_or_growing_too_fast_is_told() -> None:
    small = Measured(500_000, 2, 5.0, 15.0, 20.0, 1.0)
    assert faults([small, Measured(1_000_000, 2, 10.0, 30.0, 40.0, 2.0)]) == []
    assert faults([small, Measured(1_000_000, 2, 10.0, 45.0, 56.0, 5.0)]) == [
        "1,000,000 rows take 5.00 GB, more than 4",
        "from 500,000 to 1,000,000 rows the processor time grows 2.8 times",
    ]
    assert (
        faults([small, Measured(1_000_000, 2, 11.0, 50.0, 61.0, 2.0)])[0] == "1,000,000 rows take 61.0 s, more than 60"
    )
