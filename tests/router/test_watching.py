"""What is counted of policies: which decisions are their own, drift and prices, and all of it over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pointsman import assembly
from pointsman.doctor import State, WatchFacts, watch_findings
from pointsman.record import SqlLedger, open_ledger
from pointsman.testing import FakeClock, MemoryLedger
from pointsman.vocabulary import (
    Attempt,
    AttemptStatus,
    Cost,
    Decision,
    Record,
    ShadowLabel,
    ShadowStatus,
    WatchEvent,
    WatchKind,
)
from pointsman.watch import WINDOW, Reference
from pointsman.watching import Watching, WatchPlan, restored

PLAN = WatchPlan("auto", "f1", "strong", 0.05, 0.95, "strong", None, {"small": (1.0, 2.0)})
START = datetime(2026, 11, 25, tzinfo=UTC)


def record(
    n: int = 0, *, tier: str = "cheap", p_cheap: float | None = 0.5, reason: str = "score", status: str = "ok"
) -> Record:
    decision = Decision(f"req_{n}", "m", tier, "auto", "threshold", "so it is", reason, p_cheap=p_cheap)
    attempt = Attempt("m", tier, AttemptStatus(status), 200, None, None, Cost(0.0), 1.0, 1.0)
    return Record(
        request_id=f"req_{n}",
        created_at=START + timedelta(seconds=n),
        endpoint="/v1/chat/completions",
        dialect=None,
        requested_model="auto",
        status=status,
        http_status=200,
        decision=decision,
        attempts=(attempt,),
        usage=None,
        cost=Cost(0.0),
        baseline_model=None,
        baseline_cost=Cost(0.0),
    )


def label(n: int = 0, *, score: float | None = 0.0, reason: str = "score", fingerprint: str = "f1") -> ShadowLabel:
    return ShadowLabel(
        request_id=f"req_{n}",
        created_at=START + timedelta(seconds=n),
        policy="auto",
        fingerprint=fingerprint,
        reason_code=reason,
        model="small",
        tier="cheap",
        strong_model="large",
        strong_tier="strong",
        judge="referee",
        status=ShadowStatus.JUDGE_FAILED if score is None else ShadowStatus.JUDGED,
        score=score,
        orders_agree=None if score is None else True,
        propensity=0.1,
        strong_cost_usd=0.01,
        judge_cost_usd=0.001,
    )


def watching(ledger: Any = None, history: Any = None, **changes: Any) -> Watching:
    plan = replace(PLAN, **changes)
    now = FakeClock(START - timedelta(days=1)).now
    return Watching({"auto": plan}, ledger=MemoryLedger() if ledger is None else ledger, history=history, now=now)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


# ---------------------------------------------------------------- what counts


def test_only_decisions_of_the_policy_itself_count() -> None:
    watch = watching()
    for made in (
        record(tier="cheap"),
        record(tier="strong"),
        record(reason="rule"),
        record(reason="pinned_tier"),
        record(reason="named_model"),
        record(reason="guarantee", tier="strong"),
        record(reason="tool_loop"),
        record(reason="session"),
        record(status="error"),
        replace(record(), decision=None),
        replace(record(), attempts=()),
    ):
        watch.note(made)
    seen = watch.watches["auto"]
    assert (seen.n_served, seen.n_cheaper, seen.share) == (2, 1, 0.5)


def test_only_comparisons_of_the_policy_itself_count() -> None:
    watch = watching()
    for made in (
        label(),
        label(score=None),
        label(reason="rule"),
        label(fingerprint="f0"),
        label(fingerprint=""),
        replace(label(), policy="best"),
    ):
        watch.judged(made)
    assert watch.watches["auto"].bound.n == 1


def test_what_the_strong_tier_serves_loses_nothing() -> None:
    """Half of all requests, of which every answer was worse: a loss of 50 %."""
    watch = watching(limit=0.6)
    for n in range(200):
        watch.note(record(n, tier="cheap" if n % 2 else "strong"))
    for n in range(100):
        watch.judged(label(n))
    estimate, least, most = watch.watches["auto"].loss
    assert estimate == 0.5
    assert 0.35 < least < estimate <= most == 0.5
    # All cheap answers are worse for certain, and still no more than 60 % of all can be.
    assert watch.watches["auto"].alarm is None
    strict = watching(limit=0.35)
    for n in range(200):
        strict.note(record(n, tier="cheap" if n % 2 else "strong"))
    for n in range(100):
        strict.judged(label(n))
    assert strict.watches["auto"].alarm is not None


# ---------------------------------------------------------------- drift


def test_drift_is_told_when_it_begins_and_when_it_ends_and_known_after_a_restart(ledger: SqlLedger) -> None:
    watch = watching(ledger, ledger.reader)
    n = 0

    def window(score: float, n_windows: int = 1) -> None:
        nonlocal n
        for _ in range(n_windows * WINDOW):
            n += 1
            made = record(n, p_cheap=score)
            watch.note(made)
            ledger.write(made)

    window(0.52, 2)
    ledger.flush()
    kinds = [event.kind for event in ledger.reader.watch_events("auto")]
    assert kinds == [WatchKind.IN_FORCE, WatchKind.REFERENCE]
    window(0.52)
    assert watch.watches["auto"].drifts == {}
    window(0.12)
    told = watch.watches["auto"].drifts["scores"]
    assert told == "100% of scores are below 0.50, where 0% were"
    ledger.flush()
    again = restored(PLAN, ledger.reader)
    assert again.in_force
    assert again.drifts == {"scores": told}
    assert again.windows.reference is not None and again.windows.reference.n == 2 * WINDOW
    assert (again.n_served, again.n_cheaper, again.windows.n_windows) == (4 * WINDOW, 4 * WINDOW, 4)
    window(0.52)
    ledger.flush()
    assert watch.watches["auto"].drifts == {}
    assert restored(PLAN, ledger.reader).drifts == {}


def test_prices_are_compared_with_those_of_when_it_came_into_force(ledger: SqlLedger) -> None:
    watching(ledger, ledger.reader)
    ledger.flush()
    same = watching(ledger, ledger.reader)
    assert same.watches["auto"].moved_prices == ()
    moved = watching(ledger, ledger.reader, prices={"small": (1.5, 2.0), "new": (9.0, 9.0)})
    assert moved.watches["auto"].moved_prices == (
        "small costs 1.5 and 2 USD per million tokens in and out, and cost 1 and 2",
    )


# ---------------------------------------------------------------- over a restart


def test_comparisons_count_after_a_restart_and_no_more_once_acknowledged(ledger: SqlLedger) -> None:
    watch = watching(ledger, ledger.reader)
    for n in range(40):
        made = label(n, score=0.0 if n % 4 else None)
        watch.judged(made)
        ledger.write_shadow(made)
    ledger.flush()
    (alarm,) = [event for event in ledger.reader.watch_events("auto") if event.kind is WatchKind.ALARM]
    assert alarm.what == "quality" and "where 5.0% is allowed" in alarm.text
    again = watching(ledger, ledger.reader).watches["auto"]
    # One more was judged after the alarm than before; all of them are on record.
    assert (again.bound.n, again.alarm) == (30, alarm.text)
    ledger.write_watch(WatchEvent("auto", "f1", WatchKind.ACKNOWLEDGED, START + timedelta(seconds=39)))
    ledger.flush()
    fresh = watching(ledger, ledger.reader).watches["auto"]
    assert (fresh.bound.n, fresh.alarm) == (1, None)


def test_a_policy_that_returns_is_written_down_again(ledger: SqlLedger) -> None:
    for fingerprint in ("f1", "f2", "f1", "f1"):
        watching(ledger, ledger.reader, fingerprint=fingerprint)
        ledger.flush()
    found = [event.fingerprint for event in ledger.reader.watch_events("auto")]
    assert found == ["f1", "f2", "f1"]


# ---------------------------------------------------------------- plans and findings


def config(policy: dict[str, Any], **shadow: Any) -> dict[str, Any]:
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    models = [
        {"name": name, "provider": "openai-compatible", "model": name, "base_url": "http://127.0.0.1:9/v1"}
        | {"price": price}
        for name in ("small", "large")
    ]
    return {
        "models": models,
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": policy},
        "shadow": {"share": 0.1, **shadow},
    }


@pytest.mark.parametrize(
    ("policy", "shadow", "limit"),
    [
        ({"kind": "threshold", "max_quality_loss": 0.03}, {}, 0.03),
        ({"kind": "threshold", "max_quality_loss": 0.03}, {"max_quality_loss": 0.1}, 0.1),
        ({"kind": "threshold", "threshold": 0.8}, {}, None),
        ({"kind": "cascade", "accept": 0.8}, {}, None),
        ({"kind": "cascade", "accept": 0.8}, {"max_quality_loss": 0.1}, 0.1),
    ],
)
def test_the_limit_is_the_policys_own_or_the_one_for_all(
    policy: dict[str, Any], shadow: dict[str, Any], limit: float | None
) -> None:
    plan = assembly.watch_plans(assembly.from_config(config(policy, **shadow)))["auto"]
    assert (plan.limit, plan.strongest, plan.on_alarm) == (limit, "strong", "strong")
    assert plan.prices == {"small": (1.0, 2.0), "large": (1.0, 2.0)}


def test_without_comparisons_nothing_is_watched() -> None:
    made = config({"kind": "threshold", "max_quality_loss": 0.03}, share=0.0)
    assert assembly.watch_plans(assembly.from_config(made)) == {}


def test_a_tuned_file_gives_the_reference(tmp_path: Path) -> None:
    reference = Reference((0.5, 0.7), (0.2, 0.6), 0.4, 900)
    watch = watching(reference=reference)
    for _ in range(WINDOW):
        watch.note(record(p_cheap=0.6))
    # All scores are below 0.7 and none below 0.5; all requests went to the cheaper tier.
    assert watch.watches["auto"].drifts == {
        "scores": "100% of scores are below 0.70, where 60% were",
        "acceptance": "cheaper tiers serve 100% of requests, where they served 40%",
    }


FACTS = WatchFacts("auto", 120, 0.012, -0.03, 0.05, 0.01, 0.95)


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({"n_compared": 0, "loss": float("nan")}, State.OK, "policy auto: nothing has been compared yet"),
        ({}, State.OK, "better by +1.2% [-3.0%, +5.0%], 120 comparisons; 1.0% is allowed, and a breach is not shown"),
        ({"limit": None}, State.OK, "120 comparisons; it promises nothing"),
        ({"alarm": "too bad"}, State.FAULT, "guarantee no longer holds: too bad; the strong tier serves in its place"),
        ({"alarm": "too bad", "strong_serves": False}, State.FAULT, "it goes on deciding (on_alarm: warn)"),
    ],
)
def test_the_doctors_words(changes: dict[str, Any], state: State, said: str) -> None:
    (found,) = watch_findings(replace(FACTS, **changes))
    assert found.state is state
    assert found.found.endswith(said)


def test_drift_and_prices_are_warnings() -> None:
    found = watch_findings(replace(FACTS, drifts=("scores have moved",), moved_prices=("small costs more",)))
    assert [each.state for each in found] == [State.OK, State.WARNING, State.WARNING]
    assert found[1].found == "policy auto: scores have moved"
    assert found[2].found == "policy auto: since it came into force, small costs more"
