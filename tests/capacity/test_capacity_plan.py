"""Replicas by hand, properties of the sum, and figures that say where they come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pointsman.capacity import Figure, Figures, Load, plan, read_figures
from pointsman.capacity.figures import PACKAGED
from pointsman.cli.main import app
from pointsman.errors import DataError

VALUES = {
    "fixed_request_us": 1_000.0,
    "auto_request_us": 3_000.0,
    "fixed_stream_us": 2_000.0,
    "auto_stream_us": 5_000.0,
    "process_mib": 100.0,
    "ledger_rows_per_s": 500.0,
    "record_bytes": 1_000.0,
    "stream_kib": 512.0,
    "stream_s": 10.0,
    "utilisation": 0.5,
    "spare_replicas": 1.0,
}


def figures(**changed: float) -> Figures:
    return Figures({name: Figure(name, value, "", "") for name, value in {**VALUES, **changed}.items()})


def test_by_hand() -> None:
    """100 requests a second, 20 of them streams: 80 × 3 ms + 20 × 5 ms is 0.34 cores, 0.68 at half use, so 1 and 1."""
    made = plan(Load(100, streams=200), figures())
    assert made.cores_busy == pytest.approx(0.34)
    assert (made.needed, made.because, made.enough) == (2, "processor", True)
    assert made.utilisation == pytest.approx(0.34)
    assert made.memory_mib == pytest.approx(100 + 200 * 0.5)
    assert made.ledger_gb_per_day == pytest.approx(100 * 1_000 * 86_400 / 1e9)


def test_a_fixed_policy_costs_a_fixed_request() -> None:
    assert plan(Load(1_000, auto_share=0.0), figures()).cores_busy == pytest.approx(1.0)
    assert plan(Load(1_000, auto_share=0.25), figures()).cores_busy == pytest.approx(1.5)


def test_a_load_that_fits_exactly_needs_no_more() -> None:
    assert plan(Load(500, auto_share=0.0), figures()).needed == 1 + 1
    assert plan(Load(500.1, auto_share=0.0), figures(ledger_rows_per_s=1e9)).needed == 2 + 1


def test_the_ledger_decides_where_it_is_the_narrowest() -> None:
    made = plan(Load(2_000, auto_share=0.0), figures(fixed_request_us=1.0))
    assert (made.needed, made.because) == (5, "ledger")


def test_given_replicas_are_judged_with_one_stopped() -> None:
    made = plan(Load(1_000, auto_share=0.0), figures(), replicas=2)
    assert (made.needed, made.enough) == (3, False)
    assert made.utilisation == pytest.approx(1.0)


def test_more_streams_than_requests_can_begin_is_refused() -> None:
    with pytest.raises(DataError, match=r"begin 100\.0 times a second"):
        plan(Load(50, streams=1_000), figures())


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1), st.integers(0, 10_000))
def test_more_load_never_needs_fewer(rps: float, more: float, share: float, streams: int) -> None:
    least = streams / VALUES["stream_s"]
    small, large = Load(least + rps, streams, share), Load(least + rps + more, streams, share)
    assert plan(small, figures()).needed <= plan(large, figures()).needed


def test_every_packaged_figure_says_where_it_comes_from() -> None:
    found = read_figures()
    assert found.by_name.keys() == VALUES.keys()
    for figure in found.by_name.values():
        assert figure.measured == all((figure.date, figure.machine, figure.command))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw["measured"].pop("process_mib"), "lacks process_mib"),
        (lambda raw: raw["measured"]["process_mib"].pop("command"), "must say its date, machine, command"),
        (lambda raw: raw["measured"]["process_mib"].update(value=-1), "expected a number from 0 up"),
        (lambda raw: raw.update(format=2), "expected format 1"),
        (lambda raw: raw.pop("assumed"), "cannot be read as figures"),
    ],
)
def test_figures_that_will_not_do_are_refused(change: Any, words: str, tmp_path: Path) -> None:
    raw = json.loads(PACKAGED.read_bytes())
    change(raw)
    (tmp_path / "figures.json").write_text(json.dumps(raw))
    with pytest.raises(DataError, match=words):
        read_figures(tmp_path / "figures.json")


def invoke(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["plan", *arguments], catch_exceptions=False)
    return done.exit_code, done.stdout


def test_the_command_answers_and_tells_measured_from_assumed() -> None:
    code, out = invoke("--rps", "200", "--streams", "100", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["needed"] == found["replicas"]
    assert found["figures"]["auto_request_us"]["measured"] is True
    assert found["figures"]["utilisation"]["measured"] is False
    code, out = invoke("--rps", "100000", "--replicas", "1")
    assert code == 1
    assert "1 replicas are not enough" in out
    assert "assumed, not measured" in out


def test_a_measured_figure_of_ones_own_takes_the_place_of_an_assumed_one(tmp_path: Path) -> None:
    raw = json.loads(PACKAGED.read_bytes())
    told = {"date": "2027-01-01", "machine": "mine", "command": "mine"}
    raw["measured"]["stream_s"] = {**raw["assumed"].pop("stream_s"), **told, "value": 20}
    (tmp_path / "mine.json").write_text(json.dumps(raw))
    _, out = invoke("--rps", "20", "--streams", "100", "--figures", str(tmp_path / "mine.json"), "--json")
    found = json.loads(out)
    assert found["figures"]["stream_s"]["measured"] is True
    assert found["stream_rps"] == 5
