"""What people say of decisions in the dashboard, as rows and triples of an eval set."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.outcomes import triples_of
from pointsman.outcomes.importers.ledger import from_ledger


def entry(*said: dict[str, Any], tier: str = "strong", model: str = "large") -> dict[str, Any]:
    tiers = (("cheap", "small"), ("mid", "middle"), ("strong", "large"), ("strong", "spare"))
    return {
        "request_id": "req_1",
        "status": "ok",
        "model": model,
        "tier": tier,
        "prompt": '{"messages": [{"role": "user", "content": "Hi"}]}',
        "answer": "Hello",
        "tags": ["faq"],
        "decision": {"alternatives": [{"tier": name, "model": each} for name, each in tiers]},
        "feedback": list(said),
    }


@pytest.mark.parametrize(
    ("label", "scores"),
    [
        ("right_tier", {"large": 1.0}),
        ("too_cheap", {"large": 0.0}),
        ("too_strong", {"large": 1.0, "middle": 1.0}),
        ("something else", {"large": None}),
    ],
)
def test_a_label_gives_scores(label: str, scores: dict[str, float | None]) -> None:
    rows = from_ledger([entry({"score": None, "label": label})])
    assert {row["model"]: row.get("score") for row in rows.kept} == scores


def test_the_last_word_counts() -> None:
    said = ({"score": None, "label": "too_strong"}, {"score": 0.25, "label": None})
    rows = from_ledger([entry(*said)])
    assert [(row["model"], row["score"]) for row in rows.kept] == [("large", 0.25)]
    rows = from_ledger([entry(*reversed(said))])
    assert [(row["model"], row["score"]) for row in rows.kept] == [("large", 1.0), ("middle", 1.0)]


def test_too_strong_in_the_cheapest_tier_says_only_that_it_was_good() -> None:
    rows = from_ledger([entry({"score": None, "label": "too_strong"}, tier="cheap", model="small")])
    assert [(row["model"], row["score"]) for row in rows.kept] == [("small", 1.0)]


def test_the_triple_of_a_label_names_the_tier_that_would_have_done() -> None:
    frame = from_ledger([entry({"score": None, "label": "too_strong"})]).frame()
    (triple,) = triples_of(frame, ("small", "middle", "large"))
    assert (triple["ideal_tier"], triple["ideal_output"]) == ("middle", "Hello")
