"""A cap that is never passed, by hand and at random."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pointsman.limit import DayCap

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_what_could_pass_the_cap_does_not_begin() -> None:
    cap = DayCap(spent_usd=0.5, now=NOON)
    assert not cap.hold(0.6, 1.0, NOON)
    assert cap.hold(0.3, 1.0, NOON)
    assert not cap.hold(0.3, 1.0, NOON)
    cap.settle(0.3, 0.1, NOON)
    assert cap.spent_usd(NOON) == 0.6
    assert cap.hold(0.375, 1.0, NOON)


def test_a_new_day_begins_with_nothing_spent_and_an_old_clock_with_all_of_it() -> None:
    cap = DayCap(spent_usd=1.0, now=NOON)
    assert cap.spent_usd(NOON - timedelta(days=1)) == 1.0
    assert cap.spent_usd(NOON + timedelta(hours=12)) == 0.0


def test_what_a_job_cost_belongs_to_the_day_in_which_it_ended() -> None:
    cap = DayCap(spent_usd=0.0, now=NOON)
    assert cap.hold(0.5, 1.0, NOON)
    cap.settle(0.5, 0.25, NOON + timedelta(days=1))
    assert cap.spent_usd(NOON + timedelta(days=1)) == 0.25


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1), st.booleans()), max_size=40))
def test_no_order_of_jobs_passes_the_cap(jobs: list[tuple[float, float, bool]]) -> None:
    """As long as no job costs more than was set aside for it."""
    cap = DayCap(spent_usd=0.0, now=NOON)
    under_way: list[tuple[float, float]] = []
    for most_usd, part, ends in jobs:
        if cap.hold(most_usd, 1.0, NOON):
            under_way.append((most_usd, most_usd * part))
        if ends and under_way:
            cap.settle(*under_way.pop(0), NOON)
        assert cap.spent_usd(NOON) <= 1.0 + 1e-9
