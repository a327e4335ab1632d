"""The demo end to end, and its figures by hand."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pointsman.demo.mix import load_mix
from pointsman.demo.run import Outcome, Summary
from pointsman.intervals import Share


def outcome(ideal: str, tier: str, cost_usd: float | None = 1.0, status: int = 200) -> Outcome:
    item = next(item for item in load_mix() if item.ideal_tier == ideal)
    return Outcome(item, status, tier, f"{tier}-model", "why", cost_usd, 10.0, 0.2, 5.0)


def summary(*outcomes: Outcome) -> Summary:
    return Summary(outcomes, "cheap", "strong")


def test_wilson_interval_by_hand() -> None:
    # (0.8 + 1.9208 / 10 ± 1.96 √(0.016 + 0.9604 / 100)) / (1 + 3.8415 / 10)
    low, high = Share(8, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert Share(0, 0).interval == (0.0, 1.0)
    assert math.isnan(Share(0, 0).value)
    assert Share(0, 5).interval[0] == 0.0
    assert Share(5, 5).interval[1] == 1.0


def test_rates_count_what_they_say() -> None:
    figures = summary(
        outcome("cheap", "cheap"),
        outcome("cheap", "cheap"),
        outcome("cheap", "strong"),
        outcome("strong", "strong"),
        outcome("strong", "cheap"),
    )
    assert (figures.right_tier.k, figures.right_tier.n) == (3, 5)
    assert (figures.too_cheap.k, figures.too_cheap.n) == (1, 2)
    assert (figures.too_strong.k, figures.too_strong.n) == (1, 3)
    assert figures.always_cheap.value == pytest.approx(0.6)
    assert figures.always_strong.value == pytest.approx(0.4)
    # Two of five go to strong, two of five need it: 0.4 × 0.4 + 0.6 × 0.6.
    assert figures.shuffled == pytest.approx(0.52)


def test_money_counts_only_requests_with_both_costs_known() -> None:
    figures = summary(outcome("cheap", "cheap", 1.0), outcome("cheap", "cheap", None), outcome("cheap", "cheap", 2.5))
    assert (figures.cost_usd, figures.baseline_usd) == (3.5, 20.0)
    assert figures.to_json()["n_priced"] == 2


def test_failed_requests_are_no_hits_and_cost_nothing() -> None:
    figures = summary(outcome("cheap", "cheap"), outcome("cheap", "cheap", status=503))
    assert (len(figures.answered), figures.right_tier.n, figures.cost_usd) == (1, 1, 1.0)


def test_the_demo_sends_the_whole_mix_through_a_gateway_and_says_what_was_simulated(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pointsman", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "answers below were simulated" in done.stdout
    n = len(load_mix())
    assert n >= 200
    assert f"{n} of {n} requests answered" in done.stdout
    for words in ("always strong", "the five most expensive", "shuffled", "deciding took", "pointsman init", "cascade"):
        assert words in done.stdout
    saved = subprocess.run(
        [sys.executable, "-m", "pointsman", "savings", "--json", "--ledger", "sqlite:///pointsman-demo.db"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(saved.stdout)


def test_the_demo_in_json_decides_the_same_way_twice(tmp_path: Path) -> None:
    def run(name: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "pointsman", "demo", "--json", "-n", "60", "--ledger", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        figures: dict[str, Any] = json.loads(done.stdout)
        figures.pop("decide_ms")
        return figures

    first = run("one.db")
    assert first == run("two.db")
    assert first["n_answered"] == 60
    direct, cascade, strong = first["cascade"]
    assert [way["name"] for way in (direct, cascade, strong)] == ["direct routing", "cascade", "always strong"]
    # The cheap answers that were thrown away are paid for; still fewer dollars than with the strong tier alone.
    assert cascade["cost_usd"] < strong["cost_usd"]
    assert 0 < cascade["strong_share"] < 1
    assert cascade["good"]["n"] == 60
