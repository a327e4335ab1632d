"""What `pointsman.evaluate` writes is what the report reads: the two stages share nothing but this JSON."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pytest

from pointsman.evaluate import DecidedPolicy, ScoredPolicy, evaluate
from pointsman.report import build
from pointsman.report.contents import Provenance
from pointsman.report.page import page
from pointsman.report.reading import Evidence, read
from pointsman.report.tables import lines
from pointsman.vocabulary import Outcomes


def world(*, m: int = 2, priced: bool = True, n: int = 400) -> tuple[Outcomes, np.ndarray]:
    """Prompts whose difficulty decides who is right, and a score that knows a good part of it."""
    generator = np.random.default_rng(5)
    hard = generator.random(n)
    skill = np.linspace(0.55, 0.95, m)
    score = (generator.random((n, m)) * 0.5 + skill > hard[:, None] * 0.9 + 0.25).astype(np.float32)
    cost = np.tile(np.geomspace(0.0002, 0.004, m), (n, 1)).astype(np.float32)
    outcomes = Outcomes(
        models=tuple(f"model-{place}" for place in range(m)),
        prompt_ids=tuple(f"q{row}" for row in range(n)),
        datasets=tuple("faq" if row % 2 else "contracts" for row in range(n)),
        prompts=tuple(f"prompt {row}" for row in range(n)),
        groups=np.arange(n),
        score=score,
        cost_usd=cost if priced else np.full_like(cost, np.nan),
        confidence=np.full_like(cost, np.nan),
        data_hash="ab" * 32,
    )
    p_good = np.clip(np.stack([skill[j] + 0.3 - hard for j in range(m - 1)], 1), 0.01, 0.99)
    return outcomes, p_good


def evidence_of(outcomes: Outcomes, p_good: np.ndarray) -> tuple[dict[str, object], Evidence]:
    found = evaluate(outcomes, [ScoredPolicy("threshold", p_good)], seed=3, n_resamples=200)
    raw = json.loads(json.dumps(found.to_json(), allow_nan=False))
    return raw, read(raw)


@pytest.mark.parametrize(("m", "priced"), [(2, True), (2, False), (3, True)])
def test_every_part_of_an_evaluation_is_read(m: int, priced: bool) -> None:
    raw, evidence = evidence_of(*world(m=m, priced=priced))
    assert evidence.n == 400
    assert evidence.seed == 3
    assert evidence.n_resamples == 200
    assert evidence.data_hash == "ab" * 32
    assert evidence.priced is priced
    assert len(evidence.curve) > 10
    assert evidence.chosen is not None
    assert evidence.strong is not None
    assert evidence.cheap is not None
    assert evidence.verdict.reason
    (policy,) = evidence.policies
    assert policy.quality_ci is not None
    assert policy.quality_delta_ci is not None
    assert policy.apgr_ci is not None
    assert {point.operating_point for point in policy.points} == {"0.99", "parity", "0.98", "0.95"}
    assert policy.operating_point == "0.99"
    assert (policy.savings is not None) is priced
    assert {line.name for line in evidence.controls} >= {"shuffled", "task mean", "oracle", "random at the same cost"}
    assert len(evidence.calibration) == m - 1
    assert all(diagram.ece is not None for diagram in evidence.calibration)
    assert [task.name for task in evidence.tasks] == ["contracts", "faq"]
    for task in evidence.tasks:
        assert None not in (task.n, task.cheap_quality, task.strong_quality, task.quality, task.quality_delta_ci)
    assert evidence.agreement is not None
    assert [row.model for row in evidence.agreement.per_model] == list(evidence.models)
    assert any(row.kind == "chosen" for row in lines(evidence).rows)
    assert raw["models"] == list(evidence.models)


def test_the_derived_confusion_is_the_counted_one() -> None:
    outcomes, p_good = world()
    served = (p_good[:, 0] < 0.5).astype(np.int64)
    found = evaluate(outcomes, [DecidedPolicy("given", "threshold", served)], n_resamples=200)
    ideal = np.where((outcomes.score >= 0.5).any(axis=1), (outcomes.score >= 0.5).argmax(axis=1), 0)
    counted = tuple(tuple(int(((ideal == i) & (served == j)).sum()) for j in range(2)) for i in range(2))
    agreement = read(found.to_json()).agreement
    assert agreement is not None
    assert agreement.confusion == counted


def test_an_evaluation_without_a_policy_has_its_pages() -> None:
    outcomes, _ = world()
    evidence = read(evaluate(outcomes, [], n_resamples=200).to_json())
    content = page(
        evidence,
        (),
        title="Report",
        date=datetime.date(2026, 11, 23),
        misroutes=[],
        moved=(),
        provenance=Provenance(),
    )
    assert content.headlines
    assert "knows the task and nothing else" in content.curve_caption


def test_three_models_are_drawn() -> None:
    raw, _ = evidence_of(*world(m=3))
    made = build(raw, date=datetime.date(2026, 11, 23))
    assert [each.name for each in made.figures] == ["cost-quality", "by-task", "calibration", "calibration-2"]
    assert "always model-1" in made.figures[0].wide
