"""The worst misroutes, what moved decisions, and the hash of the code, by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pointsman.report import Misroute, Moved, details, provenance_here, what_moved, worst_misroutes
from pointsman.report.gather import code_hash
from pointsman.vocabulary import Contribution, Outcomes, Score


def outcomes(score: Sequence[Sequence[float]], cost: Sequence[Sequence[float]] | None = None) -> Outcomes:
    n, m = len(score), len(score[0])
    costs = [[0.001 * (j + 1) for j in range(m)]] * n if cost is None else cost
    return Outcomes(
        models=("cheap", "middle", "strong")[:m] if m == 3 else ("cheap", "strong"),
        prompt_ids=tuple(f"q{row}" for row in range(n)),
        datasets=("faq",) * n,
        prompts=tuple(f"prompt {row}" for row in range(n)),
        groups=np.arange(n),
        score=np.array(score, dtype=np.float32),
        cost_usd=np.array(costs, dtype=np.float32),
        confidence=np.full((n, m), np.nan, dtype=np.float32),
    )


def test_lost_quality_comes_before_wasted_money() -> None:
    data = outcomes([[0, 1], [1, 1], [1, 0], [0, 0], [0.5, 1]])
    found = worst_misroutes(data, [0, 1, 1, 0, 0])
    # q2: the cheap one was right, the strong one was paid and wrong. q3: nobody was right, so cheap is ideal.
    # q4: half a point is good enough.
    assert [(each.prompt_id, each.served, each.ideal, each.lost) for each in found] == [
        ("q0", "cheap", "strong", 1.0),
        ("q2", "strong", "cheap", 1.0),
        ("q1", "strong", "cheap", 0.0),
    ]
    assert found[2].wasted_usd == pytest.approx(0.001)
    assert found[0].prompt == "prompt 0"


def test_of_equal_losses_the_surest_comes_first() -> None:
    data = outcomes([[0, 1], [0, 1], [0, 1]])
    found = worst_misroutes(data, [0, 0, 0], p_good=[0.6, 0.95, 0.7])
    assert [each.prompt_id for each in found] == ["q1", "q2", "q0"]
    assert found[0].p_good == pytest.approx(0.95)


def test_a_third_is_kept_for_the_rarer_kind() -> None:
    data = outcomes([[0, 1]] * 20 + [[1, 1]] * 20)
    found = worst_misroutes(data, [0] * 20 + [1] * 20, limit=6)
    assert [each.lost > 0 for each in found] == [True] * 4 + [False] * 2
    assert len(worst_misroutes(data, [0] * 20 + [0] * 20, limit=6)) == 6


def test_unscored_prompts_and_unknown_costs() -> None:
    data = outcomes([[float("nan"), 1], [1, 1]], [[0.1, 0.2], [float("nan"), 0.2]])
    (only,) = worst_misroutes(data, [0, 1], with_prompts=False)
    assert only.prompt_id == "q1"
    assert only.wasted_usd is None
    assert only.prompt is None


def test_what_moved_by_hand() -> None:
    def score(*moved: tuple[str, float, str]) -> Score:
        return Score(0.5, tuple(Contribution(name, 1.0, effect, text) for name, effect, text in moved), "r 1")

    found = what_moved(
        [
            score(("words", 0.4, "is short (+0.4)"), ("proof", -1.0, "asks for a proof (−1.0)")),
            score(("words", -0.2, "is long (−0.2)")),
            score(("words", 0.6, "is short (+0.6)")),
            score(),
        ]
    )
    assert [(each.text, each.effect, each.share) for each in found] == [
        ("asks for a proof", -1.0, 0.25),
        ("is short", pytest.approx(0.5), 0.5),
        ("is long", -0.2, 0.25),
    ]
    assert what_moved([]) == ()


def test_the_codes_hash_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    first = code_hash(tmp_path)
    assert first == code_hash(tmp_path)
    (tmp_path / "a.py").write_text("x = 2\n")
    second = code_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, code_hash(tmp_path)}) == 3


def test_provenance_names_the_running_code() -> None:
    found = provenance_here(command="pointsman evaluate x", seeds={"training": 3})
    assert found.code_hash == code_hash()
    assert found.versions["numpy"] == np.__version__


def test_details_survive_json() -> None:
    misroute = Misroute("q1", "faq", "cheap", "strong", {"cheap": 0.0, "strong": 1.0}, {"cheap": None}, 0.9, "text")
    moved = Moved("is short", 0.5, 0.25)
    provenance = provenance_here(router="linear 1", sources=["a"], seeds={"training": 3}, out_of_sample=True)
    raw = json.loads(
        json.dumps(
            {
                "misroutes": [dataclasses.asdict(misroute)],
                "moved": [dataclasses.asdict(moved)],
                "provenance": dataclasses.asdict(provenance),
            }
        )
    )
    assert details.misroutes(raw) == (misroute,)
    assert details.moved(raw) == (moved,)
    assert details.provenance(raw) == provenance


@pytest.mark.parametrize("nonsense", [None, 3, "x", [1, None, {}], {"a": 1}, [{"served": 1, "ideal": []}]])
def test_details_that_make_no_sense_are_left_out(nonsense: object) -> None:
    raw = {"misroutes": nonsense, "moved": nonsense, "provenance": nonsense}
    assert details.misroutes(raw) == ()
    assert details.moved(raw) == ()
    assert details.provenance(raw).router is None
