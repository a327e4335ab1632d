"""Savings by hand: unknown costs are left out and counted, simulated answers stand apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pointsman.record.database import database_of
from pointsman.record.parts import merge
from pointsman.record.savings import SavingsBy
from pointsman.record.sums import add_up
from pointsman.vocabulary import Attempt, AttemptStatus, Cost

DAY_1 = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY_2 = DAY_1 + timedelta(days=1)


def add_all_up(url: str) -> None:
    database = database_of(url)
    engine = database.writing()
    with engine.begin() as connection:
        (merge if database.on_server else add_up)(connection)
    engine.dispose()


def served_by(model: str, tier: str) -> tuple[Attempt, ...]:
    return (Attempt(model, tier, AttemptStatus.OK, 200, None, None, Cost(None), None, 1.0),)


@pytest.fixture
def ledger(open_at: Any, ledger_url: str, make_record: Any) -> Any:
    """Four real cheap ones (one of unknown cost, one without a baseline), one strong, one simulated."""
    ledger = open_at(ledger_url)
    cheap, strong = served_by("small", "cheap"), served_by("large", "strong")
    for n, changes in enumerate(
        [
            {"created_at": DAY_1, "cost": Cost(0.25), "baseline_cost": Cost(1.0), "judge_cost_usd": 0.125},
            {"created_at": DAY_1, "cost": Cost(0.25), "baseline_cost": Cost(1.0), "router_cost_usd": 0.125},
            {"created_at": DAY_2, "cost": Cost(None, "no price"), "baseline_cost": Cost(1.0)},
            {"created_at": DAY_2, "cost": Cost(0.5), "baseline_cost": Cost(None, "no price")},
            {"created_at": DAY_2, "cost": Cost(1.0), "baseline_cost": Cost(1.0), "attempts": strong, "status": "error"},
            {"created_at": DAY_2, "cost": Cost(0.5), "baseline_cost": Cost(4.0), "simulated": True},
        ]
    ):
        ledger.write(make_record(n, **{"attempts": cheap, **changes}))
    ledger.flush()
    return ledger


def test_the_total_by_hand(ledger: Any) -> None:
    total = ledger.reader.savings().real.total
    assert (total.n_requests, total.n_ok, total.n_compared) == (5, 4, 3)
    assert (total.n_unknown_cost, total.n_unknown_baseline) == (1, 1)
    assert total.baseline_usd == 3.0
    assert total.spent_usd == 0.25 + 0.125 + 0.25 + 0.125 + 1.0
    assert total.router_and_judge_usd == 0.25
    assert total.saved_usd == total.baseline_usd - total.spent_usd == 1.25
    assert total.uncompared_usd == 0.5
    assert total.saved_share == pytest.approx(1.25 / 3)


def test_simulated_answers_are_not_among_the_real_ones(ledger: Any) -> None:
    simulated = ledger.reader.savings().simulated.total
    assert (simulated.n_requests, simulated.spent_usd, simulated.saved_usd) == (1, 0.5, 3.5)


def test_by_tier_with_shares(ledger: Any) -> None:
    cheap, strong = ledger.reader.savings(by=SavingsBy.TIER).real.groups
    assert (cheap.name, cheap.n_requests, cheap.share, cheap.saved_usd) == ("cheap", 4, 0.8, 1.25)
    assert (strong.name, strong.n_requests, strong.share, strong.saved_usd) == ("strong", 1, 0.2, 0.0)


def test_by_day_in_order(ledger: Any) -> None:
    groups = ledger.reader.savings(by=SavingsBy.DAY).real.groups
    assert [(line.name, line.n_requests) for line in groups] == [("2026-11-01", 2), ("2026-11-02", 3)]


@pytest.mark.parametrize("by", list(SavingsBy))
def test_groups_add_up_to_the_total(ledger: Any, by: SavingsBy) -> None:
    section = ledger.reader.savings(by=by).real
    for figure in ("n_requests", "n_ok", "n_compared", "spent_usd", "baseline_usd", "saved_usd", "uncompared_usd"):
        assert sum(getattr(line, figure) for line in section.groups) == getattr(section.total, figure)
    assert sum(line.share for line in section.groups) == pytest.approx(1.0)


async def test_since_is_included_and_until_is_not(ledger: Any) -> None:
    found = await ledger.savings(since=DAY_1, until=DAY_2)
    assert found.real.total.n_requests == 2
    assert (await ledger.savings(since=DAY_2)).real.total.n_requests == 3


def test_nothing_on_record_saves_an_unknown_share(open_at: Any, ledger_url: str) -> None:
    found = open_at(ledger_url).reader.savings(by=SavingsBy.MODEL)
    assert (found.real.total.n_requests, found.real.total.saved_share, found.real.groups) == (0, None, ())


def test_a_group_without_a_name_is_kept(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger = open_at(ledger_url)
    ledger.write(make_record(1, key_id=None))
    ledger.write(make_record(2, key_id="team"))
    ledger.flush()
    groups = ledger.reader.savings(by=SavingsBy.KEY).real.groups
    assert {line.name for line in groups} == {None, "team"}


@pytest.mark.parametrize("by", [by for by in SavingsBy if by is not SavingsBy.DAY])
@pytest.mark.parametrize("added_up", [False, True])
def test_a_span_that_cuts_hours_and_days_counts_exactly_the_records_in_it(
    open_at: Any, ledger_url: str, make_record: Any, by: SavingsBy, added_up: bool
) -> None:
    ledger = open_at(ledger_url)
    made = [DAY_1 + timedelta(minutes=20 * n) for n in range(150)]  # over more than two days
    for n, at in enumerate(made):
        ledger.write(make_record(n, created_at=at, key_id="team" if n % 2 else None))
    assert ledger.flush()
    if added_up:
        add_all_up(ledger_url)
    for since, until in (
        (DAY_1 + timedelta(minutes=40), DAY_1 + timedelta(minutes=50)),
        (DAY_1 + timedelta(minutes=40), DAY_1 + timedelta(minutes=90)),
        (DAY_1 + timedelta(hours=1), DAY_1 + timedelta(hours=30)),
        (DAY_1 + timedelta(minutes=41), DAY_1 + timedelta(hours=36, minutes=1)),
        (DAY_1 - timedelta(days=1), DAY_1 + timedelta(hours=12)),
        (None, DAY_1 + timedelta(minutes=61)),
        (DAY_1 + timedelta(minutes=61), None),
    ):
        expected = sum((since is None or at >= since) and (until is None or at < until) for at in made)
        found = ledger.reader.savings(since=since, until=until, by=by).real
        assert found.total.n_requests == expected
        assert found.total.saved_usd == pytest.approx(0.009 * expected)
